"""How the database itself is doing, for whoever looks at a deployment: read only, and without a desk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from bot.queue import STALLED_AFTER
from bot.queue.statements import JOBS, OLDEST_DUE, WORKERS
from bot.store.database import DatabaseError, conninfo
from bot.store.search_indexes import SEARCHED
from bot.store.server_log import ASKED, telling

CONNECT_WITHIN = 10
"""Seconds, for each address of the server's name."""
ANSWER_WITHIN = 10
"""Seconds, for each query."""

_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
_TABLES = """
    SELECT class.relname, pg_total_relation_size(class.oid)
    FROM pg_class class JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = current_schema() AND class.relkind IN ('r', 'p')
"""
_LOGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_REVISION = "SELECT version_num FROM alembic_version"
_SEARCH = """
    SELECT class.relname, coalesce(index.indisvalid, false), index.indexrelid IS NOT NULL AND EXISTS (
            SELECT FROM pg_stat_progress_create_index WHERE relid = class.oid
        ), pg_get_userbyid(class.relowner), pg_has_role(class.relowner, 'USAGE')
    FROM unnest(%(tables)s::text[]) name JOIN pg_class class ON class.oid = to_regclass(name)
    LEFT JOIN pg_index index ON index.indexrelid = to_regclass('ix_' || name || '_grams')
    WHERE to_regproc('grams') IS NOT NULL
    ORDER BY name
"""
_DEAD_LETTERS = "SELECT count(*) FROM failure WHERE set_aside_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Work:
    """What waits in the queue, and who works on it."""

    due: int
    oldest_due: float
    """Seconds that the first of them has been due."""
    workers: int
    dead_workers: int
    dead_letters: int = 0
    """What failed as often as it is tried, and waits for a person."""


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """One of the indexes that the search looks into."""

    table: str
    built: bool
    building: bool
    """Some desk is at it."""
    owner: str
    """Whose the table is."""
    owned: bool
    """Whether this role has what the owner has: may build the index, and sort into it what waits to be."""


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    version: int
    """As PostgreSQL counts it: 150004."""
    clock_ahead: float
    """Seconds by which the database's clock goes before this machine's."""
    read_only: bool
    revision: str | None
    """That of the tables; None where there are none yet."""
    newest: str
    """That of this desk."""
    known: bool
    """Whether this desk's migrations lead on from ``revision``: a newer desk's are unknown to it."""
    sizes: dict[str, int]
    """Bytes of the tables, with their indexes, by name."""
    work: Work | None
    """None where there are no tables yet."""
    user: str = ""
    """As whom the desk is there."""
    log_tells: tuple[str, ...] = ()
    """Its settings by which customers' words get into its log."""
    search: tuple[SearchIndex, ...] = ()
    """Empty where the tables are older than the search."""


def read_status(url: str) -> DatabaseStatus:
    """Blocks for as long as it takes. Raises ``DatabaseError``, without the address's password."""
    if url.count("@") > 1:
        # What follows the first would be taken for the server's name, and quoted.
        raise DatabaseError("DATABASE_URL has more than one @: in a user's name or password, write %40 for it")
    try:
        with psycopg.connect(
            conninfo(url), autocommit=True, connect_timeout=CONNECT_WITHIN, application_name="switchboard doctor"
        ) as connection:
            connection.execute(f"SET statement_timeout = '{ANSWER_WITHIN}s'")
            return _looked(connection)
    except psycopg.OperationalError as error:
        raise DatabaseError(f"cannot reach the database: {str(error).strip()}") from error
    except psycopg.Error as error:
        raise DatabaseError(f"the database refuses to be read: {str(error).strip()}") from error
    except (SQLAlchemyError, ValueError) as error:
        # Without the error: it may quote the address.
        raise DatabaseError("DATABASE_URL cannot be read as an address") from error


def _looked(connection: psycopg.Connection[Any]) -> DatabaseStatus:
    sizes = dict(connection.execute(_TABLES).fetchall())
    revision = _one(connection.execute(_REVISION)) if "alembic_version" in sizes else None
    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    work = None
    if JOBS in sizes:
        oldest, due = connection.execute(OLDEST_DUE).fetchone() or (None, 0)
        alive, dead = connection.execute(WORKERS, {"seconds": STALLED_AFTER}).fetchone() or (0, 0)
        # Tables of an older desk may lack it.
        aside = _one(connection.execute(_DEAD_LETTERS)) if "failure" in sizes else 0
        work = Work(due=due, oldest_due=oldest or 0.0, workers=alive, dead_workers=dead, dead_letters=aside)
    return DatabaseStatus(
        version=connection.info.server_version,
        clock_ahead=_clock_ahead(connection),
        read_only=_one(connection.execute("SHOW transaction_read_only")) == "on",
        revision=revision,
        newest=scripts.get_current_head() or "",
        known=revision in {script.revision for script in scripts.walk_revisions()},
        sizes=sizes,
        work=work,
        user=connection.info.user,
        log_tells=telling(dict(connection.execute(_LOGS, [list(ASKED)]).fetchall())),
        search=tuple(
            SearchIndex(table, built, building, owner, owned)
            for table, built, building, owner, owned in connection.execute(
                _SEARCH, {"tables": [of.table for of in SEARCHED]}
            )
        ),
    )


def _clock_ahead(connection: psycopg.Connection[Any]) -> float:
    """The difference that the way there and back cannot explain."""
    asked = time.time()
    told = float(_one(connection.execute(_NOW)))
    answered = time.time()
    return min(0.0, told - asked) + max(0.0, told - answered)


def _one(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return None if row is None else row[0]
