"""A watch on live events, without the database that makes them."""

from __future__ import annotations

import asyncio

import pytest

from bot.feed import Watch


@pytest.mark.parametrize("ticks", range(5))
async def test_a_cancellation_that_comes_with_a_change_is_not_lost(ticks: int) -> None:
    watch = Watch(lambda _: True)
    waiting = asyncio.create_task(watch.changed(5))
    await asyncio.sleep(0.01)
    watch.wake()
    for _ in range(ticks):
        await asyncio.sleep(0)
    if waiting.done():
        assert waiting.result()
        return
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
