"""The work queue: three procrastinate tasks, deferred in the transaction that makes them necessary.

``turn`` takes one customer message, with the conversation as its lock: in order within a conversation,
parallel across conversations. ``deliver`` sends one message, with the contact as its lock. ``fetch`` gets what a
customer attached. A task that fails is tried again with growing pauses, and blocks only its own lock meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import inf
from time import time
from typing import Any, LiteralString

import procrastinate
import psycopg
import structlog
from procrastinate.job_context import JobResult
from procrastinate.jobs import Job, Status
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection as Transaction

from bot import ticks

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0
STALLED_AFTER = 10.0
"""Seconds without a heartbeat until a worker counts as dead and its jobs are taken over."""
TRUSTED = 5.0
"""Seconds after its last sign of life for which a worker takes for granted that its jobs are its own."""
STILL_FOR = 6.0
"""Seconds by our clock that a heartbeat must not change which is late by the database's: more than ``TRUSTED``."""

ANSWER_WITHIN = 60
"""Seconds for one statement."""
POLL = 0.5
"""Seconds between looks for jobs that are due again; new ones are announced."""
CONCURRENCY = 30
BORN_AT_MOST = 300
"""Jobs that a worker takes at their birth and has not done yet; more wait in the database and need no memory."""
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


class ClaimLost(Exception):
    """The worker was taken for dead, and another has the job."""


class Claim:
    """A job as its worker has it; this one is for work that is not of a queue: always held, and nothing to end."""

    job_id: int | None = None

    def __init__(self, attempts: int = 0, known: object = None) -> None:
        self.attempts = attempts
        """How often the job was tried before; grows as well when a job is handed on, so it tells terms apart."""
        self.failures = attempts
        """How often its work failed by its own fault, where somebody counts that (bot/tries.py)."""
        self.known = known
        """What the transaction that made the job knows of its message, for who need not read it again."""

    async def confirm(self) -> None:
        """Raises ``ClaimLost`` unless the job is still this worker's: before every step that others see."""

    def ended(self, *, others_wait: bool) -> None:
        """The job was ended by a transaction of the task's own, which is committed. ``others_wait`` for its lock."""


Task = Callable[[int, Claim], Awaitable[None]]
"""Takes a message id."""

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
_BEAT = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s RETURNING id"
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
_MINE = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s"
_GIVE_BACK = """
    UPDATE procrastinate_jobs
    SET status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = NULL
    WHERE status = 'doing' AND worker_id = %(worker)s AND id = ANY(%(ids)s)
    RETURNING id
"""

BORN = """
    worker AS (
        SELECT id FROM procrastinate_workers
        -- Whoever was silent for long may be taken for dead, and the job from it.
        WHERE id = %(worker)s AND last_heartbeat > now() - interval '5 seconds'
    ), claimed AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args, status, worker_id)
        SELECT 'default', {task}, {priority}, {lock}, jsonb_build_object('message_id', {made}.id), 'doing', worker.id
        FROM {made}, worker
        WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE lock = {lock} AND status IN ('todo', 'doing') OFFSET 0)
        ON CONFLICT DO NOTHING
        RETURNING id
    ), deferred AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args)
        SELECT 'default', {task}, {priority}, {lock}, jsonb_build_object('message_id', {made}.id)
        FROM {made} WHERE NOT EXISTS (SELECT FROM claimed)
    )
"""
"""Part of a statement: the job of the message in ``made``, under way in this worker from its birth if it has room and
nothing waits under that lock; else it waits like any other. A statement sees what was committed before it began: where
jobs of one lock are made side by side, another statement must take the row that orders them first. ``OFFSET 0`` has
that lock looked up; without it PostgreSQL may read all that waits, and join."""
ENDED = "DELETE FROM procrastinate_jobs WHERE id = %(job)s AND attempts = %(attempts)s AND status = 'doing'"
"""Ends a job in the transaction that its work is recorded in."""
OTHERS_WAIT = "EXISTS (SELECT FROM procrastinate_jobs WHERE lock = {lock} AND status = 'todo')"


class _WorkersClaim(Claim):
    def __init__(self, worker: _Worker, job: Job, known: object = None) -> None:
        super().__init__(job.attempts, known)
        self._worker = worker
        self.job_id = job.id
        self.over = False
        self.others_wait = True

    async def confirm(self) -> None:
        """Asks nobody as long as nobody can have taken the worker for dead."""
        if not self._worker.surely_alive:
            await self.ask()

    async def ask(self) -> None:
        # A sign of life first: what is the worker's after it stays so for the next seconds.
        await self._worker.beat()
        execute = self._worker.app.connector.execute_query_all_async
        if not await execute(_OURS, id=self.job_id, attempts=self.attempts):
            raise ClaimLost(f"another worker has job {self.job_id}")

    def ended(self, *, others_wait: bool) -> None:
        self.over, self.others_wait = True, others_wait


