"""Jobs of workers that are dead, or that nobody is at, are handed back to the queue."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import Any

import procrastinate
import structlog

from bot import monotonic
from bot.queue.statements import (
    DUE_AGAIN,
    FORGET_WORKERS,
    HAND_BACK,
    HAND_BACK_OF_DEAD,
    HEARTBEATS,
    JOBS_OF_WORKER,
)
from bot.queue.worker import FORGOTTEN_AFTER, LOST_AFTER, STALLED_AFTER, Worker

log = structlog.get_logger(__name__)

STILL_FOR = 4.0
"""Seconds by our clock that a heartbeat must not change which is late by the database's: more than ``TRUSTED``."""
LOOKS_WITHIN = 3.5
"""Seconds between two looks at the heartbeats; after more, who looks may have been what stood still, or the database:
nothing that was seen before counts."""


class Rescue:
    """Each answers how many jobs were handed back. Holds what one replica remembers from look to look."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app
        self._unknown: dict[int, float] = {}
        """Jobs that are this worker's by the database, and that it knows nothing of; since when."""
        self._beats: dict[int, tuple[datetime, float]] = {}
        """The last heartbeat of each worker, and since when it has been that."""
        self._looked_at = -inf

    async def requeue_from_dead_workers(self) -> int:
        """In one statement: looked up first and then handed back, a job that another replica has rescued and begun
        meanwhile would be taken from it. And by two clocks: the database's may be set, and then all are late at once,
        or a dead one is not for an hour."""
        execute = self._app.connector.execute_query_all_async
        now, known, self._beats = monotonic.seconds(), self._beats, {}
        if now - self._looked_at > LOOKS_WITHIN:
            known = {}
        self._looked_at = now
        dead: list[tuple[int, datetime]] = []
        forgotten: list[tuple[int, datetime]] = []
        for worker in await execute(HEARTBEATS, seconds=STALLED_AFTER):
            beat = worker["last_heartbeat"]
            before, since = known.get(worker["id"], (beat, now))
            since = since if before == beat else now
            self._beats[worker["id"]] = beat, since
            if now - since >= (STILL_FOR if worker["late"] else STALLED_AFTER):
                dead.append((worker["id"], beat))
            if now - since >= FORGOTTEN_AFTER:
                forgotten.append((worker["id"], beat))
        jobs = await execute(HAND_BACK_OF_DEAD, **_columns(dead))
        if forgotten:
            await execute(FORGET_WORKERS, **_columns(forgotten))
        for job in jobs:
            log.warning("job of a dead worker is taken over", action="rescue", task=job["task_name"], job=job["id"])
        return len(jobs)

    async def requeue_after_clock_change(self) -> int:
        jobs = await self._app.connector.execute_query_all_async(DUE_AGAIN)
        if jobs:
            log.warning("the clock was set back; what waited is due now", action="clock_set_back", jobs=len(jobs))
        return len(jobs)

    async def requeue_unknown_to(self, worker: Worker) -> int:
        """Found at every look for ``LOST_AFTER`` seconds: what begins just now is not touched."""
        if worker.worker_id is None:
            return 0
        now = monotonic.seconds()
        mine = await self._app.connector.execute_query_all_async(JOBS_OF_WORKER, worker=worker.worker_id)
        unknown = {job["id"] for job in mine} - worker.job_ids
        self._unknown = {job_id: self._unknown.get(job_id, now) for job_id in unknown}
        lost = {job_id for job_id, since in self._unknown.items() if now - since >= LOST_AFTER}
        if not lost:
            return 0
        given = await self._app.connector.execute_query_all_async(HAND_BACK, worker=worker.worker_id, ids=sorted(lost))
        log.warning("jobs that nobody was at are begun again", action="rescue_lost", jobs=[job["id"] for job in given])
        return len(given)


def _columns(workers: list[tuple[int, datetime]]) -> dict[str, list[Any]]:
    return {"dead": [worker_id for worker_id, _ in workers], "beats": [beat for _, beat in workers]}
