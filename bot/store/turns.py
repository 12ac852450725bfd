"""Turns: what the bot does with a customer's message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import Conversation, ConversationState, EscalationReason, NotFound
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction
from bot.domain.message import Author, Button, Command, Reply, Visibility
from bot.domain.operations import TurnEnd, TurnInput
from bot.queue import Claim
from bot.store import rows
from bot.store.base import MESSAGE
from bot.store.fastpath import FastPath
from bot.store.tables import conversation, message, turn


class TurnTaking(FastPath):
    async def begin_turn(self, message_id: int) -> TurnInput | None:
        """What the turn is taken from; None if it was taken already. A human's conversation comes back
        like any other: the caller sees its state, and is told at the end if it changed meanwhile."""
        async with self._reader.connect() as connection:
            row = (
                await connection.execute(
                    MESSAGE.add_columns(turn.c.done)
                    .join(turn, turn.c.message_id == message.c.id)
                    .where(message.c.id == message_id)
                )
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no message {message_id} with a turn")
            if row.done:
                return None
            payload: Mapping[str, str] = row.payload or {}
            return TurnInput(
                message=rows.message(row),
                conversation=await self._conversation(connection, row.conversation_id),
                command=Command(payload["command"]) if "command" in payload else None,
                argument=payload.get("argument", ""),
                button=payload.get("button"),
                last_buttons=await self._last_buttons(connection, row),
            )

    async def _last_buttons(self, connection: AsyncConnection, of: Row[Any]) -> tuple[Button, ...]:
        """Of the bot's message before, if this one may be the number of one of them."""
        if len(of.text.strip()) != 1:
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

    async def finish_turn(
        self,
        taken: TurnInput,
        decision: Decision,
        replies: Sequence[Reply],
        *,
        language: str | None,
        prediction: Prediction | None = None,
        claim: Claim | None = None,
        immediate: bool = False,
    ) -> TurnEnd:
        """Writes the bot's replies and marks the turn done, if the conversation is still as it was taken.

        Where a human took over meanwhile, the turn ends with no word said. For an escalation, ``{position}``
        in the replies is filled with the customer's place in the queue. ``claim`` is ended with the turn where that can
        be done in the same transaction. On ``immediate`` channels what is recorded is with its customer.
        """
        now = taken.conversation
        if (
            now.state is ConversationState.BOT
            and decision.action is not Action.ESCALATE
            and len(replies) == 1
            and claim is not None
            and self._queue.is_open
        ):
            return TurnEnd(
                shown=await self._answer_at_once(
                    taken, decision, replies[0], language, prediction, claim, immediate=immediate
                )
            )
        escalates = decision.action is Action.ESCALATE and now.state is ConversationState.BOT
        async with self._engine.begin() as connection:
            if not await self._end_turn(connection, taken.message.id, decision, prediction):
                return TurnEnd()
            position: int | None = None
            values: dict[str, Any] = {
                "updated_at": func.now(),
                "language": language,
                "misses": 0 if decision.understood or escalates else now.thread.misses + 1,
            }
            if not decision.keeps_thread:
                values |= {"last_answer": decision.topic, "offered": list(decision.offers)}
            if escalates:
                values |= {
                    "state": ConversationState.QUEUED,
                    "generation": now.generation + 1,
                    "queued_at": func.now(),
                    "waiting_since": func.coalesce(conversation.c.waiting_since, func.now()),
                    "reason": decision.reason,
                    "priority": int(decision.priority),
                    "last_answer": None,
                    "offered": [],
                }
            if decision.reason in (None, EscalationReason.TOPIC) and decision.topic and not decision.keeps_thread:
                values["topic"] = decision.topic
            kept = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == now.id,
                    conversation.c.generation == now.generation,
                    conversation.c.state == now.state,
                )
                .values(values)
            )
            if kept.rowcount == 0:
                return TurnEnd()
            if escalates:
                await self._note_escalation(connection, now, decision, prediction)
                position = await self._position(connection, now.id)
            elif now.state is ConversationState.QUEUED:
                position = await self._position(connection, now.id)
            for reply in replies:
                filled = reply.text if position is None else reply.text.replace("{position}", str(position))
                await self._add_outgoing(
                    connection,
                    now,
                    Author.BOT,
                    filled,
                    reply.format,
                    buttons=rows.to_json(reply.buttons),
                    reply_to=taken.message.id,
                )
            await self._notify(connection, "state" if escalates else "reply", now.id, now.contact.id)
            return TurnEnd(position)

    async def skip_turn(self, taken: TurnInput) -> None:
        """Marks the turn done without a word: a human has the conversation."""
        async with self._engine.begin() as connection:
            await self._end_turn(connection, taken.message.id, None, None)

    async def _end_turn(
        self,
        connection: AsyncConnection,
        message_id: int,
        decision: Decision | None,
        prediction: Prediction | None,
    ) -> bool:
        ended = await connection.execute(
            update(turn)
            .where(turn.c.message_id == message_id, ~turn.c.done)
            .values(
                done=True,
                done_at=func.now(),
                action=decision and decision.action,
                reason=decision and decision.reason,
                topic=decision and decision.topic,
                ranking=prediction and rows.ranking(prediction),
            )
        )
        return ended.rowcount == 1

    async def _note_escalation(
        self, connection: AsyncConnection, escalated: Conversation, decision: Decision, prediction: Prediction | None
    ) -> None:
        assert decision.reason is not None
        note = f"Escalated: {decision.reason.explanation}."
        if prediction is not None:
            ranking = ", ".join(f"{ranked.name} {ranked.confidence:.0%}" for ranked in prediction.ranking[:3])
            note += f" The engine's ranking: {ranking}."
        await self._add_message(
            connection, escalated.id, escalated.contact.id, Author.SYSTEM, note, visibility=Visibility.PRIVATE
        )
