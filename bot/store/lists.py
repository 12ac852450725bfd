"""Lists of conversations: what is in each, a piece at a time, and how many there are.

A piece begins behind a place (``ListPlace``), never behind a number of rows: the thousandth is read as fast as the
first, and nothing is left out or shown twice while conversations come and go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, text, true, tuple_, union_all

from bot.domain.conversation import Conversation, ConversationState, Priority
from bot.domain.lists import ListFilter, ListPlace, ListView
from bot.store import rows
from bot.store.base import CONVERSATION, CUSTOMER, Area
from bot.store.tables import conversation

COUNTED = 1000
"""No list is counted further."""

_LANGUAGES = text(
    """
    WITH RECURSIVE found AS (
        (SELECT language FROM conversation WHERE language IS NOT NULL ORDER BY language LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.language FROM conversation AS next
            WHERE next.language > found.language ORDER BY next.language LIMIT 1
        )
        FROM found WHERE found.language IS NOT NULL
    )
    SELECT language FROM found WHERE language IS NOT NULL LIMIT 200
    """
)
"""From language to language along their index, however many conversations have each."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What a view is ordered by."""

    at: ColumnElement[Any]
    newest_first: bool = False
    by_priority: bool = False

    @property
    def columns(self) -> Sequence[ColumnElement[Any]]:
        if self.newest_first:
            return self.at.desc(), conversation.c.id.desc()
        first = [conversation.c.priority.desc()] if self.by_priority else []
        return *first, self.at, conversation.c.id

    def behind(self, place: ListPlace) -> ColumnElement[bool]:
        here, there = tuple_(self.at, conversation.c.id), tuple_(literal(place.at), literal(place.id))
        if self.newest_first:
            return here < there
        if not self.by_priority:
            return here > there
        same = and_(conversation.c.priority == place.priority, here > there)
        return or_(conversation.c.priority < place.priority, same)

    def place(self, row: Any) -> ListPlace:
        return ListPlace(row.ordered_at, row.id, row.priority if self.by_priority else 0)


_LATEST = _Order(conversation.c.updated_at, newest_first=True)
_LONGEST = _Order(conversation.c.waiting_since)
_ORDERS = {
    ListView.QUEUE: _Order(conversation.c.queued_at, by_priority=True),
    ListView.ANSWER: _LONGEST,
    ListView.LONGEST: _LONGEST,
    ListView.URGENT: _Order(func.coalesce(conversation.c.waiting_since, conversation.c.updated_at)),
    ListView.SNOOZED: _Order(conversation.c.snoozed_until),
}


def _shown(view: ListView, agent_id: int) -> ColumnElement[bool]:
    mine, state = conversation.c.agent_id == agent_id, conversation.c.state
    awake = conversation.c.snoozed_until.is_(None)
    waits = conversation.c.waiting_since.is_not(None)
    return {
        ListView.QUEUE: state == ConversationState.QUEUED,
        ListView.MINE: and_(mine, awake),
        ListView.ANSWER: and_(mine, awake, waits),
        ListView.LONGEST: and_(waits, awake),
        ListView.URGENT: and_(conversation.c.priority == Priority.URGENT, state != ConversationState.RESOLVED),
        ListView.COLLEAGUES: and_(conversation.c.agent_id.is_not(None), conversation.c.agent_id != agent_id),
        ListView.SNOOZED: and_(mine, ~awake),
        ListView.BOT: state == ConversationState.BOT,
        ListView.ALL: true(),
        ListView.RESOLVED: state == ConversationState.RESOLVED,
    }[view]


class Lists(Area):
    async def read(
        self, view: ListView, agent_id: int, only: ListFilter, limit: int, after: ListPlace | None = None
    ) -> tuple[list[Conversation], ListPlace | None]:
        """Up to ``limit`` conversations of the view, as the agent has it, behind ``after``; and the place behind which
        there are more, if there are."""
        order = _ORDERS.get(view, _LATEST)
        query = CONVERSATION.add_columns(order.at.label("ordered_at")).where(_shown(view, agent_id), *filtered(only))
        if after is not None:
            query = query.where(order.behind(after))
        async with self._reader.connect() as connection:
            found = (await connection.execute(query.order_by(*order.columns).limit(limit + 1))).all()
        more = order.place(found[limit - 1]) if len(found) > limit else None
        return [rows.conversation(row) for row in found[:limit]], more

    async def counts(self, views: Collection[ListView], agent_id: int) -> Mapping[ListView, int]:
        """How many conversations each of the views has; ``COUNTED`` means that many or more."""
        counted = [
            select(literal(view.value).label("view"), func.count().label("many")).select_from(
                select(literal(1)).where(_shown(view, agent_id)).select_from(conversation).limit(COUNTED).subquery()
            )
            for view in views
        ]
        async with self._reader.connect() as connection:
            return {ListView(row.view): row.many for row in await connection.execute(union_all(*counted))}

    async def languages(self) -> list[str]:
        """Every language that some conversation is in."""
        async with self._reader.connect() as connection:
            return list((await connection.execute(_LANGUAGES)).scalars())


def filtered(only: ListFilter) -> list[ColumnElement[bool]]:
    """The conditions of a filter, for a query that joins ``CUSTOMER``."""
    wanted = (
        (CUSTOMER.c.channel, only.channel),
        (conversation.c.topic, only.topic),
        (conversation.c.language, only.language),
    )
    return [column == value for column, value in wanted if value]
