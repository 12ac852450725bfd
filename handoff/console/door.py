"""The one place where it is decided who may have which route of the console, and noted from where they come."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.domain.staff import Agent, NotAllowed
from bot.runtime.http import vouch
from bot.store.origin import acts_from
from handoff.console.context import Console, CurrentConsole, MaybeSignedIn, NotSignedIn, address_of, by_htmx
from handoff.console.registry import Access, Page, allows


class Traced:
    """Has the events of what agents do by requests to ``app`` say from which address that was."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with acts_from(address_of(Request(scope))):
            await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """Stands before every route of a page, as its first dependency. Raises ``NotSignedIn`` and ``NotAllowed``."""

    page: Page

    async def __call__(self, request: Request, console: CurrentConsole, agent: MaybeSignedIn) -> None:
        needed = self.page.needed(request.method, request.scope["endpoint"])
        if needed is Access.ANYBODY:
            return
        if agent is None:
            raise NotSignedIn
        request.state.reader = agent  # also of why they may not
        if not allows(needed, agent):
            assert not isinstance(needed, Access)
            raise NotAllowed(needed, agent.id)
        await _admit(request, console, agent)


async def _admit(request: Request, console: Console, agent: Agent) -> None:
    request.state.agent = agent
    if request.method == "POST" or _is_page(request):
        await console.store.agents.record_presence(agent)
    vouch(request.scope)


def _is_page(request: Request) -> bool:
    """Whether a person opens a page: what an open page fetches by itself says nothing of who sits before it."""
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    # Browsers say it to https and localhost only.
    path = request.url.path
    return not (by_htmx(request) or path.endswith(("/events", "/alive")) or "/files/" in path)
