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
from handoff.console.pages.conversations.view import read_view
from handoff.console.pages.conversations.views import ConversationId, InAddress, Tab, act, fragment, page, read_listing

AgentId = Annotated[int, Form(ge=1, le=2**63 - 1)]
Why = Annotated[str, Form()]
Holder = Annotated[int | None, Form(ge=1, le=2**63 - 1)]

router = APIRouter()


@router.get("/")
async def home(request: Request, console: CurrentConsole, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    if not by_htmx(request):
        return await page(request, console, agent, Tab(tab), None)
    response = await _list(request, console, agent, Tab(tab))
    # Another list beside the conversation that stays open: a reload shows the same.
    shown = page_of(request).path
    response.headers["HX-Replace-Url"] = f"{shown or request.url.path}?tab={Tab(tab)}"
    return response


@router.get("/list")
async def refreshed_list(request: Request, console: CurrentConsole, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    return await _list(request, console, agent, Tab(tab))


async def _list(request: Request, console: Console, agent: Agent, tab: Tab) -> Response:
    listing = await read_listing(console, agent, tab)
    return console.pages.response(request, "conversations/list.html", agent=agent, listing=listing, open_id=None)


@router.get("/conversations/{conversation_id}")
async def conversation(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    opened: InAddress,
    tab: str = Tab.QUEUE,
) -> Response:
    view = await read_view(console, conversation_id, at=opened.at)
    if by_htmx(request):
        return fragment(request, console, agent, Tab(tab), view, opened)
    return await page(
        request, console, agent, Tab(tab), view, await with_found(console, view.conversation.contact, opened)
    )


@router.post("/conversations/{conversation_id}/claim")
async def claim(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.claim(conversation_id, agent))


@router.post("/conversations/{conversation_id}/hand-back")
async def hand_back(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.hand_back(conversation_id, agent))


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
