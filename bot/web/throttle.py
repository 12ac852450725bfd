"""Limits how fast one visitor may send."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Throttle:
    """At most ``limit`` messages a visitor in ``window`` seconds.

    Kept in the memory of one process: a restart forgives, and every replica counts for itself. That is enough
    against a page gone wild; a crowd of cookies is for the proxy in front to stop.
    """

    def __init__(
        self, limit: int, window: float, clock: Callable[[], float] = time.monotonic, *, remembered: int = 10_000
    ) -> None:
        """Of more visitors than are ``remembered``, who wrote longest ago is forgotten."""
        self._limit = limit
        self._remembered = remembered
        self._window = window
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}
        """Times by contact, the contact heard last at the end."""

    def wait(self, contact: str) -> float:
        """Seconds until the contact may send again. At 0 this message may pass, and is counted."""
        now = self._clock()
        self._forget(now)
        taken = self._taken.pop(contact, deque[float](maxlen=self._limit))
        self._taken[contact] = taken
        if len(taken) == self._limit and (left := taken[0] + self._window - now) > 0:
            return left
        taken.append(now)
        return 0.0

    def _forget(self, now: float) -> None:
        while self._taken:
            contact, taken = next(iter(self._taken.items()))
            if taken[-1] + self._window > now and len(self._taken) <= self._remembered:
                return
            del self._taken[contact]
