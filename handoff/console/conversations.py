"""The console's one page: the list beside the open conversation, and what an agent does with it.

Every address answers the browser with the whole page, and htmx with the part of it that it shows. Every
act is a plain form, which answers with the conversation as it then stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from bot.model import Agent, Author, Conversation, ConversationState, Message, StateConflict, Turn
from bot.store import Store
from handoff.console.context import Console, Here, SignedIn, by_htmx, current_agent
from handoff.console.live import signals

ROWS = 100
MESSAGES = 500

router = APIRouter()

ConversationId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Tab(StrEnum):
    QUEUE = "queue"
    MINE = "mine"
    BOT = "bot"
    RESOLVED = "resolved"

    @classmethod
    def _missing_(cls, _: object) -> Tab:
        """An address that somebody edited still shows a list."""
        return cls.QUEUE


@dataclass(frozen=True, slots=True)
class Section:
    heading: str | None
    rows: Sequence[Conversation]


@dataclass(frozen=True, slots=True)
class Listing:
    tab: Tab
    sections: Sequence[Section]
    last: dict[int, Message]
    """The latest message of each conversation listed."""
    waiting: int
    mine: int
    """How many there are in all; the rows may be fewer."""

    @property
    def empty(self) -> bool:
        return not any(section.rows for section in self.sections)

    @property
    def cut(self) -> bool:
        """Whether there may be more than these."""
        return any(len(section.rows) == ROWS for section in self.sections)


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as an agent sees it."""

    conversation: Conversation
    messages: Sequence[Message]
    turns: dict[int, Turn]

    @property
    def cut(self) -> bool:
        """Whether there may be earlier messages than these."""
        return len(self.messages) == MESSAGES

    @property
    def classified(self) -> Turn | None:
        """The latest turn in which the engine ranked topics."""
        found = (self.turns.get(message.id) for message in reversed(self.messages))
        return next((turn for turn in found if turn is not None and turn.ranking), None)


