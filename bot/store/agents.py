"""Agents, their sessions and one-time sign-ins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.model import Agent, Role, as_public_name
from bot.store import rows
from bot.store.base import Base
from bot.store.tables import agent, session, sign_in

PRESENCE_EVERY = timedelta(seconds=15)


class Agents(Base):
    async def agents(self) -> list[Agent]:
        async with self._engine.connect() as connection:
            return [rows.agent(row) for row in await connection.execute(select(agent).order_by(agent.c.id))]

    async def add_agent(
        self, name: str, role: Role, password_hash: str | None, public_name: str | None = None
    ) -> Agent:
        """Raises ``ValueError`` if there is an agent of that name (case does not matter). Without a ``public_name`` it
        is the name, unless that only says what they may do (``as_public_name``)."""
        try:
            async with self._engine.begin() as connection:
                return rows.agent(
                    (
                        await connection.execute(
                            insert(agent)
                            .values(
                                name=name,
                                role=role,
                                password_hash=password_hash,
                                public_name=public_name or as_public_name(name),
                            )
                            .returning(agent)
                        )
                    ).one()
                )
        except IntegrityError as error:
            raise ValueError(f"there is already an agent named {name}") from error

    async def password_of(self, name: str) -> tuple[Agent, str | None] | None:
        """The agent of that name (case does not matter) and their password's hash, if they set one."""
        query = select(agent).where(func.lower(agent.c.name) == func.lower(name))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else (rows.agent(row), row.password_hash)

    async def set_password(self, agent_id: int, password_hash: str) -> None:
        """Sets it, and ends every other way in: the agent's sessions and one-time links."""
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == agent_id).values(password_hash=password_hash))
            await connection.execute(delete(session).where(session.c.agent_id == agent_id))
            await connection.execute(delete(sign_in).where(sign_in.c.agent_id == agent_id))

    async def add_sign_in(self, agent_id: int, token_hash: str, expires_at: datetime) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(sign_in).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
            )

    async def redeem_sign_in(self, token_hash: str) -> Agent | None:
        """Uses up a one-time sign-in: of two who try, one gets the agent."""
        return await self._agent_of(
            delete(sign_in)
            .where(sign_in.c.token_hash == token_hash, sign_in.c.expires_at > func.now())
            .returning(sign_in.c.agent_id)
        )

    async def add_session(self, agent_id: int, token_hash: str, expires_at: datetime) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(session).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
            )

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

    async def _agent_of(self, statement: Any) -> Agent | None:
        async with self._engine.begin() as connection:
            agent_id = (await connection.execute(statement)).scalar_one_or_none()
            if agent_id is None:
                return None
            return rows.agent((await connection.execute(select(agent).where(agent.c.id == agent_id))).one())

    async def record_presence(self, who: Agent) -> None:
        """The agent does something at the desk. Costs nothing where that is known of the last seconds."""
        if who.seen_at is not None and datetime.now(UTC) - who.seen_at < PRESENCE_EVERY:
            return
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == who.id).values(seen_at=func.now()))

    async def forget_expired(self) -> None:
        """Deletes sessions and one-time sign-ins whose time is over."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= func.now()))
            await connection.execute(delete(sign_in).where(sign_in.c.expires_at <= func.now()))
