"""Leases on a real PostgreSQL: one holder at a time, and another when it dies."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from bot import lease
from bot.store.database import conninfo


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "INTERVAL", 0.1)


class Holder:
    def __init__(self, url: str, name: str = "telegram:1") -> None:
        self.holds = asyncio.Event()
        self.task = asyncio.create_task(lease.hold(conninfo(url), name, self.body))

    async def body(self) -> None:
        self.holds.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.holds.clear()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_one_holds_and_the_other_takes_over(database_url: str) -> None:
    first = Holder(database_url)
    await asyncio.wait_for(first.holds.wait(), 5)
    second = Holder(database_url)
    another = Holder(database_url, "discord:1")
    await asyncio.wait_for(another.holds.wait(), 5)
    await asyncio.sleep(0.5)
    assert not second.holds.is_set()
    await first.end()
    await asyncio.wait_for(second.holds.wait(), 5)
    await second.end()
    await another.end()


async def test_who_loses_the_database_stops_and_comes_back(database_url: str) -> None:
    holder = Holder(database_url)
    await asyncio.wait_for(holder.holds.wait(), 5)
    stopped = asyncio.create_task(cleared(holder.holds))
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
    await asyncio.wait_for(stopped, 5)
    await asyncio.wait_for(holder.holds.wait(), 10)
    await holder.end()


async def cleared(event: asyncio.Event) -> None:
    while event.is_set():
        await asyncio.sleep(0.01)


async def test_a_body_that_ends_ends_the_lease(database_url: str) -> None:
    async def body() -> None:
        return

    await asyncio.wait_for(lease.hold(conninfo(database_url), "x", body), 5)


async def test_what_a_body_raises_is_not_swallowed(database_url: str) -> None:
    async def body() -> None:
        raise ValueError("the token is refused")

    with pytest.raises(ValueError, match="refused"):
        await asyncio.wait_for(lease.hold(conninfo(database_url), "x", body), 5)
