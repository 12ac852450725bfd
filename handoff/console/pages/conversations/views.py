"""What the console's page shows, read from the store, and what every act of an agent is answered with."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.domain.conversation import Contact, Conversation, ConversationState, StateConflict
from bot.domain.message import Author, Message
from bot.domain.said import Said
from bot.domain.staff import Agent
from handoff.console.context import Console, by_htmx, wants_json
from handoff.console.pages.conversations.view import View, read_view
from handoff.console.shell import show

ROWS = 100
MAX_FILES = 10
"""With one message."""
MAX_UPLOAD = 64 * 1024 * 1024
"""Bytes of all files of one message together. They are held in memory on their way."""
_LIMITS = {"most": MAX_FILES, "total": MAX_UPLOAD}

ConversationId = Annotated[int, Path(ge=1, le=2**63 - 1)]


InThread = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


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
    """The key of a phrase."""
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
class Candidate:
    """A contact that an agent may link with, or has."""

    contact: Contact
    active_at: datetime | None
    linked: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """What an agent has opened in the conversation. It stands in the address, so that it works without JavaScript."""

    edit: int | None = None
    """The reply that gets other words."""
    delete: int | None = None
    """The reply that the agent is asked about once more."""
    quote: int | None = None
    """The message that is answered."""
    secret: int | None = None
    """The customer's message that the agent is asked about once more: whether it is a secret."""
    find: str | None = None
    """What contacts are looked for by."""
    linked: int | None = None
    """The contact that was linked a moment ago."""
    at: int | None = None
    """The message that was found by a search."""
    found: Sequence[Candidate] = ()
    text: str = ""
    """The words of something that was refused: what was written is never lost."""
    mode: str | None = None
    """What those words were meant to be, ``reply`` or ``note``: only the agent changes it."""
    files_lost: bool = False

    def text_of(self, message: Message) -> str:
        return self.text or message.text


def _opened(
    edit: int | None = None,
    delete: int | None = None,
    quote: int | None = None,
    secret: int | None = None,
    find: str | None = None,
    linked: int | None = None,
    at: InThread = None,
) -> Opened:
    return Opened(edit, delete, quote, secret, find, linked, at)


InAddress = Annotated[Opened, Depends(_opened)]


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    words: str


NOTHING_OPEN = Opened()


async def read_listing(console: Console, agent: Agent, tab: Tab) -> Listing:
    store, assigned = console.store, ConversationState.ASSIGNED
    if tab is Tab.MINE:
        mine = await store.conversations.find(assigned, agent_id=agent.id, limit=ROWS)
        held = {one.id for one in mine}
        others = [one for one in await store.conversations.find(assigned, limit=ROWS) if one.id not in held]
        sections = [Section(None, mine), Section("console.list.with_colleagues", others)]
    else:
        states = {
            Tab.QUEUE: ConversationState.QUEUED,
            Tab.BOT: ConversationState.BOT,
            Tab.RESOLVED: ConversationState.RESOLVED,
        }
        sections = [Section(None, await store.conversations.find(states[tab], limit=ROWS))]
    return Listing(
        tab=tab,
        sections=sections,
        last=await store.messages.latest(
            (row.id for section in sections for row in section.rows),
            # The last word there was that they wait, or that it is over. What they wrote tells more.
            author=Author.CUSTOMER if tab in (Tab.QUEUE, Tab.RESOLVED) else None,
        ),
        waiting=await store.conversations.count(ConversationState.QUEUED),
        mine=await store.conversations.count(assigned, agent_id=agent.id),
    )


async def act(
    request: Request,
    console: Console,
    agent: Agent,
    conversation_id: int,
    action: Awaitable[object],
    *,
    linked: int | None = None,
    refused: Opened = NOTHING_OPEN,
) -> Response:
    """Does it and shows the conversation after it, and the contact that was ``linked``. Where it is refused: why, with
    the words that were written and what was open."""
    problem: Problem | None = None
    done: object = None
    speech = console.pages.speech(request, agent)
    try:
        done = await action
    except StateConflict as conflict:
        problem = Problem(409, speech.tell(_taken(conflict.conversation)))
    except ValueError as error:
        problem = Problem(422, speech.refusal(error))
    if wants_json(request):
        if problem is not None:
            return JSONResponse({"problem": problem.words}, problem.status)
        return JSONResponse({"message_id": done.id if isinstance(done, Message) else None})
    tab = Tab(request.query_params.get("tab", Tab.QUEUE))
    if problem is None and not by_htmx(request):
        address = f"{request.scope['root_path']}/conversations/{conversation_id}"
        return RedirectResponse(f"{address}?tab={tab}" + (f"&linked={linked}" if linked else ""), 303)
    view = await read_view(console, conversation_id)
    if by_htmx(request):
        # What was written in vain is still in the page that asked.
        return fragment(request, console, agent, tab, view, Opened(linked=linked), problem)
    return await page(request, console, agent, tab, view, refused, problem)


def _taken(now: Conversation) -> Said:
    if now.agent is not None:
        return Said("refusal.taken", {"name": now.agent.name})
    if now.state is ConversationState.RESOLVED:
        return Said("refusal.resolved")
    return Said("refusal.not_yours")


def fragment(
    request: Request,
    console: Console,
    agent: Agent,
    tab: Tab,
    view: View,
    opened: Opened = NOTHING_OPEN,
    problem: Problem | None = None,
) -> Response:
    """The conversation, for a page that shows it."""
    return console.pages.response(
        request,
        "conversations/conversation.html",
        status=problem.status if problem else 200,
        agent=agent,
        tab=tab,
        view=view,
        opened=opened,
        problem=problem,
        limits=_LIMITS,
    )


async def page(
    request: Request,
    console: Console,
    agent: Agent,
    tab: Tab,
    view: View | None,
    opened: Opened = NOTHING_OPEN,
    problem: Problem | None = None,
) -> Response:
    """The list, and the conversation beside it."""
    return await show(
        request,
        console,
        agent,
        "conversations/desk.html",
        status=problem.status if problem else 200,
        tab=tab,
        listing=await read_listing(console, agent, tab),
        open_id=view and view.conversation.id,
        view=view,
        opened=opened,
        problem=problem,
        limits=_LIMITS,
    )
