"""The embedded PostgreSQL: whatever ends it, the desk has it again, at the same address."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from bot.queue import session
from bot.store.database import conninfo, create_engine, embedded
from bot.store.embedded import launch, server
from bot.store.errors import is_transient, safe_message


def answers(url: str) -> bool:
    try:
        with psycopg.connect(conninfo(url), connect_timeout=5) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_a_postgresql_that_died_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK", 0.1)
    monkeypatch.setattr(launch, "MAX_LOG", 10)
    folder = tmp_path / "postgres"
    with embedded(folder) as url:
        assert answers(url)
        postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(20)
        deadline = time.monotonic() + 30
        while not answers(url):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (folder / "log.old").is_file()
    # Left on purpose, it stays as it is.
    time.sleep(0.5)
    assert not (folder / "postmaster.pid").exists()


async def test_no_statement_of_the_desk_waits_for_ever(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ANSWER_WITHIN", 1)
    engine = create_engine(postgres)
    with pytest.raises(OperationalError, match="statement timeout"):
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    await engine.dispose()


async def test_who_is_frozen_in_a_transaction_holds_its_locks_no_longer_than_some_seconds(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE_WITHIN", 1)
    engine = create_engine(postgres)
    async with engine.connect() as frozen, engine.connect() as another:
        await frozen.execute(text("SELECT pg_advisory_xact_lock(7)"))
        # The connection is PostgreSQL's to end; the one that waited goes on.
        await asyncio.wait_for(another.execute(text("SELECT pg_advisory_xact_lock(7)")), 10)
        with pytest.raises(DBAPIError) as ended:
            await frozen.execute(text("SELECT 1"))
        assert is_transient(ended.value)
    await engine.dispose()


def test_what_the_address_asks_of_the_session_is_kept() -> None:
    assert session.options("postgresql://desk@db/desk?options=-csearch_path%3Dcare").startswith(
        "-csearch_path=care -c statement_timeout=60s"
    )


def test_the_network_has_a_limit_unless_the_address_says_another() -> None:
    said = conninfo("postgresql://desk@db/desk?connect_timeout=3&sslmode=require")
    assert "connect_timeout=3" in said
    assert "connect_timeout=10" not in said
    assert "sslmode=require" in said
    assert "tcp_user_timeout=25000" in said


def test_the_databases_trouble_is_told_without_the_statement() -> None:
    full = psycopg.errors.DiskFull("could not extend file: No space left on device\nHINT: Check free disk space.")
    error = OperationalError("INSERT INTO message", {"text": "my secret words"}, full)
    assert safe_message(error) == "could not extend file: No space left on device"
    assert safe_message(RuntimeError("my secret words")) == "no answer"
