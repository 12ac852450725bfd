"""The search: over messages, customers and details, the newest first, in PostgreSQL alone.

A *gram* is up to three characters from one place of a word (migration 0022). What holds a term has all of its grams,
so an index of grams finds every row that can; the words themselves decide. Two ways lead to a page of hits: what is
common is met soon by going back row by row, and what is rare is looked up, in windows of ids, so that what was common
long ago costs no more than what is common now. How common a gram is, PostgreSQL's own statistics of the index say.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import prod
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import ConversationState
from bot.domain.search import Filters, Found, Ground, Hit
from bot.store import rows
from bot.store.base import CONVERSATION, MESSAGE, Area, Database
from bot.store.grounds import BUCKET, GROUNDS, Searched
from bot.store.tables import conversation, message

STEP = 30_000
"""Rows that are looked through one by one before the time is looked at again."""
ENOUGH = 3_000
"""Rows that a window may bring, by the statistics: they are read and sorted."""
WIDEST = 64
"""Buckets in one window."""
COMMON = 0.001
"""What stands in more of the rows than this is met soon by going back."""
VERY_COMMON = 0.02
"""From here on an index would be no shorter way."""
WITHIN = 0.15
"""Seconds after which what was found is shown, with where to go on."""
LATE = timedelta(hours=1)
"""By so much an id may be older or newer than its time says: a row's time is when its transaction began."""
STATISTICS_KEPT = 600.0
"""Seconds."""
FEW = 1_000
"""Conversations that are open with people: what was said in them is read rather than searched."""
AT_ONCE = 4
"""Searches of one process; more take turns, so that the desk's other work has connections."""
ANSWER_WITHIN = "5s"
_OPEN = {
    ConversationState.QUEUED: "c.state = 'queued'",
    # As the index of agents' conversations has it.
    ConversationState.ASSIGNED: "c.state = 'assigned' AND c.agent_id IS NOT NULL",
}
_BLANKS = re.compile("[ \n\r\t]+")
_LIKE = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})

