"""Live events: PostgreSQL's LISTEN/NOTIFY, fanned out to whoever watches in this process.

An event says that something changed, never what: a watcher then reads the store. So a watcher that
missed an event loses nothing by reading once more, which is what it is woken for after every gap.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog

from bot.domain.operations import LiveEvent
from bot.store.statements import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

RECONNECT_AFTER = 1.0
KEEPALIVE = 20.0
"""Seconds of silence after which the connection is tried."""


Subject = int | str
"""Whom an event is about: a contact's id, or their ``contact_key`` in the event that opens a conversation."""


class Watch:
    """What one reader waits on. It remembers that something changed, not how often: a slow reader
    holds no memory, and reads once for many events."""

    def __init__(self, wants: Callable[[LiveEvent], bool], of: Subject | None = None) -> None:
        self.wants = wants
        self.of = of
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
        self._watches: defaultdict[Subject | None, set[Watch]] = defaultdict(set)
        """By whom they are about: of many open pages an event concerns one or two, and the others are not asked."""

    @contextmanager
    def watch(
        self, wants: Callable[[LiveEvent], bool] = lambda _: True, *, of: Subject | None = None
    ) -> Iterator[Watch]:
        """Watches the events about ``of`` (None: about anybody) that ``wants`` picks, from now on. Watch first, then
        read, then wait."""
        watch = Watch(wants, of)
        self._watches[of].add(watch)
        try:
            yield watch
        finally:
            self._forget(watch)

    def move(self, watch: Watch, to: Subject) -> None:
        """Has it watch another's events from now on. As at the beginning: then read, then wait."""
        self._forget(watch)
        watch.of = to
        self._watches[to].add(watch)

    def _forget(self, watch: Watch) -> None:
        others = self._watches[watch.of]
        others.discard(watch)
        if not others:
            del self._watches[watch.of]

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
            self.wake()
            while True:
                async for notification in connection.notifies(timeout=KEEPALIVE):
                    self.tell(LiveEvent(**json.loads(notification.payload)))
                await connection.execute("SELECT 1")

    def wake(self) -> None:
        """Wakes everybody, without an event: some may have been missed."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    def tell(self, event: LiveEvent) -> None:
        """Wakes whom the event concerns."""
        for subject in (None, event.contact_id, event.opened_by):
            for watch in self._watches.get(subject, ()):
                if watch.wants(event):
                    watch.wake()
