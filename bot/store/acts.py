"""What agents do with conversations: who has them, and how they end. Each act is one transaction.

``notice`` holds, by locale, the words that tell the customer of an act; the conversation's own locale is taken, else
the key ``""``. ``{position}`` in it is filled with their place in the queue. ``why`` is what the agent gave as the
reason; it stands in the thread as a private line that every agent sees.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import lifecycle
from bot.domain.conversation import Conversation, ConversationState, NotFound, Priority
from bot.domain.history import SYSTEM, EventKind, by_agent
from bot.domain.lifecycle import Step
from bot.domain.lines import Kind, Line, line
from bot.domain.message import Author, Cleared, ClearedWords, Visibility
from bot.domain.said import Refusal
from bot.domain.staff import NotAllowed, Permission, may, roles_with
from bot.store import rows
from bot.store.base import Area, in_language
from bot.store.lifecycle import last_of
from bot.store.tables import agent, contact, conversation


class ConversationActs(Area):
    async def claim(self, conversation_id: int, agent_id: int, notice: Mapping[str, Cleared]) -> Conversation:
        """Gives the conversation to the agent, from the queue or from the bot.

        Raises ``StateConflict`` when another agent was faster; an agent who claims what is theirs already gets it as
        it is.
        """
        async with self._engine.begin() as connection:
            await self._check_role(connection, agent_id)
            found, _ = await self._locked(connection, conversation_id)
            step = lifecycle.claim(found, agent_id)
            if step is None:
                return found
            now = await self._apply(connection, found, step)
            await self._tell(connection, now, notice)
            return now

    async def take_over(
        self, conversation_id: int, agent_id: int, from_id: int, notice: Mapping[str, Cleared], why: ClearedWords
    ) -> Conversation:
        """Gives a colleague's conversation to the agent. ``StateConflict`` if ``from_id`` does not have it any more."""
        async with self._engine.begin() as connection:
            held, _ = await self._locked(connection, conversation_id)
            step = lifecycle.take_over(held, agent_id, from_id, why)
            return await self._pass_on(connection, held, step, agent_id, notice, Kind.TOOK_OVER, why)

    async def transfer(
        self,
        conversation_id: int,
        agent_id: int,
        to_id: int,
        notice: Mapping[str, Cleared],
        why: ClearedWords,
        *,
        by: int | None = None,
    ) -> Conversation:
        """Gives the agent's conversation to a colleague, and ``ValueError`` if there is no such colleague. ``by`` is
        the lead who does it, if it is not the agent."""
        async with self._engine.begin() as connection:
            lead = await self._lead(connection, by)
            held, _ = await self._locked(connection, conversation_id)
            step = lifecycle.transfer(held, agent_id, to_id, why, by=by)
            kind, who = (Kind.PASSED_ON_BY, {"lead": lead}) if lead else (Kind.PASSED_ON, {})
            return await self._pass_on(connection, held, step, to_id, notice, kind, why, **who)

    async def _pass_on(
        self,
        connection: AsyncConnection,
        held: Conversation,
        step: Step | None,
        to_id: int,
        notice: Mapping[str, Cleared],
        kind: Kind,
        why: str,
        **values: str,
    ) -> Conversation:
        if step is None:
            return held
        to = (
            # Locked, so that nobody is disabled meanwhile and yet gets it.
            await connection.execute(select(agent).where(agent.c.id == to_id).with_for_update(read=True))
        ).one_or_none()
        if to is None or to.disabled_at is not None or to.role not in _ANSWERERS:
            words = "there is no such colleague who answers customers here any more"
            raise Refusal(words, "refusal.no_colleague")
        now = await self._apply(connection, held, step)
        await self._note(connection, held, line(kind, why, agent=_name(held), to=to.name, **values))
        await self._tell(connection, held, notice)
        return now

    async def put_back(
        self,
        conversation_id: int,
        agent_id: int,
        notice: Mapping[str, Cleared],
        why: ClearedWords | None = None,
        *,
        by: int | None = None,
    ) -> Conversation:
        """Puts the agent's conversation into the queue: at its old place, if it was there, with reason, topic and
        priority. ``by`` is the lead who does it, if it is not the agent."""
        async with self._engine.begin() as connection:
            lead = await self._lead(connection, by)
            held, at = await self._locked(connection, conversation_id)
            step = lifecycle.requeue(held, at, by_agent(by or agent_id), why or "", holder=agent_id)
            agent = _name(held)
            said = (
                line(Kind.PUT_BACK_BY, why or "", lead=lead, agent=agent)
                if lead
                else line(Kind.PUT_BACK, why or "", agent=agent)
            )
            return await self._put_back(connection, held, step, notice, said)

    async def put_back_abandoned(self, gone_after: timedelta, notice: Mapping[str, Cleared]) -> int:
        """Puts back what waits for an agent who did nothing for ``gone_after``, and whose customer has waited for an
        answer for as long; and what came to an agent while they were being disabled, or got a role that does not
        answer. Returns how many."""
        gone = func.now() - gone_after
        abandoned = (
            select(conversation.c.id, agent.c.disabled_at, agent.c.role)
            .join(agent, agent.c.id == conversation.c.agent_id)
            .where(
                conversation.c.state == ConversationState.ASSIGNED,
                or_(
                    agent.c.disabled_at.is_not(None),
                    agent.c.role.not_in(_ANSWERERS),
                    and_(
                        conversation.c.waiting_since < gone,
                        conversation.c.snoozed_until.is_(None),
                        or_(agent.c.seen_at.is_(None), agent.c.seen_at < gone),
                    ),
                ),
            )
            .order_by(*AS_SERVED)
            .with_for_update(of=conversation, skip_locked=True)
        )
        minutes = max(1, round(gone_after.total_seconds() / 60))
        async with self._engine.begin() as connection:
            found = (await connection.execute(abandoned)).all()
            for conversation_id, disabled_at, role in found:
                held, at = await self._locked(connection, conversation_id)
                left = disabled_at is not None or role not in _ANSWERERS
                why = _GONE if left else f"has not been at the desk for {minutes} min"
                step = lifecycle.requeue(held, at, SYSTEM, why)
                said = line(Kind.GONE, agent=_name(held)) if left else line(Kind.AWAY, agent=_name(held), n=minutes)
                await self._put_back(connection, held, step, notice, said)
            return len(found)

    async def expire_absent(
        self, channels: Collection[str], gone_after: timedelta, came_after: datetime, notice: Mapping[str, Cleared]
    ) -> int:
        """Gives back to the bot who waits in the queue on one of ``channels``, came into it after ``came_after``, and
        for ``gone_after`` neither had the chat open nor wrote. Whose case is urgent waits on: an agent must see it.
        Returns how many."""
        last_there = func.greatest(contact.c.seen_at, conversation.c.queued_at, conversation.c.updated_at)
        absent = (
            select(conversation.c.id)
            .join(contact, contact.c.id == conversation.c.contact_id)
            .where(
                conversation.c.state == ConversationState.QUEUED,
                conversation.c.priority < Priority.URGENT,
                conversation.c.queued_at > came_after,
                contact.c.channel.in_(channels),
                last_there < func.now() - gone_after,
            )
            .order_by(*AS_SERVED)
            .with_for_update(of=conversation, skip_locked=True)
        )
        minutes = max(1, round(gone_after.total_seconds() / 60))
        async with self._engine.begin() as connection:
            found = list((await connection.execute(absent)).scalars())
            for conversation_id in found:
                waiting, _ = await self._locked(connection, conversation_id)
                step = lifecycle.leave_queue(waiting, SYSTEM, f"closed the chat, and was not back for {minutes} min")
                now = await self._apply(connection, waiting, step)
                await self._note(connection, now, line(Kind.EXPIRED, n=minutes))
                await self._tell(connection, now, notice)
            return len(found)

    async def put_back_all(self, connection: AsyncConnection, agent_id: int, notice: Mapping[str, Cleared]) -> int:
        """Puts back everything that the agent has."""
        found = (
            await connection.execute(
                select(conversation.c.id)
                .where(conversation.c.agent_id == agent_id)
                .order_by(*AS_SERVED)
                .with_for_update(key_share=True)
            )
        ).scalars()
        ids = list(found)
        for conversation_id in ids:
            held, at = await self._locked(connection, conversation_id)
            step = lifecycle.requeue(held, at, SYSTEM, _GONE)
            await self._put_back(connection, held, step, notice, line(Kind.GONE, agent=_name(held)))
        return len(ids)

    async def _put_back(
        self,
        connection: AsyncConnection,
        held: Conversation,
        step: Step,
        notice: Mapping[str, Cleared],
        said: Line,
    ) -> Conversation:
        now = await self._apply(connection, held, step)
        await self._note(connection, held, said)
        await self._tell(connection, held, notice)
        return now

    async def resolve(
        self, conversation_id: int, agent_id: int, notice: Mapping[str, Cleared], undo_within: timedelta = timedelta()
    ) -> Conversation:
        """Closes the conversation. The customer is told after ``undo_within``; until then ``reopen`` undoes it without
        a word to them."""
        async with self._engine.begin() as connection:
            held, at = await self._locked(connection, conversation_id)
            step = lifecycle.resolve(held, agent_id, at, at + undo_within if undo_within else None)
            now = await self._apply(connection, held, step)
            await self._note(connection, held, line(Kind.RESOLVED, agent=_name(held)))
            await self._tell(connection, held, notice, held_for=undo_within)
            return now

    async def reopen(self, conversation_id: int, agent_id: int, notice: Mapping[str, Cleared]) -> Conversation:
        """Takes a resolved conversation up again. Whose customer was not told yet that it is resolved, and has the same
        agent again, is told nothing: it is as if it had not been resolved.

        Raises ``StateConflict`` if it is not resolved, and ``ValueError`` if the customer has a newer one that is open.
        """
        async with self._engine.begin() as connection:
            closed = await self._resolved(connection, conversation_id)
            step = lifecycle.reopen(closed, agent_id)
            if step is None:
                return closed  # pressed twice
            await self._check_role(connection, agent_id)
            undone = await self._withdraw_held(connection, closed.id) and closed.last_agent_id == agent_id
            if undone:
                resolved = await last_of(connection, closed.id, EventKind.RESOLVED)
                step = lifecycle.undo_resolve(closed, agent_id, resolved)
            now = await self._apply(connection, closed, step)
            await self._note(connection, now, line(Kind.REOPENED, agent=_name(now)))
            if not undone:
                await self._tell(connection, now, notice)
            return now

    async def _check_role(self, connection: AsyncConnection, agent_id: int) -> None:
        """Raises ``NotAllowed`` where the agent's role is not one of those who answer customers. What comes to them in
        the very moment in which it changes is put back by the sweep."""
        role = (await connection.execute(select(agent.c.role).where(agent.c.id == agent_id))).scalar_one()
        if role not in _ANSWERERS:
            raise NotAllowed(Permission.ANSWER_CUSTOMERS, agent_id)

    async def _lead(self, connection: AsyncConnection, by: int | None) -> str:
        """The name of the lead who moves a colleague's work, if one does. Raises ``NotAllowed`` for who is none."""
        if by is None:
            return ""
        found = rows.agent((await connection.execute(select(agent).where(agent.c.id == by))).one())
        if not may(found, Permission.MOVE_CONVERSATIONS):
            raise NotAllowed(Permission.MOVE_CONVERSATIONS, by)
        return found.name

    async def _resolved(self, connection: AsyncConnection, conversation_id: int) -> Conversation:
        """The conversation, locked, whose contact has no other one open in its thread, and gets none meanwhile."""
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
        now, _ = await self._locked(connection, conversation_id)
        if now.state is ConversationState.RESOLVED:
            newer = await connection.execute(
                select(conversation.c.id).where(
                    conversation.c.contact_id == contact_id,
                    conversation.c.thread == now.thread,
                    conversation.c.state != ConversationState.RESOLVED,
                )
            )
            if newer.one_or_none() is not None:
                words = "the customer has a newer conversation, which is open: go on there"
                raise Refusal(words, "refusal.newer_open")
        return now

    async def _tell(
        self,
        connection: AsyncConnection,
        to: Conversation,
        notice: Mapping[str, Cleared],
        held_for: timedelta = timedelta(),
    ) -> None:
        text = in_language(notice, to.language)
        if "{position}" in text:
            text = guard.fill(text, position=await self._position(connection, to.id))
        await self._add_notice(connection, to, text, held_for=held_for)

    async def _note(self, connection: AsyncConnection, of: Conversation, said: Line) -> None:
        await self._add_message(
            connection,
            of.id,
            of.contact.id,
            Author.SYSTEM,
            guard.outgoing(said.words),
            visibility=Visibility.PRIVATE,
            payload=said.payload,
        )


AS_SERVED = (conversation.c.priority.desc(), conversation.c.queued_at, conversation.c.id)
"""The order of the queue: of several that are put back, each customer is told a place that no later one takes."""
_GONE = "does not work at this desk any more"
_ANSWERERS = [role.value for role in roles_with(Permission.ANSWER_CUSTOMERS)]


def _name(held: Conversation) -> str:
    """Of the agent who has it."""
    assert held.agent is not None
    return held.agent.name
