"""Who may run what only one replica may: a PostgreSQL advisory lock, held by a connection.

The lock lives exactly as long as its connection, so a holder that dies, by whatever death, frees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import structlog

log = structlog.get_logger(__name__)

INTERVAL = 2.0
"""Seconds between tries for the lease, and between proofs that it is still held."""


async def hold(conninfo: str, name: str, body: Callable[[], Awaitable[None]]) -> None:
    """Runs ``body`` while this process has the lease ``name``; waits for it, and again after losing it.

    When the connection is lost, ``body`` is cancelled before anything else. Returns when ``body`` does.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
                await _acquire(connection, name)
                log.info("lease acquired", action="lease_acquired", lease=name)
                if await _run_while_connected(connection, body):
                    return
        except psycopg.OperationalError as error:
            log.warning("lease lost", action="lease_lost", lease=name, error=str(error).strip())
            await asyncio.sleep(INTERVAL)


async def _acquire(connection: psycopg.AsyncConnection, name: str) -> None:
    query = "SELECT pg_try_advisory_lock(hashtextextended('switchboard.lease.' || %s, 0))"
    while True:
        row = await (await connection.execute(query, (name,))).fetchone()
        if row is not None and row[0]:
            return
        await asyncio.sleep(INTERVAL)


async def _run_while_connected(connection: psycopg.AsyncConnection, body: Callable[[], Awaitable[None]]) -> bool:
    """True when ``body`` ended by itself; raises what the connection raises, ``body`` then being over."""
    running = asyncio.ensure_future(body())
    try:
        while True:
            done, _ = await asyncio.wait({running}, timeout=INTERVAL)
            if done:
                running.result()
                return True
            try:
                async with asyncio.timeout(INTERVAL):
                    await connection.execute("SELECT 1")
            except TimeoutError as error:
                raise psycopg.OperationalError("the database did not answer in time") from error
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
