"""The work queue: three procrastinate tasks, deferred in the transaction that makes them necessary.

``turn`` takes one customer message, with the conversation as its lock: in order within a conversation,
parallel across conversations. ``deliver`` sends one message, with the contact as its lock. ``fetch`` gets what a
customer attached. A task that fails is tried again with growing pauses, and blocks only its own lock meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import procrastinate
import structlog
from procrastinate.job_context import JobResult
from procrastinate.jobs import Job, Status
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import ticks

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0
STALLED_AFTER = 10.0
"""Seconds without a heartbeat until a worker counts as dead and its jobs are taken over."""
STILL_FOR = 2.5
"""Seconds by our clock that a heartbeat must not change which is late by the database's: who is alive gives another."""
TRUSTED = 3.0
"""Seconds after which a worker no longer takes for granted that a job is its own."""

POLL = 0.5
"""Seconds between looks for jobs that are due again; new ones are announced."""
CONCURRENCY = 30
MAX_PAUSE = timedelta(minutes=5)

TURN = "turn"
DELIVER = "deliver"
FETCH = "fetch"


class TryAgain(Exception):
    """Raised by a task that must be run again; not an error of the desk."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"again at {at:%H:%M:%S}")
        self.at = at


class _Retry(procrastinate.BaseRetryStrategy):
    """Where the task says (``TryAgain``), else after 1, 2, 4 … seconds, without end: work is never dropped
    by the queue. What gives up, and says so to somebody, is the task itself (bot/tries.py)."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        if isinstance(exception, TryAgain):
            return procrastinate.RetryDecision(retry_at=exception.at)
        pause = min(timedelta(seconds=2 ** min(job.attempts, 10)), MAX_PAUSE)
        return procrastinate.RetryDecision(retry_at=datetime.now(UTC) + pause)


Task = Callable[[int, int], Awaitable[None]]
"""Takes a message id and how often the job was tried before."""
Confirm = Callable[[], Awaitable[None]]
"""Raises ``ClaimLost`` unless the job is still this worker's."""
ClaimedTask = Callable[[int, int, Confirm], Awaitable[None]]
"""The same for what two must never do at once: it confirms before every step that others see."""

_URGENT = 2
_HURRY = text("""
    UPDATE procrastinate_jobs SET priority = :priority
    WHERE lock = :lock AND status IN ('todo', 'doing') AND priority < :priority
""")
"""Also of one lock's jobs the one of the highest priority comes first: those before an urgent one must be as urgent,
and the one that is under way, too, for it may have to be tried again."""

_CLAIM = "claim"
_OURS = """
    SELECT 1 AS ours FROM procrastinate_jobs WHERE id = %(id)s AND status = 'doing' AND attempts = %(attempts)s
"""
_RESCUE = """
    UPDATE procrastinate_jobs job
    SET status = 'todo', attempts = job.attempts + 1, scheduled_at = now(), worker_id = NULL
    WHERE job.status = 'doing' AND (
        NOT EXISTS (SELECT 1 FROM procrastinate_workers worker WHERE worker.id = job.worker_id)
        OR EXISTS (
            SELECT 1 FROM procrastinate_workers worker
            JOIN unnest(%(dead)s::bigint[], %(beats)s::timestamptz[]) dead (id, beat)
            ON dead.id = worker.id AND dead.beat = worker.last_heartbeat
            WHERE worker.id = job.worker_id
        )
    )
    RETURNING job.id, job.task_name
"""
_HEARTBEATS = """
    SELECT id, last_heartbeat, abs(extract(epoch FROM now() - last_heartbeat)) > %(seconds)s AS late
    FROM procrastinate_workers
"""
_OF_ANOTHER_TIME = """
    UPDATE procrastinate_jobs job SET scheduled_at = now()
    WHERE job.status = 'todo' AND job.scheduled_at > now() + interval '5 seconds' AND (
        SELECT event.at FROM procrastinate_events event
        -- That one tells what it was put off until.
        WHERE event.job_id = job.id AND event.type <> 'scheduled' ORDER BY event.id DESC LIMIT 1
    ) > now() + interval '5 seconds'
    RETURNING job.id
"""


class ClaimLost(Exception):
    """The worker was taken for dead, and another has the job."""


class _Claim:
    """A job as this worker has it. ``attempts`` grows when a job is handed on, so it tells terms apart."""

    def __init__(self, app: procrastinate.App, job: Job) -> None:
        self._app = app
        self._job = job
        self._confirmed_at = ticks.seconds()

    async def confirm(self) -> None:
        """Asks nobody as long as nobody can have taken the worker for dead."""
        asked = ticks.seconds()
        if asked - self._confirmed_at < TRUSTED:
            return
        if not await self._app.connector.execute_query_all_async(_OURS, id=self._job.id, attempts=self._job.attempts):
            raise ClaimLost(f"another worker has job {self._job.id}")
        self._confirmed_at = asked


