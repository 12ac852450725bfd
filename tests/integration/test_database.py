"""The embedded PostgreSQL: whatever ends it, the desk has it again, at the same address."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from bot.store import database
from bot.store.database import conninfo, embedded
from bot.store.trouble import said


def answers(url: str) -> bool:
    try:
        with psycopg.connect(conninfo(url), connect_timeout=5) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_a_postgresql_that_died_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOOK", 0.1)
    monkeypatch.setattr(database, "MAX_LOG", 10)
    # Not in pytest's folder: as root PostgreSQL runs as another user.
    with TemporaryDirectory(prefix="switchboard-", ignore_cleanup_errors=True) as parent:
        folder = Path(parent) / "postgres"
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


def test_the_databases_trouble_is_told_without_the_statement() -> None:
    full = psycopg.errors.DiskFull("could not extend file: No space left on device\nHINT: Check free disk space.")
    error = OperationalError("INSERT INTO message", {"text": "my secret words"}, full)
    assert said(error) == "could not extend file: No space left on device"
    assert said(RuntimeError("my secret words")) == "no answer"
