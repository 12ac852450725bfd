"""Times of searches and of what they cost who writes, and whether what they find is what LIKE finds."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import event

from benchmarks.console.asking import Question
from bot.domain.search import Found, Ground
from bot.queue import Queue
from bot.store import Store
from bot.store.database import conninfo, create_engine
from bot.store.grounds import GROUNDS

PAGE = 20
_TELLING = "SET client_min_messages = log; SET log_min_messages = panic; SET log_statement_stats = on"
_USED = re.compile(r"([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed")


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    times: Sequence[float]
    """Seconds, in order."""
    processor: Sequence[float]
    """Of PostgreSQL, the same: what else the machine does matters less to it."""
    equal: int
    whole: int
    """How many pages were full, or all there was: the others said how far back they had looked."""

    @property
    def line(self) -> str:
        asked = len(self.times)
        return (
            f"| {self.kind} | {asked} | {_at(self.times, 0.5):.1f} | {_at(self.times, 0.95):.1f} |"
            f" {_at(self.processor, 0.5):.1f} | {_at(self.processor, 0.95):.1f} | {self.whole} | {self.equal} |"
        )


HEAD = (
    "| looked for | searches | p50, ms | p95, ms | processor p50, ms | p95, ms | whole pages | as LIKE |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def _at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] * 1000


async def asked(
    store: Store,
    connection: psycopg.Connection[tuple[object, ...]],
    kind: str,
    all_: Sequence[Question],
    used: list[float],
    *,
    scan: bool = True,
) -> Row:
    """The first page of each, as the search page asks for it; then, with ``scan``, the same by a scan of
    everything. ``used`` is of ``open_store``."""
    times, processor, equal, whole = [], [], 0, 0
    for one in all_:
        used.clear()
        began = time.perf_counter()
        found = await store.search.find(one.ground, one.terms, one.filters, limit=PAGE)
        times.append(time.perf_counter() - began)
        processor.append(sum(used))
        whole += found.back_to is None
        if not scan:
            continue
        ids = _ids(one.ground, found)
        while found.further is not None and len(ids) < PAGE:
            found = await store.search.find(one.ground, one.terms, one.filters, before=found.further, limit=PAGE)
            ids += _ids(one.ground, found)
        expected = await asyncio.to_thread(_scanned, connection, one)
        equal += ids[:PAGE] == expected
    return Row(kind, sorted(times), sorted(processor), equal, whole)


def _ids(ground: Ground, found: Found) -> list[int]:
    if ground is Ground.CUSTOMERS:
        return [hit.conversation.contact.id for hit in found.hits]
    return [hit.message.id if hit.message is not None else hit.conversation.id for hit in found.hits]


def _scanned(connection: psycopg.Connection[tuple[object, ...]], one: Question) -> list[int]:
    of, filters = GROUNDS[one.ground], one.filters
    where = of.conditions
    values: list[object] = []
    for term in one.terms:
        where.append(f"lower({of.words}) LIKE lower(%s)")
        values.append(f"%{term}%")
    for condition, value in (
        ("c.state = %s", filters.state),
        ("c.last_agent_id = %s", filters.agent_id),
        (f"{of.filtered_at} >= %s", filters.since),
        (f"{of.filtered_at} < %s", filters.until),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    query = f"SELECT {of.short}.id FROM {of.source}{of.joins if filters else ''} WHERE {' AND '.join(where)}"
    # Not by an index, and not backwards: everything is looked at.
    rows = connection.execute(f"SELECT id FROM ({query} OFFSET 0) AS found ORDER BY id DESC LIMIT {PAGE}", values)  # type: ignore[arg-type]
    return [int(str(row[0])) for row in rows]


async def written(
    store: Store, url: str, texts: Iterator[str], count: int, a_second: float
) -> list[tuple[str, list[float], list[float]]]:
    """Seconds of single insertions of messages, and of PostgreSQL's processor: into a table without the index, and into
    the desk's, while a sweep sorts in what is new."""
    found = []
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        await connection.execute("DROP TABLE IF EXISTS without_search")
        await connection.execute("CREATE TABLE without_search (LIKE message INCLUDING ALL)")
        copied = "SELECT indexname FROM pg_indexes WHERE tablename = 'without_search' AND indexdef LIKE '%grams(%'"
        for (index,) in await (await connection.execute(copied)).fetchall():
            await connection.execute(f"DROP INDEX {index}")  # type: ignore[arg-type]
        used: list[float] = []
        connection.add_notice_handler(partial(_tell, used))
        await connection.execute(_TELLING)
        for table in ("without_search", "message"):
            times = []
            used.clear()
            async with _sweeping(store):
                for _ in range(count):
                    text = next(texts)
                    began = time.perf_counter()
                    await connection.execute(
                        f"INSERT INTO {table} (conversation_id, contact_id, author, text)"  # type: ignore[arg-type]
                        " VALUES (1, 1, 'customer', %s)",
                        (text,),
                    )
                    times.append(time.perf_counter() - began)
                    await asyncio.sleep(max(0.0, 1 / a_second - times[-1]))
            found.append((table, sorted(times), sorted(used)))
        await connection.execute("DROP TABLE without_search")
    return found


@asynccontextmanager
async def _sweeping(store: Store) -> AsyncIterator[None]:
    async def sweep() -> None:
        while True:
            await asyncio.sleep(1)
            await store.search_indexes.sort_in()

    running = asyncio.create_task(sweep())
    try:
        yield
    finally:
        running.cancel()


def line(name: str, times: Sequence[float], processor: Sequence[float]) -> str:
    values = [_at(times, 0.5), _at(times, 0.95), times[-1] * 1000, _at(processor, 0.5), _at(processor, 0.95)]
    return f"| {name} | {len(times)} | {' | '.join(f'{one:.2f}' for one in values)} |"


def _tell(used: list[float], diagnostic: psycopg.errors.Diagnostic) -> None:
    if found := _USED.search(diagnostic.message_detail or ""):
        used.append(float(found[1]) + float(found[2]))


def open_store(url: str) -> tuple[Store, list[float]]:
    """And the seconds that PostgreSQL's processor takes for each of its statements, added as they end."""
    engine = create_engine(url)
    used: list[float] = []

    def begin(connection: Any, _: object) -> None:
        connection.driver_connection.add_notice_handler(partial(_tell, used))
        connection.cursor().execute(_TELLING)
        connection.commit()

    event.listen(engine.sync_engine, "connect", begin)
    return Store(engine, Queue(conninfo(url))), used
