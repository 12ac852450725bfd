"""Sweeps: what time makes due is found in the tables, never kept in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import monotonic

log = structlog.get_logger(__name__)

LOOK = 2.0
"""Seconds between looks whether the machine's clock was set."""
SET = 1.0
"""Seconds by which the monotonic clock and the machine's must come apart for that."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Work that time makes due. May run in any number of replicas, and late, and twice: it must bear all of that."""

    run: Callable[[], Awaitable[object]]
    every: float
    """Seconds."""


async def run(sweeps: Iterable[Sweep]) -> None:
    """Runs each of ``sweeps`` in its rhythm until cancelled. One that fails is logged and runs again at its next time;
    one that is late runs once, not as often as it was missed."""
    # Its own lines ("job executed successfully") would be one every few seconds; what fails is said below.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_listener(_tell, EVENT_JOB_ERROR)
    for sweep in sweeps:
        scheduler.add_job(sweep.run, "interval", seconds=sweep.every)
    scheduler.start()
    try:
        await _begin_anew_when_set(scheduler)
    finally:
        scheduler.shutdown(wait=False)


async def _begin_anew_when_set(scheduler: AsyncIOScheduler) -> None:
    """The scheduler keeps the next run as a time of day: set back an hour, it would not sweep for an hour."""
    apart = time.time() - monotonic.seconds()
    while True:
        await asyncio.sleep(LOOK)
        now = time.time() - monotonic.seconds()
        if abs(now - apart) > SET:
            log.warning("the clock was set", action="clock_set", seconds=round(now - apart))
            for job in scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        apart = now


def _tell(event: JobExecutionEvent) -> None:
    # Only the kind: the text of a database error may quote what a customer wrote.
    log.warning("sweep failed", action="sweep_failed", error=type(event.exception).__name__)
