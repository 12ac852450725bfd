"""Who works at the desk: agents are added, named, promoted, disabled. Each act is one transaction.

``by`` is the admin who does it; their right is looked at in that transaction, so that who was demoted or disabled a
moment ago does nothing (``NotAllowed``). Without it, it is the operator at the command line. Acts raise ``NotFound``
for an unknown agent and ``ValueError``, which says the fix, for what cannot be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import NotFound
from bot.domain.history import EventKind
from bot.domain.message import Cleared
from bot.domain.said import Refusal
from bot.domain.staff import PERMISSIONS, Agent, Colleague, NotAllowed, Permission, Role, as_public_name, may
from bot.store import rows
from bot.store.acts import ConversationActs
from bot.store.base import Database
from bot.store.sign_ins import SignIns
from bot.store.tables import agent, conversation, session

_LOCK = func.hashtext("switchboard.staff")
"""Held while anything about agents changes: of two admins who disable each other one is left."""


class Agents(SignIns):
    def __init__(self, database: Database, conversations: ConversationActs) -> None:
        """``conversations``: where those of a disabled agent are put back into the queue."""
        super().__init__(database)
        self._conversations = conversations

    async def staff(self) -> list[Colleague]:
        """Everybody who has or had an account: who works here first, then by name."""
        query = _COLLEAGUE.order_by(agent.c.disabled_at.is_not(None), func.lower(agent.c.name))
        async with self._engine.connect() as connection:
            return [_colleague(row) for row in await connection.execute(query)]

    async def colleague(self, agent_id: int) -> Colleague:
        async with self._engine.connect() as connection:
            row = (await connection.execute(_COLLEAGUE.where(agent.c.id == agent_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no agent {agent_id}")
        return _colleague(row)

    async def add(
        self,
        name: str,
        role: Role,
        password_hash: str | None,
        public_name: str | None = None,
        *,
        by: int | None = None,
    ) -> Agent:
        """Raises ``ValueError`` if there is an agent of that name, or with that public name (case does not matter).
        Without a ``public_name`` it is the name, where customers may see that and nobody else has it."""
        async with self._staffing(by) as connection:
            seen = public_name or as_public_name(name)
            if public_name is None and seen is not None and await self._has_public_name(connection, seen):
                seen = None
            made = insert(agent).values(name=name, role=role, password_hash=password_hash, public_name=seen)
            with _named(name, seen):
                row = (await connection.execute(made.returning(agent))).one()
            await self._happened(connection, EventKind.AGENT_ADDED, row.id, by, {"name": name, "role": row.role})
            return rows.agent(row)

    async def _has_public_name(self, connection: AsyncConnection, name: str) -> bool:
        found = await connection.execute(
            select(agent.c.id).where(func.lower(agent.c.public_name) == func.lower(name), agent.c.disabled_at.is_(None))
        )
        return found.first() is not None

    async def rename(self, agent_id: int, name: str, *, by: int | None = None) -> Agent:
        """Gives the agent another name to sign in with, which nobody else may have."""
        return await self._change_agent(agent_id, {"name": name}, by, EventKind.AGENT_RENAMED)

    async def set_public_name(self, agent_id: int, name: str | None, *, by: int | None = None) -> Agent:
        """Says by what name customers know the agent, which no colleague may have; None: "a person"."""
        return await self._change_agent(agent_id, {"public_name": name}, by, EventKind.AGENT_SHOWN_AS)

    async def set_role(self, agent_id: int, role: Role, *, by: int | None = None) -> Agent:
        """Says what the agent may do. The last admin stays one, and who has conversations in hand answers customers."""
        async with self._staffing(by) as connection:
            now = await self._locked_agent(connection, agent_id)
            if role is not Role.ADMIN:
                await self._another_admin_stays(connection, now)
            if Permission.ANSWER_CUSTOMERS not in PERMISSIONS[role]:
                await self._has_nothing_in_hand(connection, now, role)
            await self._notify(connection, "agent", 0, 0)
            await self._happened(
                connection,
                EventKind.AGENT_ROLE_CHANGED,
                agent_id,
                by,
                {"role": role.value, "was": {"role": now.role.value}},
            )
            return await self._update_agent(connection, agent_id, {"role": role})

    async def disable(self, agent_id: int, notice: Mapping[str, Cleared], *, by: int | None = None) -> int:
        """Ends the agent's sessions, links and event streams, and puts back what they have into the queue, where its
        customers are told with ``notice``. How many conversations that were. The last admin cannot be disabled."""
        async with self._staffing(by) as connection:
            now = await self._locked_agent(connection, agent_id)
            if now.disabled_at is not None:
                return 0
            await self._another_admin_stays(connection, now)
            await self._update_agent(connection, agent_id, {"disabled_at": func.now()})
            ended = await self._end_ways_in(connection, agent_id)
            put_back = await self._conversations.put_back_all(connection, agent_id, notice)
            await self._happened(
                connection, EventKind.AGENT_DISABLED, agent_id, by, {"put_back": put_back, "sessions_ended": ended}
            )
            return put_back

    async def enable(self, agent_id: int, *, by: int | None = None) -> Agent:
        """Lets the agent sign in again, with their old password or a new link."""
        return await self._change_agent(agent_id, {"disabled_at": None}, by, EventKind.AGENT_ENABLED)

    async def end_sessions(self, agent_id: int, *, by: int | None = None) -> int:
        """Signs the agent out everywhere, and ends their one-time links. How many browsers that were."""
        async with self._staffing(by) as connection:
            await self._locked_agent(connection, agent_id)
            ended = await self._end_ways_in(connection, agent_id)
            await self._happened(connection, EventKind.SESSIONS_ENDED, agent_id, by, {"sessions_ended": ended})
            return ended

    async def make_sign_in(
        self, agent_id: int, token_hash: str, expires_at: datetime, *, by: int | None = None
    ) -> None:
        """A one-time sign-in for the agent, which ends their older ones."""
        async with self._staffing(by) as connection:
            now = await self._locked_agent(connection, agent_id)
            if now.disabled_at is not None:
                raise Refusal(f"{now.name} is disabled: enable them first", "refusal.agent_disabled", name=now.name)
            await self._add_sign_in(connection, agent_id, token_hash, expires_at, by)

    async def set_locale(self, agent_id: int, locale: str | None) -> None:
        """Says in which language the agent reads the console; None: as their browser says."""
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == agent_id).values(locale=locale))

    # --- steps of a transaction

    @asynccontextmanager
    async def _staffing(self, by: int | None) -> AsyncIterator[AsyncConnection]:
        """A transaction that alone changes who works here, for somebody who may."""
        async with self._engine.begin() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            if by is not None:
                row = (await connection.execute(select(agent).where(agent.c.id == by))).one_or_none()
                if row is None or not may(rows.agent(row), Permission.MANAGE_AGENTS):
                    raise NotAllowed(Permission.MANAGE_AGENTS, by)
            yield connection

    async def _locked_agent(self, connection: AsyncConnection, agent_id: int) -> Agent:
        # The weaker lock: what the agent writes meanwhile refers to the row and need not wait.
        query = select(agent).where(agent.c.id == agent_id).with_for_update(key_share=True)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no agent {agent_id}")
        return rows.agent(row)

    async def _another_admin_stays(self, connection: AsyncConnection, now: Agent) -> None:
        if now.role is not Role.ADMIN or now.disabled_at is not None:
            return
        others = select(agent.c.id).where(
            agent.c.role == Role.ADMIN, agent.c.disabled_at.is_(None), agent.c.id != now.id
        )
        if (await connection.execute(others.limit(1))).one_or_none() is None:
            words = f"{now.name} is the only admin: make another agent admin first"
            raise Refusal(words, "refusal.only_admin", name=now.name)

    async def _has_nothing_in_hand(self, connection: AsyncConnection, now: Agent, role: Role) -> None:
        held = select(func.count()).select_from(conversation).where(conversation.c.agent_id == now.id)
        count = (await connection.execute(held)).scalar_one()
        if count:
            raise Refusal(
                f"{now.name} has {count} conversation{'s' if count != 1 else ''} in hand, and as {role.value} could not"
                " answer: pass them on or put them back first",
                "refusal.has_in_hand",
                name=now.name,
                n=count,
            )

    async def _change_agent(self, agent_id: int, values: Mapping[str, Any], by: int | None, kind: EventKind) -> Agent:
        async with self._staffing(by) as connection:
            before = await self._locked_agent(connection, agent_id)
            with _named(values.get("name", before.name), values.get("public_name", before.public_name)):
                now = await self._update_agent(connection, agent_id, values)
            names = {name: getattr(now, name) for name in values.keys() & {"name", "public_name"}}
            was = {name: getattr(before, name) for name in names}
            await self._happened(connection, kind, agent_id, by, names | ({"was": was} if was else {}))
            return now

    async def _update_agent(self, connection: AsyncConnection, agent_id: int, values: Mapping[str, Any]) -> Agent:
        changed = update(agent).where(agent.c.id == agent_id).values(values).returning(agent)
        return rows.agent((await connection.execute(changed)).one())


_COLLEAGUE = select(
    agent,
    select(func.count())
    .select_from(conversation)
    .where(conversation.c.agent_id == agent.c.id)
    .scalar_subquery()
    .label("conversations"),
    select(func.count())
    .select_from(session)
    .where(session.c.agent_id == agent.c.id, session.c.expires_at > func.now())
    .scalar_subquery()
    .label("sessions"),
)


@contextmanager
def _named(name: str, seen_as: str | None) -> Iterator[None]:
    """Says which of the two names somebody else has."""
    try:
        yield
    except IntegrityError as error:
        if "uq_agent_public_name" in str(error.orig):
            words = f"customers know another agent as {seen_as}: choose a name that tells them apart"
            raise Refusal(words, "refusal.public_name_taken", name=seen_as) from error
        raise Refusal(f"there is already an agent named {name}", "refusal.name_taken", name=name) from error


def _colleague(row: Any) -> Colleague:
    return Colleague(rows.agent(row), row.conversations, row.sessions)
