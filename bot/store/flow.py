"""What else agents do with conversations: claim the next one, snooze, rank, hand back. Each act is one transaction;
``notice`` is as in ``acts``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select

from bot.domain import lifecycle
from bot.domain.conversation import Conversation, ConversationState, Priority
from bot.domain.history import by_agent
from bot.domain.lines import Kind, line
from bot.domain.lists import ListFilter
from bot.domain.message import Author, Cleared, ClearedWords, MessageFormat
from bot.store import values
from bot.store.acts import AS_SERVED, ConversationActs
from bot.store.base import CUSTOMER
from bot.store.lists import filtered
from bot.store.tables import conversation


class ConversationFlow(ConversationActs):
    async def claim_next(
        self, agent_id: int, notice: Mapping[str, Cleared], only: ListFilter | None = None
    ) -> Conversation | None:
        """Gives the agent the conversation that is served next, of all or of those that ``only`` lets through. None if
        there is none; of several agents who ask at once, each gets another one."""
        next_one = (
            select(conversation.c.id)
            .join(CUSTOMER, CUSTOMER.c.id == conversation.c.contact_id)
            .where(conversation.c.state == ConversationState.QUEUED, *filtered(only or ListFilter()))
            .order_by(*AS_SERVED)
            .limit(1)
            # Past the references of what is written meanwhile, as ``locked`` does.
            .with_for_update(of=conversation, key_share=True, skip_locked=True)
        )
        async with self._engine.begin() as connection:
            await self._check_role(connection, agent_id)
            conversation_id = (await connection.execute(next_one)).scalar_one_or_none()
            if conversation_id is None:
                return None
            found, _ = await self._locked(connection, conversation_id)
            step = lifecycle.claim(found, agent_id)
            assert step is not None, "what is queued is nobody's"
            now = await self._apply(connection, found, step)
            await self._tell(connection, now, notice)
            return now

    async def prioritise(self, conversation_id: int, agent_id: int, priority: Priority) -> Conversation:
        """Ranks a conversation that is not resolved; any agent may. Nothing changes where it has the rank already."""
        async with self._engine.begin() as connection:
            await self._check_role(connection, agent_id)
            found, _ = await self._locked(connection, conversation_id)
            step = lifecycle.prioritise(found, priority, by_agent(agent_id))
            return found if step is None else await self._apply(connection, found, step)

    async def snooze(self, conversation_id: int, agent_id: int, until: datetime) -> Conversation:
        """Lays the agent's conversation aside until then, or until its customer writes: the sweep for the abandoned
        leaves it alone. ``ValueError`` for a time that is over."""
        async with self._engine.begin() as connection:
            held, at = await self._locked(connection, conversation_id)
            return await self._apply(connection, held, lifecycle.snooze(held, agent_id, at, until))

    async def wake(self, conversation_id: int, agent_id: int) -> Conversation:
        """Ends the snooze of the agent's conversation; nothing changes where there is none."""
        async with self._engine.begin() as connection:
            held, _ = await self._locked(connection, conversation_id)
            step = lifecycle.wake(held, by_agent(agent_id))
            return held if step is None else await self._apply(connection, held, step)

    async def wake_due(self) -> int:
        """Ends every snooze whose time is over. Returns how many."""
        due = (
            select(conversation.c.id)
            .where(conversation.c.snoozed_until <= func.now())
            .with_for_update(of=conversation, skip_locked=True)
        )
        async with self._engine.begin() as connection:
            found = list((await connection.execute(due)).scalars())
            for conversation_id in found:
                snoozed, _ = await self._locked(connection, conversation_id)
                step = lifecycle.wake(snoozed)
                assert step is not None
                await self._apply(connection, snoozed, step)
            return len(found)

    async def hand_back(
        self,
        conversation_id: int,
        agent_id: int,
        notice: Mapping[str, Cleared] | None,
        word: ClearedWords | None = None,
    ) -> Conversation:
        """Returns the conversation to the bot, which begins anew. ``word`` is the agent's last one to the customer;
        without ``notice`` the desk itself tells them nothing."""
        async with self._engine.begin() as connection:
            held, _ = await self._locked(connection, conversation_id)
            step = lifecycle.hand_back(held, agent_id)
            if word:
                said = values.said(held, Author.AGENT, word, MessageFormat.TEXT, agent_id=agent_id)
                await self._add_outgoing(connection, said)
            now = await self._apply(connection, held, step)
            await self._note(connection, held, line(Kind.HANDED_BACK, agent=held.agent.name if held.agent else ""))
            if notice is not None:
                await self._tell(connection, held, notice)
            return now
