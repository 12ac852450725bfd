"""All connections of one server: how many there are, what each waits for, and which goes where there is no room.

Knows nothing of uvicorn: ``bot.runtime.http.protocol`` is what a connection really is.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from enum import IntEnum
from typing import Protocol

import structlog

from bot import monotonic
from bot.runtime.http.limits import Limits

log = structlog.get_logger(__name__)

TELL = 10.0
"""Seconds between two lines of the log about refused clients, however many there are."""


class State(IntEnum):
    """What a connection waits for."""

    HEAD = 0
    """For its client, with a request. Also before the first byte."""
    REST = 1
    """For its client, which has been answered and may have another request."""
    BODY = 2
    """For its client, with the rest of a request."""
    BUSY = 3
    """For the desk, with the answer."""
    OVER = 4
    """For its client, to read why it was refused."""


_FOR_CLIENT = (State.OVER, State.HEAD, State.REST, State.BODY)
"""Those may be closed for others, in this order."""


class Connection(Protocol):
    """What the others do with one of them."""

    state: State
    since: float
    """When that state began."""
    held: int
    """Bytes of its unanswered requests."""
    unread: int
    """Bytes of answers that its client did not read, when that was last looked at."""
    vouched: bool
    """Whether its request is known to come from one of the desk's own people."""

    def refuse(self, status: int, reason: str) -> None:
        """Answers so, if nothing is answered yet, and closes the connection."""
        ...

    def turn_away(self) -> None:
        """Closes the connection for want of room, with a word if that can be said."""
        ...

    def cut(self) -> None:
        """Closes the connection at once, whatever is on its way."""
        ...

    def has_begun(self) -> bool:
        """Whether anything of its request has come."""
        ...

    def is_flushed(self) -> bool:
        """Whether its client has taken all that was written."""
        ...

    def is_too_slow(self, now: float) -> bool:
        """Whether its request comes in at less than the least rate."""
        ...

    def is_stuck(self, now: float) -> bool:
        """Whether its answer goes out at less than the least rate."""
        ...


