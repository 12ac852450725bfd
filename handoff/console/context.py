"""What every route of the console can ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends
from starlette.requests import Request

from bot.domain.channel import Capabilities
from bot.domain.staff import Agent, NotAllowed, Right, may
from bot.runtime.feed import Feed
from bot.runtime.http import Streams, vouch
from bot.store import Store
from bot.web.sign_in_limits import SignInLimits
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
    stopping: Callable[[], bool]
    capabilities: Mapping[str, Capabilities]
    """Of the channels that this desk runs."""


class NotSignedIn(Exception):
    """The browser has no session, or an ended one."""


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


Here = Annotated[Console, Depends(_console)]


async def current_agent(request: Request, here: Here) -> Agent | None:
    token = request.cookies.get(SESSION_COOKIE)
    return await here.store.agents.agent_of_session(token_hash(token)) if token else None


MaybeSignedIn = Annotated[Agent | None, Depends(current_agent)]


async def _signed_in(request: Request, here: Here, agent: MaybeSignedIn) -> Agent:
    if agent is None:
        raise NotSignedIn
    if request.method == "POST" or _is_page(request):
        await here.store.agents.record_presence(agent)
    vouch(request.scope)
    return agent


def _is_page(request: Request) -> bool:
    """Whether a person opens a page: what an open page fetches by itself says nothing of who sits before it."""
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    # Browsers say it to https and localhost only.
    path = request.url.path
    return not (by_htmx(request) or path.endswith(("/events", "/alive")) or "/files/" in path)


SignedIn = Annotated[Agent, Depends(_signed_in)]


def _manager(agent: SignedIn) -> Agent:
    if not may(agent, Right.MANAGE_AGENTS):
        raise NotAllowed("only admins may manage agents", agent.id, Right.MANAGE_AGENTS)
    return agent


Manager = Annotated[Agent, Depends(_manager)]
"""Who is signed in and may manage agents."""


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
