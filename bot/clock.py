"""Sweeps: what time makes due is found in the tables, never kept in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import ticks
from bot.queue import Queue
from bot.store import Store

log = structlog.get_logger(__name__)

LOOK = 2.0
"""Seconds between looks whether the machine's clock was set."""
SET = 1.0
"""Seconds by which a clock that nobody sets and the machine's must come apart for that."""


async def run(store: Store, queue: Queue, put_back_abandoned: Callable[[], Awaitable[object]] | None = None) -> None:
    """Sweeps until cancelled. Every sweep may run in any number of replicas, and late, and twice.

    ``put_back_abandoned`` puts back into the queue what waits for an agent who is gone."""
    # Its own lines ("job executed successfully") would be one every few seconds; what fails is said below.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_listener(_tell, EVENT_JOB_ERROR)
    scheduler.add_job(queue.rescue_stalled, "interval", seconds=2)
    scheduler.add_job(queue.rescue_lost, "interval", seconds=2)
    scheduler.add_job(queue.catch_up_with_clock, "interval", seconds=15)
    scheduler.add_job(store.release_held, "interval", seconds=1)
    if put_back_abandoned is not None:
        scheduler.add_job(put_back_abandoned, "interval", seconds=5)
    scheduler.add_job(store.wake_due, "interval", seconds=5)
    scheduler.add_job(store.defer_forgotten, "interval", seconds=15)
    scheduler.add_job(store.forget_expired, "interval", hours=1)
    scheduler.start()
    try:
        await _begin_anew_when_set(scheduler)
    finally:
        scheduler.shutdown(wait=False)


async def _begin_anew_when_set(scheduler: AsyncIOScheduler) -> None:
    """The scheduler keeps the next run as a time of day: set back an hour, it would not sweep for an hour."""
    apart = time.time() - ticks.seconds()
    while True:
        await asyncio.sleep(LOOK)
        now = time.time() - ticks.seconds()
        if abs(now - apart) > SET:
            log.warning("the clock was set", action="clock_set", seconds=round(now - apart))
            for job in scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        apart = now


def _tell(event: JobExecutionEvent) -> None:
    # Only the kind: the text of a database error may quote what a customer wrote.
    log.warning("sweep failed", action="sweep_failed", error=type(event.exception).__name__)
