"""The history: what happened to a conversation and with an agent, and who was refused."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_, select

from bot.domain.history import EventKind, HistoryEvent, SignInRefusal, by_agent
from bot.store import rows
from bot.store.base import Area
from bot.store.lifecycle import record
from bot.store.sign_ins import refused
from bot.store.tables import agent, event


class Events(Area):
    async def of(self, conversation_id: int) -> list[HistoryEvent]:
        """Everything that happened to a conversation, in that order."""
        return await self._events(event.c.conversation_id == conversation_id)

    async def about(self, agent_id: int) -> list[HistoryEvent]:
        """Everything that an agent did or that happened with them, in that order."""
        return await self._events(or_(event.c.agent_id == agent_id, event.c.actor_id == agent_id))

    async def _events(self, which: ColumnElement[bool]) -> list[HistoryEvent]:
        async with self._engine.connect() as connection:
            found = await connection.execute(select(event).where(which).order_by(event.c.id))
            return [rows.event(row) for row in found]

    async def record_sign_in_refused(self, name: str, address: str | None) -> None:
        """Somebody gave a wrong name or password, or is disabled. What they typed for a name is kept only where it is
        one: it may have been the password."""
        async with self._engine.begin() as connection:
            found = await connection.execute(select(agent).where(func.lower(agent.c.name) == func.lower(name)))
            who = found.one_or_none()
            reason = SignInRefusal.UNKNOWN_NAME
            if who is not None:
                reason = SignInRefusal.DISABLED if who.disabled_at else SignInRefusal.WRONG_PASSWORD
            await refused(connection, reason, None if who is None else who.id, address)

    async def record_refused(
        self, kind: EventKind, agent_id: int, address: str | None, *, right: str | None = None
    ) -> None:
        """A signed-in agent was refused: what their role does not let them do, or a new password for a wrong one."""
        data = {} if right is None else {"right": right}
        async with self._engine.begin() as connection:
            await record(
                connection, HistoryEvent(kind, by_agent(agent_id), agent_id=agent_id, data=data, address=address)
            )
