"""Delivery: the only caller of a connector's ``send``.

A delivery is pending until its platform took it, and then sent; or failed, which the agent is shown.
A long message goes out in parts, each recorded, so a retry never repeats what the customer has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from bot import guard
from bot.model import Capabilities, DeliveryInput, Outgoing, PermanentError, TemporaryError
from bot.queue import TryAgain
from bot.rendering import Part, fit
from bot.store import Store

log = structlog.get_logger(__name__)

SEND_TIMEOUT = 60.0
FIRST_PAUSE = timedelta(seconds=1)
MAX_PAUSE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
"""After this long the words are stale; the agent is told that they never arrived."""


class Sender(Protocol):
    """The part of a connector that the outbox needs."""

    account: str
    capabilities: Capabilities

    async def send(self, message: Outgoing) -> str: ...


class Outbox:
    def __init__(self, store: Store, senders: Mapping[str, Sender]) -> None:
        """``senders`` by channel; looked up at each delivery, so a channel may come later."""
        self._store = store
        self._senders = senders

    async def deliver(self, message_id: int, _attempts: int) -> None:
        """Sends one message. Raises ``TryAgain`` when the platform could not take it now."""
        delivery = await self._store.begin_delivery(message_id)
        if delivery is None:
            return
        try:
            await self._send_parts(delivery)
        except PermanentError as error:
            log.warning("not delivered", action="delivery_failed", message=message_id, error=str(error))
            await self._store.fail_delivery(message_id, str(error))
        except TemporaryError as error:
            await self._postpone(delivery, str(error), error.retry_after)
        except TimeoutError:
            await self._postpone(delivery, "the platform did not answer in time", None)

    async def _send_parts(self, delivery: DeliveryInput) -> None:
        contact = delivery.contact
        sender = self._senders.get(contact.channel)
        if sender is None:
            raise TemporaryError(f"the channel {contact.channel} is off", retry_after=60)
        if sender.account and sender.account != contact.account:
            raise PermanentError(
                f"this contact belongs to the {contact.channel} account {contact.account}, "
                f"and the desk now runs {sender.account}"
            )
        parts = fit(delivery.message, sender.capabilities)
        for index in range(len(delivery.external_ids), len(parts)):
            async with asyncio.timeout(SEND_TIMEOUT):
                external_id = await sender.send(_outgoing(delivery, parts[index], index))
            if index == len(parts) - 1:
                await self._store.record_sent(delivery.message.id, external_id)
            else:
                await self._store.record_part(delivery.message.id, external_id)

    async def _postpone(self, delivery: DeliveryInput, reason: str, retry_after: float | None) -> None:
        now = datetime.now(UTC)
        message = delivery.message
        if now - message.created_at > GIVE_UP_AFTER:
            await self._store.fail_delivery(message.id, f"given up after {GIVE_UP_AFTER}: {reason}")
            return
        if retry_after is not None:
            pause = timedelta(seconds=retry_after)
        else:
            pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 10), MAX_PAUSE)
        log.info(
            "delivery postponed",
            action="delivery_postponed",
            message=message.id,
            seconds=pause.total_seconds(),
            error=reason,
        )
        await self._store.postpone_delivery(message.id, now + pause, reason)
        raise TryAgain(now + pause)


def _outgoing(delivery: DeliveryInput, part: Part, index: int) -> Outgoing:
    contact = delivery.contact
    return Outgoing(
        channel=contact.channel,
        account=contact.account,
        chat_id=contact.chat_id,
        text=guard.outgoing(part.text),
        format=part.format,
        buttons=part.buttons,
        key=f"{delivery.message.id}:{index}",
    )
