"""The engine asked ahead of the turn: what it says costs most of a reply's time, and needs nothing but the words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot import monotonic
from bot.domain.engine import Prediction

AT_MOST = 8
"""Texts that are asked about ahead: more would wait before one another in the engine, and time out together."""
STALE = 5.0
"""Seconds after which a turn that has not come is taken by somebody else."""

Key = tuple[str, str, str]
"""Channel, account and the platform's id of the message."""


@dataclass(frozen=True, slots=True)
class _Asked:
    text: str
    answer: asyncio.Task[Prediction]
    at: float


class Prefetch:
    def __init__(self, predict: Callable[[str], Awaitable[Prediction]]) -> None:
        self._predict = predict
        self._asked: dict[Key, _Asked] = {}

    def begin(self, key: Key, text: str) -> None:
        """Asks now, if there is room and the message is not asked about already."""
        if len(self._asked) >= AT_MOST:
            self._forget_stale()
        if key not in self._asked and len(self._asked) < AT_MOST:
            answer = asyncio.ensure_future(self._ask(text))
            # Whoever wants the answer gets the error; if nobody does, it is nobody's.
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._asked[key] = _Asked(text, answer, monotonic.seconds())

    async def _ask(self, text: str) -> Prediction:
        return await self._predict(text)

    def take(self, key: Key) -> tuple[str, asyncio.Task[Prediction]] | None:
        """What was asked, and the answer, there or on its way; once."""
        asked = self._asked.pop(key, None)
        return None if asked is None else (asked.text, asked.answer)

    def _forget_stale(self) -> None:
        before = monotonic.seconds() - STALE
        for key in [key for key, asked in self._asked.items() if asked.at < before]:
            self._asked.pop(key).answer.cancel()


class Recent:
    """A set that forgets what was added first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: dict[str, None] = {}

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def add(self, member: str) -> None:
        self._members[member] = None
        if len(self._members) > self._most:
            self._members.pop(next(iter(self._members)))

    def discard(self, member: str) -> None:
        self._members.pop(member, None)
