"""What a reply costs as one conversation grows, and as the database does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import psycopg

from benchmarks.load.measuring import Ask
from benchmarks.load.systems import Desk
from bot.store.database import conninfo

_TALK = """
    WITH contact AS (SELECT id AS contact_id, conversation_id FROM (
        SELECT contact_id AS id, id AS conversation_id FROM conversation ORDER BY id DESC LIMIT 1) latest
    ), said AS (
        INSERT INTO message (conversation_id, contact_id, author, text, external_id, cursor)
        SELECT conversation_id, contact_id, CASE WHEN number %% 2 = 0 THEN 'customer' ELSE 'bot' END,
            'message ' || number, CASE WHEN number %% 2 = 0 THEN 'grown-' || number END, nextval('message_cursor')
        FROM contact, generate_series(%(begin)s::int, %(end)s::int) AS number
        RETURNING id, conversation_id, contact_id, author
    ), turns AS (
        INSERT INTO turn (message_id, conversation_id, done, action, done_at)
        SELECT id, conversation_id, true, 'answer', now() FROM said WHERE author = 'customer'
    )
    INSERT INTO delivery (message_id, contact_id, state, external_ids, placed, sends, attempts, sent_at)
    SELECT id, contact_id, 'sent', jsonb_build_array(id::text), 1, 1, 1, now() FROM said WHERE author = 'bot'
"""
"""So many more messages in the latest conversation, every other one the bot's."""

_PEOPLE = """
    WITH people AS (
        INSERT INTO contact (channel, account, external_id, chat_id, name)
        SELECT 'web', 'web', 'grown-' || number, 'grown-' || number, 'Ann ' || number
        FROM generate_series(%(begin)s::int, %(end)s::int) AS number
        RETURNING id
    ), talks AS (
        INSERT INTO conversation (contact_id, state, resolved_at)
        -- One in twenty is still open.
        SELECT id, CASE WHEN id %% 20 = 0 THEN 'bot' ELSE 'resolved' END, CASE WHEN id %% 20 > 0 THEN now() END
        FROM people
        RETURNING id, contact_id
    ), asked AS (
        INSERT INTO message (conversation_id, contact_id, author, text, external_id, cursor)
        SELECT id, contact_id, 'customer', 'how do i reset my password', 'grown', nextval('message_cursor') FROM talks
        RETURNING id, conversation_id
    ), turns AS (
        INSERT INTO turn (message_id, conversation_id, done, action, done_at)
        SELECT id, conversation_id, true, 'answer', now() FROM asked
    ), answered AS (
        INSERT INTO message (conversation_id, contact_id, author, text, cursor)
        SELECT id, contact_id, 'bot', repeat('Open the login page. ', 20), nextval('message_cursor') FROM talks
        RETURNING id, contact_id
    )
    INSERT INTO delivery (message_id, contact_id, state, external_ids, placed, sends, attempts, sent_at)
    SELECT id, contact_id, 'sent', jsonb_build_array(id::text), 1, 1, 1, now() FROM answered
"""
"""Customers who asked once and were answered."""

_AT_ONCE = 50_000
_PATIENCE = 200


async def timed(ask: Ask, asked: Iterator[str], samples: int) -> float:
    """The median of so many replies, one after the other, in seconds."""
    times = []
    for _ in range(samples):
        began = time.perf_counter()
        await ask(next(asked))
        times.append(time.perf_counter() - began)
    return sorted(times)[samples // 2]


async def of_rest(ask: Ask, asked: Iterator[str], sizes: Sequence[int], samples: int) -> str:
    """Rasa's REST channel, one customer who goes on: up to ``_PATIENCE`` messages, each slower than the last."""
    found: list[tuple[int, float]] = []
    said = 0
    for size in sorted({min(size, _PATIENCE) for size in sizes}):
        while said < size:
            await ask(next(asked))
            said += 1
        few = min(samples, max(20, size // 5))
        found.append((size, await timed(ask, asked, few)))
        said += few
    return table("messages in a conversation of Rasa's REST channel", found)


async def of_a_conversation(ask: Ask, desk: Desk, asked: Iterator[str], sizes: Sequence[int], samples: int) -> str:
    """``ask`` is one customer, who has said nothing yet."""
    await ask(next(asked))
    said = 2
    found: list[tuple[int, float]] = []
    for size in sizes:
        if size > said:
            await run(desk, _TALK, begin=said + 1, end=size)
            said = size
        found.append((size, await timed(ask, asked, samples)))
        said += 2 * samples
    return table("messages in a conversation of the desk", found)


async def of_the_database(ask: Ask, desk: Desk, asked: Iterator[str], sizes: Sequence[int], samples: int) -> str:
    found: list[tuple[int, float]] = []
    there = 0
    for size in sizes:
        while there < size:
            more = min(_AT_ONCE, size - there)
            await run(desk, _PEOPLE, begin=there + 1, end=there + more)
            there += more
        await run(desk, "VACUUM ANALYZE")
        await timed(ask, asked, 50)
        found.append((size, await timed(ask, asked, samples)))
    return table("conversations in the database of the desk", found)


async def run(desk: Desk, statement: str, **values: int) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(desk.database_url), autocommit=True) as connection:
        await connection.execute(statement, values or None)  # type: ignore[arg-type]


def table(what: str, found: Sequence[tuple[int, float]]) -> str:
    first = found[0][1]
    rows = [f"| {size:,} | {seconds * 1000:.1f} | {seconds / first:.2f} |" for size, seconds in found]
    return "\n".join([f"| {what} | p50 of a reply, ms | ratio |", "|---|---|---|", *rows, ""])
