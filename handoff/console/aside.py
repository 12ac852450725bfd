"""What is set aside: a page for whoever operates the desk, where it is tried again or dismissed."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.conversation import NotFound
from bot.domain.staff import Agent
from handoff.console.channels import read_signs
from handoff.console.context import Console, Here, SignedIn, by_htmx
from handoff.console.replies import MessageId

log = structlog.get_logger(__name__)

ROWS = 100

Task = Annotated[str, Path(pattern="^[a-z]{1,20}$")]

router = APIRouter()


@router.get("/aside")
async def aside(request: Request, here: Here, agent: SignedIn) -> Response:
    return await _page(request, here, agent, "aside_part.html" if by_htmx(request) else "aside.html")


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
        return await _page(request, here, agent, "aside_part.html")
    return RedirectResponse(f"{request.scope['root_path']}/aside", 303)


async def _page(request: Request, here: Console, agent: Agent, template: str) -> Response:
    return here.pages.response(
        request,
        template,
        agent=agent,
        items=await here.store.dead_letters.all(ROWS),
        most=ROWS,
        signs=await read_signs(here),
    )