# What would take the planner astray: it knows neither how cheap a bitmap of the index is, nor that few rows are wanted.
_BEGIN = text(
    "SELECT array(SELECT lower(term) FROM unnest(CAST(:terms AS text[])) term) AS terms,"
    " EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid) AS indexed,"
    " set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),"
    " set_config('max_parallel_workers_per_gather', '0', true),"
    " set_config('plan_cache_mode', 'force_custom_plan', true),"
    " set_config('statement_timeout', :within, true)"
)
_STATISTICS = text(
    "SELECT CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs FROM pg_stats"
    " WHERE schemaname = current_schema() AND tablename = :index AND attname = 'grams'"
    " AND most_common_elems IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Statistics:
    """In which share of the rows each common gram stands."""

    shares: Mapping[str, float] = field(default_factory=dict)
    least: float = COMMON
    """That of the rarest of them: all others are rarer, how much so is not known."""

    def share(self, grams: Collection[tuple[str, bool]]) -> float:
        """At most this share of the rows has all of them; of what grams begin with, about so many."""
        found = [self._of(gram) if whole else self._beginning(gram) for gram, whole in grams]
        return min(found, default=1.0)

    def _of(self, gram: str) -> float:
        return self.shares.get(gram, self.least / 2)

    def _beginning(self, gram: str) -> float:
        begun = sum(share for one, share in self.shares.items() if one.startswith(gram))
        return min(1.0, begun) or self.least / 2


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for, as the database needs it."""

    of: Searched
    terms: Sequence[str]
    """As the database writes them in small letters."""
    grams: Sequence[frozenset[tuple[str, bool]]]
    filters: Filters
    limit: int

    @property
    def query(self) -> str:
        """As a ``tsquery``. A text that is too long for grams may hold anything."""
        every = {gram for grams in self.grams for gram in grams}
        return f"({' & '.join(_quoted(gram, whole) for gram, whole in sorted(every))}) | ' '"


class Search(Area):
    """Every row that ``lower(words) LIKE lower('%term%')`` finds for all terms, and no other."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._statistics: dict[str, tuple[float, Statistics]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def find(
        self,
        ground: Ground,
        terms: Sequence[str],
        filters: Filters = Filters(),  # noqa: B008 (frozen)
        *,
        before: int | None = None,
        limit: int = 20,
        within: float = WITHIN,
    ) -> Found:
        """A page of hits, looked for from ``before`` on (``Found.further`` of the page before). After ``within``
        seconds it is what was found until then."""
        if not terms:
            return Found(())
        of = GROUNDS[ground]
        async with self._room, self._engine.begin() as connection:
            asked = {"terms": list(terms), "index": of.index, "within": ANSWER_WITHIN}
            begun = (await connection.execute(_BEGIN, asked)).one()
            sought = _Sought(of, begun.terms, [grams_of(term) for term in begun.terms], filters, limit + 1)
            statistics = await self._known(connection, of.index) if begun.indexed else None
            top, low = await self._bounds(connection, sought)
            top = top if before is None else min(top, before)
            ids, reached = await _Way(connection, sought, statistics).back(top, low, time.monotonic() + within)
            page, further = ids[:limit], None
            if len(ids) > limit:
                further = page[-1]
            elif reached > low:
                further = reached
            back_to = await self._time_of(connection, of, further) if further and len(ids) <= limit else None
            hits = await self._hits(connection, of, page, filters)
        return Found(hits, further, back_to, slow=statistics is None)

    async def _known(self, connection: AsyncConnection, index: str) -> Statistics:
        at, known = self._statistics.get(index, (0.0, Statistics()))
        if at and time.monotonic() - at < STATISTICS_KEPT:
            return known
        row = (await connection.execute(_STATISTICS, {"index": index})).one_or_none()
        if row is not None:
            # Behind the shares stand the least and the greatest of them, and the share of empty ones.
            shares = dict(zip(row[0], row[1], strict=False))
            known = Statistics(shares, min(shares.values(), default=COMMON))
        self._statistics[index] = time.monotonic(), known
        return known

    # --- between which ids ------------------------------------------------------------------------

    async def _bounds(self, connection: AsyncConnection, sought: _Sought) -> tuple[int, int]:
        """The ids that can be hits are below the first and not below the second."""
        of, filters = sought.of, sought.filters
        span = (await connection.execute(text(f"SELECT max(id), min(id) FROM {of.table}"))).one()
        if span[0] is None:
            return 0, 0
        top, low = span[0] + 1, span[1]
        if of.in_order and filters.until is not None:
            top = await self._first_since(connection, of, filters.until + LATE, low, top)
        if of.in_order and filters.since is not None:
            low = await self._first_since(connection, of, filters.since - LATE, low, top)
        return top, low

    async def _first_since(self, connection: AsyncConnection, of: Searched, at: datetime, low: int, top: int) -> int:
        """The first id of that time or later, of those from ``low`` to ``top``; else ``top``. Found by halves: no index
        has times."""
        query = f"""
            WITH RECURSIVE half(low, top) AS (
                SELECT CAST(:low AS bigint), CAST(:top AS bigint)
                UNION ALL
                SELECT CASE WHEN earlier THEN middle + 1 ELSE low END, CASE WHEN earlier THEN top ELSE middle END
                FROM half, LATERAL (SELECT (low + top) / 2) AS at(middle), LATERAL (
                    SELECT (SELECT {of.at} FROM {of.source} WHERE id >= middle ORDER BY id LIMIT 1) < :at
                ) AS looked(earlier)
                WHERE low < top
            )
            SELECT low FROM half WHERE low >= top
        """
        found = await connection.execute(text(query), {"low": low, "top": top, "at": at})
        return int(found.scalar_one())

    async def _time_of(self, connection: AsyncConnection, of: Searched, row_id: int) -> datetime | None:
        """When the row of that id, or the next one, was written."""
        query = text(f"SELECT {of.at} FROM {of.source} WHERE id >= :id ORDER BY id LIMIT 1")
        at: datetime | None = (await connection.execute(query, {"id": row_id})).scalar_one_or_none()
        return at

    # --- what is shown ----------------------------------------------------------------------------

    async def _hits(self, connection: AsyncConnection, of: Searched, ids: Sequence[int], filters: Filters) -> list[Hit]:
        if not ids:
            return []
        messages, of_row = {}, {}
        if of.table == "message":
            found = await connection.execute(MESSAGE.where(message.c.id.in_(ids)))
            messages = {row.id: rows.message(row) for row in found}
            of_row = {one.id: one.conversation_id for one in messages.values()}
        elif of.table == "contact":
            which, values = _conditions(replace(filters, channel=None))
            latest = await connection.execute(
                text(
                    "SELECT k.id, max(c.id) FROM contact k JOIN conversation c ON c.contact_id = k.id"
                    f" WHERE k.id = ANY(:ids){which}{_times('c.updated_at', filters, values)} GROUP BY k.id"
                ),
                {"ids": list(ids), **values},
            )
            of_row = {row[0]: row[1] for row in latest}
        else:
            of_row = {one: one for one in ids}
        wanted = CONVERSATION.where(conversation.c.id.in_(list(of_row.values())))
        known = {row.id: rows.conversation(row) for row in await connection.execute(wanted)}
        return [Hit(known[of_row[one]], messages.get(one)) for one in ids if one in of_row]


