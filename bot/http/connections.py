"""All connections of one server: how many there are, what each waits for, and which goes where there is no room.

Knows nothing of uvicorn: ``bot.http.protocol`` is what a connection really is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from enum import IntEnum
from typing import Protocol

import structlog

from bot import ticks
from bot.http.limits import Limits

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

    def make_room(self) -> bool:
        """Whether one more connection may be taken: there is room, or another was closed for it. It then counts until
        ``left``."""
        if self._count - len(self._leaving) >= self.limits.connections and not self._evict("connections"):
            return False
        self._count += 1
        return True

    def left(self) -> None:
        self._count -= 1

    def shrink(self) -> None:
        """Closes one, if there is one to close."""
        self._evict("handles")

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
            if not self._evict("memory"):
                connection.refuse(503, "memory")
                return

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
            slowest = next((one for one in self._slow if not one.vouched), None)
            if slowest is None:
                return
            self._cut(slowest, "unread")

    def flows(self, connection: Connection) -> None:
        """Its client has caught up."""
        if self._slow.pop(connection, self) is None:
            self.unread -= connection.unread
            connection.unread = 0

    # --- what goes

    def note(self, reason: str) -> None:
        self.refused[reason] += 1

    def _evict(self, reason: str) -> bool:
        """Closes the connection that is worth least; False if each is worth more than a new one."""
        for state in (State.OVER, State.HEAD, State.REST, State.BODY):
            for connection in self._by_state[state]:
                if connection in self._leaving or connection.vouched:
                    continue
                if state is State.REST and not connection.is_flushed():
                    continue  # slow, but about to have its answer
                self._leave(connection, state, reason)
                return True
        slowest = next((one for one in self._slow if not one.vouched and one not in self._leaving), None)
        if slowest is None:
            return False
        self._cut(slowest, reason)
        return True

    def _leave(self, connection: Connection, state: State, reason: str) -> None:
        self._leaving.add(connection)
        self.release(connection)
        if state is not State.REST:
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
            self.sweep(asyncio.get_running_loop().time())
            self._tell()

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
        if self.refused != self._told and ticks.seconds() - self._told_at >= TELL:
            new = self.refused - self._told
            log.warning("clients were refused", action="http_refused", connections=self._count, **new)
            self._told, self._told_at = self.refused.copy(), ticks.seconds()