class Queue:
    def __init__(self, conninfo: str) -> None:
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=2, max_size=8)
        )
        self._beats: dict[int, tuple[datetime, float]] = {}
        """The last heartbeat of each worker, and since when it has been that."""

    async def open(self) -> None:
        await self._app.open_async()

    async def close(self) -> None:
        await self._app.close_async()

    async def defer_turn(self, connection: AsyncConnection, message_id: int, conversation_id: int) -> None:
        """Defers within the caller's transaction: no commit, no job."""
        await self._defer(connection, TURN, message_id, lock=f"conversation:{conversation_id}", priority=0)

    async def defer_delivery(
        self, connection: AsyncConnection, message_id: int, contact_id: int, *, urgent: bool = False
    ) -> None:
        """Like ``defer_turn``. Served before turns: what is written reaches its customer first.

        ``urgent`` deliveries are served before all others, however many wait, and never before an earlier one to the
        same contact: that becomes urgent with it."""
        lock = f"contact:{contact_id}"
        if urgent:
            await connection.execute(_HURRY, {"lock": lock, "priority": _URGENT})
        await self._defer(connection, DELIVER, message_id, lock=lock, priority=_URGENT if urgent else 1)

    async def defer_fetch(self, connection: AsyncConnection, message_id: int) -> None:
        """Like ``defer_turn``, and after both others: the words come first."""
        await self._defer(connection, FETCH, message_id, lock=f"files:{message_id}", priority=-1)

    async def _defer(
        self, connection: AsyncConnection, task: str, message_id: int, *, lock: str, priority: int
    ) -> None:
        raw = await connection.get_raw_connection()
        await self._app.configure_task(
            task, lock=lock, priority=priority, connection=raw.driver_connection
        ).defer_async(message_id=message_id)

    def serve(
        self,
        *,
        turn: Task,
        deliver: ClaimedTask,
        fetch: Task,
        counted: Callable[[str, ClaimedTask], ClaimedTask] = lambda _, task: task,
    ) -> None:
        """Names what the tasks do; before ``run``, once. ``counted`` gives up, in a task's place, what always fails."""
        for name, task in ((TURN, _unclaimed(turn)), (DELIVER, deliver), (FETCH, _unclaimed(fetch))):
            self._app.task(name=name, retry=_Retry(), pass_context=True)(_in_context(counted(name, task)))

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
        """Hands the jobs of dead workers back to the queue. Returns how many.

        In one statement: looked up first and then handed back, a job that another replica has rescued and begun
        meanwhile would be taken from it. And by two clocks: the database's may be set, and then all are late at once,
        or a dead one is not for an hour."""
        execute = self._app.connector.execute_query_all_async
        now, known, self._beats = ticks.seconds(), self._beats, {}
        dead = []
        for worker in await execute(_HEARTBEATS, seconds=STALLED_AFTER):
            beat = worker["last_heartbeat"]
            before, since = known.get(worker["id"], (beat, now))
            since = since if before == beat else now
            self._beats[worker["id"]] = beat, since
            if now - since >= (STILL_FOR if worker["late"] else STALLED_AFTER):
                dead.append((worker["id"], beat))
        jobs = await execute(_RESCUE, dead=[worker_id for worker_id, _ in dead], beats=[beat for _, beat in dead])
        for job in jobs:
            log.warning("job of a dead worker is taken over", action="rescue", task=job["task_name"], job=job["id"])
        return len(jobs)

    async def catch_up_with_clock(self) -> int:
        """Has done now what was put off until a moment of a clock that has been set back since. Returns how many."""
        jobs = await self._app.connector.execute_query_all_async(_OF_ANOTHER_TIME)
        if jobs:
            log.warning("the clock was set back; what waited is due now", action="clock_set_back", jobs=len(jobs))
        return len(jobs)


class _Worker(Worker):
    """Procrastinate's, but for two things.

    It looks for work when a job ends, too: a job whose lock was held when it was inserted would wait for the next
    poll, and a customer's second message with it. And it ends only jobs that are its own: after it was frozen, and
    replaced, it would otherwise end the job under its successor's hands, and let the next one of that lock begin.
    """

    async def _process_job(self, context: procrastinate.JobContext) -> None:
        context.additional_context[_CLAIM] = _Claim(self.app, context.job)
        await super()._process_job(context)
        self._new_job_event.set()

    async def _persist_job_status(
        self,
        job: Job,
        status: Status,
        retry_decision: procrastinate.RetryDecision | None,
        context: procrastinate.JobContext,
        job_result: JobResult | None,
    ) -> None:
        try:
            await context.additional_context[_CLAIM].confirm()
        except ClaimLost as lost:
            log.warning("a job was taken over", action="claim_lost", error=str(lost))
            return
        await super()._persist_job_status(job, status, retry_decision, context, job_result)


def _unclaimed(task: Task) -> ClaimedTask:
    """Work that may well be done twice: the store lets it count once."""

    async def run(message_id: int, attempts: int, _: Confirm) -> None:
        await task(message_id, attempts)

    return run


def _in_context(task: ClaimedTask) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, message_id: int) -> None:
        await task(message_id, context.job.attempts, context.additional_context[_CLAIM].confirm)

    return run


def schema() -> str:
    """The SQL that makes procrastinate's own tables and functions."""
    return SchemaManager.get_schema()
