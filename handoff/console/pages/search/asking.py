"""What a search is asked for, as it stands in the address: everything of it may be missing or edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query
from starlette.requests import Request

from bot.domain.conversation import ConversationState
from bot.domain.search import MAX_WORDS, Filters, Ground, terms_of

E = TypeVar("E", bound=StrEnum)

MOST = 2**63 - 1
_FARTHEST = 14 * 60
"""Minutes from Greenwich."""
_YEARS = range(1970, 9000)


@dataclass(frozen=True, slots=True)
class Asked:
    """One search. ``str`` fields are as they came, and go back into the form; what they mean is ``filters``."""

    words: str = ""
    ground: Ground | None = None
    """What is looked through; None: customers and details first, then messages."""
    state: ConversationState | None = None
    channel: str = ""
    language: str = ""
    agent: int | None = None
    since: str = ""
    until: str = ""
    zone: int = 0
    """Minutes by which the reader's clock goes before Greenwich's, where scripts run: what days are by."""

    @property
    def terms(self) -> tuple[str, ...]:
        return terms_of(self.words)

    @property
    def filters(self) -> Filters:
        return Filters(
            self.state,
            self.channel or None,
            self.language or None,
            self.agent,
            self._day(self.since),
            self._day(self.until, later=1),
        )

    def _day(self, text: str, later: int = 0) -> datetime | None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        if day.year not in _YEARS:
            return None
        zone = timezone(timedelta(minutes=self.zone))
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) + timedelta(days=later)

    @property
    def in_address(self) -> Mapping[str, object]:
        given = {
            "q": self.words,
            "in": self.ground and self.ground.value,
            "state": self.state and self.state.value,
            "channel": self.channel,
            "language": self.language,
            "agent": self.agent,
            "since": self.since if self._day(self.since) else "",
            "until": self.until if self._day(self.until) else "",
            "zone": self.zone if self.since or self.until else 0,
        }
        return {name: value for name, value in given.items() if value}

    def address(self, page: str, **more: object) -> str:
        """Of the same search, with ``more`` in it."""
        query = urlencode({**self.in_address, **{name: value for name, value in more.items() if value}})
        return f"{page}?{query}" if query else page


def _asked(request: Request) -> Asked:
    given = request.query_params
    return Asked(
        words=given.get("q", "")[:MAX_WORDS],
        ground=_one_of(Ground, given.get("in")),
        state=_one_of(ConversationState, given.get("state")),
        channel=_name(given.get("channel")),
        language=_name(given.get("language")),
        agent=_number(given.get("agent"), 1, MOST),
        since=given.get("since", "")[:10],
        until=given.get("until", "")[:10],
        zone=_number(given.get("zone"), -_FARTHEST, _FARTHEST) or 0,
    )


def _before(before: Annotated[str, Query()] = "") -> int | None:
    return _number(before, 1, MOST)


def _one_of(values: type[E], text: str | None) -> E | None:
    return next((value for value in values if value.value == text), None)


def _number(text: str | None, least: int, most: int) -> int | None:
    try:
        number = int(text or "")
    except ValueError:
        return None
    return number if least <= number <= most else None


def _name(text: str | None) -> str:
    return (text or "").replace("\0", "")[:40]


InAddress = Annotated[Asked, Depends(_asked)]
Before = Annotated[int | None, Depends(_before)]
"""Where the next page begins."""
