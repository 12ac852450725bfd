"""What `switchboard doctor` says of a database."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from bot.queue import Queue
from bot.store import status
from bot.store.database import DatabaseError, conninfo
from switchboard.doctor import database
from tests.support.doctor import OK, WRONG


def test_a_database_is_read(database_url: str, queue: Queue) -> None:
    found = status.read_status(database_url)
    assert found.version >= 150000
    assert found.revision == found.newest
    assert found.known
    assert not found.read_only
    assert found.sizes["message"] > 0
    assert found.work == status.Work(due=0, oldest_due=0.0, workers=0, dead_workers=0)
    assert abs(found.clock_ahead) < 1
    # Of the search, where another test has built its indexes.
    assert {finding.level for finding in database.database(replace(found, search=()))} == {OK}
    assert [one.table for one in found.search] == ["contact", "conversation", "message"]
    assert all(one.owned and not one.building for one in found.search)


def test_what_waits_and_who_died(database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        add = "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at) VALUES ('default', 'turn', {})"
        connection.execute(add.format("now() - interval '10 minutes'"))
        connection.execute(add.format("NULL"))
        connection.execute(add.format("now() + interval '10 minutes'"))  # not due
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')")
    work = status.read_status(database_url).work
    assert work is not None
    assert (work.due, work.workers, work.dead_workers) == (2, 1, 1)
    assert 599 < work.oldest_due < 700


def test_a_job_never_put_off_has_its_age_too(database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'turn')")
        connection.execute("UPDATE procrastinate_events SET at = now() - interval '1 hour'")
    work = status.read_status(database_url).work
    assert work is not None
    assert work.oldest_due > 3590


@pytest.fixture
def scratch(database_url: str) -> Any:
    """An empty database beside the tests' own."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS doctor_scratch")
        connection.execute("CREATE DATABASE doctor_scratch")
        yield database_url.replace("/postgres?", "/doctor_scratch?")
        connection.execute("DROP DATABASE doctor_scratch WITH (FORCE)")


def test_a_database_without_tables_and_one_of_another_desk(scratch: str) -> None:
    assert "doctor_scratch" in scratch
    found = status.read_status(scratch)
    assert (found.revision, found.work, found.sizes) == (None, None, {})
    with psycopg.connect(conninfo(scratch), autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.execute("ALTER DATABASE doctor_scratch SET default_transaction_read_only = on")
    found = status.read_status(scratch)
    assert (found.revision, found.known, found.read_only) == ("9999", False, True)
    assert [finding.level for finding in database.database(found)] == [WRONG, WRONG]


def test_a_clock_that_differs(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = status.time.time
    monkeypatch.setattr(status, "time", SimpleNamespace(time=lambda: real() - 3600))
    assert status.read_status(database_url).clock_ahead == pytest.approx(3600, abs=2)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://desk:pw-of-ours@127.0.0.1:1/desk", "cannot reach the database"),
        ("postgresql://desk:pw-of-ours@x@127.0.0.1:1/desk", "more than one @"),
        ("mysql://desk:pw-of-ours@127.0.0.1/desk", "must be a PostgreSQL address"),
        ("pw-of-ours", "cannot be read as an address"),
        ("postgresql://desk:pw-of-ours@127.0.0.1:1/desk?sslmoode=on", "refuses to be read: .*sslmoode"),
    ],
)
def test_a_database_that_is_down_or_none(url: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words) as error:
        status.read_status(url)
    assert "pw-of-ours" not in str(error.value)
