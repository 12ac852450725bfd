"""A replica of a desk, reduced to what sweeps and what works: ``python -m tests.support.replica URL``.

It does what it is told, a line each: ``sweep AT`` begins the sweeps over a ``Store`` and a ``Queue`` of its own, with
every sweep at the time ``AT`` (seconds since 1970) and each ``EVERY`` seconds after it: so at the same moments in all
replicas. ``work`` begins the queue: turns are skipped, and deliveries sent to nobody. It ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.queue import JobLease, Queue
from bot.runtime import sweeps
from bot.store import Store
from bot.store.database import conninfo, create_engine
from switchboard.wiring import sweeps_of

EVERY = 1.0


def say(*said: object) -> None:
    sys.stdout.write(" ".join(map(str, said)) + "\n")
    sys.stdout.flush()


class Together(AsyncIOScheduler):  # type: ignore[misc]
    """A scheduler whose jobs all begin at the same moments."""

    at = datetime.now(UTC)

    def add_job(self, sweep: Callable[[], Awaitable[Any]], *_: object, **__: object) -> None:
        async def swept() -> None:
            say("swept", sweep.__name__, await sweep())

        super().add_job(swept, "interval", seconds=EVERY, start_date=self.at)


@asynccontextmanager
async def parts(url: str) -> AsyncIterator[tuple[Store, Queue]]:
    queue = Queue(conninfo(url))
    store = Store(create_engine(url), queue)
    await queue.open()

    async def turn(message_id: int, _: JobLease) -> None:
        say("turn", message_id)
        taken = await store.turns.begin(message_id)
        if taken is not None:
            await store.turns.skip(taken)

    async def deliver(message_id: int, _: JobLease) -> None:
        say("deliver", message_id)
        begun = await store.deliveries.begin(message_id)
        if begun is not None:
            await store.deliveries.record_sent(begun, 0, str(message_id))

    async def fetch(_: int, __: JobLease) -> None: ...

    queue.serve(turn=turn, deliver=deliver, fetch=fetch)
    try:
        yield store, queue
    finally:
        await queue.close()
        await store.close()


async def nothing() -> None: ...


async def main(url: str) -> None:
    sweeps.AsyncIOScheduler = Together
    running: list[asyncio.Task[None]] = []
    async with parts(url) as (store, queue):
        say("ready")
        while order := await asyncio.to_thread(sys.stdin.readline):
            match order.split():
                case ["sweep", at]:
                    Together.at = datetime.fromtimestamp(float(at), UTC)
                    running.append(asyncio.create_task(sweeps.run(sweeps_of(store, queue, nothing))))
                case ["work"]:
                    running.append(asyncio.create_task(queue.run()))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
