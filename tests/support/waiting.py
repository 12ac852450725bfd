"""Waiting for what happens by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable


async def until(holds: Callable[[], object | Awaitable[object]], seconds: float = 20, every: float = 0.01) -> None:
    """Returns once ``holds`` is true, which may itself be awaited; ``TimeoutError`` after so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            held = holds()
            if isawaitable(held):
                held = await held
            if held:
                return
            await asyncio.sleep(every)
