"""One page and its form: a plain GET, which scripts send while somebody types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.forms import Detail
from bot.domain.message import Message, MessageFormat
from bot.domain.search import Found, Ground, Hit, excerpt, marked
from bot.domain.staff import Agent
from bot.pipeline.rendering import plain
from handoff.console.context import Console, CurrentConsole, SignedIn, by_htmx
from handoff.console.pages.search.asking import Asked, Before, InAddress
from handoff.console.shell import show

ROWS = 20
FEW = 3
"""Customers, and conversations by their details, that stand above the messages."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Section:
    ground: Ground
    found: Found
    whole: bool
    """Whether it goes on below by itself, rather than on a page of its own."""


@router.get("/search")
async def search(
    request: Request, console: CurrentConsole, agent: SignedIn, asked: InAddress, before: Before = None
) -> Response:
    page = f"{request.scope['root_path']}/search"
    values: dict[str, Any] = {
        "asked": asked,
        "page": page,
        "sections": await _sections(console, asked, before),
        "lit": partial(_lit, asked.terms),
        "line": partial(_line, asked.terms, console.pages.speech(request, agent).readable),
        "told": partial(_told, asked.terms),
    }
    if not by_htmx(request):
        choices = await _choices(console, asked)
        return await show(request, console, agent, "search/search.html", before=before, **choices, **values)
    if before is not None:
        return console.pages.response(request, "search/more.html", agent=agent, **values)
    response = console.pages.response(request, "search/found.html", agent=agent, before=None, **values)
    # A reload shows the same, and so does going back from what was opened.
    response.headers["HX-Replace-Url"] = asked.address(page)
    return response


async def _sections(console: Console, asked: Asked, before: int | None) -> list[Section]:
    if not asked.terms:
        return []
    grounds = [(asked.ground or Ground.MESSAGES, ROWS)]
    if asked.ground is None and before is None:
        grounds = [(Ground.CUSTOMERS, FEW), (Ground.DETAILS, FEW), *grounds]
    return [
        Section(
            ground,
            await console.store.search.find(ground, asked.terms, asked.filters, before=before, limit=rows),
            whole=rows == ROWS,
        )
        for ground, rows in grounds
    ]


async def _choices(console: Console, asked: Asked) -> dict[str, Any]:
    """What the filters offer, and what the address has besides."""
    channels = {status.channel for status in await console.store.channels.all()} | console.capabilities.keys()
    languages = {locale.partition("-")[0] for locale in console.pages.words.locales}
    people: list[Agent] = sorted(await console.store.agents.all(), key=lambda one: one.name.casefold())
    return {
        "channels": sorted(channels | _given(asked.channel)),
        "spoken": sorted(languages | _given(asked.language)),
        "people": people,
    }


def _given(name: str) -> set[str]:
    return {name} if name else set()


# --- where it stands --------------------------------------------------------------------------------


def _lit(terms: Sequence[str], text: str) -> Iterable[tuple[str, bool]]:
    """The parts of a text, and whether each is to be marked."""
    return marked(text, terms)


def _line(terms: Sequence[str], readable: Callable[[str], str], message: Message) -> str:
    """What is shown of a message: the words that agents read in the conversation, if what was found is among them."""
    text = plain(message.text) if message.format is MessageFormat.MARKDOWN else message.text
    if not any(found for _, found in marked(text, terms)):
        text = message.text
    # Before it is cut: half a label has no other language.
    return excerpt(readable(text), terms)


def _told(terms: Sequence[str], hit: Hit) -> list[Detail]:
    """The details of a conversation in which something was found."""
    return [one for one in hit.conversation.details if any(found for _, found in marked(one.value, terms))]
