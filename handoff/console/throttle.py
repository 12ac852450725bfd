"""Limits how fast passwords can be guessed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

TRIES = 5
"""Of one name from one address, within ``WINDOW``."""
WRONG = 300
"""From one address, over all names, within ``WINDOW``. An office shares an address; where a proxy does not say whom it
speaks for, everybody does."""
WINDOW = 300.0
"""Seconds."""
REMEMBERED = 10_000
"""Names and addresses at once. Where there are more, the one tried longest ago is forgotten."""
MAX_NAME = 200
"""Characters; no agent has a longer name, and the sign-in page takes none."""


class Throttle:
    """Admits ``TRIES`` tries of a name from an address within ``WINDOW``, and ``WRONG`` wrong ones of any names. Who
    has signed in from an address before is not kept out by what others try there.

    A try counts from its beginning, so that many at once are no way around. Kept in memory: a restart
    forgives, which no attacker can bring about.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries = _Counts(TRIES)
        self._wrong = _Counts(WRONG)
        self._welcome = _Counts(1)
        """Who has signed in, from where."""

    def admit(self, name: str, address: str) -> bool:
        """Counts a try; False when there were too many."""
        now = self._clock()
        known = self._welcome.has(_key(name, address))
        if not known and not self._wrong.has_room(_key(address), now):
            return False
        if not self._tries.add(_key(name, address), now):
            return False
        # Counted as wrong until it is known to be right.
        self._wrong.add(_key(address), now)
        return True

    def take_back(self, name: str, address: str) -> None:
        """The last try was none: nobody looked at its password."""
        self._tries.drop_last(_key(name, address))
        self._wrong.drop_last(_key(address))

    def forget(self, name: str, address: str) -> None:
        """After a try that succeeded."""
        self._tries.drop(_key(name, address))
        self._wrong.drop_last(_key(address))
        self._welcome.drop(_key(name, address))
        self._welcome.add(_key(name, address), self._clock())


def _key(*parts: str) -> bytes:
    """Of one size, however long what strangers send."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode(errors="surrogatepass")).digest())
    return digest.digest()[:16]


class _Counts:
    """When something happened, at most ``most`` times of each key within ``WINDOW``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: dict[bytes, list[float]] = {}
        """In the order of the latest."""

    def has(self, key: bytes) -> bool:
        return key in self._times

    def has_room(self, key: bytes, now: float) -> bool:
        times = self._times.get(key, ())
        return sum(at > now - WINDOW for at in times) < self._most

    def add(self, key: bytes, now: float) -> bool:
        """Counts it; False if that would be too often."""
        times = [at for at in self._times.pop(key, ()) if at > now - WINDOW]
        admitted = len(times) < self._most
        if admitted:
            times.append(now)
        self._times[key] = times
        if len(self._times) > REMEMBERED:
            del self._times[next(iter(self._times))]
        return admitted

    def drop_last(self, key: bytes) -> None:
        if times := self._times.get(key):
            times.pop()

    def drop(self, key: bytes) -> None:
        self._times.pop(key, None)
