"""Sweeps: what time makes due is found in the tables, never kept in memory."""

from __future__ import annotations

import asyncio
import logging

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.queue import Queue
from bot.store import Store


async def run(store: Store, queue: Queue) -> None:
    """Sweeps until cancelled. Every sweep may run in any number of replicas, and late, and twice."""
    # Its own lines ("job executed successfully") would be one every few seconds.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
    scheduler.add_job(queue.rescue_stalled, "interval", seconds=3)
    scheduler.add_job(queue.rescue_lost, "interval", seconds=3)
    scheduler.add_job(store.defer_forgotten, "interval", seconds=15)
    scheduler.add_job(store.forget_expired, "interval", hours=1)
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)
