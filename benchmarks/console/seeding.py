"""Fills a database with a made-up desk's conversations, quickly: by COPY, a year back, as if they had been written."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks.console.texts import Texts
from bot.store.database import conninfo

BATCH = 50_000
"""Messages in one transaction."""
OPEN = 500
"""Conversations in which something is said by turns."""
BACK = timedelta(days=365)
LANGUAGES = ("zh", "en", "mixed")
CHANNELS = ("web", "telegram", "discord")
AGENTS = 50

_NUMBERS = "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"


def seed(url: str, texts: Texts, messages: int, each: int, told: Callable[[str], None]) -> None:
    """``messages`` in all, ``each`` of them in a conversation, into an empty, migrated database."""
    chance = random.Random(2)
    conversations = -(-messages // each)
    begin, step = datetime.now(UTC) - BACK, BACK / messages
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        names = [(f"Agent {number}", f"Agent {number}") for number in range(1, AGENTS + 1)]
        connection.cursor().executemany("INSERT INTO agent (name, public_name, role) VALUES (%s, %s, 'agent')", names)
        languages = chance.choices(LANGUAGES, (55, 40, 5), k=conversations + 1)
        _copy(
            connection,
            "contact (id, channel, account, external_id, chat_id, name, language)",
            (
                (number, channel, channel, f"user-{number}", f"user-{number}", texts.name(), languages[number][:2])
                for number in range(1, conversations + 1)
                for channel in (CHANNELS[number % len(CHANNELS)],)
            ),
        )
        told(f"{conversations} contacts")
        _copy(
            connection,
            f"conversation ({_CONVERSATION})",
            _conversations(conversations, texts, chance, begin, step * each),
        )
        told(f"{conversations} conversations")
        columns = "id, conversation_id, contact_id, author, visibility, text, cursor, created_at, agent_id"
        rows = _messages(messages, each, texts, languages, chance, begin, step)
        for first in range(0, messages, BATCH):
            _copy(connection, f"message ({columns})", (next(rows) for _ in range(min(BATCH, messages - first))))
            told(f"{min(first + BATCH, messages)} messages")
        for table in ("contact", "conversation", "message"):
            connection.execute(_NUMBERS.format(table=table))
        connection.execute("SELECT setval('message_cursor', %s)", (messages,))
        connection.execute("VACUUM ANALYZE")


_CONVERSATION = (
    "id, contact_id, state, agent_id, last_agent_id, language, details, opened_at, updated_at, queued_at, resolved_at"
)


def _conversations(
    count: int, texts: Texts, chance: random.Random, begin: datetime, step: timedelta
) -> Iterator[tuple[object, ...]]:
    for number in range(1, count + 1):
        at = begin + step * number
        agent = chance.randint(1, AGENTS) if chance.random() < 0.3 else None
        # Of the newest some are with people, or wait for them.
        recent = number > count - 2000 and chance.random() < 0.2
        state = ("assigned" if agent else "queued") if recent else "resolved"
        details = [{"kind": "hash", "value": texts.hash()}] if chance.random() < 0.1 else []
        yield (
            number, number, state, agent if state == "assigned" else None, agent, chance.choices(LANGUAGES[:2])[0],
            json.dumps(details), at, at, at if state == "queued" else None, at if state == "resolved" else None,
        )  # fmt: skip


def _messages(
    count: int, each: int, texts: Texts, languages: list[str], chance: random.Random, begin: datetime, step: timedelta
) -> Iterator[tuple[object, ...]]:
    going = dict.fromkeys(range(1, OPEN + 1), each)
    begun = OPEN
    for number in range(1, count + 1):
        conversation = chance.choice(tuple(going)) if number % 8 == 0 else next(iter(going))
        going[conversation] -= 1
        if not going[conversation]:
            del going[conversation]
            begun += 1
            if begun * each < count + each:
                going[begun] = each
        author, visibility = chance.choices(_WHO, (50, 34, 12, 4))[0]
        agent = chance.randint(1, AGENTS) if author == "agent" else None
        text = texts.message(languages[conversation])
        yield number, conversation, conversation, author, visibility, text, number, begin + step * number, agent


_WHO = (("customer", "public"), ("bot", "public"), ("agent", "public"), ("agent", "private"))


def _copy(connection: psycopg.Connection[object], into: str, rows: Iterator[tuple[object, ...]]) -> None:
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