class Slot:
    """Room for one job in this worker, taken before the transaction that makes the job."""

    def __init__(self, worker: _Worker | None) -> None:
        self._worker = worker

    @property
    def worker_id(self) -> int | None:
        """None: there is no room, and the job is left to whoever fetches it."""
        return None if self._worker is None else self._worker.worker_id

    def begin(self, job_id: int, task: str, message_id: int, known: object) -> None:
        """The transaction is committed, and the job is this worker's."""
        assert self._worker is not None
        self._worker.begin(job_id, task, message_id, known)
        self._worker = None

    def release(self) -> None:
        if self._worker is not None:
            self._worker.leave_slot()


class Queue:
    def __init__(self, conninfo: str) -> None:
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=2,
            max_size=12,
            open=False,
            configure=_autocommit,
            kwargs={"options": f"-c statement_timeout={ANSWER_WITHIN}s"},
        )
        self._worker: _Worker | None = None
        self._unknown: set[int] = set()
        """Jobs that are this worker's by the database, and that it knew nothing of at the last look."""
        self._beats: dict[int, tuple[datetime, float]] = {}
        """The last heartbeat of each worker, and since when it has been that."""

    async def open(self) -> None:
        await self._pool.open(wait=True)
        await self._app.open_async(self._pool)

    async def close(self) -> None:
        await self._app.close_async()
        await self._pool.close()

    @property
    def is_open(self) -> bool:
        return not self._pool.closed

    async def at_once(self, *statements: tuple[LiteralString, Mapping[str, Any]]) -> dict[str, Any] | None:
        """One transaction of ``statements`` that go out together; the first row of the last one."""
        async with self._pool.connection() as connection:
            try:
                # Without a commit of its own: what a pipeline holds is one transaction.
                async with connection.pipeline():
                    for statement, values in statements:
                        cursor = await connection.cursor(row_factory=dict_row).execute(statement, values)
                return await cursor.fetchone()
            except psycopg.OperationalError:
                # The database was restarted: all the other connections are as dead.
                await self._pool.check()
                raise

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Room for one job in this process, if there is any. Given back at the end unless the job has begun."""
        worker = self._worker
        slot = Slot(worker if worker is not None and worker.took_slot() else None)
        try:
            yield slot
        finally:
            slot.release()

    async def defer_turn(self, connection: Transaction, message_id: int, conversation_id: int) -> None:
        """Defers within the caller's transaction: no commit, no job."""
        await self._defer(connection, TURN, message_id, lock=f"conversation:{conversation_id}", priority=0)

    async def defer_delivery(
        self, connection: Transaction, message_id: int, contact_id: int, *, urgent: bool = False
    ) -> None:
        """Like ``defer_turn``. Served before turns: what is written reaches its customer first.

        ``urgent`` deliveries are served before all others, however many wait, and never before an earlier one to the
        same contact: that becomes urgent with it."""
        lock = f"contact:{contact_id}"
        if urgent:
            await connection.execute(_HURRY, {"lock": lock, "priority": _URGENT})
        await self._defer(connection, DELIVER, message_id, lock=lock, priority=_URGENT if urgent else 1)

    async def defer_fetch(self, connection: Transaction, message_id: int) -> None:
        """Like ``defer_turn``, and after both others: the words come first."""
        await self._defer(connection, FETCH, message_id, lock=f"files:{message_id}", priority=-1)

    async def _defer(self, connection: Transaction, task: str, message_id: int, *, lock: str, priority: int) -> None:
        raw = await connection.get_raw_connection()
        await self._app.configure_task(
            task, lock=lock, priority=priority, connection=raw.driver_connection
        ).defer_async(message_id=message_id)

    def serve(
        self,
        *,
        turn: Task,
        deliver: Task,
        fetch: Task,
        counted: Callable[[str, Task], Task] = lambda _, task: task,
    ) -> None:
        """Names what the tasks do; before ``run``, once. ``counted`` gives up, in a task's place, what always fails."""
        for name, task in ((TURN, turn), (DELIVER, deliver), (FETCH, fetch)):
            self._app.task(name=name, retry=_Retry(), pass_context=True)(_in_context(counted(name, task)))

    async def run(self) -> None:
        """Works until cancelled; jobs under way then get five seconds, and come again after a restart."""
        self._worker = _Worker(
            self._app,
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=POLL,
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=STALLED_AFTER,
            shutdown_graceful_timeout=5,
        )
        try:
            await self._worker.run()  # type: ignore[no-untyped-call]
        finally:
            self._worker = None
        # It ends in good order, too, when one of its parts failed, such as a heartbeat without a database.
        raise WorkerEnded

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

    async def rescue_lost(self) -> int:
        """Hands back what the database says is under way here, and is not: the claim of a job was committed and its
        news lost, or its end could not be written. Returns how many. Known at two looks in a row, some seconds apart:
        what begins just now is not touched."""
        worker = self._worker
        if worker is None or worker.worker_id is None:
            return 0
        mine = await self._app.connector.execute_query_all_async(_MINE, worker=worker.worker_id)
        unknown = {job["id"] for job in mine} - worker.job_ids
        lost, self._unknown = unknown & self._unknown, unknown
        if not lost:
            return 0
        given = await self._app.connector.execute_query_all_async(_GIVE_BACK, worker=worker.worker_id, ids=sorted(lost))
        log.warning("jobs that nobody was at are begun again", action="rescue_lost", jobs=[job["id"] for job in given])
        return len(given)


