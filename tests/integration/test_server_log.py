"""What goes wrong in the database is logged without rows and values: in PostgreSQL's own log, and in the desk's."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import logs
from bot.domain.findings import Level
from bot.store import status
from bot.store.database import conninfo, create_engine
from bot.store.server_log import telling
from switchboard.doctor import database

SAID = "what the customer\nsaid"
WORDS = ("what the customer", "said")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def desk_log(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    path = tmp_path / "log" / "desk.log"
    logs.configure("info", to=path)
    yield path
    root.handlers, root.level = before
    structlog.reset_defaults()


async def broken(engine: AsyncEngine) -> DBAPIError:
    """A rule is broken by a row and a value that hold what a customer said."""
    add = text("INSERT INTO contact (name) VALUES (:words)")
    with pytest.raises(DBAPIError, match="NotNullViolation") as raised:
        async with engine.begin() as connection:
            await connection.execute(add, {"words": SAID})
    return raised.value


async def test_postgresql_logs_of_an_error_its_first_line(engine: AsyncEngine, database_url: str) -> None:
    def log() -> str:
        with psycopg.connect(conninfo(database_url)) as connection:
            return str(connection.execute("SELECT pg_read_file('log')").fetchone()[0])

    before = len(log())
    await broken(engine)
    written = log()[before:]
    assert 'of relation "contact" violates not-null constraint' in written
    assert not [words for words in (*WORDS, "INSERT INTO contact") if words in written]


async def test_the_desk_logs_no_row_and_no_value(engine: AsyncEngine, desk_log: Path) -> None:
    error = await broken(engine)
    log = structlog.get_logger("bot")
    try:
        raise RuntimeError("the part ends") from error
    except RuntimeError:
        log.exception("part failed", error=str(error))
    log.error("several", exc_info=ExceptionGroup("two", [error, ValueError()]))
    logging.getLogger("procrastinate").error("a job", exc_info=error)
    written = desk_log.read_text()
    assert written.count("NotNullViolation") >= 4
    assert not [words for words in WORDS if words in written]


def test_doctor_tells_of_a_server_that_logs_rows_and_its_fix_is_one(database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres SET log_error_verbosity = 'default'")
        try:
            (found,) = [
                one for one in database.database(status.read_status(database_url)) if one.name == "database log"
            ]
            assert found.level is Level.WARNING
            assert "log_error_verbosity = default" in found.words
            fix = found.fix.removeprefix("as a superuser: ").partition(". ")[0]
            assert fix == 'ALTER ROLE "postgres" SET log_error_verbosity = terse'
            connection.execute(fix.encode())
            assert status.read_status(database_url).log_tells == ()
        finally:
            connection.execute("ALTER ROLE postgres RESET log_error_verbosity")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, []),
        ({"log_statement": "mod"}, ["log_statement = mod"]),
        ({"log_statement": "mod", "log_parameter_max_length": "0"}, []),
        ({"log_min_duration_statement": "200"}, ["log_min_duration_statement = 200"]),
        ({"log_parameter_max_length_on_error": "-1"}, ["log_parameter_max_length_on_error = -1"]),
    ],
)
def test_what_of_the_values_of_statements_a_server_logs(settings: dict[str, str], found: list[str]) -> None:
    assert list(telling({"log_error_verbosity": "default", **settings})) == ["log_error_verbosity = default", *found]
    assert telling({"log_error_verbosity": "terse", **settings}) == ()


def test_what_extensions_log_stands_in_the_first_line() -> None:
    quiet = {"log_error_verbosity": "terse"}
    assert telling({**quiet, "auto_explain.log_min_duration": "0"}) == ("auto_explain.log_min_duration = 0",)
    assert telling({**quiet, "pgaudit.log": "write", "pgaudit.log_parameter": "on"}) == ("pgaudit.log_parameter = on",)
