"""Turns: what the bot does with a customer's message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import lines
from bot.domain.characters import shows
from bot.domain.conversation import Conversation, ConversationState, EscalationReason, NotFound
from bot.domain.decision import Action, Decision, Turn
from bot.domain.details import merged
from bot.domain.engine import Prediction, Ranked
from bot.domain.forms import Detail
from bot.domain.lifecycle import escalate, leave_queue, urge
from bot.domain.message import Author, Button, Message, Reply, Visibility
from bot.domain.operations import TurnEnd, TurnInput
from bot.queue import JobLease
from bot.store import rows
from bot.store.base import MESSAGE
from bot.store.cleanings import Cleanings
from bot.store.lifecycle import apply
from bot.store.statements import END_TURN
from bot.store.tables import conversation, message, turn
from bot.store.values import said, turned

_IS_FORWARD = func.coalesce(message.c.context.has_key("forward"), False)


class Turns(Cleanings):
    async def of(self, conversation_id: int) -> dict[int, Turn]:
        """What the bot did, by message id."""
        query = select(turn).where(turn.c.conversation_id == conversation_id, turn.c.done)
        async with self._engine.connect() as connection:
            return {
                row.message_id: Turn(
                    row.message_id,
                    None if row.action is None else Action(row.action),
                    None if row.reason is None else EscalationReason(row.reason),
                    row.topic,
                    tuple(Ranked(name, confidence) for name, confidence in row.ranking or ()),
                )
                for row in await connection.execute(query)
            }

    async def begin(self, message_id: int) -> TurnInput | None:
        """What the turn is taken from; None if it was taken already. A human's conversation comes back
        like any other: the caller sees its state, and is told at the end if it changed meanwhile."""
        async with self._reader.connect() as connection:
            row = (
                await connection.execute(
                    MESSAGE.add_columns(turn.c.done, turn.c.version.label("turn_version"))
                    .join(turn, turn.c.message_id == message.c.id)
                    .where(message.c.id == message_id)
                )
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no message {message_id} with a turn")
            if row.done:
                return None
            return rows.turn(
                row,
                await self._conversation(connection, row.conversation_id),
                await self._last_buttons(connection, row),
                version=row.turn_version,
            )

    async def _last_buttons(self, connection: AsyncConnection, of: Row[Any]) -> tuple[Button, ...]:
        """Of the bot's message before, if this one may be the number of one of them."""
        if not rows.may_be_number(of.text):
            return ()
        last = await connection.execute(
            select(message.c.buttons)
            .where(
                message.c.conversation_id == of.conversation_id,
                message.c.author == Author.BOT,
                message.c.id < of.id,
            )
            .order_by(message.c.id.desc())
            .limit(1)
        )
        return rows.buttons(last.scalar_one_or_none() or [])

    async def texts(self, message_ids: Sequence[int]) -> list[str]:
        """The customer's own words in these messages as they are now, in the order written; not of those taken back,
        and none that they only pass on."""
        if not message_ids:
            return []
        query = select(message.c.text).where(
            message.c.id.in_(message_ids), message.c.deleted_at.is_(None), ~_IS_FORWARD
        )
        async with self._reader.connect() as connection:
            return list((await connection.execute(query.order_by(message.c.id))).scalars())

    async def spoke_before(self, of: Message, within: timedelta) -> bool:
        """Whether the customer's own words came so shortly before this message that both belong together."""
        before = select(message.c.text).where(
            message.c.conversation_id == of.conversation_id,
            message.c.author == Author.CUSTOMER,
            message.c.id < of.id,
            message.c.created_at > of.created_at - within,
            message.c.deleted_at.is_(None),
            message.c.payload.is_(None),
            ~_IS_FORWARD,
        )
        async with self._reader.connect() as connection:
            found = await connection.execute(before.order_by(message.c.id.desc()).limit(10))
            return any(shows(text) for text in found.scalars())

    async def place(self, conversation_id: int) -> int:
        """In the queue, from 1, of a conversation that waits in it."""
        async with self._reader.connect() as connection:
            return await self._position(connection, conversation_id)

    async def has_next(self, of: Message) -> bool:
        """Whether the customer wrote on: a later message of theirs waits for its turn."""
        later = select(turn.c.message_id).where(
            turn.c.conversation_id == of.conversation_id, turn.c.message_id > of.id, ~turn.c.done
        )
        async with self._reader.connect() as connection:
            return (await connection.execute(later.limit(1))).first() is not None

    async def finish(
        self,
        taken: TurnInput,
        decision: Decision,
        replies: Sequence[Reply],
        *,
        language: str | None,
        prediction: Prediction | None = None,
        job: JobLease | None = None,
        immediate: bool = False,
    ) -> TurnEnd:
        """Writes the bot's replies and marks the turn done, if the conversation is still as it was taken.

        Where a human took over meanwhile, the turn ends with no word said; what the message told in a form of its own
        is kept. For an escalation, ``{position}``
        in the replies is filled with the customer's place in the queue. ``job`` is ended with the turn where that can
        be done in the same transaction. On ``immediate`` channels what is recorded is with its customer.
        """
        now = taken.conversation
        escalates = decision.escalates and now.state is ConversationState.BOT
        moves = escalates or decision.leaves_queue or decision.urges
        ended = turned(taken, decision, language, prediction)
        says = partial(said, now, Author.BOT, reply_to=taken.message.id, immediate=immediate)
        if (
            now.state is ConversationState.BOT
            and not moves
            and len(replies) == 1
            and job is not None
            and self._database.at_once
        ):
            [reply] = replies
            values = ended | says(reply.text, reply.format, buttons=reply.buttons)
            shown_at_once = await self._answer_at_once(taken, values, job)
            if shown_at_once is None:
                await self._keep_details(now, decision.details)
            return TurnEnd(shown=bool(shown_at_once))
        async with self._engine.begin() as connection:
            overtaken = await self._queue.within(connection, END_TURN, ended) is None
            if overtaken and decision.details:
                await self._add_details(connection, now, decision.details)
            if overtaken:
                return TurnEnd()
            if escalates:
                await self._escalate(connection, now, decision)
                await self._note_escalation(connection, now, decision, prediction)
            elif moves:
                await self._move_in_queue(connection, now, decision)
            position: int | None = None
            if escalates or (now.state is ConversationState.QUEUED and not decision.leaves_queue):
                position = await self._position(connection, now.id)
            shown = []
            for reply in replies:
                filled = reply.text if position is None else guard.fill(reply.text, position=position)
                values = says(filled, reply.format, buttons=reply.buttons)
                shown.append((await self._add_outgoing(connection, values)).shown)
            if moves:
                await self._notify(connection, "state", now.id, now.contact.id)
            if any(shown) or not escalates:
                await self._notify(connection, "delivery" if any(shown) else "reply", now.id, now.contact.id)
            return TurnEnd(position, shown=bool(shown) and all(shown))

    async def _escalate(self, connection: AsyncConnection, now: Conversation, decision: Decision) -> None:
        """Asks for a person, in the conversation of a turn that has just ended."""
        assert decision.reason is not None
        found, at = await self._locked(connection, now.id)
        await apply(connection, found, escalate(found, at, decision.reason, decision.priority, found.topic))

    async def _move_in_queue(self, connection: AsyncConnection, now: Conversation, decision: Decision) -> None:
        """The waiting customer leaves the queue, or goes forward in it; an agent's becomes more urgent."""
        found, _ = await self._locked(connection, now.id)
        step = leave_queue(found) if decision.leaves_queue else urge(found, decision.priority, decision.reason)
        if step is not None:
            await apply(connection, found, step)

    async def skip(self, taken: TurnInput, details: Sequence[Detail] = ()) -> None:
        """Marks the turn done without a word: a human has the conversation. ``details`` are what the message told in a
        form of its own."""
        now = taken.conversation
        async with self._engine.begin() as connection:
            if details:
                await self._add_details(connection, now, details)
            await connection.execute(
                update(turn)
                .where(turn.c.message_id == taken.message.id, ~turn.c.done)
                .values(done=True, done_at=func.now())
            )

    async def _keep_details(self, of: Conversation, details: Sequence[Detail]) -> None:
        if details:
            async with self._engine.begin() as connection:
                await self._add_details(connection, of, details)

    async def _add_details(self, connection: AsyncConnection, of: Conversation, details: Sequence[Detail]) -> None:
        found, _ = await self._locked(connection, of.id)
        kept = rows.details_to_json(merged(found.details, details))
        await connection.execute(update(conversation).where(conversation.c.id == of.id).values(details=kept))
        await self._notify(connection, "state", of.id, of.contact.id)

    async def _note_escalation(
        self, connection: AsyncConnection, escalated: Conversation, decision: Decision, prediction: Prediction | None
    ) -> None:
        assert decision.reason is not None
        line = lines.escalated(decision.reason, prediction)
        await self._add_message(
            connection,
            escalated.id,
            escalated.contact.id,
            Author.SYSTEM,
            guard.outgoing(line.words),
            visibility=Visibility.PRIVATE,
            payload=line.payload,
        )
