"""Limits how fast passwords can be guessed. All replicas count together: see ``RateStorage``."""

from __future__ import annotations

import asyncio
import hashlib
from abc import abstractmethod

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerSecond
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter

TRIES = 5
"""Of one name from one address, within ``WINDOW``."""
WRONG = 300
"""From one address, over all names, within ``WINDOW``. An office shares an address; where a proxy does not say whom it
speaks for, everybody does."""
WINDOW = 300
"""Seconds."""
KNOWN = 30
"""Days for which it is remembered that somebody signed in from an address."""
AT_ONCE = 4
"""Tries that are counted together in one process; the others wait in the order in which they came. Those of one address
wait for one another anyway, and a crowd of them would hold every connection to the database meanwhile."""
MAX_NAME = 200
"""Characters; no agent has a longer name, and the sign-in page takes none."""


class RateStorage(Storage, MovingWindowSupport):
    """Where the hits of rate limits are kept, for all replicas. Keys have at most 100 ASCII characters.

    Besides what ``limits`` asks of a storage, a hit can be taken back.
    """

    @abstractmethod
    async def release(self, key: str) -> None:
        """Takes the latest hit of ``key`` back; nothing if there is none."""


class SignInLimits:
    """Admits ``TRIES`` tries of a name from an address within ``WINDOW``, and ``WRONG`` wrong ones of any names. Who
    has signed in from an address before is not kept out by what others try there.

    A try counts from its beginning, so that many at once are no way around.
    """

    def __init__(self, storage: RateStorage, *, wrong: int = WRONG) -> None:
        self._storage = storage
        self._limiter = MovingWindowRateLimiter(storage)
        self._counting = asyncio.Semaphore(AT_ONCE)
        self._tries = RateLimitItemPerSecond(TRIES, WINDOW, namespace="sign-in:tries")
        self._wrong = RateLimitItemPerSecond(wrong, WINDOW, namespace="sign-in:wrong")
        self._known = RateLimitItemPerDay(1, KNOWN, namespace="sign-in:known")

    async def admit(self, name: str, address: str) -> bool:
        """Counts a try; False when there were too many."""
        async with self._counting:
            return await self._admit(_hashed(name, address), _hashed(address))

    async def _admit(self, who: str, where: str) -> bool:
        # Counted as wrong until it is known to be right.
        has_room = await self._limiter.hit(self._wrong, where)
        if not has_room and await self._limiter.test(self._known, who):
            return False
        if await self._limiter.hit(self._tries, who):
            return True
        if has_room:
            await self._release(self._wrong, where)
        return False

    async def take_back(self, name: str, address: str) -> None:
        """The last try was none: nobody looked at its password."""
        async with self._counting:
            await self._release(self._tries, _hashed(name, address))
            await self._release(self._wrong, _hashed(address))

    async def forget(self, name: str, address: str) -> None:
        """After a try that succeeded."""
        who = _hashed(name, address)
        async with self._counting:
            await self._limiter.clear(self._tries, who)
            await self._release(self._wrong, _hashed(address))
            await self._limiter.clear(self._known, who)
            await self._limiter.hit(self._known, who)

    async def _release(self, item: RateLimitItem, *identifiers: str) -> None:
        await self._storage.release(item.key_for(*identifiers))


def _hashed(*parts: str) -> str:
    """Of one size, however long what strangers send."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode(errors="surrogatepass")).digest())
    return digest.hexdigest()[:32]
