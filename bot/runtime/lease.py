"""Who may run what only one replica may: a row with an end, renewed by its holder.

A lease belongs to whoever renewed it last, until it expires. A holder that dies, hangs or loses the database renews it
no more, and another takes it over; a holder that stops gives it back. Ends are the database's own time, so no two
clocks are compared. A holder knows by its own monotonic clock that its lease *may* be over, before anybody else may
take it: what was frozen and wakes up finds ``held`` false before it has asked anybody.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg
import structlog

from bot import monotonic

log = structlog.get_logger(__name__)

EXPIRES = 6.0
"""Seconds after its last renewal that a lease may be taken over."""
RENEWED_EVERY = 1.5
ANSWER_WITHIN = 2.0
"""Seconds that the database has to answer."""
MARGIN = 1.0
"""Seconds before its end that a holder stops trusting its lease."""


_ACQUIRE = """
    INSERT INTO lease (name, generation, holder, expires_at)
    VALUES (%(name)s, 1, %(holder)s, clock_timestamp() + %(seconds)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE
    SET generation = lease.generation + 1, holder = excluded.holder, expires_at = excluded.expires_at,
        acquired_at = now()
    WHERE lease.expires_at < clock_timestamp()
       -- Further off than any renewal puts it: the database's clock was set back.
       OR lease.expires_at > clock_timestamp() + 2 * %(seconds)s * interval '1 second'
    RETURNING generation
"""
_RENEW = """
    UPDATE lease SET expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
    WHERE name = %(name)s AND generation = %(generation)s
"""
_GIVE_BACK = "UPDATE lease SET expires_at = '-infinity' WHERE name = %(name)s AND generation = %(generation)s"


class LeaseLost(Exception):
    """Another replica may have the lease by now."""


@dataclass(eq=False, slots=True)
class Lease:
    """One term of holding. ``generation`` grows with every term of any holder."""

    name: str
    generation: int
    trusted_until: float

    @property
    def held(self) -> bool:
        """Whether it is certain that nobody else has it. Nobody is asked: it is true of this moment alone."""
        return monotonic.seconds() < self.trusted_until

    def check(self) -> None:
        """Raises ``LeaseLost`` unless ``held``."""
        if not self.held:
            raise LeaseLost(f"the lease {self.name} is over")


Body = Callable[[Lease], Awaitable[None]]


async def hold(conninfo: str, name: str, body: Body) -> None:
    """Runs ``body`` while this process has the lease ``name``; waits for it, and again after losing it.

    ``body`` is cancelled as soon as the lease may be over. Returns when ``body`` does, and raises what it raises.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}"
    while True:
        try:
            lease = await _acquired(conninfo, name, holder)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("lease not reachable", action="lease_unreachable", lease=name, error=str(error).strip())
            lease = None
        if lease is None:
            await asyncio.sleep(RENEWED_EVERY)
            continue
        log.info("lease acquired", action="lease_acquired", lease=name, generation=lease.generation)
        if await _run_while_held(conninfo, lease, body):
            return
        log.warning("lease lost", action="lease_lost", lease=name, generation=lease.generation)


async def _acquired(conninfo: str, name: str, holder: str) -> Lease | None:
    asked = monotonic.seconds()
    async with await _connect(conninfo) as connection, asyncio.timeout(ANSWER_WITHIN):
        parameters = {"name": name, "holder": holder, "seconds": EXPIRES}
        row = await (await connection.execute(_ACQUIRE, parameters)).fetchone()
    return None if row is None else Lease(name, row[0], asked + EXPIRES - MARGIN)


async def _run_while_held(conninfo: str, lease: Lease, body: Body) -> bool:
    """True when ``body`` ended by itself."""
    running = asyncio.ensure_future(body(lease))
    renewing = asyncio.create_task(_renew(conninfo, lease))
    try:
        await asyncio.wait({running, renewing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            return True
        renewing.result()
        return False
    finally:
        for task in (running, renewing):
            task.cancel()
        # First everything here is over, then another may begin.
        await asyncio.gather(running, renewing, return_exceptions=True)
        await _give_back(conninfo, lease)


async def _renew(conninfo: str, lease: Lease) -> None:
    """Renews the lease for as long as that can be done in time; returns when it may be over."""
    while lease.held:
        try:
            async with await _connect(conninfo) as connection:
                while True:
                    asked = monotonic.seconds()
                    async with asyncio.timeout(ANSWER_WITHIN):
                        renewed = await connection.execute(
                            _RENEW, {"name": lease.name, "generation": lease.generation, "seconds": EXPIRES}
                        )
                    if renewed.rowcount == 0:
                        lease.trusted_until = 0.0
                        return
                    lease.trusted_until = asked + EXPIRES - MARGIN
                    await asyncio.sleep(RENEWED_EVERY)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("lease not renewed", action="lease_not_renewed", lease=lease.name, error=str(error).strip())
            await asyncio.sleep(RENEWED_EVERY / 4)


async def _give_back(conninfo: str, lease: Lease) -> None:
    """So that nobody has to wait for its end. Only a courtesy."""
    lease.trusted_until = 0.0
    try:
        async with await _connect(conninfo) as connection, asyncio.timeout(ANSWER_WITHIN):
            await connection.execute(_GIVE_BACK, {"name": lease.name, "generation": lease.generation})
    except (psycopg.Error, TimeoutError) as error:
        log.info("lease not given back", action="lease_not_given_back", lease=lease.name, error=str(error).strip())


async def _connect(conninfo: str) -> psycopg.AsyncConnection:
    async with asyncio.timeout(ANSWER_WITHIN):
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
