"""What is searched for: pieces of what is there, by kind, and what is not there at all."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from bot.domain.conversation import ConversationState
from bot.domain.search import Filters, Ground

_LATIN = re.compile(r"[a-z]{4,}")
_HAN = re.compile(r"[\u4e00-\u9fff]{4,}")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_QUEUED = ConversationState.QUEUED


@dataclass(frozen=True, slots=True)
class Question:
    ground: Ground
    terms: tuple[str, ...]
    filters: Filters = Filters()  # noqa: RUF009 (frozen)


def questions(
    connection: psycopg.Connection[tuple[object, ...]], each: int, seed: int = 3
) -> Mapping[str, Sequence[Question]]:
    """``each`` of every kind, of texts from the whole time."""
    chance = random.Random(seed)
    (span,) = connection.execute("SELECT max(id) FROM message").fetchone() or (0,)
    ids = [chance.randint(1, int(str(span))) for _ in range(max(5_000, 60 * each))]
    found = connection.execute("SELECT text FROM message WHERE id = ANY(%s) AND author <> 'system'", (ids,))
    texts = [str(row[0]) for row in found]
    latin = [word for text in texts for word in _LATIN.findall(text)]
    han = [run for text in texts for run in _HAN.findall(text)]
    hashes = [word for text in texts for word in _HASH.findall(text)]
    customers = connection.execute(
        "SELECT name, external_id FROM contact ORDER BY random() LIMIT %s", (each,)
    ).fetchall()
    known = connection.execute(
        "SELECT detail_words(details) FROM conversation WHERE details <> '[]' ORDER BY random() LIMIT %s", (each,)
    ).fetchall()

    def cut(text: str, length: int) -> str:
        begin = chance.randint(0, len(text) - length)
        return text[begin : begin + length]

    def said(*terms: str, filters: Filters = Filters()) -> Question:  # noqa: B008 (frozen)
        return Question(Ground.MESSAGES, terms, filters)

    month = datetime.now(UTC) - timedelta(days=chance.randint(40, 300))
    past = Filters(since=month, until=month + timedelta(days=30))
    made = {
        "one character": lambda: said(cut(chance.choice(han + latin), 1)),
        "two characters": lambda: said(cut(chance.choice(han + latin), 2)),
        "three or four Chinese characters": lambda: said(cut(chance.choice(han), chance.choice((3, 4)))),
        "a Latin word": lambda: said(chance.choice(latin)),
        "a beginning of a word": lambda: said(chance.choice(latin)[: chance.choice((3, 4))]),
        "a hash, or eight characters of one": lambda: said(
            chance.choice((hash_ := chance.choice(hashes), hash_[2:10]))
        ),
        "two terms": lambda: said(chance.choice(latin), chance.choice(latin)),
        "what is nowhere": lambda: said(cut(chance.choice(latin), 3) + "ж" + cut(chance.choice(latin), 2)),
        "two characters, one agent's": lambda: said(
            cut(chance.choice(han), 2), filters=Filters(agent_id=chance.randint(1, 50))
        ),
        "a word, in a month of the past": lambda: said(chance.choice(latin), filters=past),
        "two characters, waiting": lambda: said(cut(chance.choice(han), 2), filters=Filters(state=_QUEUED)),
        "a customer's name": lambda: Question(Ground.CUSTOMERS, (str(chance.choice(customers)[0]),)),
        "a customer's id": lambda: Question(Ground.CUSTOMERS, (str(chance.choice(customers)[1]),)),
        "a hash among the details": lambda: Question(Ground.DETAILS, (str(chance.choice(known)[0])[:12],)),
    }
    return {kind: [make() for _ in range(each)] for kind, make in made.items()}
