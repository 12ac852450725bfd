"""What the console's page shows, read from the store, and what every act of an agent is answered with."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.domain.conversation import Contact, Conversation, ConversationState, Priority, StateConflict
from bot.domain.message import Message
from bot.domain.said import Said
from bot.domain.staff import Agent
from handoff.console.context import Console, by_htmx, wants_json
from handoff.console.pages.conversations.lists import Listed, listed_in, read_listing
from handoff.console.pages.conversations.view import View, read_view
from handoff.console.shell import show

MAX_FILES = 10
"""With one message."""
MAX_UPLOAD = 64 * 1024 * 1024
"""Bytes of all files of one message together. They are held in memory on their way."""
_LIMITS = {"most": MAX_FILES, "total": MAX_UPLOAD}

ConversationId = Annotated[int, Path(ge=1, le=2**63 - 1)]


InThread = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact that an agent may link with, or has."""

    contact: Contact
    active_at: datetime | None
    linked: bool


@dataclass(frozen=True, slots=True)
class Done:
    """An act that can be undone by one press."""

    act: str
    """``snoozed`` or ``prioritised``."""
    was: str = ""
    """The label of the priority before."""

    @classmethod
    def read(cls, written: str) -> Done | None:
        """As it stands in an address; None for anything else."""
        name, _, was = written.partition(".")
        known = name == "snoozed" or (name == "prioritised" and was in [one.label for one in Priority])
        return cls(name, was) if known else None

    def __str__(self) -> str:
        return f"{self.act}.{self.was}" if self.was else self.act


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
    done: Done | None = None
    """What was done a moment ago, and can be undone."""
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
    done: str = "",
) -> Opened:
    return Opened(edit, delete, quote, secret, find, linked, at=at, done=Done.read(done))


InAddress = Annotated[Opened, Depends(_opened)]


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    words: str


NOTHING_OPEN = Opened()


async def act(
    request: Request,
    console: Console,
    agent: Agent,
    conversation_id: int,
    action: Awaitable[object],
    *,
    linked: int | None = None,
    done: Done | None = None,
    refused: Opened = NOTHING_OPEN,
) -> Response:
    """Does it and shows the conversation after it, the contact that was ``linked``, and how to undo what was ``done``.
    Where it is refused: why, with the words that were written and what was open."""
    problem: Problem | None = None
    result: object = None
    speech = console.pages.speech(request, agent)
    try:
        result = await action
    except StateConflict as conflict:
        problem = Problem(409, speech.tell(_taken(conflict.conversation)))
    except ValueError as error:
        problem = Problem(422, speech.refusal(error))
    if wants_json(request):
        if problem is not None:
            return JSONResponse({"problem": problem.words}, problem.status)
        return JSONResponse({"message_id": result.id if isinstance(result, Message) else None})
    listed = listed_in(request)
    if problem is None and not by_htmx(request):
        address = f"{request.scope['root_path']}/conversations/{conversation_id}"
        return RedirectResponse(
            f"{address}?{listed.query}" + (f"&linked={linked}" if linked else "") + (f"&done={done}" if done else ""),
            303,
        )
    view = await read_view(console, conversation_id)
    if by_htmx(request):
        # What was written in vain is still in the page that asked.
        return fragment(request, console, agent, listed, view, Opened(linked=linked, done=done), problem)
    return await page(request, console, agent, listed, view, refused, problem)


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
    listed: Listed,
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
        listed=listed,
        view=view,
        opened=opened,
        problem=problem,
        limits=_LIMITS,
    )


async def page(
    request: Request,
    console: Console,
    agent: Agent,
    listed: Listed,
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
        listed=listed,
        listing=await read_listing(console, agent, listed),
        open_id=view and view.conversation.id,
        view=view,
        opened=opened,
        problem=problem,
        limits=_LIMITS,
    )
