"""What goes out to customers.

A delivery is pending until the customer's side is as the desk wants it: the message there in its current text, or
gone. An edit or a deletion makes it pending again under a higher ``version``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, exists, func, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.message import Author, DeliveryState
from bot.domain.operations import DeliveryInput
from bot.domain.said import Fault
from bot.queue import DELIVER, TURN, JobLease
from bot.queue.statements import HAS_JOB, JOBS, MESSAGE_OF_JOB
from bot.store import rows
from bot.store.fastpath import FastPath
from bot.store.statements import PART_FOUND, PART_SENT, SENT
from bot.store.tables import contact, conversation, delivery, failure, message, turn
from bot.store.values import sent


class Deliveries(FastPath):
    async def begin(self, message_id: int) -> DeliveryInput | None:
        """The delivery, if it is still pending and not held back; counts the attempt."""
        answered = message.alias("answered")
        async with self._engine.begin() as connection:
            before = (
                select(delivery.c.message_id, delivery.c.in_doubt)
                .join(message, message.c.id == delivery.c.message_id)
                .where(
                    delivery.c.message_id == message_id,
                    delivery.c.state == DeliveryState.PENDING,
                    message.c.held_until.is_(None),
                )
                .with_for_update(of=delivery)
                .subquery("before")
            )
            row = (
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.message_id == before.c.message_id)
                    .values(
                        attempts=delivery.c.attempts + 1,
                        # Before the send, and so never fewer than what a customer may have twice.
                        repeats=delivery.c.repeats + before.c.in_doubt.cast(Integer),
                        # What was never changed is sent now; of anything else ``begin_send`` tells.
                        in_doubt=before.c.in_doubt | (delivery.c.version == 0),
                    )
                    .returning(
                        *(column.label(f"delivery_{column.name}") for column in delivery.c),
                        before.c.in_doubt.label("was_in_doubt"),
                    )
                )
            ).one_or_none()
            if row is None:
                return None
            to = (
                await connection.execute(
                    select(contact, answered.c.external_id.label("answered_id"), conversation.c.thread)
                    .select_from(contact)
                    .join(message, message.c.id == message_id)
                    .join(conversation, conversation.c.id == message.c.conversation_id)
                    .outerjoin(answered, (answered.c.id == message.c.reply_to) & (answered.c.author == Author.CUSTOMER))
                    .where(contact.c.id == row.delivery_contact_id)
                )
            ).one()
            return rows.delivery(
                row,
                await self._message(connection, message_id),
                rows.contact_of(to),
                in_doubt=row.was_in_doubt,
                answered=to.answered_id,
                after=await self._sent_before(connection, row) if row.was_in_doubt else None,
                thread=to.thread,
            )

    async def _sent_before(self, connection: AsyncConnection, begun: Any) -> str | None:
        """The platform's id of the last thing that surely went to this contact before the delivery's next part."""
        if begun.delivery_external_ids:
            return str(begun.delivery_external_ids[-1])
        known = await connection.execute(
            select(delivery.c.external_ids[-1].astext)
            .join(message, message.c.id == delivery.c.message_id)
            .where(
                message.c.contact_id == begun.delivery_contact_id,
                # What was written later may have gone there after the send that is in doubt.
                message.c.id < begun.delivery_message_id,
                message.c.cursor.is_not(None),
                func.jsonb_array_length(delivery.c.external_ids) > 0,
            )
            .order_by(message.c.cursor.desc())
            .limit(1)
        )
        return known.scalar_one_or_none()

    async def begin_send(self, begun: DeliveryInput) -> None:
        """A part of a changed message is about to be sent, of which no receipt can have come."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == begun.message.id)
                .values(in_doubt=True, delivered_at=None, read_at=None)
            )

    async def record_found(self, begun: DeliveryInput, external_id: str) -> None:
        """The part that was in doubt is with the customer, in whatever words."""
        async with self._engine.begin() as connection:
            await self._queue.within(connection, PART_FOUND, sent(begun, None, external_id))

    async def record_part(self, begun: DeliveryInput, index: int, external_id: str | None = None) -> None:
        """Part ``index`` of the message is with the customer as ``begun`` has it: sent anew with that id, or an
        earlier one changed. A retry goes on behind it."""
        async with self._engine.begin() as connection:
            await self._queue.within(connection, PART_SENT, sent(begun, index, external_id))

    async def begin_removal(self, begun: DeliveryInput, kept: int) -> None:
        """Only the first ``kept`` parts of what the customer has are of the message; the others are left over, whatever
        becomes of the message meanwhile."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == begun.message.id)
                .values(
                    external_ids=list(begun.external_ids[:kept]),
                    leftover=[*begun.leftover, *begun.external_ids[kept:]],
                    placed=func.least(delivery.c.placed, kept),
                )
            )

    async def record_removed(self, begun: DeliveryInput, external_id: str) -> None:
        """A part that was left over is gone."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == begun.message.id)
                .values(leftover=delivery.c.leftover.op("-")(external_id))
            )

    async def record_sent(
        self,
        begun: DeliveryInput,
        index: int | None = None,
        external_id: str | None = None,
        job: JobLease | None = None,
    ) -> None:
        """The customer's side is as ``begun`` has it; ``index`` and ``external_id`` are its last step, as in
        ``record_part``. Where the message was changed meanwhile, the delivery stays pending for that.
        ``job`` is ended with it where that can be done in the same transaction."""
        values = sent(begun, index, external_id)
        if job is not None and self._database.at_once:
            await self._sent_at_once(values, job)
            return
        async with self._engine.begin() as connection:
            await self._queue.within(connection, SENT, values)

    async def postpone(self, begun: DeliveryInput, until: datetime, error: Fault, *, refused: bool = False) -> None:
        """The platform could not take it now; ``refused``: it said so, and certainly did not."""
        await self._set_delivery(begun, {"next_attempt_at": until, **rows.error_columns(error)}, refused)

    async def fail(self, begun: DeliveryInput, error: Fault, *, refused: bool = True) -> None:
        """The platform never will; the agent sees ``error``."""
        await self._set_delivery(begun, {"state": DeliveryState.FAILED, **rows.error_columns(error)}, refused)

    async def _set_delivery(self, begun: DeliveryInput, values: Mapping[str, Any], refused: bool) -> None:
        async with self._engine.begin() as connection:
            if refused and not begun.in_doubt:
                await connection.execute(
                    update(delivery).where(delivery.c.message_id == begun.message.id).values(in_doubt=False)
                )
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == begun.message.id, delivery.c.version == begun.version)
                .values(**values)
            )
            where = (
                await connection.execute(
                    select(message.c.conversation_id, message.c.contact_id).where(message.c.id == begun.message.id)
                )
            ).one()
            await self._notify(connection, "delivery", where.conversation_id, where.contact_id)

    async def release_held(self) -> int:
        """Releases the messages that were held back until now: they are delivered like any other. Returns how many."""
        due = (
            select(message.c.id).where(message.c.held_until <= func.now()).with_for_update(skip_locked=True)
        ).scalar_subquery()
        async with self._engine.begin() as connection:
            released = (
                await connection.execute(
                    update(message)
                    .where(message.c.id.in_(due))
                    .values(held_until=None)
                    .returning(message.c.id, message.c.conversation_id, message.c.contact_id)
                )
            ).all()
            for row in released:
                await self._queue.defer_delivery(connection, row.id, row.contact_id, urgent=True)
                await self._notify(connection, "message", row.conversation_id, row.contact_id)
            return len(released)

    async def defer_forgotten(self, *, older_than: timedelta = timedelta(seconds=30)) -> int:
        """Defers anew what waits without a job, and was not given up: a net under the queue. Returns how many.

        Replicas that sweep at the same moment would each find no job and make one: one sweeps, for the others there is
        nothing to do.
        """
        before = datetime.now(UTC) - older_than
        async with self._engine.begin() as connection:
            alone = await connection.execute(
                select(func.pg_try_advisory_xact_lock(func.hashtext("switchboard.defer_forgotten")))
            )
            if not alone.scalar_one():
                return 0
            turns = (
                await connection.execute(
                    select(turn.c.message_id, turn.c.conversation_id).where(
                        ~turn.c.done,
                        turn.c.created_at < before,
                        ~_has_job(TURN, turn.c.message_id),
                        ~exists().where(
                            failure.c.task == TURN,
                            failure.c.message_id == turn.c.message_id,
                            failure.c.set_aside_at.is_not(None),
                        ),
                    )
                )
            ).all()
            deliveries = (
                await connection.execute(
                    select(delivery.c.message_id, delivery.c.contact_id, message.c.author)
                    .join(message, message.c.id == delivery.c.message_id)
                    .where(
                        delivery.c.state == DeliveryState.PENDING,
                        delivery.c.next_attempt_at < before,
                        message.c.held_until.is_(None),
                        ~_has_job(DELIVER, delivery.c.message_id),
                    )
                    .order_by(delivery.c.message_id)
                )
            ).all()
            for row in turns:
                await self._queue.defer_turn(connection, row.message_id, row.conversation_id)
            for message_id, contact_id, author in deliveries:
                await self._queue.defer_delivery(connection, message_id, contact_id, urgent=author != Author.BOT)
            return len(turns) + len(deliveries)


def _has_job(task: str, message_id: ColumnElement[int]) -> ColumnElement[bool]:
    jobs: Select[Any] = (
        select(literal(1))
        .select_from(text(JOBS))
        .where(
            text(HAS_JOB).bindparams(task=task),
            text(MESSAGE_OF_JOB) == message_id,  # type: ignore[arg-type]
        )
        .correlate(turn, delivery)
    )
    return exists(jobs)
