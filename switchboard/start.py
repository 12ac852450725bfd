"""Starts a whole desk and keeps it running while entered."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.domain.staff import Role
from bot.settings import Settings
from bot.store import Store, migrate
from bot.store.database import embedded
from handoff import passwords
from handoff.staff import LINK_VALID
from switchboard.engine import Report, intent_engine
from switchboard.process import Switchboard
from switchboard.wiring import build

log = structlog.get_logger(__name__)

FIRST_AGENT = "admin"


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the deployment's database; the embedded one runs as long as this is entered."""
    if settings.environment.database_url:
        yield settings.environment.database_url
    else:
        with embedded(settings.var / "postgres") as url:
            yield url


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a desk that is ready can be reached."""

    chat: str
    console: str
    sign_in: str | None
    """The first agent's one-time sign-in, until somebody has set a password."""
    notice: str | None = None
    """What the operator should know of the model that answers."""


@asynccontextmanager
async def running_desk(
    settings: Settings, url: str, listening: socket.socket, report: Report
) -> AsyncIterator[tuple[Switchboard, Ready]]:
    """A whole desk on the database at ``url``, answering customers while entered."""
    with report.step("Preparing the database", 1):
        await migrate(url)
    async with intent_engine(settings, report) as running:
        desk = build(settings, url, running.engine)
        async with desk.running(listening, running.ready, running.first_ready):
            yield desk, await ready_at(desk.store, listening, running.notice)


def base_address(host: str, port: int) -> str:
    """Where a desk that listens there is reached from this machine."""
    # An address that means "every interface" is none that a browser can open.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def ready_at(store: Store, listening: socket.socket, notice: str | None) -> Ready:
    """Where the desk that listens there is reached. ``notice``: see ``Ready``."""
    base = base_address(*listening.getsockname()[:2])
    try:
        sign_in = await first_sign_in(store)
    except Exception as error:
        # The desk runs, and its parts wait for a database that went away meanwhile: no reason to end.
        log.warning("no first sign-in could be made", action="sign_in_failed", error=type(error).__name__)
        sign_in = None
    return Ready(
        chat=f"{base}/chat",
        console=f"{base}/console",
        sign_in=None if sign_in is None else base + sign_in,
        notice=notice,
    )


async def first_sign_in(store: Store) -> str | None:
    """The path of a fresh one-time sign-in for the first agent, whom it makes; None once any agent has a password."""
    agents = [agent for agent in await store.agents.all() if agent.disabled_at is None]
    if any(agent.has_password for agent in agents):
        return None
    agent = agents[0] if agents else await store.agents.add(FIRST_AGENT, Role.ADMIN, None)
    token = passwords.new_token()
    await store.agents.add_sign_in(agent.id, passwords.token_hash(token), datetime.now(UTC) + LINK_VALID)
    return f"/console/sign-in/{token}"
