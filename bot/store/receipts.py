"""What platforms tell of messages after they took them: delivered, read, failed after all.

A long message goes out in parts, of which the platform tells one by one; the message is delivered, or read, when all of
them are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.delivery import DeliveryReceipt, DeliveryStatus, ReceiptRefused, changes
from bot.domain.message import DeliveryState, Receipt
from bot.domain.notice import NotNow
from bot.store import rows
from bot.store.base import Area
from bot.store.tables import contact, delivery, message

FAILED_KEPT = 20
"""Parts that failed of which one message remembers so: told again, they are known."""


class Receipts(Area):
    async def record(
        self, channel: str, account: str, contact_id: str, external_id: str, told: DeliveryReceipt
    ) -> Receipt:
        """Keeps what the platform tells of a message that it took. ``contact_id`` and ``external_id`` are the
        platform's. Told again, and told of what is known already, it changes nothing and is a ``duplicate``. What
        failed is tried again by an agent, and then sent anew from that part on.

        Raises ``ReceiptRefused`` for a message that the desk does not have, and for what contradicts an earlier
        receipt; ``NotNow`` while a send to the contact is under way: it may be of a part that is not recorded yet, and
        a message that fails between two parts would be sent to its end all the same."""
        async with self._engine.begin() as connection:
            to = (
                await connection.execute(
                    select(contact.c.id)
                    .where(
                        contact.c.channel == channel,
                        contact.c.account == account,
                        contact.c.external_id == contact_id,
                    )
                    .with_for_update(key_share=True)
                )
            ).scalar_one_or_none()
            found = None if to is None else await self._found(connection, to, external_id)
            if found is None:
                if to is not None:
                    await self._refuse_while_sending(connection, to)
                raise ReceiptRefused(
                    "unknown_message",
                    f"the desk has sent {contact_id} no message with the id {external_id}, or took it back; name it by"
                    " the id that was answered when it was sent, or else by the webhook-id of that",
                )
            parts: dict[str, dict[str, str]] = dict(found.receipts)
            if changes(_status(parts.get(external_id)), told.status):
                if told.status is DeliveryStatus.FAILED:
                    values = _failed(found, parts, external_id, told)
                else:
                    values = _arrived(found, parts, external_id, told)
                await connection.execute(
                    update(delivery).where(delivery.c.message_id == found.message_id).values(values)
                )
                await self._notify(connection, "delivery", found.conversation_id, found.contact_id)
                return Receipt(found.message_id, found.conversation_id)
            return Receipt(found.message_id, found.conversation_id, duplicate=True)

    async def _found(self, connection: AsyncConnection, to: int, external_id: str) -> Row[Any] | None:
        query = (
            select(delivery, message.c.conversation_id)
            .join(message, message.c.id == delivery.c.message_id)
            .where(
                delivery.c.contact_id == to,
                or_(delivery.c.external_ids.has_key(external_id), delivery.c.receipts.has_key(external_id)),
                message.c.deleted_at.is_(None),
            )
            .order_by(delivery.c.message_id.desc())
            .limit(1)
            .with_for_update(of=delivery)
        )
        return (await connection.execute(query)).one_or_none()

    async def _refuse_while_sending(self, connection: AsyncConnection, contact_id: int) -> None:
        """The platform may know that a part arrived, or did not, before the desk has written that it was sent."""
        # What was postponed without a doubt did not arrive, and holds up nothing.
        under_way = select(delivery.c.message_id).where(
            delivery.c.contact_id == contact_id, delivery.c.state == DeliveryState.PENDING, delivery.c.in_doubt
        )
        if (await connection.execute(under_way.limit(1))).first() is not None:
            raise _not_now()


def _status(of_part: Mapping[str, str] | None) -> DeliveryStatus | None:
    """The last that is known of it."""
    known = of_part or {}
    order = (DeliveryStatus.FAILED, DeliveryStatus.READ, DeliveryStatus.DELIVERED)
    return next((status for status in order if status in known), None)


def _arrived(
    found: Row[Any], parts: dict[str, dict[str, str]], external_id: str, told: DeliveryReceipt
) -> dict[str, Any]:
    at = _moment(told)
    known = parts.get(external_id, {})
    # What was read was delivered before, or then.
    parts[external_id] = {DeliveryStatus.DELIVERED.value: at} | known | {told.status.value: at}
    values: dict[str, Any] = {"receipts": parts}
    for status, column in ((DeliveryStatus.DELIVERED, "delivered_at"), (DeliveryStatus.READ, "read_at")):
        times = [parts.get(part, {}).get(status.value) for part in found.external_ids]
        # Not while further parts may follow: the receipt of the last one finds it whole.
        if found.sent_at is not None and not found.in_doubt and all(times):
            values[column] = max(datetime.fromisoformat(time) for time in times if time)
    return values


def _failed(
    found: Row[Any], parts: dict[str, dict[str, str]], external_id: str, told: DeliveryReceipt
) -> dict[str, Any]:
    if found.state == DeliveryState.PENDING and (found.in_doubt or found.next_attempt_at <= datetime.now(UTC)):
        raise _not_now()
    place = found.external_ids.index(external_id)
    gone = DeliveryStatus.FAILED.value
    before = [part for part, known in parts.items() if gone in known]
    before.sort(key=lambda part: parts[part][gone], reverse=True)
    kept = {*found.external_ids[:place], *before[: FAILED_KEPT - 1]}
    receipts = {part: known for part, known in parts.items() if part in kept}
    assert told.error is not None
    return {
        "state": DeliveryState.FAILED,
        "external_ids": found.external_ids[:place],
        # Behind it they would come before it.
        "leftover": [*found.leftover, *found.external_ids[place + 1 :]],
        "placed": min(found.placed, place),
        # A part whose end was never known has had its key: what is sent now has another.
        "sends": found.sends + int(found.in_doubt),
        "in_doubt": False,
        "receipts": receipts | {external_id: {gone: _moment(told)}},
        "delivered_at": None,
        "read_at": None,
        **rows.error_columns(told.error),
    }


def _moment(told: DeliveryReceipt) -> str:
    """Nothing arrives in the future, whatever a platform's clock says."""
    now = datetime.now(UTC)
    return min(told.at or now, now).isoformat()


def _not_now() -> NotNow:
    return NotNow("a message is on its way to this customer; tell of it again in a second")
