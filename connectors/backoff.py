"""Pauses that grow while something keeps failing."""

from __future__ import annotations

import asyncio
import random


class Backoff:
    def __init__(self, first: float, longest: float) -> None:
        """Seconds of the first pause, and of the longest."""
        self._first = first
        self._longest = longest
        self._seconds = first

    def reset(self) -> None:
        """It works again: the next pause is a first one."""
        self._seconds = self._first

    async def pause(self, at_least: float = 0.0) -> None:
        # Jitter, so that replicas that failed together do not return together.
        await asyncio.sleep(max(at_least, self._seconds * random.uniform(0.75, 1.25)))  # noqa: S311
        self._seconds = min(self._seconds * 2, self._longest)
