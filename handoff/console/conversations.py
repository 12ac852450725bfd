"""The console's one page: the list beside the open conversation, and who has it.

Every address answers the browser with the whole page, and htmx with the part of it that it shows. Every
act is a plain form, which answers with the conversation as it then stands.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from bot.model import Agent
from handoff.console.contacts import with_found
from handoff.console.context import SESSION_COOKIE, Console, Here, SignedIn, by_htmx, current_agent, page_of
from handoff.console.live import signals
from handoff.console.views import ConversationId, InAddress, Tab, act, fragment, page, read_listing, read_view
from handoff.passwords import token_hash

router = APIRouter()


@router.get("/")
async def home(request: Request, here: Here, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    if not by_htmx(request):
        return await page(request, here, agent, Tab(tab), None)
    response = await _list(request, here, agent, Tab(tab))
    # Another list beside the conversation that stays open: a reload shows the same.
    shown = page_of(request).path
    response.headers["HX-Replace-Url"] = f"{shown or request.url.path}?tab={Tab(tab)}"
    return response


@router.get("/list")
async def refreshed_list(request: Request, here: Here, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    return await _list(request, here, agent, Tab(tab))


async def _list(request: Request, here: Console, agent: Agent, tab: Tab) -> Response:
    listing = await read_listing(here, agent, tab)
    return here.pages.response(request, "list.html", agent=agent, listing=listing, open_id=None)


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, here: Here, _: SignedIn) -> Response:
    async def still_signed_in() -> bool:
        return await current_agent(request, here) is not None

    stream = StreamingResponse(
        signals(here.feed, still_signed_in, here.stopping),
        media_type="text/event-stream",
        # Proxies must not wait for the end of a stream that has none.
        headers={"X-Accel-Buffering": "no"},
    )
    session = token_hash(request.cookies[SESSION_COOKIE])
    refusal = PlainTextResponse(
        "Too many pages of the console are open.", 503, {"Retry-After": "15", "Connection": "close"}
    )
    return here.streams.to_agent(session, stream=stream, refusal=refusal)


@router.get("/conversations/{conversation_id}")
async def conversation(
    request: Request,
    here: Here,
    agent: SignedIn,
    conversation_id: ConversationId,
    opened: InAddress,
    tab: str = Tab.QUEUE,
) -> Response:
    view = await read_view(here, conversation_id)
    if by_htmx(request):
        return fragment(request, here, agent, Tab(tab), view, opened)
    return await page(request, here, agent, Tab(tab), view, await with_found(here, view.conversation.contact, opened))


@router.post("/conversations/{conversation_id}/claim")
async def claim(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await act(request, here, agent, conversation_id, here.desk.claim(conversation_id, agent))


@router.post("/conversations/{conversation_id}/hand-back")
async def hand_back(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await act(request, here, agent, conversation_id, here.desk.hand_back(conversation_id, agent))


@router.post("/conversations/{conversation_id}/resolve")
async def resolve(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await act(request, here, agent, conversation_id, here.desk.resolve(conversation_id, agent))
