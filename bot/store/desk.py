"""What agents do with conversations: who has them, and how they end. Each act is one transaction.

``notice`` holds, by locale, the words that tell the customer of an act; the conversation's own locale is taken, else
the key ``""``. ``{position}`` in it is filled with their place in the queue. ``why`` is what the agent gave as the
reason; it stands in the thread as a private line that every agent sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import (
    Conversation,
    ConversationState,
    EscalationReason,
    NotFound,
    Priority,
    StateConflict,
)
from bot.domain.message import Author, Visibility
from bot.store.base import Base, in_language, taken_by
from bot.store.tables import agent, contact, conversation


class DeskWork(Base):
    async def claim(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Gives the conversation to the agent, from the queue or from the bot.

        Raises ``StateConflict`` when another agent was faster; an agent who claims what is theirs already gets it as
        it is.
        """
        async with self._engine.begin() as connection:
            claimed = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == conversation_id,
                    conversation.c.state.in_([ConversationState.BOT, ConversationState.QUEUED]),
                )
                .values(_given_to(agent_id))
            )
            now = await self._conversation(connection, conversation_id)
            if claimed.rowcount == 0:
                if now.agent is not None and now.agent.id == agent_id:
                    return now
                raise StateConflict(taken_by(now), now)
            await self._tell(connection, now, notice)
            await self._notify(connection, "state", now.id, now.contact.id)
            return now

    async def take_over(
        self, conversation_id: int, agent_id: int, from_id: int, notice: Mapping[str, str], why: str
    ) -> Conversation:
        """Gives a colleague's conversation to the agent. ``StateConflict`` if ``from_id`` does not have it any more."""
        return await self._pass_on(conversation_id, from_id, agent_id, notice, "{to} took over from {from_}", why)

    async def transfer(
        self, conversation_id: int, agent_id: int, to_id: int, notice: Mapping[str, str], why: str
    ) -> Conversation:
        """Gives the agent's conversation to a colleague, and ``ValueError`` if there is no such colleague."""
        return await self._pass_on(conversation_id, agent_id, to_id, notice, "{from_} passed this on to {to}", why)

    async def _pass_on(
        self, conversation_id: int, from_id: int, to_id: int, notice: Mapping[str, str], line: str, why: str
    ) -> Conversation:
        async with self._engine.begin() as connection:
            held = await self._assigned_to(connection, conversation_id, from_id)
            if from_id == to_id:
                return held
            to = (
                # Locked, so that nobody is disabled meanwhile and yet gets it.
                await connection.execute(select(agent).where(agent.c.id == to_id).with_for_update(read=True))
            ).one_or_none()
            if to is None or to.disabled_at is not None:
                raise ValueError("there is no such colleague who works here any more")
            await connection.execute(update(conversation).where(conversation.c.id == held.id).values(_given_to(to_id)))
            assert held.agent is not None
            await self._note(connection, held, line.format(from_=held.agent.name, to=to.name), why)
            await self._tell(connection, held, notice)
            await self._notify(connection, "state", held.id, held.contact.id)
            return await self._conversation(connection, held.id)

    async def put_back(
        self, conversation_id: int, agent_id: int, notice: Mapping[str, str], why: str = ""
    ) -> Conversation:
        """Puts the agent's conversation into the queue: at its old place, if it was there, with reason, topic and
        priority."""
        async with self._engine.begin() as connection:
            held = await self._assigned_to(connection, conversation_id, agent_id)
            assert held.agent is not None
            await self._put_back(connection, held, notice, f"{held.agent.name} put this back into the queue", why)
            return await self._conversation(connection, held.id)

    async def put_back_abandoned(self, gone_after: timedelta, notice: Mapping[str, str]) -> int:
        """Puts back what waits for an agent who did nothing for ``gone_after``, and whose customer has waited for an
        answer for as long; and what came to an agent while they were being disabled. Returns how many."""
        gone = func.now() - gone_after
        abandoned = (
            select(conversation.c.id, agent.c.disabled_at)
            .join(agent, agent.c.id == conversation.c.agent_id)
            .where(
                conversation.c.state == ConversationState.ASSIGNED,
                or_(
                    agent.c.disabled_at.is_not(None),
                    and_(
                        conversation.c.waiting_since < gone,
                        or_(agent.c.seen_at.is_(None), agent.c.seen_at < gone),
                    ),
                ),
            )
            .order_by(*_AS_SERVED)
            .with_for_update(of=conversation, skip_locked=True)
        )
        minutes = max(1, round(gone_after.total_seconds() / 60))
        async with self._engine.begin() as connection:
            found = (await connection.execute(abandoned)).all()
            for conversation_id, disabled_at in found:
                held = await self._conversation(connection, conversation_id)
                assert held.agent is not None
                line = f"{held.agent.name} has not been at the desk for {minutes} min: back into the queue"
                await self._put_back(connection, held, notice, _GONE.format(held.agent.name) if disabled_at else line)
            return len(found)

    async def _put_back_all(self, connection: AsyncConnection, agent_id: int, notice: Mapping[str, str]) -> int:
        """Puts back everything that the agent has."""
        found = (
            await connection.execute(
                select(conversation.c.id)
                .where(conversation.c.agent_id == agent_id)
                .order_by(*_AS_SERVED)
                .with_for_update()
            )
        ).scalars()
        ids = list(found)
        for conversation_id in ids:
            held = await self._conversation(connection, conversation_id)
            assert held.agent is not None
            await self._put_back(connection, held, notice, _GONE.format(held.agent.name))
        return len(ids)

    async def _put_back(
        self, connection: AsyncConnection, held: Conversation, notice: Mapping[str, str], line: str, why: str = ""
    ) -> None:
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == held.id)
            .values(
                state=ConversationState.QUEUED,
                agent_id=None,
                generation=conversation.c.generation + 1,
                updated_at=func.now(),
                queued_at=func.coalesce(conversation.c.queued_at, func.now()),
                waiting_since=func.coalesce(conversation.c.waiting_since, func.now()),
                reason=func.coalesce(conversation.c.reason, EscalationReason.RETURNED.value),
            )
        )
        await self._note(connection, held, line, why)
        await self._tell(connection, held, notice)
        await self._notify(connection, "state", held.id, held.contact.id)

    async def hand_back(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Returns the conversation to the bot, which begins anew."""
        async with self._engine.begin() as connection:
            held = await self._assigned_to(connection, conversation_id, agent_id)
            await self._release(
                connection, held, {"state": ConversationState.BOT, "priority": int(Priority.NORMAL), "reason": None}
            )
            await self._note(
                connection, held, f"{held.agent.name if held.agent else 'An agent'} handed back to the bot"
            )
            await self._tell(connection, held, notice)
            return await self._conversation(connection, held.id)

    async def resolve(
        self, conversation_id: int, agent_id: int, notice: Mapping[str, str], undo_within: timedelta = timedelta()
    ) -> Conversation:
        """Closes the conversation. The customer is told after ``undo_within``; until then ``reopen`` undoes it without
        a word to them."""
        async with self._engine.begin() as connection:
            held = await self._assigned_to(connection, conversation_id, agent_id)
            await self._release(connection, held, {"state": ConversationState.RESOLVED, "resolved_at": func.now()})
            await self._note(connection, held, f"{held.agent.name if held.agent else 'An agent'} resolved")
            await self._tell(connection, held, notice, held_for=undo_within)
            return await self._conversation(connection, held.id)

    async def _release(self, connection: AsyncConnection, held: Conversation, values: Mapping[str, Any]) -> None:
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == held.id)
            .values(
                {
                    "agent_id": None,
                    "generation": conversation.c.generation + 1,
                    "updated_at": func.now(),
                    "queued_at": None,
                    "waiting_since": None,
                    **values,
                }
            )
        )
        await self._notify(connection, "state", held.id, held.contact.id)

    async def reopen(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Takes a resolved conversation up again. Whose customer was not told yet that it is resolved, and has the same
        agent again, is told nothing.

        Raises ``StateConflict`` if it is not resolved, and ``ValueError`` if the customer has a newer one that is open.
        """
        async with self._engine.begin() as connection:
            closed = await self._resolved(connection, conversation_id)
            if closed.agent is not None and closed.agent.id == agent_id:
                return closed  # pressed twice
            if closed.state is not ConversationState.RESOLVED:
                raise StateConflict(taken_by(closed), closed)
            told = not await self._withdraw_held(connection, closed.id)
            await connection.execute(
                update(conversation)
                .where(conversation.c.id == closed.id)
                .values({**_given_to(agent_id), "resolved_at": None})
            )
            now = await self._conversation(connection, closed.id)
            assert now.agent is not None
            await self._note(connection, now, f"{now.agent.name} reopened")
            if told or closed.last_agent_id != agent_id:
                await self._tell(connection, now, notice)
            await self._notify(connection, "state", now.id, now.contact.id)
            return now

    async def _resolved(self, connection: AsyncConnection, conversation_id: int) -> Conversation:
        """The conversation, locked, whose contact has no other one open, and gets none meanwhile."""
        # The contact first, as whoever records their messages does.
        of = await connection.execute(
            select(contact.c.id)
            .join(conversation, conversation.c.contact_id == contact.c.id)
            .where(conversation.c.id == conversation_id)
            .with_for_update(of=contact, key_share=True)
        )
        contact_id = of.scalar_one_or_none()
        if contact_id is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        await self._lock_conversation(connection, conversation_id)
        now = await self._conversation(connection, conversation_id)
        if now.state is ConversationState.RESOLVED:
            newer = await connection.execute(
                select(conversation.c.id).where(
                    conversation.c.contact_id == contact_id, conversation.c.state != ConversationState.RESOLVED
                )
            )
            if newer.one_or_none() is not None:
                raise ValueError("the customer has a newer conversation, which is open: go on there")
        return now

    async def _tell(
        self,
        connection: AsyncConnection,
        to: Conversation,
        notice: Mapping[str, str],
        held_for: timedelta = timedelta(),
    ) -> None:
        text = in_language(notice, to.language)
        if "{position}" in text:
            text = text.replace("{position}", str(await self._position(connection, to.id)))
        await self._add_notice(connection, to, text, held_for=held_for)

    async def _note(self, connection: AsyncConnection, of: Conversation, line: str, why: str = "") -> None:
        await self._add_message(
            connection,
            of.id,
            of.contact.id,
            Author.SYSTEM,
            f"{line}: {why}" if why else f"{line}.",
            visibility=Visibility.PRIVATE,
        )


_AS_SERVED = (conversation.c.priority.desc(), conversation.c.queued_at, conversation.c.id)
"""The order of the queue: of several that are put back, each customer is told a place that no later one takes."""
_GONE = "{} does not work at this desk any more: back into the queue"


def _given_to(agent_id: int) -> dict[str, Any]:
    return {
        "state": ConversationState.ASSIGNED,
        "agent_id": agent_id,
        "last_agent_id": agent_id,
        "generation": conversation.c.generation + 1,
        "updated_at": func.now(),
        "misses": 0,
        "last_answer": None,
        "offered": [],
    }
