"""What the tests of the embedded PostgreSQL share: a look at a running server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from bot.store.database import conninfo
from bot.store.embedded import sockets
from bot.store.embedded.postmaster import PID_FILE

LONG = "a folder with a long name, in which somebody keeps the desk of a company"


def says(url: str, statement: str = "SELECT 'it lets me in'") -> str:
    """The first value of the answer. Errors are the caller's."""
    with psycopg.connect(conninfo(url), connect_timeout=5) as connection:
        return connection.execute(statement).fetchone()[0]


def socket_of(url: str) -> Path:
    return Path(psycopg.conninfo.conninfo_to_dict(url)["host"]) / sockets.NAME


def pid_of(folder: Path) -> int:
    return int((folder / PID_FILE).read_text().splitlines()[0])


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
