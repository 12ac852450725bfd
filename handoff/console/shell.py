"""A page of the console with what every page has: the header, and the navigation to the others."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.domain.staff import Agent
from handoff.console.context import Console
from handoff.console.registry import HeaderStatus, Page


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the navigation."""

    page: Page
    status: HeaderStatus
    current: bool


async def navigation(console: Console, agent: Agent, at: str) -> list[Place]:
    """The pages that the agent may open, while they have the page named ``at``."""
    return [
        Place(page, await page.status(console) if page.status else HeaderStatus(), page.name == at)
        for page in console.registry.navigation(agent)
    ]


async def show(
    request: Request, console: Console, agent: Agent, template: str, *, status: int = 200, **values: object
) -> Response:
    """A whole page from ``<name>/<file>``, a template that extends ``components/live.html``."""
    at = template.partition("/")[0]
    places = await navigation(console, agent, at)
    return console.pages.response(request, template, status=status, agent=agent, at=at, places=places, **values)
