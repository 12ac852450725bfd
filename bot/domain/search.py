"""What agents look for, and where it stands in what was found. Plain data and pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.conversation import Conversation, ConversationState
from bot.domain.message import Message

MAX_WORDS = 200
"""Characters that are looked for at once; more are cut off."""
MAX_TERMS = 8
AROUND = 160
"""Characters of a message that are shown around what was found."""

_TERM = re.compile(r'["“”]([^"“”]+)["“”]|([^\s"“”]+)')


class Ground(StrEnum):
    """What is looked through."""

    CUSTOMERS = "customers"
    """Their names, and their ids on their platforms."""
    DETAILS = "details"
    """Hashes, addresses, tickets … of conversations."""
    MESSAGES = "messages"
    """What anybody wrote, private notes included, and not the desk's own lines."""
    NOTES = "notes"
    """Private notes alone."""


@dataclass(frozen=True, slots=True)
class Filters:
    """All of what is given must hold."""

    state: ConversationState | None = None
    channel: str | None = None
    language: str | None = None
    """As conversations have it: without region."""
    agent_id: int | None = None
    """Who has the conversation, or had it last."""
    since: datetime | None = None
    until: datetime | None = None
    """When the message was written; for customers and details, when something last happened there."""

    def __bool__(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found, and the conversation that it belongs to: of a customer, the latest."""

    conversation: Conversation
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, the newest first."""

    hits: Sequence[Hit]
    further: int | None = None
    """There may be more: looked for with this as ``before``. None: that is all."""
    back_to: datetime | None = None
    """Where the search stopped before it had a page full: everything newer was looked through."""
    slow: bool = False
    """There is no index to look into yet."""


def terms_of(words: str) -> tuple[str, ...]:
    """What must all stand in what is found, in any order: words, and what quotes hold together."""
    # PostgreSQL cannot hold NUL.
    found = _TERM.findall(words.replace("\0", "")[:MAX_WORDS])
    terms = dict.fromkeys(quoted.strip() or word for quoted, word in found)
    return tuple(term for term in terms if term)[:MAX_TERMS]


def marked(text: str, terms: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The text in parts, and whether each is one of the terms."""
    if not terms:
        yield text, False
        return
    longest_first = sorted(terms, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text, flags=re.IGNORECASE)
    for place, part in enumerate(parts):
        if part:
            yield part, place % 2 == 1


def excerpt(text: str, terms: Sequence[str]) -> str:
    """One line of the text, with the first of the terms in it."""
    places = [found.start() for term in terms if (found := re.search(re.escape(term), text, re.IGNORECASE))]
    first = min(places, default=0)
    begin = max(0, first - AROUND // 3) if first > AROUND // 2 else 0
    end = begin + max(AROUND, first - begin + max(map(len, terms), default=0))
    line = " ".join(text[begin:end].split())
    return ("…" if begin else "") + line + ("…" if end < len(text) else "")
