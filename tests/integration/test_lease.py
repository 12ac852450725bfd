"""Leases on a real PostgreSQL: one holder at a time, and another when it dies, hangs or loses the database."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import psycopg
import pytest

from bot import monotonic
from bot.runtime import lease
from bot.runtime.lease import Lease, LeaseLost
from bot.store.database import conninfo

EXPIRES = 1.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "EXPIRES", EXPIRES)
    monkeypatch.setattr(lease, "MARGIN", 0.2)
    monkeypatch.setattr(lease, "RENEWED_EVERY", 0.1)


class Holder:
    def __init__(self, url: str, name: str = "telegram:1") -> None:
        self.term: Lease | None = None
        self.holds = asyncio.Event()
        self.task = asyncio.create_task(lease.hold(conninfo(url), name, self.body))

    async def body(self, term: Lease) -> None:
        self.term = term
        self.holds.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.holds.clear()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_one_holds_and_the_other_takes_over_at_once_when_it_stops(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Holder(database_url)
    await asyncio.wait_for(first.holds.wait(), 20)
    second = Holder(database_url)
    another = Holder(database_url, "discord:1")
    await asyncio.wait_for(another.holds.wait(), 20)
    await asyncio.sleep(2 * EXPIRES)
    assert not second.holds.is_set()
    # With an hour to go, it is taken over because it was given back.
    monkeypatch.setattr(lease, "EXPIRES", 3600.0)
    await until_expiry_is_far_off(first)
    await first.end()
    await asyncio.wait_for(second.holds.wait(), 20)
    assert (first.term.generation, second.term.generation) == (1, 2)
    assert not first.term.held
    assert second.term.held
    await second.end()
    await another.end()


async def until_expiry_is_far_off(holder: Holder) -> None:
    async with asyncio.timeout(20):
        while holder.term.trusted_until < monotonic.seconds() + 60:
            await asyncio.sleep(0.01)


async def test_a_broken_connection_is_no_lost_lease(database_url: str) -> None:
    holder = Holder(database_url)
    await asyncio.wait_for(holder.holds.wait(), 20)
    for _ in range(3):
        await cut_connections(database_url)
        await asyncio.sleep(0.3)
    assert holder.holds.is_set()
    assert holder.term.generation == 1
    await holder.end()


async def cut_connections(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%UPDATE lease%' AND pid <> pg_backend_pid()"
        )


async def test_who_cannot_renew_stops_before_another_may_begin(database_url: str) -> None:
    holder = Holder(database_url)
    await asyncio.wait_for(holder.holds.wait(), 20)
    waiting = Holder(database_url)
    async with await psycopg.AsyncConnection.connect(conninfo(database_url)) as connection:
        # A database that hangs: nobody can renew the row.
        await connection.execute("SELECT 1 FROM lease FOR UPDATE")
        async with asyncio.timeout(20):
            while holder.holds.is_set():
                await asyncio.sleep(0.01)
        assert not waiting.holds.is_set()
        assert not holder.term.held
        await connection.rollback()
    async with asyncio.timeout(10):
        while not (holder.holds.is_set() or waiting.holds.is_set()):
            await asyncio.sleep(0.01)
    await holder.end()
    await waiting.end()


async def test_a_lease_taken_by_another_is_noticed(database_url: str) -> None:
    holder = Holder(database_url)
    await asyncio.wait_for(holder.holds.wait(), 20)
    term = holder.term
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("UPDATE lease SET generation = generation + 1, holder = 'somebody else'")
    async with asyncio.timeout(20):
        while holder.holds.is_set() and holder.term is term:
            await asyncio.sleep(0.01)
    with pytest.raises(LeaseLost):
        term.check()
    await holder.end()


async def test_the_databases_clock_set_back_hands_nobody_an_endless_lease(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO lease (name, generation, holder, expires_at)"
            " VALUES ('telegram:1', 7, 'died before the clock was set back', now() + interval '1 hour')"
        )
    holder = Holder(database_url)
    await asyncio.wait_for(holder.holds.wait(), 20)
    assert holder.term.generation == 8
    await holder.end()


FROZEN = """
import asyncio, sys
import structlog
from bot.runtime import lease
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
lease.EXPIRES, lease.MARGIN, lease.RENEWED_EVERY = 1.0, 0.2, 0.1

async def body(term):
    last = None
    while True:
        if term.held != last:
            last = term.held
            print("holds" if last else "not", flush=True)
        await asyncio.sleep(0)

asyncio.run(lease.hold(sys.argv[1], "telegram:1", body))
"""


async def test_a_frozen_holder_is_replaced_and_knows_it_when_it_wakes(database_url: str) -> None:
    frozen = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FROZEN, conninfo(database_url), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(frozen.stdout.readline(), 20) == b"holds\n"
        waiting = Holder(database_url)
        await asyncio.sleep(0.5)
        assert not waiting.holds.is_set()
        os.kill(frozen.pid, signal.SIGSTOP)
        await asyncio.wait_for(waiting.holds.wait(), 20)
        os.kill(frozen.pid, signal.SIGCONT)
        # It says so before it says anything else, and does not get the lease back.
        assert await asyncio.wait_for(frozen.stdout.readline(), 20) == b"not\n"
        await asyncio.sleep(2 * EXPIRES)
        assert waiting.holds.is_set()
        await waiting.end()
    finally:
        frozen.kill()
        await frozen.wait()


async def test_a_body_that_ends_ends_the_lease(database_url: str) -> None:
    async def body(_: lease.Lease) -> None:
        return

    await asyncio.wait_for(lease.hold(conninfo(database_url), "x", body), 5)


async def test_what_a_body_raises_is_not_swallowed(database_url: str) -> None:
    async def body(_: lease.Lease) -> None:
        raise ValueError("the token is refused")

    with pytest.raises(ValueError, match="refused"):
        await asyncio.wait_for(lease.hold(conninfo(database_url), "x", body), 5)
