"""What every route of the console can ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends, Path
from starlette.requests import Request

from bot.domain.channel import Capabilities
from bot.domain.staff import Agent
from bot.runtime.feed import Feed
from bot.runtime.http import Streams
from bot.store import Store
from bot.web.sign_in_limits import SignInLimits
from handoff.console.registry import Registry
from handoff.console.rendering import Pages
from handoff.desk import Desk
from handoff.passwords import token_hash
from handoff.staff import Staff

SESSION_COOKIE = "switchboard_session"


@dataclass(frozen=True, slots=True)
class Console:
    store: Store
    desk: Desk
    feed: Feed
    pages: Pages
    sign_in_limits: SignInLimits
    streams: Streams
    staff: Staff
    registry: Registry
    stopping: Callable[[], bool]
    capabilities: Mapping[str, Capabilities]
    """Of the channels that this desk runs."""


MessageId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class NotSignedIn(Exception):
    """The browser has no session, or an ended one."""


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


CurrentConsole = Annotated[Console, Depends(_console)]


async def current_agent(request: Request, console: CurrentConsole) -> Agent | None:
    token = request.cookies.get(SESSION_COOKIE)
    return await console.store.agents.agent_of_session(token_hash(token)) if token else None


MaybeSignedIn = Annotated[Agent | None, Depends(current_agent)]


async def _signed_in(request: Request) -> Agent:
    # Who was let in at the door.
    agent: Agent | None = getattr(request.state, "agent", None)
    if agent is None:
        raise NotSignedIn
    return agent


SignedIn = Annotated[Agent, Depends(_signed_in)]
"""Who is signed in, and may have what they ask for."""


def address_of(request: Request) -> str | None:
    """From where the browser asks, as the history keeps it."""
    return request.client.host[:64] if request.client else None


def by_htmx(request: Request) -> bool:
    """Whether the page asks for a fragment of itself, rather than the browser for a page."""
    return request.headers.get("hx-request") == "true"


def wants_json(request: Request) -> bool:
    """Whether a script of the page asks, which shows what became of it by itself."""
    return request.headers.get("accept", "").startswith("application/json")


def page_of(request: Request) -> SplitResult:
    """The address of the page that htmx asks for; all of it empty where that is no address."""
    try:
        return urlsplit(request.headers.get("hx-current-url", ""))
    except ValueError:
        return urlsplit("")
