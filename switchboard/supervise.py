"""Parts of a desk run in the background, and are started again when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from bot import monotonic

log = structlog.get_logger(__name__)

STOPS_WITHIN = 8.0
"""Seconds that a part has to stop in order until it is told again: the queue gives its jobs five."""
STEADY_AFTER = 60.0
"""A part that ran for so many seconds fails for a new reason: its pauses begin anew."""
MAX_PAUSE = 30.0


@asynccontextmanager
async def background(name: str, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs a part until the context is left; one that fails is started again, with growing pauses."""
    task = asyncio.create_task(_forever(name, run), name=name)
    try:
        yield
    finally:
        task.cancel()
        while not (await asyncio.wait({task}, timeout=STOPS_WITHIN))[0]:
            # Before Python 3.12 a cancellation is lost where what is waited for comes in the same moment, as it does in
            # psycopg's waiting for the database.
            log.warning("a part does not stop; telling it again", action="part_stops_late", part=name)
            task.cancel()


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    pause = 1.0
    while True:
        started = monotonic.seconds()
        try:
            await run()
            return
        except Exception as error:
            if _is_cancelled():
                return  # some end with another error than that they were cancelled
            if monotonic.seconds() - started > STEADY_AFTER:
                pause = 1.0
            log.exception("part failed; starting it again", action="part_failed", part=name, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
