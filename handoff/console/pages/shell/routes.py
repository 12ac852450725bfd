"""The navigation, and that an agent is there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from handoff.console.context import CurrentConsole, SignedIn
from handoff.console.shell import navigation

router = APIRouter()


@router.get("/navigation")
async def places(request: Request, console: CurrentConsole, agent: SignedIn, at: str = "") -> Response:
    """For an open page, with the signs of what happens on the others. ``at`` is the page's name."""
    shown = await navigation(console, agent, at)
    return console.pages.response(request, "components/places.html", agent=agent, at=at, places=shown)


@router.post("/presence", status_code=204, response_class=Response)
async def presence(_: SignedIn) -> Response:
    """The agent did something on an open page: that they may do it says so already."""
    return Response(status_code=204)
