"""The list beside the open conversation: which one it is stands in the address of every page and act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends
from starlette.requests import Request

from bot.domain.conversation import Conversation
from bot.domain.details import in_order
from bot.domain.forms import Detail, Kind
from bot.domain.lists import ListFilter, ListPlace, ListView
from bot.domain.problem import Telling, problem_of
from bot.domain.staff import Agent
from bot.store.glances import Glance
from bot.store.lists import COUNTED
from handoff.console.context import Console
from handoff.rules import DANGER, NO_PROBLEM, NO_TOPIC

PIECE = 40
"""Rows that a list begins with, and by which it grows."""
MOST = 200
"""Rows of a list at most. What follows is a list of its own, which begins behind the last of them."""
IN_LISTS = (frozenset({Kind.HASH, Kind.TICKET, Kind.ADDRESS, Kind.ERROR}), frozenset({Kind.AMOUNT, Kind.COIN}))
"""Of each the first detail stands in a row."""
UNTITLED = NO_TOPIC - {DANGER}
FIRST_VIEWS = (ListView.QUEUE, ListView.MINE, ListView.ANSWER)
"""Always to be seen; the others open from a button."""
COUNTED_VIEWS = (
    *FIRST_VIEWS,
    ListView.LONGEST,
    ListView.URGENT,
    ListView.COLLEAGUES,
    ListView.SNOOZED,
)
"""The others have no end."""
_NOTHING_KNOWN = Glance()
_LONGEST_WORD = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """Which list it is."""

    view: ListView = ListView.QUEUE
    only: ListFilter = field(default_factory=ListFilter)
    rows: int = PIECE
    after: ListPlace | None = None

    @property
    def query(self) -> str:
        """Of an address that keeps the list where it is."""
        return self._query(self.view, self.only, self.after)

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """The same, for a form."""
        return parse_qsl(self.query)

    @property
    def refresh(self) -> str:
        """Of the address from which the list is read anew, as long as it is."""
        return f"{self.query}&rows={self.rows}"

    @property
    def key(self) -> str:
        """Tells this list from others in a page."""
        return self.query.translate(_IN_IDS)

    def of(self, view: ListView) -> str:
        """The query of another view."""
        return self._query(view, self.only, None)

    def on(self, after: ListPlace) -> str:
        """The query of what follows."""
        return self._query(self.view, self.only, after)

    def without(self, name: str) -> str:
        """The query without one filter."""
        kept = {one: getattr(self.only, one) for one in ("channel", "topic", "language") if one != name}
        return self._query(self.view, ListFilter(**kept), None)

    @property
    def longer(self) -> str:
        return f"{self.query}&rows={self.rows + PIECE}"

    @staticmethod
    def _query(view: ListView, only: ListFilter, after: ListPlace | None) -> str:
        wanted = {"view": view.value, "channel": only.channel, "topic": only.topic, "language": only.language}
        found = {name: value for name, value in wanted.items() if value}
        return urlencode(found | ({"after": str(after)} if after else {}))


_IN_IDS = {ord(sign): "-" for sign in "=&%+~."}
MINE = Listed(ListView.MINE)


def listed_in(request: Request) -> Listed:
    """What the address says; of what it says wrongly, nothing."""
    told = {name: value.replace("\x00", "")[:_LONGEST_WORD] for name, value in request.query_params.items()}
    rows = told.get("rows", "")
    return Listed(
        ListView(told.get("view", "")),
        ListFilter(told.get("channel", ""), told.get("topic", ""), told.get("language", "")),
        min(MOST, max(PIECE, int(rows))) if rows.isascii() and rows.isdigit() and len(rows) < 5 else PIECE,
        ListPlace.read(told.get("after", "")),
    )


InList = Annotated[Listed, Depends(listed_in)]


@dataclass(frozen=True)
class Listing:
    """A list as it stands."""

    listed: Listed
    rows: Sequence[Conversation]
    more: ListPlace | None
    """Where there are more."""
    glances: Mapping[int, Glance]
    counts: Mapping[ListView, int]
    languages: Sequence[str]
    """From which a filter can choose."""

    @property
    def waiting(self) -> int:
        """How many wait for a person in all."""
        return self.counts[ListView.QUEUE]

    def count(self, view: ListView) -> int:
        """0 also of a view that is not counted."""
        return self.counts.get(view, 0)

    @property
    def counted(self) -> int:
        """So many, or more."""
        return COUNTED

    @cached_property
    def others(self) -> list[ListView]:
        """The views that open from a button."""
        return [view for view in ListView if view not in FIRST_VIEWS]

    @property
    def firsts(self) -> Sequence[ListView]:
        return FIRST_VIEWS

    @property
    def full(self) -> bool:
        """Whether it may grow no longer."""
        return self.listed.rows >= MOST

    def glance(self, row: Conversation) -> Glance:
        return self.glances.get(row.id, _NOTHING_KNOWN)

    def problem(self, row: Conversation) -> Telling | None:
        """What the customer said that tells most of why they are here."""
        return problem_of(self.glance(row).said, NO_PROBLEM)

    def topic(self, row: Conversation) -> str | None:
        """What it is about, if that is known and not mere talk."""
        problem = self.problem(row)
        likely = (None if problem is None else problem.intent, row.topic)
        return next((topic for topic in likely if topic is not None and topic not in UNTITLED), None)

    def details(self, row: Conversation) -> Sequence[Detail]:
        """What identifies the case, and what it is about: one of each."""
        known = in_order(row.details)
        first = (next((one for one in known if one.kind in kinds), None) for kinds in IN_LISTS)
        return [one for one in first if one is not None]


async def read_listing(console: Console, agent: Agent, listed: Listed) -> Listing:
    lists = console.store.lists
    found, more = await lists.read(listed.view, agent.id, listed.only, listed.rows, listed.after)
    return Listing(
        listed,
        found,
        more,
        await console.store.glances.of((row.id for row in found), agent.id),
        await lists.counts(COUNTED_VIEWS, agent.id),
        await lists.languages(),
    )
