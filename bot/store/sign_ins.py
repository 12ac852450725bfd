"""Agents, their sessions and one-time sign-ins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.history import STRANGER, EventKind, HistoryEvent, SignInRefusal, by_agent_or_operator
from bot.domain.staff import Agent, Session
from bot.store import rows
from bot.store.base import Area
from bot.store.lifecycle import forget_refused_sign_ins, record
from bot.store.tables import agent, rate_limit, session, sign_in

PRESENCE_EVERY = timedelta(seconds=15)


class SignIns(Area):
    async def all(self) -> list[Agent]:
        async with self._engine.connect() as connection:
            return [rows.agent(row) for row in await connection.execute(select(agent).order_by(agent.c.id))]

    async def password_of(self, name: str) -> tuple[Agent, str | None] | None:
        """The agent of that name (case does not matter) who may sign in, and their password's hash, if they set one."""
        query = select(agent).where(func.lower(agent.c.name) == func.lower(name), agent.c.disabled_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else (rows.agent(row), row.password_hash)

    async def set_password(
        self, agent_id: int, password_hash: str, *, by: int | None = None, address: str | None = None
    ) -> None:
        """Sets it, and ends every other way in: the agent's sessions and one-time links. ``by`` is the agent, or None
        for the operator."""
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == agent_id).values(password_hash=password_hash))
            ended = await self._end_ways_in(connection, agent_id)
            await self._happened(
                connection, EventKind.PASSWORD_SET, agent_id, by, {"sessions_ended": ended}, address=address
            )

    async def _happened(
        self,
        connection: AsyncConnection,
        kind: EventKind,
        agent_id: int,
        by: int | None,
        data: Mapping[str, object] | None = None,
        *,
        address: str | None = None,
    ) -> None:
        """Leaves an event of what an agent, or without ``by`` the operator, did with an account."""
        who = by_agent_or_operator(by)
        await record(connection, HistoryEvent(kind, who, agent_id=agent_id, data=data or {}, address=address))

    async def _end_ways_in(self, connection: AsyncConnection, agent_id: int) -> int:
        """Deletes the agent's sessions and one-time links; how many sessions there were."""
        ended = await connection.execute(
            delete(session).where(session.c.agent_id == agent_id, session.c.expires_at > func.now())
        )
        await connection.execute(delete(session).where(session.c.agent_id == agent_id))
        await connection.execute(delete(sign_in).where(sign_in.c.agent_id == agent_id))
        # Event streams look at once whether they are still welcome.
        await self._notify(connection, "agent", 0, 0)
        return ended.rowcount

    async def add_sign_in(self, agent_id: int, token_hash: str, expires_at: datetime) -> None:
        """Makes a one-time sign-in, and ends the agent's older ones."""
        async with self._engine.begin() as connection:
            await self._add_sign_in(connection, agent_id, token_hash, expires_at, None)

    async def _add_sign_in(
        self, connection: AsyncConnection, agent_id: int, token_hash: str, expires_at: datetime, by: int | None
    ) -> None:
        # One after the other, so that the last one alone is left.
        await connection.execute(select(agent.c.id).where(agent.c.id == agent_id).with_for_update(key_share=True))
        await connection.execute(delete(sign_in).where(sign_in.c.agent_id == agent_id))
        await connection.execute(
            insert(sign_in).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
        )
        await self._happened(connection, EventKind.LINK_MADE, agent_id, by, {"expires_at": expires_at.isoformat()})

    async def redeem_sign_in(self, token_hash: str, *, address: str | None = None) -> Agent | None:
        """Uses up a one-time sign-in: of two who try, one gets the agent. None for one that is over, or whose agent is
        disabled; of these there is an event."""
        used = (
            delete(sign_in)
            .where(sign_in.c.token_hash == token_hash)
            .returning(sign_in.c.agent_id, (sign_in.c.expires_at > func.now()).label("lasts"))
        )
        async with self._engine.begin() as connection:
            link = (await connection.execute(used)).one_or_none()
            if link is None:
                return None
            row = (await connection.execute(select(agent).where(agent.c.id == link.agent_id))).one()
            if link.lasts and row.disabled_at is None:
                return rows.agent(row)
            refusal = SignInRefusal.LINK_EXPIRED if row.disabled_at is None else SignInRefusal.DISABLED
            await refused(connection, refusal, link.agent_id, address)
            return None

    async def add_session(
        self,
        agent_id: int,
        token_hash: str,
        expires_at: datetime,
        *,
        by_link: bool = False,
        address: str | None = None,
        browser: str | None = None,
    ) -> bool:
        """Signs a browser in; False if the agent was disabled meanwhile."""
        async with self._engine.begin() as connection:
            # Locked, so that nobody is disabled meanwhile, keeps this one, and is signed in again when enabled.
            welcome = select(agent.c.id).where(agent.c.id == agent_id, agent.c.disabled_at.is_(None))
            if (await connection.execute(welcome.with_for_update(read=True))).one_or_none() is None:
                await refused(connection, SignInRefusal.DISABLED, agent_id, address)
                return False
            await connection.execute(
                insert(session).values(
                    token_hash=token_hash,
                    agent_id=agent_id,
                    expires_at=expires_at,
                    by_link=by_link,
                    address=address,
                    browser=browser,
                )
            )
            signed_in = {"by_link": by_link} | ({"browser": browser} if browser else {})
            await self._happened(connection, EventKind.SIGNED_IN, agent_id, agent_id, signed_in, address=address)
            return True

    async def session(self, token_hash: str) -> Session | None:
        """The session, while it lasts."""
        query = select(session).where(session.c.token_hash == token_hash, session.c.expires_at > func.now())
        async with self._reader.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else rows.session(row)

    async def sessions(self, agent_id: int, *, limit: int = 100) -> list[Session]:
        """The browsers in which the agent is signed in, the latest first."""
        query = (
            select(session)
            .where(session.c.agent_id == agent_id, session.c.expires_at > func.now())
            .order_by(session.c.created_at.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [rows.session(row) for row in await connection.execute(query)]

    async def agent_of_session(self, token_hash: str) -> Agent | None:
        """Who is signed in by it; None once it has ended or the agent is disabled. One statement
        outside any transaction: every open event stream asks every few seconds."""
        query = (
            select(agent)
            .join(session, session.c.agent_id == agent.c.id)
            .where(
                session.c.token_hash == token_hash,
                session.c.expires_at > func.now(),
                agent.c.disabled_at.is_(None),
            )
        )
        async with self._reader.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else rows.agent(row)

    async def end_session(self, token_hash: str, *, address: str | None = None) -> None:
        """Signs that browser out."""
        ended = delete(session).where(session.c.token_hash == token_hash).returning(session.c.agent_id)
        async with self._engine.begin() as connection:
            agent_id = (await connection.execute(ended)).scalar_one_or_none()
            if agent_id is not None:
                await self._happened(connection, EventKind.SIGNED_OUT, agent_id, agent_id, address=address)

    async def record_presence(self, who: Agent) -> None:
        """The agent does something at the desk. Costs nothing where that is known of the last seconds."""
        if who.seen_at is not None and datetime.now(UTC) - who.seen_at < PRESENCE_EVERY:
            return
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == who.id).values(seen_at=func.now()))

    async def forget_expired(self) -> None:
        """Deletes sessions, one-time sign-ins, rate limits and events of refused sign-ins whose time is over."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= func.now()))
            await connection.execute(delete(sign_in).where(sign_in.c.expires_at <= func.now()))
            await connection.execute(delete(rate_limit).where(rate_limit.c.expires_at <= func.now()))
            await forget_refused_sign_ins(connection)


async def refused(
    connection: AsyncConnection, reason: SignInRefusal, agent_id: int | None, address: str | None
) -> None:
    """Leaves an event of somebody who could not sign in."""
    data = {"reason": reason.value}
    kind = EventKind.SIGN_IN_REFUSED
    await record(connection, HistoryEvent(kind, STRANGER, agent_id=agent_id, data=data, address=address))