class WorkerEnded(Exception):
    """The queue's worker has stopped by itself and must be started again."""


class _Worker(Worker):
    """Procrastinate's, but for three things.

    It takes jobs at their birth: the transaction that makes a job gives it to this worker if there is room, so nobody
    need be told of it, nor look for it. It looks for work when a job ends, too: a job whose lock was held when it was
    inserted would wait for the next poll, and a customer's second message with it. And it ends only jobs that are its
    own: after it was frozen, and replaced, it would otherwise end the job under its successor's hands, and let the next
    one of that lock begin.
    """

    _alive_at = -inf
    """When the last sign of life that was heard was given."""
    _slots_taken = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns = asyncio.Semaphore(self.concurrency)
        """Beside the jobs that were fetched, which have as much room of their own: neither waits behind the other."""

    @property
    def surely_alive(self) -> bool:
        return ticks.seconds() - self._alive_at < TRUSTED

    @property
    def job_ids(self) -> set[int]:
        return {context.job.id for context in self._running_jobs.values() if context.job.id is not None}

    def took_slot(self) -> bool:
        if self.worker_id is None or self._stop_event.is_set() or self._slots_taken >= BORN_AT_MOST:
            return False
        self._slots_taken += 1
        return True

    def leave_slot(self) -> None:
        self._slots_taken -= 1

    def begin(self, job_id: int, task: str, message_id: int, known: object) -> None:
        """Works on a job that is this worker's already, in a slot that was taken for it."""
        if self._stop_event.is_set():
            self.leave_slot()  # as with any that a worker leaves behind, others take it over
            return
        job = Job(
            id=job_id,
            status=Status.DOING.value,
            queue="default",
            lock=None,
            queueing_lock=None,
            task_name=task,
            task_kwargs={"message_id": message_id},
            worker_id=self.worker_id,
        )
        context = procrastinate.JobContext(
            app=self.app,
            worker_name=self.worker_name,
            job=job,
            additional_context={_CLAIM: _WorkersClaim(self, job, known)},
            abort_reason=lambda: self._job_ids_to_abort.get(job_id),
            start_timestamp=time(),
        )
        # A delivery does not wait: it ends what was begun.
        work = self._process_in_turn(context) if task == TURN else self._process_job(context)
        running = asyncio.create_task(work, name=f"process job {task}[{job_id}]")
        self._running_jobs[running] = context
        running.add_done_callback(self._left)

    async def _process_in_turn(self, context: procrastinate.JobContext) -> None:
        async with self._turns:
            await self._process_job(context)

    def _left(self, running: asyncio.Task[None]) -> None:
        del self._running_jobs[running]
        self.leave_slot()

    async def beat(self) -> None:
        """A sign of life. Raises ``ClaimLost`` if the worker was struck off the list meanwhile."""
        asked = ticks.seconds()
        if not await self.app.connector.execute_query_all_async(_BEAT, worker=self.worker_id):
            raise ClaimLost("this worker was taken for dead")
        self._alive_at = asked

    async def _update_heartbeat(self) -> None:
        while True:
            try:
                await self.beat()
            except ClaimLost:
                self.stop()  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(self.update_heartbeat_interval)

    async def _process_job(self, context: procrastinate.JobContext) -> None:
        claim = context.additional_context.get(_CLAIM)
        if claim is None:
            claim = context.additional_context[_CLAIM] = _WorkersClaim(self, context.job)
        await super()._process_job(context)
        if claim.others_wait:
            self._new_job_event.set()

    async def _persist_job_status(
        self,
        job: Job,
        status: Status,
        retry_decision: procrastinate.RetryDecision | None,
        context: procrastinate.JobContext,
        job_result: JobResult | None,
    ) -> None:
        claim = context.additional_context[_CLAIM]
        if claim.over:
            return
        try:
            # Who failed may have ended the job all the same, and lost the news of it.
            await (claim.confirm() if status is Status.SUCCEEDED else claim.ask())
        except ClaimLost as lost:
            log.warning("a job was taken over", action="claim_lost", error=str(lost))
            return
        await super()._persist_job_status(job, status, retry_decision, context, job_result)


async def _autocommit(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


def _in_context(task: Task) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, message_id: int) -> None:
        await task(message_id, context.additional_context[_CLAIM])

    return run


def schema() -> str:
    """The SQL that makes procrastinate's own tables and functions."""
    return SchemaManager.get_schema()
