"""Who works at the desk, as admins on the page and operators at the command line manage it. Every act is written to the
log, with who did it to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog

from bot import guard
from bot.domain.staff import Agent, Role, public_name, sign_in_name
from bot.store.agents import Agents
from handoff.desk import Desk
from handoff.password_rules import refuse_guessable
from handoff.passwords import hash_password, new_token, token_hash

log = structlog.get_logger(__name__)

LINK_VALID = timedelta(hours=24)


class Staff:
    """``by`` is the admin who acts, None for the operator. Methods raise ``NotAllowed`` for an admin who is none any
    more, ``NotFound`` for an unknown agent, and ``ValueError``, which says the fix, for what cannot be."""

    def __init__(self, agents: Agents, desk: Desk, brand: str) -> None:
        self._agents = agents
        self._desk = desk
        self._brand = brand

    async def add(
        self, name: str, role: Role, *, seen_as: str = "", password: str | None = None, by: Agent | None = None
    ) -> Agent:
        """A new agent. Customers know them as ``seen_as``; without it by their name, where that is one for customers
        and nobody else has it. Without a password they sign in by a link first."""
        name = guard.agents(sign_in_name(name))
        seen = self._public_name(seen_as)
        password_hash = None if password is None else await self._hash(name, seen, password)
        who = await self._agents.add(name, role, password_hash, seen, by=_id(by))
        _log("agent added", "agent_added", who, by, role=role.value)
        return who

    async def link(self, who: Agent, *, by: Agent | None = None) -> str:
        """The token of a one-time sign-in, valid for ``LINK_VALID``; the agent's older ones end."""
        token = new_token()
        await self._agents.make_sign_in(who.id, token_hash(token), datetime.now(UTC) + LINK_VALID, by=_id(by))
        _log("sign-in link made", "agent_link", who, by)
        return token

    async def rename(self, who: Agent, name: str, *, by: Agent | None = None) -> Agent:
        """Changes the name to sign in with."""
        now = await self._agents.rename(who.id, guard.agents(sign_in_name(name)), by=_id(by))
        _log("agent renamed", "agent_renamed", now, by, before=who.name)
        return now

    async def show_as(self, who: Agent, seen_as: str, *, by: Agent | None = None) -> Agent:
        """Changes the name by which customers know the agent; an empty one makes them "a person"."""
        seen = self._public_name(seen_as)
        now = await self._agents.set_public_name(who.id, seen, by=_id(by))
        _log("agent's public name changed", "agent_public_name", now, by, public_name=seen)
        return now

    async def set_role(self, who: Agent, role: Role, *, by: Agent | None = None) -> Agent:
        now = await self._agents.set_role(who.id, role, by=_id(by))
        _log("agent's role changed", "agent_role", now, by, role=role.value)
        return now

    async def disable(self, who: Agent, *, by: Agent | None = None) -> int:
        """Signs the agent out everywhere for good, and puts their conversations back; how many those were."""
        put_back = await self._desk.disable_agent(who, by=_id(by))
        _log("agent disabled", "agent_disabled", who, by, put_back=put_back)
        return put_back

    async def enable(self, who: Agent, *, by: Agent | None = None) -> Agent:
        now = await self._agents.enable(who.id, by=_id(by))
        _log("agent enabled", "agent_enabled", now, by)
        return now

    async def end_sessions(self, who: Agent, *, by: Agent | None = None) -> int:
        """Signs the agent out everywhere, and ends their one-time links; how many browsers those were."""
        ended = await self._agents.end_sessions(who.id, by=_id(by))
        _log("agent signed out", "agent_sessions_ended", who, by, ended=ended)
        return ended

    async def set_password(
        self, who: Agent, password: str, *, by: Agent | None = None, address: str | None = None
    ) -> None:
        """Sets it, and ends every session and link of the agent. ``by`` is the agent, or None for the operator."""
        hashed = await self._hash(who.name, who.public_name, password)
        await self._agents.set_password(who.id, hashed, by=_id(by), address=address)
        _log("password set", "agent_password", who, by)

    def _public_name(self, seen_as: str) -> str | None:
        return guard.agents(public_name(seen_as, self._brand)) if seen_as.strip() else None

    async def _hash(self, name: str, seen_as: str | None, password: str) -> str:
        # What is too short is said first, and costs nothing.
        hashed = await hash_password(password)
        await refuse_guessable(password, [name, seen_as or "", self._brand])
        return hashed


def _id(by: Agent | None) -> int | None:
    return None if by is None else by.id


def _log(words: str, action: str, who: Agent, by: Agent | None, **more: object) -> None:
    log.info(
        words, action=action, agent=who.id, name=who.name, by=_id(by), by_name=by.name if by else "operator", **more
    )
