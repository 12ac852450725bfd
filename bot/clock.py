"""Sweeps: what time makes due is found in the tables, never kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.queue import Queue
from bot.store import Store

log = structlog.get_logger(__name__)


async def run(store: Store, queue: Queue) -> None:
    """Sweeps until cancelled. Every sweep may run in any number of replicas, and late, and twice."""
    async with asyncio.TaskGroup() as sweeps:
        sweeps.create_task(_every(3, queue.rescue_stalled))
        sweeps.create_task(_every(3, queue.rescue_lost))
        sweeps.create_task(_every(15, queue.catch_up_with_clock))
        sweeps.create_task(_every(15, store.defer_forgotten))
        sweeps.create_task(_every(3600, store.forget_expired))


async def _every(seconds: float, sweep: Callable[[], Awaitable[object]]) -> None:
    """By a clock that nobody sets: one that is set back an hour would keep the next sweep waiting for it."""
    while True:
        try:
            await sweep()
        except Exception as error:
            log.warning("sweep failed", action="sweep_failed", sweep=sweep.__qualname__, error=type(error).__name__)
        await asyncio.sleep(seconds)
