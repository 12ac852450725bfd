"""The search against a real PostgreSQL: it finds what LIKE finds, whatever is looked for, and nothing that is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from bot.domain.conversation import ConversationState
from bot.domain.search import Filters, Found, Ground, terms_of
from bot.store import Store
from bot.store.database import conninfo, create_engine
from bot.store.grounds import GROUNDS
from bot.store.search_indexes import SEARCHED
from tests.support.console import said

ROWS = 1_000
APART = 600
"""From id to id: the rows lie in many buckets of the index, and far more than one step back."""
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
HEARD = [
    "钱包",
    "到账",
    "没有",
    "转账",
    "的",
    "怎么",
    "wallet",
    "Transfer",
    "is",
    "PENDING",
    "ok",
    "İstanbul",
    "ß",
    "ＵＳＤＴ",
]
RARE = [
    "0xAb%_1c\\",
    "it's",
    "'",
    "%",
    "_",
    "\\",
    "鑫",
    "(a&b)|!c:*",
    "🦊",
    "\t",
    "\n",
    "\u3000",
    '"',
    "#42",
    "привет",
    "e\u0301",
]


def texts(random: Random) -> Iterator[str]:
    while True:
        words = random.choices([*HEARD, random.choice(RARE)], k=random.randint(0, 12))
        yield random.choice(("", " ", "  ")).join(words)


async def sql(store: Store, query: str, *values: object) -> list[Any]:
    async with store.search_indexes._engine.begin() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        cursor = await driver.execute(query, values or None)
        return list(await cursor.fetchall()) if cursor.description else []


@pytest.fixture
async def indexed(store: Store) -> Store:
    await store.search_indexes.build()
    return store


@pytest.fixture
async def filled(indexed: Store) -> Store:
    """Many messages of few conversations, without the desk."""
    random = Random(7)
    text = texts(random)
    await sql(indexed, "INSERT INTO agent (name, role) VALUES ('Mei', 'agent'), ('Ada', 'agent')")
    for number in range(1, 41):
        await sql(
            indexed,
            "INSERT INTO contact (channel, account, external_id, chat_id, name, language)"
            " VALUES (%s, 'a', %s, '', %s, %s)",
            random.choice(("web", "telegram")), f"user-{number}", next(text), random.choice(("zh-CN", "en", None)),
        )  # fmt: skip
        state = random.choice(("bot", "queued", "assigned", "resolved"))
        agent = random.choice((1, 2))
        details = json.dumps([{"kind": "hash", "value": f"0x{random.getrandbits(256):064x}"}] * (number % 3 > 0))
        await sql(
            indexed,
            "INSERT INTO conversation (contact_id, state, agent_id, last_agent_id, language, details, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            number, state, agent if state == "assigned" else None, agent, random.choice(("zh", "en", None)), details,
            BEGUN + timedelta(hours=number),
        )  # fmt: skip
    async with indexed.search_indexes._engine.begin() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        columns = "id, conversation_id, contact_id, author, visibility, text, created_at"
        async with driver.cursor() as cursor, cursor.copy(f"COPY message ({columns}) FROM STDIN") as copy:
            for number in range(1, ROWS + 1):
                of = random.randint(1, 40)
                author = random.choice(("customer", "customer", "bot", "agent", "system"))
                visible = "private" if author == "agent" and random.random() < 0.5 else "public"
                at = BEGUN + timedelta(minutes=number)
                await copy.write_row((number * APART, of, of, author, visible, next(text), at))
    await indexed.search_indexes.sort_in()
    await sql(indexed, "ANALYZE message")
    return indexed


async def by_like(store: Store, ground: Ground, terms: tuple[str, ...], filters: Filters) -> list[int]:
    """Message ids, or those of contacts or conversations, the newest first."""
    of = GROUNDS[ground]
    where = [*of.conditions, *(f"lower({of.words}) LIKE lower(%s)" for _ in terms)]
    values: list[object] = [
        "%" + term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for term in terms
    ]
    for condition, value in (
        ("c.state = %s", filters.state),
        ("k.channel = %s", filters.channel),
        ("split_part(coalesce(c.language, k.language), '-', 1) = %s", filters.language),
        ("c.last_agent_id = %s", filters.agent_id),
        (f"{of.filtered_at} >= %s", filters.since),
        (f"{of.filtered_at} < %s", filters.until),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    tables = "conversation c JOIN contact k ON k.id = c.contact_id"
    tables += " JOIN message m ON m.conversation_id = c.id" if of.table == "message" else ""
    query = f"SELECT DISTINCT {of.short}.id FROM {tables} WHERE {' AND '.join(where)} ORDER BY 1 DESC"
    return [row[0] for row in await sql(store, query, *values)]


async def pages(store: Store, ground: Ground, terms: tuple[str, ...], filters: Filters, **how: Any) -> list[int]:
    found: list[int] = []
    before = None
    while True:
        page: Found = await store.search.find(ground, terms, filters, before=before, **how)
        for hit in page.hits:
            contact, conversation = hit.conversation.contact.id, hit.conversation.id
            key = contact if ground is Ground.CUSTOMERS else conversation
            found.append(hit.message.id if hit.message is not None else key)
        if page.further is None:
            return found
        assert before is None or page.further < before, "the next page begins where this one ended"
        before = page.further


def something(random: Random, known: list[str]) -> tuple[str, ...]:
    """A piece of what is there, or of what is not."""

    def piece() -> str:
        text = random.choice(known) if random.random() < 0.8 else "".join(random.choices("的钱walet%_\\'", k=3))
        begin = random.randrange(len(text)) if text else 0
        cut = text[begin : begin + random.randint(1, 7)]
        return random.choice((cut, cut.upper(), cut.lower()))

    return tuple(cut for _ in range(random.choice((1, 1, 1, 2, 3))) if (cut := piece()))


def some_filters(random: Random) -> Filters:
    if random.random() < 0.4:
        return Filters()
    day = BEGUN + timedelta(minutes=random.randrange(ROWS))
    return Filters(
        state=random.choice((None, *ConversationState)),
        channel=random.choice((None, None, "web", "telegram")),
        language=random.choice((None, None, "zh", "en")),
        agent_id=random.choice((None, None, 1, 2)),
        since=random.choice((None, None, day)),
        until=random.choice((None, None, day + timedelta(hours=8))),
    )


async def test_the_search_finds_exactly_what_like_finds(filled: Store) -> None:
    random = Random(11)
    known = [row[0] for row in await sql(filled, "SELECT text FROM message WHERE text <> '' LIMIT 300")]
    known += [row[0] for row in await sql(filled, "SELECT name FROM contact WHERE name <> ''")]
    known += [
        row[0] for row in await sql(filled, "SELECT detail_words(details) FROM conversation WHERE details <> '[]'")
    ]
    found = 0
    for case in range(90):
        terms, filters = something(random, known), some_filters(random)
        if not terms:
            continue
        ground = random.choice((Ground.MESSAGES, Ground.MESSAGES, *Ground))
        # Sometimes without a moment's time: what a page leaves, the next ones find.
        within = random.choice((5.0, 5.0, 5.0, 0.0))
        expected = await by_like(filled, ground, terms, filters)
        got = await pages(filled, ground, terms, filters, limit=random.choice((10, 50, 500)), within=within)
        assert got == expected, (case, ground, terms, filters)
        found += bool(expected)
    assert found > 30


async def test_without_an_index_the_same_is_found_row_by_row(filled: Store) -> None:
    expected = await by_like(filled, Ground.MESSAGES, ("wallet",), Filters())
    for of in SEARCHED:
        await sql(filled, f"DROP INDEX {of.index}")
    try:
        assert (await filled.search.find(Ground.MESSAGES, ("wallet",))).slow
        assert await pages(filled, Ground.MESSAGES, ("wallet",), Filters()) == expected
    finally:
        fresh = Store(filled.search_indexes._engine, filled.search_indexes._queue)
        await fresh.search_indexes.build()
    assert not (await fresh.search.find(Ground.MESSAGES, ("wallet",))).slow
    assert await pages(fresh, Ground.MESSAGES, ("wallet",), Filters()) == expected


async def test_what_was_cleaned_or_edited_away_is_found_no_more_and_what_is_new_at_once(indexed: Store) -> None:
    async def finds(words: str) -> list[str]:
        found = await indexed.search.find(Ground.MESSAGES, terms_of(words))
        return [hit.message.text for hit in found.hits if hit.message]

    conversation_id = await said(indexed, "my seed is abandon ability 助记词泄露")
    assert await finds("abandon") == await finds("助") == ["my seed is abandon ability 助记词泄露"]
    await indexed.search_indexes.sort_in()
    await sql(indexed, "UPDATE message SET text = 'my seed is [seed phrase removed]'")
    assert await finds("abandon") == await finds("助") == []
    assert await finds('"seed phrase"') == ["my seed is [seed phrase removed]"]
    # Taken back by its customer: agents see it in the conversation, so they find it.
    await sql(indexed, "UPDATE message SET deleted_at = now()")
    (hit,) = (await indexed.search.find(Ground.MESSAGES, ("removed",))).hits
    assert hit.message is not None
    assert hit.message.deleted_at is not None
    assert hit.conversation.id == conversation_id


async def test_the_longest_texts_are_stored_and_found(indexed: Store) -> None:
    every = "".join(chr(0x20000 + number) for number in range(40_000))  # of four bytes each
    for number, text in enumerate(("终点" + "钱" * 399, every[:19_998] + "终点", every + "终点" + every)):
        await said(indexed, text, id=str(number))
    await indexed.search_indexes.sort_in()
    assert len((await indexed.search.find(Ground.MESSAGES, ("终点",))).hits) == 3
    assert len((await indexed.search.find(Ground.MESSAGES, (every[19_000:19_400],))).hits) == 2


async def test_an_index_that_a_killed_desk_left_half_done_is_built_anew(indexed: Store) -> None:
    await sql(indexed, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_message_grams'::regclass")
    assert (await indexed.search.find(Ground.MESSAGES, ("x",))).slow
    replicas = [Store(indexed.search_indexes._engine, indexed.search_indexes._queue) for _ in range(2)]
    await asyncio.gather(*(one.search_indexes.build() for one in replicas))
    assert not (await indexed.search.find(Ground.MESSAGES, ("x",))).slow


def become_poor(connection: Any, _: object) -> None:
    connection.cursor().execute("SET ROLE poor")
    connection.commit()


async def test_a_role_that_owns_nothing_searches_and_is_told_once_what_it_may_not(
    indexed: Store, database_url: str
) -> None:
    await said(indexed, "my wallet is empty")
    await sql(indexed, "DROP INDEX ix_contact_grams")
    made = "CREATE ROLE poor; GRANT ALL ON ALL TABLES IN SCHEMA public TO poor"
    with psycopg.connect(conninfo(database_url), autocommit=True) as owner:
        owner.execute(made)
        try:
            engine = create_engine(database_url)

            event.listen(engine.sync_engine, "connect", become_poor)
            poor = Store(engine, indexed.search_indexes._queue)
            with capture_logs() as logs:
                for _ in range(2):
                    await poor.search_indexes.build()
                    await poor.search_indexes.sort_in()
            assert [one["action"] for one in logs].count("search_refused") == 2
            assert len((await poor.search.find(Ground.MESSAGES, ("wallet",))).hits) == 1
            assert len((await poor.search.find(Ground.CUSTOMERS, ("ann",))).hits) == 1
            await poor.close()
        finally:
            owner.execute("DROP OWNED BY poor; DROP ROLE poor")
            fresh = Store(indexed.search_indexes._engine, indexed.search_indexes._queue)
            await fresh.search_indexes.build()
