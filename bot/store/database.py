"""The database itself: connections and migrations. The one that comes along is ``bot.store.embedded``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.queue import session
from bot.store.embedded import START_TIMEOUT, embedded
from bot.store.errors import DatabaseError

__all__ = [
    "MIN_VERSION",
    "START_TIMEOUT",
    "DatabaseError",
    "conninfo",
    "create_engine",
    "embedded",
    "migrate",
    "revision",
    "sqlalchemy_url",
]

MIN_VERSION = 150000
BUILDING = "switchboard.search.build"
"""Names the lock of who builds the indexes of the search."""
_NETWORK = {
    "connect_timeout": "10",
    # A network that swallows everything is noticed within half a minute; the system's own patience is two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


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
        # Errors of the database get into logs; the values of statements are what customers said.
        hide_parameters=True,
        connect_args={"options": session.options(conninfo(url))},
    )


async def migrate(url: str) -> None:
    """Brings the tables to this version of the desk. Replicas that start together take turns."""
    try:
        async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
            version = connection.info.server_version
            if version < MIN_VERSION:
                raise DatabaseError(f"PostgreSQL 15 or later is needed; this is {version // 10000}")
            await _wait_for_indexes(connection, _alembic(url))
            await connection.execute("SELECT pg_advisory_lock(hashtext('switchboard.migrate'))")
            await asyncio.to_thread(command.upgrade, _alembic(url), "head")
    except (psycopg.OperationalError, OperationalError) as error:
        # SQLAlchemy puts the statement around the driver's words, and an address of its own site.
        words = str(getattr(error, "orig", error)).strip()
        raise DatabaseError(f"cannot reach the database: {words}. Check DATABASE_URL") from error


async def _wait_for_indexes(connection: psycopg.AsyncConnection[Any], config: Config) -> None:
    """Before a change of tables, lets a desk that builds an index of the search end that, and keeps others from
    beginning: the change would wait for it, and all that customers write would wait for the change."""
    while await _is_behind(connection, config):
        # Not by waiting in the database: the building waits for whoever does anything there.
        got = await connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (BUILDING,))
        if (await got.fetchone() or (False,))[0]:
            return
        await asyncio.sleep(1)


async def _is_behind(connection: psycopg.AsyncConnection[Any], config: Config) -> bool:
    there = await (await connection.execute("SELECT to_regclass('alembic_version')")).fetchone()
    if there is None or there[0] is None:
        return False
    now = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    return now is not None and now[0] != ScriptDirectory.from_config(config).get_current_head()


def _alembic(url: str) -> Config:
    config = Config(attributes={"url": sqlalchemy_url(url)})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def revision(url: str, message: str, **options: Any) -> None:
    """Writes a new migration from the difference between the tables and the database (for developers)."""
    command.revision(_alembic(url), message, autogenerate=True, **options)
