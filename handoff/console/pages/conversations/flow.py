"""The flow of work: claim whoever is next, snooze, rank, hand back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.conversation import Priority
from bot.domain.said import Refusal
from handoff.console.context import CurrentConsole, SignedIn, by_htmx
from handoff.console.pages.conversations.lists import MINE, InList
from handoff.console.pages.conversations.view import read_view
from handoff.console.pages.conversations.views import ConversationId, Done, act, fragment
from handoff.snoozing import snoozed_until

Word = Annotated[str, Form()]

router = APIRouter()


@router.post("/claim-next")
async def claim_next(request: Request, console: CurrentConsole, agent: SignedIn, listed: InList) -> Response:
    """Whoever is served next, of those that the list's filters let through. Where nobody waits, the queue says so."""
    root = request.scope["root_path"]
    claimed = await console.desk.claim_next(agent, listed.only)
    if claimed is None:
        if not by_htmx(request):
            return RedirectResponse(f"{root}/?{listed.query}", 303)
        words = console.pages.speech(request, agent).say("console.list.nobody_next")
        # Above the page, and the list is read anew: what is open stays open.
        headers = {"HX-Retarget": "#trouble", "HX-Reswap": "textContent", "HX-Trigger": "live:list"}
        return Response(words, media_type="text/html", headers=headers)
    address = f"{root}/conversations/{claimed.id}?{MINE.query}"
    if not by_htmx(request):
        return RedirectResponse(address, 303)
    response = fragment(request, console, agent, MINE, await read_view(console, claimed.id))
    response.headers["HX-Push-Url"] = address
    return response


@router.post("/conversations/{conversation_id}/snooze")
async def snooze(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    until: Word = "",
    zone: Word = "",
    at: Word = "",
) -> Response:
    async def action() -> None:
        moment = snoozed_until(until, datetime.now(UTC), zone[:100], at[:40])
        await console.desk.snooze(conversation_id, agent, moment)

    return await act(request, console, agent, conversation_id, action(), done=Done("snoozed"))


@router.post("/conversations/{conversation_id}/wake")
async def wake(request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.wake(conversation_id, agent))


@router.post("/conversations/{conversation_id}/priority")
async def prioritise(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    priority: Word = "",
    undo: Word = "",
) -> Response:
    done = None
    if not undo:
        was = (await console.store.conversations.get(conversation_id)).priority
        done = Done("prioritised", was.label)

    async def action() -> None:
        chosen = next((one for one in Priority if one.label == priority), None)
        if chosen is None:
            raise Refusal("choose one of the priorities", "refusal.choose_priority")
        await console.desk.prioritise(conversation_id, agent, chosen)

    return await act(request, console, agent, conversation_id, action(), done=done)


@router.post("/conversations/{conversation_id}/hand-back")
async def hand_back(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    word: Word = "",
    silent: Word = "",
) -> Response:
    """``word`` is the agent's last one to the customer; with ``silent`` the desk does not tell them who goes on."""
    action = console.desk.hand_back(conversation_id, agent, word, silent=silent == "1")
    return await act(request, console, agent, conversation_id, action)