class Connections:
    """Where there is no room, those go first that wait longest for their clients: a real client's wait is short."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        self.unread = 0
        self.starting = 0
        """Requests whose answer has not begun."""
        self.refused: Counter[str] = Counter()
        """How often, by reason, since the start."""
        self._count = 0
        self._leaving: set[Connection] = set()
        self._by_state: dict[State, dict[Connection, None]] = {state: {} for state in State}
        """Each in the order in which its state began."""
        self._slow: dict[Connection, None] = {}
        self._told: Counter[str] = Counter()
        self._told_at = -TELL

    def __len__(self) -> int:
        return self._count

    # --- one comes, changes, goes

    async def make_room(self) -> bool:
        """Whether one more connection may be taken: there is room, or another was closed for it. It then counts until
        ``left``. Waits a moment where all that could be closed are too young."""
        while self._count - len(self._leaving) >= self.limits.connections:
            if self._evict("connections", asyncio.get_running_loop().time() - self.limits.young):
                break
            if self._least() is None:
                if not self._evict_slow("connections"):
                    return False
                break
            await asyncio.sleep(self.limits.young / 10)
        self._count += 1
        return True

    def left(self) -> None:
        self._count -= 1

    def shrink(self) -> None:
        """Closes one, if there is one to close."""
        if not self._evict("handles"):
            self._evict_slow("handles")

    def add(self, connection: Connection) -> None:
        self._by_state[connection.state][connection] = None

    def moved(self, connection: Connection, before: State) -> None:
        """Its state is another now than it was ``before``."""
        self._by_state[before].pop(connection, None)
        self._by_state[connection.state][connection] = None

    def remove(self, connection: Connection) -> None:
        self._by_state[connection.state].pop(connection, None)
        self._leaving.discard(connection)
        self.release(connection)
        self.flows(connection)

    def hold(self, connection: Connection, size: int) -> None:
        """So much more of its request is kept in memory until it is answered."""
        connection.held += size
        self.held += size
        while self.held > self.limits.held:
            first = self._least(holding=True)
            if first is None:
                connection.refuse(503, "memory")
                return
            self._leave(first, "memory")

    def release(self, connection: Connection) -> None:
        """What was kept of its requests is kept no more, or somebody vouches for it."""
        self.held -= connection.held
        connection.held = 0

    def stalls(self, connection: Connection, unread: int) -> None:
        """Its client does not read as fast as is written."""
        self.flows(connection)
        connection.unread = unread
        self._slow[connection] = None
        self.unread += unread
        while self.unread > self.limits.unread:
            if not self._evict_slow("unread"):
                return

    def flows(self, connection: Connection) -> None:
        """Its client has caught up."""
        if self._slow.pop(connection, self) is None:
            self.unread -= connection.unread
            connection.unread = 0

    # --- what goes

    def note(self, reason: str) -> None:
        self.refused[reason] += 1

    def _evict(self, reason: str, before: float = math.inf) -> bool:
        """Closes the connection that is worth least, if it has waited since ``before``; False if there is none."""
        least = self._least(before)
        if least is not None:
            self._leave(least, reason)
        return least is not None

    def _evict_slow(self, reason: str) -> bool:
        """Closes the connection whose client has lagged behind for the longest time; False if there is none."""
        slowest = next((one for one in self._slow if not one.vouched and one not in self._leaving), None)
        if slowest is not None:
            self._cut(slowest, reason)
        return slowest is not None

    def _least(self, before: float = math.inf, *, holding: bool = False) -> Connection | None:
        for state in _FOR_CLIENT:
            for connection in self._by_state[state]:
                if connection.since > before:
                    break
                if connection in self._leaving or connection.vouched or (holding and not connection.held):
                    continue
                if state is State.REST and not connection.is_flushed():
                    continue  # slow, but about to have its answer
                return connection
        return None

    def _leave(self, connection: Connection, reason: str) -> None:
        self._leaving.add(connection)
        self.release(connection)
        if connection.state is not State.REST:
            self.note(f"evicted_{reason}")
        connection.turn_away()

    def _cut(self, connection: Connection, reason: str) -> None:
        self._leaving.add(connection)
        self.flows(connection)
        self.release(connection)
        self.note(reason)
        connection.cut()

    # --- what takes too long

    async def watch(self) -> None:
        """Closes what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.sweep)
            try:
                self.sweep(asyncio.get_running_loop().time())
                self._tell()
            except Exception as error:
                # Whatever one connection is like, the others are still looked after.
                log.exception("looking after connections failed", action="http_watch_failed", error=str(error))

    def sweep(self, now: float) -> None:
        for connection in self._expired(State.HEAD, now - self.limits.head_within):
            if connection.has_begun():
                connection.refuse(408, "head_late")
            else:
                self.note("silent")
                connection.cut()
        for connection in self._expired(State.OVER, now - self.limits.linger):
            connection.cut()
        for connection in self._expired(State.REST, now - self.limits.rest_within):
            if connection.is_flushed():
                connection.cut()
        for connection in list(self._by_state[State.BODY]):
            if connection.is_too_slow(now):
                connection.refuse(408, "body_slow")
        for connection in list(self._slow):
            if connection.is_stuck(now):
                self._cut(connection, "answer_unread")

    def _expired(self, state: State, before: float) -> list[Connection]:
        expired = []
        for connection in self._by_state[state]:
            if connection.since > before:
                break
            if connection not in self._leaving:
                expired.append(connection)
        return expired

    def _tell(self) -> None:
        if self.refused != self._told and monotonic.seconds() - self._told_at >= TELL:
            new = self.refused - self._told
            log.warning("clients were refused", action="http_refused", connections=self._count, **new)
            self._told, self._told_at = self.refused.copy(), monotonic.seconds()