class _Way:
    """One search on its way back, from the newest row."""

    def __init__(self, connection: AsyncConnection, sought: _Sought, statistics: Statistics | None) -> None:
        """``statistics`` are None where there is no index."""
        self._connection = connection
        self._sought = sought
        self._indexed = statistics is not None
        shares = [(statistics or Statistics()).share(grams) for grams in sought.grams]
        self._share = min(shares)
        together = prod(shares)  # if none says anything of the others
        known = statistics is not None and bool(statistics.shares)
        self._often = not known or together >= max(COMMON, statistics.least if statistics else 0.0)
        """Met soon by going back; where nothing is known of it, that is tried."""
        self._always = self._share >= VERY_COMMON and len(shares) == 1

    async def back(self, top: int, low: int, until: float) -> tuple[list[int], int]:
        """Ids of hits, the newest first, and the id down to which all are among them."""
        if await self._few():
            return await self._walked(low, top, "few"), low
        found: list[int] = []
        first = True
        while top > low and len(found) < self._sought.limit and (first or time.monotonic() < until):
            walks = not self._indexed or (first and self._often) or self._always
            begin = top - STEP if walks else self._window(top)
            begin = max(low, begin)
            found += await (self._walked(begin, top) if walks else self._looked_up(begin, top))
            top, first = begin, False
        return found[: self._sought.limit], top if len(found) < self._sought.limit else low

    async def _few(self) -> bool:
        """Whether the filters leave so few conversations that all that was said in them is looked through."""
        state = self._sought.filters.state
        if self._sought.of.table != "message" or state not in _OPEN:
            return False
        query = f"SELECT count(*) FROM (SELECT FROM conversation c WHERE {_OPEN[state]} LIMIT {FEW + 1}) AS few"
        return int((await self._connection.execute(text(query))).scalar_one()) <= FEW

    def _window(self, top: int) -> int:
        """Where the next window begins: at the beginning of a bucket."""
        buckets = max(1, min(WIDEST, round(ENOUGH / (self._share * (1 << BUCKET)))))
        last = (top - 1) >> BUCKET
        return max(0, last - buckets + 1) << BUCKET

    async def _walked(self, begin: int, end: int, few: str = "") -> list[int]:
        of = self._sought.of
        where, values = self._where()
        state = self._sought.filters.state
        if few and state is not None:
            few = f"WITH few AS MATERIALIZED (SELECT id FROM conversation c WHERE {_OPEN[state]}) "
            where += " AND m.conversation_id IN (SELECT id FROM few)"
        query = (
            f"{few}SELECT {of.short}.id FROM {of.source}{self._joins()}"
            f" WHERE {of.short}.id >= :begin AND {of.short}.id < :end{where} ORDER BY {of.short}.id DESC LIMIT :limit"
        )
        return await self._ids(query, {**values, "begin": begin, "end": end})

    async def _looked_up(self, begin: int, end: int) -> list[int]:
        of = self._sought.of
        where, values = self._where()
        buckets = list(range(begin >> BUCKET, ((end - 1) >> BUCKET) + 1))
        query = (
            f"WITH found AS MATERIALIZED (SELECT {of.short}.id FROM {of.source}{self._joins()}"
            f" WHERE {of.grams} @@ CAST(:query AS tsquery) AND {of.bucket} && CAST(:buckets AS bigint[]){where})"
            " SELECT id FROM found WHERE id >= :begin AND id < :end ORDER BY id DESC LIMIT :limit"
        )
        return await self._ids(
            query, {**values, "query": self._sought.query, "buckets": buckets, "begin": begin, "end": end}
        )

    async def _ids(self, query: str, values: dict[str, Any]) -> list[int]:
        found = await self._connection.execute(text(query), {**values, "limit": self._sought.limit})
        return list(found.scalars())

    def _joins(self) -> str:
        return self._sought.of.joins if self._sought.filters else ""

    def _where(self) -> tuple[str, dict[str, Any]]:
        of, filters = self._sought.of, self._sought.filters
        conditions, values = [f" AND {condition}" for condition in of.conditions], {}
        for number, term in enumerate(self._sought.terms):
            # What has no capital is found without writing everything in small letters first.
            words = of.words if term.lower() == term.upper() else f"lower({of.words})"
            conditions.append(f" AND {words} LIKE :like{number}")
            values[f"like{number}"] = f"%{term.translate(_LIKE)}%"
        if not filters:
            return "".join(conditions), values
        which, more = _conditions(filters)
        values |= more
        which += _times(of.filtered_at, filters, values)
        conditions.append(
            f" AND EXISTS (SELECT FROM conversation c WHERE c.contact_id = k.id{which})" if of.any else which
        )
        return "".join(conditions), values


