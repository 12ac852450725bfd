"""Work that fails by its own fault: how often it did, and what was given up and waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import lifecycle, lines
from bot.domain.conversation import ConversationState, EscalationReason, NotFound
from bot.domain.message import Author, Cleared, DeliveryState, MessageFormat, Visibility
from bot.domain.operations import DeadLetter
from bot.domain.said import Fault, fault, fault_of
from bot.queue import DELIVER, ERASE, FETCH, TURN
from bot.store import rows, values
from bot.store.base import Area
from bot.store.errors import is_transient
from bot.store.lifecycle import apply
from bot.store.tables import contact, delivery, failure, message, turn

log = structlog.get_logger(__name__)

NOT_FETCHED = fault("the desk failed on it, and gave it up", "fault.not_fetched")
"""The problem of an attachment whose fetching was given up."""


class DeadLetters(Area):
    async def failures(self, task: str, message_id: int) -> int:
        """How often the work failed by its own fault since it was last well."""
        async with self._engine.connect() as connection:
            found = await connection.execute(select(failure.c.tries).where(*_is(task, message_id)))
            return found.scalar_one_or_none() or 0

    async def record_failure(self, task: str, message_id: int, error: str, tries: int = 1) -> int:
        """Counts so many more, and returns how many there were. ``error`` must not quote anybody."""
        statement = upsert(failure).values(task=task, message_id=message_id, tries=tries, error=error)
        statement = statement.on_conflict_do_update(
            index_elements=["task", "message_id"],
            set_={"tries": failure.c.tries + tries, "error": statement.excluded.error, "last_at": func.now()},
        )
        async with self._engine.begin() as connection:
            return int((await connection.execute(statement.returning(failure.c.tries))).scalar_one())

    async def forget_failure(self, task: str, message_id: int) -> None:
        """The work was well, or is postponed for another reason."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(failure).where(*_is(task, message_id), failure.c.set_aside_at.is_(None)))

    async def add(self, task: str, message_id: int, notice: Mapping[str, Cleared]) -> str | None:
        """Nobody tries it again until a person says so.

        The conversation of a turn goes to the queue if the bot has it, its customer being told ``notice`` (by locale,
        ``""`` is the default; ``{position}`` is filled); its channel is then returned. A message is shown as not
        delivered, an attachment as not to be had.
        """
        async with self._engine.begin() as connection:
            where = await self._lock_contact_of(connection, message_id)
            aside = (
                await connection.execute(
                    update(failure)
                    .where(*_is(task, message_id))
                    .values(set_aside_at=func.now())
                    .returning(failure.c.error, failure.c.tries)
                )
            ).one_or_none()
            if aside is None:
                return None  # it was changed meanwhile, and is tried anew
            channel = None
            if task == TURN:
                channel = await self._escalate_failed(connection, where.conversation_id, notice)
            elif task == DELIVER:
                given_up = fault("given up after {n} tries ({what})", "fault.tries", n=aside.tries, what=aside.error)
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.message_id == message_id, delivery.c.state == DeliveryState.PENDING)
                    .values(state=DeliveryState.FAILED, **rows.error_columns(given_up))
                )
            elif task == FETCH:
                await self._mark_attachments(connection, message_id, None, NOT_FETCHED)
            await self._notify(connection, "dead_letter", where.conversation_id, where.contact_id)
            return channel

    async def _escalate_failed(
        self, connection: AsyncConnection, conversation_id: int, notice: Mapping[str, Cleared]
    ) -> str | None:
        found, at = await self._locked(connection, conversation_id)
        if found.state is not ConversationState.BOT:
            return None
        await apply(connection, found, lifecycle.escalate(found, at, EscalationReason.TURN_FAILED))
        try:
            # What made the turn fail may be in the way of this, too: the conversation is then queued without a word.
            async with connection.begin_nested():
                now = await self._conversation(connection, conversation_id)
                line = lines.escalated(EscalationReason.TURN_FAILED)
                await self._add_message(
                    connection,
                    now.id,
                    now.contact.id,
                    Author.SYSTEM,
                    guard.outgoing(line.words),
                    visibility=Visibility.PRIVATE,
                    payload=line.payload,
                )
                position = await self._position(connection, now.id)
                words = notice.get(now.language or "") or notice[""]
                words = guard.fill(words, position=position)
                await self._add_outgoing(connection, values.said(now, Author.BOT, words, MessageFormat.MARKDOWN))
        except Exception as error:
            if is_transient(error):
                raise
            log.error("queued without a notice", action="no_notice", error=type(error).__name__)
        return found.contact.channel

    async def _mark_attachments(
        self, connection: AsyncConnection, message_id: int, was: Fault | None, now: Fault | None
    ) -> None:
        """Gives every attachment without content whose problem ``was`` that the problem ``now``."""
        stored = (
            await connection.execute(select(message.c.attachments).where(message.c.id == message_id).with_for_update())
        ).scalar_one()
        changed = [
            # By its words: what was written before it had a phrase is the same problem.
            one | {"problem": rows.problem_to_json(now)}
            if not one.get("sha256") and str(fault_of(one.get("problem"))) == str(was)
            else one
            for one in stored
        ]
        await connection.execute(update(message).where(message.c.id == message_id).values(attachments=changed))

    async def count(self) -> int:
        async with self._engine.connect() as connection:
            counted = await connection.execute(
                select(func.count()).select_from(failure).where(failure.c.set_aside_at.is_not(None))
            )
            return int(counted.scalar_one())

    async def all(self, limit: int) -> Sequence[DeadLetter]:
        """What waits for a person, the oldest first."""
        async with self._engine.connect() as connection:
            found = await connection.execute(
                select(
                    failure,
                    message.c.conversation_id,
                    message.c.author,
                    *(column.label(f"contact_{column.name}") for column in contact.c),
                )
                .join(message, message.c.id == failure.c.message_id)
                .join(contact, contact.c.id == message.c.contact_id)
                .where(failure.c.set_aside_at.is_not(None))
                .order_by(failure.c.set_aside_at, failure.c.message_id, failure.c.task)
                .limit(limit)
            )
            return [_dead_letter(row) for row in found]

    async def try_again(self, task: str, message_id: int) -> None:
        """Has the work tried anew, its tries counted from the start. Raises ``NotFound`` where it does not wait."""
        async with self._engine.begin() as connection:
            where = await self._take_up(connection, task, message_id)
            if task == TURN:
                await self._queue.defer_turn(connection, message_id, where.conversation_id)
            elif task == DELIVER:
                await self._defer_failed(connection, message_id, where.contact_id)
            elif task == FETCH:
                await self._mark_attachments(connection, message_id, NOT_FETCHED, None)
                await self._queue.defer_fetch(connection, message_id)
            elif task == ERASE:
                await self._queue.defer_erasure(connection, message_id)
            await self._notify(connection, "dead_letter", where.conversation_id, where.contact_id)

    async def dismiss(self, task: str, message_id: int) -> None:
        """Leaves it undone, for good. Raises ``NotFound`` where it does not wait."""
        async with self._engine.begin() as connection:
            where = await self._take_up(connection, task, message_id)
            if task == TURN:
                await connection.execute(
                    update(turn)
                    .where(turn.c.message_id == message_id, ~turn.c.done)
                    .values(done=True, done_at=func.now())
                )
            await self._notify(connection, "dead_letter", where.conversation_id, where.contact_id)

    async def _take_up(self, connection: AsyncConnection, task: str, message_id: int) -> Any:
        waits = failure.c.set_aside_at.is_not(None)
        if (await connection.execute(select(failure).where(*_is(task, message_id), waits))).one_or_none() is not None:
            where = await self._lock_contact_of(connection, message_id)
            taken = await connection.execute(delete(failure).where(*_is(task, message_id), waits))
            if taken.rowcount:
                return where
        raise NotFound("it does not wait here any more")

    async def retry_delivery(self, message_id: int) -> None:
        """Has a message that was not delivered tried again. Raises ``NotFound`` where it is on its way, or there."""
        async with self._engine.begin() as connection:
            where = await self._lock_contact_of(connection, message_id)
            await connection.execute(delete(failure).where(*_is(DELIVER, message_id)))
            if not await self._defer_failed(connection, message_id, where.contact_id):
                raise NotFound("the message is on its way, or there")
            await self._notify(connection, "message", where.conversation_id, where.contact_id)

    async def _defer_failed(self, connection: AsyncConnection, message_id: int, contact_id: int) -> bool:
        again = await connection.execute(
            update(delivery)
            .where(delivery.c.message_id == message_id, delivery.c.state == DeliveryState.FAILED)
            .values(
                state=DeliveryState.PENDING,
                error=None,
                attempts=0,
                next_attempt_at=func.now(),
                retried_at=func.now(),
            )
        )
        if again.rowcount == 0:
            return False
        await self._queue.defer_delivery(connection, message_id, contact_id, urgent=True)
        return True


def _is(task: str, message_id: int) -> tuple[Any, Any]:
    return failure.c.task == task, failure.c.message_id == message_id


def _dead_letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        task=row.task,
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        contact=rows.contact(row),
        author=Author(row.author),
        error=row.error,
        tries=row.tries,
        first_at=row.first_at,
        since=row.set_aside_at,
    )
