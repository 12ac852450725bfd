"""Sweeps, under a clock that is set."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.runtime import sweeps


class SetClock(datetime):
    """The machine's clock as the scheduler reads it."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + cls.ahead


async def test_a_clock_that_is_set_back_stalls_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "LOOK", 0.05)
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", SetClock)
    monkeypatch.setattr(sweeps, "datetime", SetClock)
    real = time.time
    monkeypatch.setattr(sweeps.time, "time", lambda: real() + SetClock.ahead.total_seconds())
    swept: list[float] = []

    async def sweep() -> None:
        swept.append(asyncio.get_running_loop().time())

    scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
    scheduler.add_job(sweep, "interval", seconds=0.2)
    scheduler.start()
    watching = asyncio.create_task(sweeps._begin_anew_when_set(scheduler))
    try:
        await _until(swept, 2)
        for hours in (-1, 2):
            monkeypatch.setattr(SetClock, "ahead", timedelta(hours=hours))
            before = len(swept)
            await _until(swept, before + 3)
    finally:
        watching.cancel()
        scheduler.shutdown(wait=False)


async def _until(swept: list[float], count: int) -> None:
    async with asyncio.timeout(10):
        while len(swept) < count:
            await asyncio.sleep(0.02)