def _conditions(filters: Filters) -> tuple[str, dict[str, Any]]:
    """On a conversation ``c`` and its contact ``k``."""
    given: dict[str, tuple[str, Any]] = {
        "c.state = :state": ("state", filters.state and filters.state.value),
        "k.channel = :channel": ("channel", filters.channel),
        "split_part(coalesce(c.language, k.language), '-', 1) = :language": ("language", filters.language),
        "c.last_agent_id = :agent": ("agent", filters.agent_id),
    }
    set_ = {condition: named for condition, named in given.items() if named[1] is not None}
    return "".join(f" AND {condition}" for condition in set_), dict(set_.values())


def _times(column: str, filters: Filters, values: dict[str, Any]) -> str:
    """On when something was; what fills it is put into ``values``."""
    condition = ""
    for name, sign, at in (("since", ">=", filters.since), ("until", "<", filters.until)):
        if at is not None:
            condition += f" AND {column} {sign} :{name}"
            values[name] = at
    return condition


def grams_of(term: str) -> frozenset[tuple[str, bool]]:
    """What every text that holds the term has grams of: whole ones, and beginnings of some (False). The term is in
    small letters."""
    return frozenset(
        (word[place : place + 3], len(word) >= 3)
        for word in _BLANKS.split(term)
        if word
        for place in range(max(1, len(word) - 2))
    )


def _quoted(gram: str, whole: bool) -> str:
    quoted = gram.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'" if whole else f"'{quoted}':*"
