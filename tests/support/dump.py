"""All that a database holds, to be searched for what must not be there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import psycopg
from psycopg import sql

_COLUMNS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 2"
)


def everything(conninfo: str) -> str:
    """Every value of every column of every table, as text: JSON without its escapes, bytes in several encodings."""
    found: list[str] = []
    with psycopg.connect(conninfo) as connection:
        for table, column, kind in connection.execute(_COLUMNS).fetchall():
            query = sql.SQL("SELECT {0} FROM {1} WHERE {0} IS NOT NULL")
            for (value,) in connection.execute(query.format(sql.Identifier(column), sql.Identifier(table))).fetchall():
                if kind == "bytea":
                    found += [bytes(value).decode(one, "ignore") for one in ("utf-8", "utf-16-le", "gb18030")]
                else:
                    found.append(json.dumps(value, ensure_ascii=False, default=str))
    return "\n".join(found)


def left_of(words: Sequence[str], text: str, *, run: int = 3) -> list[str]:
    """So many words in a row that the text holds, whatever stands between them and however they are written."""
    plain = _squeezed(text)
    runs = ("".join(words[at : at + run]) for at in range(len(words) - run + 1))
    return [one for one in runs if _squeezed(one) in plain]


def _squeezed(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text.casefold())


def jobs(conninfo: str) -> Iterable[tuple[str, int]]:
    """The tasks that wait, with their message."""
    query = "SELECT task_name, (args->>'message_id')::int FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
    with psycopg.connect(conninfo) as connection:
        return [(row[0], row[1]) for row in connection.execute(query).fetchall()]