@router.get("/")
async def home(request: Request, here: Here, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    if not by_htmx(request):
        return await _page(request, here, agent, Tab(tab), None)
    response = await _list(request, here, agent, Tab(tab))
    # Another list beside the conversation that stays open: a reload shows the same.
    shown = urlsplit(request.headers.get("hx-current-url", "")).path
    response.headers["HX-Replace-Url"] = f"{shown or request.url.path}?tab={Tab(tab)}"
    return response


@router.get("/list")
async def refreshed_list(request: Request, here: Here, agent: SignedIn, tab: str = Tab.QUEUE) -> Response:
    return await _list(request, here, agent, Tab(tab))


@router.get("/events")
async def events(request: Request, here: Here, _: SignedIn) -> Response:
    async def still_signed_in() -> bool:
        return await current_agent(request, here) is not None

    return StreamingResponse(
        signals(here.feed, still_signed_in, here.stopping),
        media_type="text/event-stream",
        # Proxies must not wait for the end of a stream that has none.
        headers={"X-Accel-Buffering": "no"},
    )


@router.get("/conversations/{conversation_id}")
async def conversation(
    request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId, tab: str = Tab.QUEUE
) -> Response:
    view = await _view(here.store, conversation_id)
    if by_htmx(request):
        return _fragment(request, here, agent, Tab(tab), view)
    return await _page(request, here, agent, Tab(tab), view)


@router.post("/conversations/{conversation_id}/claim")
async def claim(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await _act(request, here, agent, conversation_id, here.desk.claim(conversation_id, agent))


@router.post("/conversations/{conversation_id}/hand-back")
async def hand_back(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await _act(request, here, agent, conversation_id, here.desk.hand_back(conversation_id, agent))


@router.post("/conversations/{conversation_id}/resolve")
async def resolve(request: Request, here: Here, agent: SignedIn, conversation_id: ConversationId) -> Response:
    return await _act(request, here, agent, conversation_id, here.desk.resolve(conversation_id, agent))


@router.post("/conversations/{conversation_id}/messages")
async def write(
    request: Request,
    here: Here,
    agent: SignedIn,
    conversation_id: ConversationId,
    text: Annotated[str, Form()] = "",
    mode: Annotated[Literal["reply", "note"], Form()] = "reply",
) -> Response:
    deed = here.desk.note if mode == "note" else here.desk.reply
    return await _act(request, here, agent, conversation_id, deed(conversation_id, agent, text), text)


async def _act(
    request: Request, here: Console, agent: Agent, conversation_id: int, deed: Awaitable[object], text: str = ""
) -> Response:
    """Does it and shows the conversation after it; where it is refused, why, with the words kept."""
    status, problem = 200, None
    try:
        await deed
    except StateConflict as conflict:
        status, problem = 409, _refusal(conflict.conversation)
    except ValueError as refused:
        status, problem = 422, f"{str(refused).capitalize()}."
    here_again = f"{request.scope['root_path']}/conversations/{conversation_id}"
    tab = Tab(request.query_params.get("tab", Tab.QUEUE))
    if problem is None and not by_htmx(request):
        return RedirectResponse(f"{here_again}?tab={tab}", 303)
    view = await _view(here.store, conversation_id)
    if by_htmx(request):
        return _fragment(request, here, agent, tab, view, status=status, problem=problem)
    return await _page(request, here, agent, tab, view, status=status, problem=problem, text=text)


def _refusal(now: Conversation) -> str:
    if now.agent is not None:
        return f"{now.agent.name} has this conversation."
    if now.state is ConversationState.RESOLVED:
        return "This conversation is resolved. It opens anew when the customer writes."
    return "You do not have this conversation. Claim it first."


async def _view(store: Store, conversation_id: int) -> View:
    return View(
        await store.conversation(conversation_id),
        await store.messages(conversation_id, limit=MESSAGES),
        await store.turns(conversation_id),
    )


async def _listing(store: Store, agent: Agent, tab: Tab) -> Listing:
    assigned = ConversationState.ASSIGNED
    if tab is Tab.MINE:
        mine = await store.conversations(assigned, agent_id=agent.id, limit=ROWS)
        held = {one.id for one in mine}
        others = [one for one in await store.conversations(assigned, limit=ROWS) if one.id not in held]
        sections = [Section(None, mine), Section("With colleagues", others)]
    else:
        states = {
            Tab.QUEUE: ConversationState.QUEUED,
            Tab.BOT: ConversationState.BOT,
            Tab.RESOLVED: ConversationState.RESOLVED,
        }
        sections = [Section(None, await store.conversations(states[tab], limit=ROWS))]
    return Listing(
        tab=tab,
        sections=sections,
        last=await store.last_messages(
            (row.id for section in sections for row in section.rows),
            # The last word there was that they wait, or that it is over. What they wrote tells more.
            author=Author.CUSTOMER if tab in (Tab.QUEUE, Tab.RESOLVED) else None,
        ),
        waiting=await store.count(ConversationState.QUEUED),
        mine=await store.count(assigned, agent_id=agent.id),
    )


async def _list(request: Request, here: Console, agent: Agent, tab: Tab) -> Response:
    listing = await _listing(here.store, agent, tab)
    return here.pages.response(request, "list.html", agent=agent, listing=listing, open_id=None)


def _fragment(
    request: Request,
    here: Console,
    agent: Agent,
    tab: Tab,
    view: View,
    *,
    status: int = 200,
    problem: str | None = None,
) -> Response:
    # The words of a refused message are still in the page that asked.
    return here.pages.response(
        request, "conversation.html", status=status, agent=agent, tab=tab, view=view, problem=problem, text=""
    )


async def _page(
    request: Request,
    here: Console,
    agent: Agent,
    tab: Tab,
    view: View | None,
    *,
    status: int = 200,
    problem: str | None = None,
    text: str = "",
) -> Response:
    listing = await _listing(here.store, agent, tab)
    open_id = view and view.conversation.id
    return here.pages.response(
        request,
        "desk.html",
        status=status,
        agent=agent,
        tab=tab,
        listing=listing,
        open_id=open_id,
        view=view,
        problem=problem,
        text=text,
    )
