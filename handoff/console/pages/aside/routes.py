"""What is set aside: a page for whoever operates the desk, where it is tried again or dismissed."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.conversation import NotFound
from bot.domain.staff import Agent
from handoff.console.context import Console, Here, MessageId, SignedIn, by_htmx
from handoff.console.registry import Sign
from handoff.console.shell import show

log = structlog.get_logger(__name__)

ROWS = 100

Task = Annotated[str, Path(pattern="^[a-z]{1,20}$")]

router = APIRouter()


@router.get("/aside")
async def aside(request: Request, here: Here, agent: SignedIn) -> Response:
    return await _page(request, here, agent)


@router.post("/aside/again")
async def all_again(request: Request, here: Here, agent: SignedIn) -> Response:
    """Tries again what the page shows."""
    for one in await here.store.dead_letters.all(ROWS):
        await _again(here, agent, one.task, one.message_id)
    return await _done(request, here, agent)


@router.post("/aside/{task}/{message_id}/again")
async def again(request: Request, here: Here, agent: SignedIn, task: Task, message_id: MessageId) -> Response:
    await _again(here, agent, task, message_id)
    return await _done(request, here, agent)


@router.post("/aside/{task}/{message_id}/dismiss")
async def dismiss(request: Request, here: Here, agent: SignedIn, task: Task, message_id: MessageId) -> Response:
    try:
        await here.store.dead_letters.dismiss(task, message_id)
    except NotFound:
        return await _done(request, here, agent)
    log.info("dismissed", action="dismissed", task=task, message=message_id, agent=agent.id)
    return await _done(request, here, agent)


async def _again(here: Console, agent: Agent, task: str, message_id: int) -> None:
    """Where somebody else was faster, there is nothing left to do."""
    try:
        await here.store.dead_letters.try_again(task, message_id)
    except NotFound:
        return
    log.info("tried again", action="tried_again", task=task, message=message_id, agent=agent.id)


async def _done(request: Request, here: Console, agent: Agent) -> Response:
    if by_htmx(request):
        return await _page(request, here, agent)
    return RedirectResponse(f"{request.scope['root_path']}/aside", 303)


async def _page(request: Request, here: Console, agent: Agent) -> Response:
    items = await here.store.dead_letters.all(ROWS)
    if by_htmx(request):
        return here.pages.response(request, "aside/aside_part.html", agent=agent, items=items, most=ROWS)
    return await show(request, here, agent, "aside/aside.html", items=items, most=ROWS)


async def sign(here: Console) -> Sign:
    """How much work is set aside."""
    count = await here.store.dead_letters.count()
    return Sign(count, "something is set aside" if count else "")
