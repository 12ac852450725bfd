"""Agents, their sessions and one-time sign-ins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.staff import Agent, Session
from bot.store import rows
from bot.store.base import Base
from bot.store.tables import agent, rate_limit, session, sign_in

PRESENCE_EVERY = timedelta(seconds=15)


class Agents(Base):
    async def agents(self) -> list[Agent]:
        async with self._engine.connect() as connection:
            return [rows.agent(row) for row in await connection.execute(select(agent).order_by(agent.c.id))]

    async def password_of(self, name: str) -> tuple[Agent, str | None] | None:
        """The agent of that name (case does not matter) who may sign in, and their password's hash, if they set one."""
        query = select(agent).where(func.lower(agent.c.name) == func.lower(name), agent.c.disabled_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else (rows.agent(row), row.password_hash)

    async def set_password(self, agent_id: int, password_hash: str) -> None:
        """Sets it, and ends every other way in: the agent's sessions and one-time links."""
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == agent_id).values(password_hash=password_hash))
            await self._end_ways_in(connection, agent_id)

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
            await self._add_sign_in(connection, agent_id, token_hash, expires_at)

    async def _add_sign_in(
        self, connection: AsyncConnection, agent_id: int, token_hash: str, expires_at: datetime
    ) -> None:
        # One after the other, so that the last one alone is left.
        await connection.execute(select(agent.c.id).where(agent.c.id == agent_id).with_for_update(key_share=True))
        await connection.execute(delete(sign_in).where(sign_in.c.agent_id == agent_id))
        await connection.execute(
            insert(sign_in).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
        )

    async def redeem_sign_in(self, token_hash: str) -> Agent | None:
        """Uses up a one-time sign-in: of two who try, one gets the agent. None for one that is over, or whose agent is
        disabled."""
        used = (
            delete(sign_in)
            .where(sign_in.c.token_hash == token_hash, sign_in.c.expires_at > func.now())
            .returning(sign_in.c.agent_id)
        )
        async with self._engine.begin() as connection:
            agent_id = (await connection.execute(used)).scalar_one_or_none()
            found = await connection.execute(select(agent).where(agent.c.id == agent_id, agent.c.disabled_at.is_(None)))
            row = found.one_or_none()
            return None if row is None else rows.agent(row)

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

    async def end_session(self, token_hash: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.token_hash == token_hash))

    async def record_presence(self, who: Agent) -> None:
        """The agent does something at the desk. Costs nothing where that is known of the last seconds."""
        if who.seen_at is not None and datetime.now(UTC) - who.seen_at < PRESENCE_EVERY:
            return
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == who.id).values(seen_at=func.now()))

    async def forget_expired(self) -> None:
        """Deletes sessions, one-time sign-ins and rate limits whose time is over."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= func.now()))
            await connection.execute(delete(sign_in).where(sign_in.c.expires_at <= func.now()))
            await connection.execute(delete(rate_limit).where(rate_limit.c.expires_at <= func.now()))
