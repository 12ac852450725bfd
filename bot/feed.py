"""Live events: PostgreSQL's LISTEN/NOTIFY, fanned out to whoever watches in this process.

An event says that something changed, never what: a watcher then reads the store. So a watcher that
missed an event loses nothing by reading once more, which is what it is woken for after every gap.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog

from bot.model import Event
from bot.store.base import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

RECONNECT_AFTER = 1.0
KEEPALIVE = 20.0
"""Seconds of silence after which the connection is tried."""


class Watch:
    """What one reader waits on. It remembers that something changed, not how often: a slow reader
    holds no memory, and reads once for many events."""

    def __init__(self, wants: Callable[[Event], bool]) -> None:
        self.wants = wants
        self._changed = asyncio.Event()

    def wake(self) -> None:
        self._changed.set()

    async def changed(self, timeout: float | None = None) -> bool:
        """Waits for the next change since the last call; False when ``timeout`` seconds passed without."""
        try:
            # Not ``wait_for``: until Python 3.12 it swallows a cancellation that comes together with the change.
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Feed:
    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._watches: set[Watch] = set()

    @contextmanager
    def watch(self, wants: Callable[[Event], bool] = lambda _: True) -> Iterator[Watch]:
        """Watches the events that ``wants`` picks, from now on. Watch first, then read, then wait."""
        watch = Watch(wants)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def run(self) -> None:
        """Listens until cancelled. Reconnects by itself, and then wakes every watch."""
        while True:
            try:
                await self._listen()
            except psycopg.OperationalError as error:
                log.warning("live events interrupted; reconnecting", action="feed_lost", error=str(error).strip())
                await asyncio.sleep(RECONNECT_AFTER)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
            for watch in self._watches:
                watch.wake()
            while True:
                async for notification in connection.notifies(timeout=KEEPALIVE):
                    event = Event(**json.loads(notification.payload))
                    for watch in self._watches:
                        if watch.wants(event):
                            watch.wake()
                await connection.execute("SELECT 1")
