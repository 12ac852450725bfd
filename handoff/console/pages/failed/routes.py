"""What was given up: a page for whoever operates the desk, where it is tried again or dismissed."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.conversation import NotFound
from bot.domain.said import Said
from bot.domain.staff import Agent
from handoff.console.context import Console, CurrentConsole, MessageId, SignedIn, by_htmx
from handoff.console.registry import HeaderStatus
from handoff.console.shell import show

log = structlog.get_logger(__name__)

ROWS = 100

Task = Annotated[str, Path(pattern="^[a-z]{1,20}$")]

router = APIRouter()


@router.get("/failed")
async def failed_messages(request: Request, console: CurrentConsole, agent: SignedIn) -> Response:
    return await _page(request, console, agent)


@router.post("/failed/again")
async def all_again(request: Request, console: CurrentConsole, agent: SignedIn) -> Response:
    """Tries again what the page shows."""
    for one in await console.store.dead_letters.all(ROWS):
        await _again(console, agent, one.task, one.message_id)
    return await _done(request, console, agent)


@router.post("/failed/{task}/{message_id}/again")
async def again(
    request: Request, console: CurrentConsole, agent: SignedIn, task: Task, message_id: MessageId
) -> Response:
    await _again(console, agent, task, message_id)
    return await _done(request, console, agent)


@router.post("/failed/{task}/{message_id}/dismiss")
async def dismiss(
    request: Request, console: CurrentConsole, agent: SignedIn, task: Task, message_id: MessageId
) -> Response:
    try:
        await console.store.dead_letters.dismiss(task, message_id)
    except NotFound:
        return await _done(request, console, agent)
    log.info("dismissed", action="dismissed", task=task, message=message_id, agent=agent.id)
    return await _done(request, console, agent)


async def _again(console: Console, agent: Agent, task: str, message_id: int) -> None:
    """Where somebody else was faster, there is nothing left to do."""
    try:
        await console.store.dead_letters.try_again(task, message_id)
    except NotFound:
        return
    log.info("tried again", action="tried_again", task=task, message=message_id, agent=agent.id)


async def _done(request: Request, console: Console, agent: Agent) -> Response:
    if by_htmx(request):
        return await _page(request, console, agent)
    return RedirectResponse(f"{request.scope['root_path']}/failed", 303)


async def _page(request: Request, console: Console, agent: Agent) -> Response:
    items = await console.store.dead_letters.all(ROWS)
    if by_htmx(request):
        return console.pages.response(request, "failed/failed_part.html", agent=agent, items=items, most=ROWS)
    return await show(request, console, agent, "failed/failed.html", items=items, most=ROWS)


async def status(console: Console) -> HeaderStatus:
    """How much work was given up."""
    count = await console.store.dead_letters.count()
    return HeaderStatus(count, [Said("console.failed.sign")] if count else [])
