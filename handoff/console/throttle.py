"""Limits how fast passwords can be guessed."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 5
WINDOW = 300.0
"""Seconds."""


class Throttle:
    """Admits ``TRIES`` tries of a key within ``WINDOW``.

    A try counts from its beginning, so that many at once are no way around. Kept in memory: a restart
    forgives, which no attacker can bring about.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[tuple[str, ...], list[float]] = {}

    def admit(self, *key: str) -> bool:
        """Counts a try; False when there were too many."""
        expired = self._clock() - WINDOW
        # The dict is in order of the latest try, so what is forgotten stands in front.
        while self._tries and self._tries[first := next(iter(self._tries))][-1] <= expired:
            del self._tries[first]
        tries = [at for at in self._tries.pop(key, ()) if at > expired]
        admitted = len(tries) < TRIES
        if admitted:
            tries.append(self._clock())
        self._tries[key] = tries
        return admitted

    def forget(self, *key: str) -> None:
        """After a try that succeeded."""
        self._tries.pop(key, None)
