"""The console's one page: the list beside the open conversation, and who has it.

Every address answers the browser with the whole page, and htmx with the part of it that it shows. Every
act is a plain form, which answers with the conversation as it then stands.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.said import Refusal
from bot.domain.staff import Agent
from handoff.console.context import Console, CurrentConsole, SignedIn, by_htmx, page_of
from handoff.console.pages.conversations.contacts import with_found
from handoff.console.pages.conversations.lists import InList, Listed, read_listing
from handoff.console.pages.conversations.view import read_view
from handoff.console.pages.conversations.views import ConversationId, InAddress, act, fragment, page

AgentId = Annotated[int, Form(ge=1, le=2**63 - 1)]
Why = Annotated[str, Form()]
Holder = Annotated[int | None, Form(ge=1, le=2**63 - 1)]

VISIBLE = "Switchboard-Visible"
"""The header by which an open page says that it lies before its agent, and in no hidden tab."""

router = APIRouter()


@router.get("/")
async def home(request: Request, console: CurrentConsole, agent: SignedIn, listed: InList) -> Response:
    if not by_htmx(request):
        return await page(request, console, agent, listed, None)
    response = await _list(request, console, agent, listed)
    # Another list beside the conversation that stays open: a reload shows the same.
    shown = page_of(request).path
    response.headers["HX-Replace-Url"] = f"{shown or request.url.path}?{listed.query}"
    return response


@router.get("/list")
async def refreshed_list(request: Request, console: CurrentConsole, agent: SignedIn, listed: InList) -> Response:
    return await _list(request, console, agent, listed)


async def _list(request: Request, console: Console, agent: Agent, listed: Listed) -> Response:
    listing = await read_listing(console, agent, listed)
    return console.pages.response(request, "conversations/list.html", agent=agent, listing=listing, open_id=None)


@router.get("/conversations/{conversation_id}")
async def conversation(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    opened: InAddress,
    listed: InList,
) -> Response:
    view = await read_view(console, conversation_id, at=opened.at)
    if view.messages and _is_read(request):
        await console.store.glances.see(conversation_id, agent.id, view.messages[-1].id)
    if by_htmx(request):
        return fragment(request, console, agent, listed, view, opened)
    return await page(
        request, console, agent, listed, view, await with_found(console, view.conversation.contact, opened)
    )


def _is_read(request: Request) -> bool:
    """Whether somebody has it before their eyes: a page that was opened, or one that says that it is to be seen."""
    return not by_htmx(request) or request.headers.get(VISIBLE) == "yes"


@router.post("/conversations/{conversation_id}/claim")
async def claim(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.claim(conversation_id, agent))


@router.post("/conversations/{conversation_id}/resolve")
async def resolve(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.resolve(conversation_id, agent))


@router.post("/conversations/{conversation_id}/reopen")
async def reopen(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.reopen(conversation_id, agent))


@router.post("/conversations/{conversation_id}/take-over")
async def take_over(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    holder: AgentId,
    why: Why = "",
) -> Response:
    """``holder`` is the colleague who had it when the page was shown."""
    return await act(
        request, console, agent, conversation_id, console.desk.take_over(conversation_id, agent, holder, why)
    )


@router.post("/conversations/{conversation_id}/transfer")
async def transfer(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    to: AgentId,
    why: Why = "",
    holder: Holder = None,
) -> Response:
    """``holder`` is the colleague who had it when the page was shown: leads may move everybody's."""
    return await act(
        request, console, agent, conversation_id, _transfer(console, agent, conversation_id, to, why, holder)
    )


async def _transfer(
    console: Console, agent: Agent, conversation_id: int, to: int, why: str, holder: int | None
) -> None:
    colleague = next((one for one in await console.store.agents.all() if one.id == to), None)
    if colleague is None:
        raise Refusal("choose the colleague who shall have it", "refusal.choose_colleague")
    await console.desk.transfer(conversation_id, agent, colleague, why, holder=holder)


@router.post("/conversations/{conversation_id}/put-back")
async def put_back(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    why: Why = "",
    holder: Holder = None,
) -> Response:
    action = console.desk.put_back(conversation_id, agent, why, holder=holder)
    return await act(request, console, agent, conversation_id, action)
