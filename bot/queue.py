"""The work queue: two procrastinate tasks, deferred in the transaction that makes them necessary.

``turn`` takes one customer message, with the conversation as its lock: in order within a conversation,
parallel across conversations. ``deliver`` sends one message, with the contact as its lock. A task that
fails is tried again with growing pauses, and blocks only its own lock meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import procrastinate
import structlog
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker
from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0
STALLED_AFTER = 10.0
"""Seconds without a heartbeat until a worker counts as dead and its jobs are taken over."""

POLL = 0.5
"""Seconds between looks for jobs that are due again; new ones are announced."""
CONCURRENCY = 30
MAX_PAUSE = timedelta(minutes=5)

TURN = "turn"
DELIVER = "deliver"


class TryAgain(Exception):
    """Raised by a task that must be run again; not an error of the desk."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"again at {at:%H:%M:%S}")
        self.at = at


class _Retry(procrastinate.BaseRetryStrategy):
    """Where the task says (``TryAgain``), else after 1, 2, 4 … seconds, without end: work is never dropped
    by the queue. What gives up, and says so to somebody, is the task itself."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        if isinstance(exception, TryAgain):
            return procrastinate.RetryDecision(retry_at=exception.at)
        pause = min(timedelta(seconds=2 ** min(job.attempts, 10)), MAX_PAUSE)
        return procrastinate.RetryDecision(retry_at=datetime.now(UTC) + pause)


Task = Callable[[int, int], Awaitable[None]]
"""Takes a message id and how often the job was tried before."""


class Queue:
    def __init__(self, conninfo: str) -> None:
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=2, max_size=8)
        )

    async def open(self) -> None:
        await self._app.open_async()

    async def close(self) -> None:
        await self._app.close_async()

    async def defer_turn(self, connection: AsyncConnection, message_id: int, conversation_id: int) -> None:
        """Defers within the caller's transaction: no commit, no job."""
        await self._defer(connection, TURN, message_id, lock=f"conversation:{conversation_id}", priority=0)

    async def defer_delivery(self, connection: AsyncConnection, message_id: int, contact_id: int) -> None:
        """Like ``defer_turn``. Served before turns: what is written reaches its customer first."""
        await self._defer(connection, DELIVER, message_id, lock=f"contact:{contact_id}", priority=1)

    async def _defer(
        self, connection: AsyncConnection, task: str, message_id: int, *, lock: str, priority: int
    ) -> None:
        raw = await connection.get_raw_connection()
        await self._app.configure_task(
            task, lock=lock, priority=priority, connection=raw.driver_connection
        ).defer_async(message_id=message_id)

    def serve(self, *, turn: Task, deliver: Task) -> None:
        """Names what the two tasks do; before ``run``, once."""
        for name, task in ((TURN, turn), (DELIVER, deliver)):
            self._app.task(name=name, retry=_Retry(), pass_context=True)(_with_attempts(task))

    async def run(self) -> None:
        """Works until cancelled; jobs under way then get five seconds, and come again after a restart."""
        await _Worker(
            self._app,
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=POLL,
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=STALLED_AFTER,
            shutdown_graceful_timeout=5,
        ).run()  # type: ignore[no-untyped-call]

    async def rescue_stalled(self) -> int:
        """Hands the jobs of dead workers back to the queue. Returns how many."""
        jobs = list(await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER))
        for job in jobs:
            log.warning("job of a dead worker is taken over", action="rescue", task=job.task_name, job=job.id)
            await self._app.job_manager.retry_job(job)
        return len(jobs)


class _Worker(Worker):
    """Looks for work when a job ends, too. Procrastinate's own looks when a job is inserted: one whose lock
    was held at that moment would wait for the next poll, and a customer's second message with it."""

    async def _process_job(self, context: procrastinate.JobContext) -> None:
        await super()._process_job(context)
        self._new_job_event.set()


def _with_attempts(task: Task) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, message_id: int) -> None:
        await task(message_id, context.job.attempts)

    return run


def schema() -> str:
    """The SQL that makes procrastinate's own tables and functions."""
    return SchemaManager.get_schema()
