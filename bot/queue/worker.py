"""The worker: procrastinate's, which takes jobs at their birth and ends only what is its own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from math import inf
from time import time

import procrastinate
import structlog
from procrastinate.job_context import JobResult
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker as ProcrastinatesWorker

from bot import monotonic
from bot.queue.job_lease import JobLease, JobLeaseLost, TryAgain
from bot.queue.statements import BEAT, IS_OURS

log = structlog.get_logger(__name__)

HEARTBEAT = 1.5
STALLED_AFTER = 6.0
"""Seconds without a heartbeat until a worker counts as dead and its jobs are taken over."""
TRUSTED = 3.0
"""Seconds after its last sign of life for which a worker takes for granted that its jobs are its own."""
FORGOTTEN_AFTER = 60.0
"""Seconds without a heartbeat until a worker's row is deleted; its jobs were taken over long before (rescue.py)."""
POLL = 0.5
"""Seconds between looks for jobs that are due again; new ones are announced."""
NEWS_WITHIN = 2.0
"""Seconds in which a transaction that makes a job tells of it, or it may be this worker's no more."""
LOST_AFTER = 3.0
"""Seconds, more than ``NEWS_WITHIN``, after which a job that is the worker's by the database, and that it knows nothing
of, is handed back."""
CONCURRENCY = 30
PRE_CLAIMED_AT_MOST = 300
"""Jobs that a worker takes at their birth and has not done yet; more wait in the database and need no memory."""
MAX_PAUSE = timedelta(minutes=5)

TURN = "turn"
LEASE = "lease"
"""The name under which a job's context holds the worker's lease of it."""


class Retry(procrastinate.BaseRetryStrategy):
    """Where the task says (``TryAgain``), else after 1, 2, 4 … seconds, without end: work is never dropped
    by the queue. What gives up, and says so to somebody, is the task itself (bot/pipeline/dead_letters.py)."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        if isinstance(exception, TryAgain):
            return procrastinate.RetryDecision(retry_at=exception.at)
        pause = min(timedelta(seconds=2 ** min(job.attempts, 10)), MAX_PAUSE)
        return procrastinate.RetryDecision(retry_at=datetime.now(UTC) + pause)


class WorkersJobLease(JobLease):
    def __init__(self, worker: Worker, job: Job, term: int | None, known: object = None) -> None:
        """``term``: the worker's, in which the job was known to be its own; None: not known."""
        # Counted by rescue.py.
        super().__init__(job.attempts, known, int(str(job.task_kwargs.get("interrupted", 0))))
        self._worker = worker
        self._term = term
        self.job_id = job.id
        self.over = False
        self.others_wait = True

    async def confirm(self) -> None:
        """Asks nobody as long as nobody can have taken the worker for dead since the job was known to be its own."""
        if not self._worker.surely_alive or self._worker.term != self._term:
            await self.ask()

    async def ask(self) -> None:
        # A sign of life first: what is the worker's after it stays so for the next seconds.
        await self._worker.beat()
        execute = self._worker.app.connector.execute_query_all_async
        if not await execute(IS_OURS, id=self.job_id, attempts=self.attempts):
            raise JobLeaseLost(f"another worker has job {self.job_id}")
        self._term = self._worker.term

    def ended(self, *, others_wait: bool) -> None:
        self.over, self.others_wait = True, others_wait


class Slot:
    """Room for one job in this worker, taken before the transaction that makes the job."""

    def __init__(self, worker: Worker | None) -> None:
        self._worker = worker
        self._term = 0 if worker is None else worker.term
        self._taken_at = monotonic.seconds()

    @property
    def worker_id(self) -> int | None:
        """None: there is no room, and the job is left to whoever fetches it."""
        return None if self._worker is None else self._worker.worker_id

    def begin(self, job_id: int, task: str, message_id: int, known: object) -> None:
        """The transaction is committed, and the job is this worker's: unless the news took long to come, and the job
        was handed back as one that nobody is at."""
        assert self._worker is not None
        is_news = monotonic.seconds() - self._taken_at < NEWS_WITHIN
        self._worker.begin(job_id, task, message_id, self._term if is_news else None, known)
        self._worker = None

    def release(self) -> None:
        if self._worker is not None:
            self._worker.leave_slot()


class Worker(ProcrastinatesWorker):
    """Procrastinate's, but for three things.

    It takes jobs at their birth: the transaction that makes a job gives it to this worker if there is room, so nobody
    need be told of it, nor look for it. It looks for work when a job ends, too: a job whose lock was held when it was
    inserted would wait for the next poll, and a customer's second message with it. And it ends only jobs that are its
    own: after it was frozen, and replaced, it would otherwise end the job under its successor's hands, and let the next
    one of that lock begin.
    """

    _alive_at = -inf
    """When the last sign of life that was heard was given."""
    term = 0
    """Grows with every sign of life that came late: others may have taken the worker for dead before it, and the jobs
    that it had then."""
    _slots_taken = 0

    def __init__(self, app: procrastinate.App) -> None:
        super().__init__(
            app,
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=POLL,
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=FORGOTTEN_AFTER,
            shutdown_graceful_timeout=5,
        )
        self._turns = asyncio.Semaphore(self.concurrency)
        """Beside the jobs that were fetched, which have as much room of their own: neither waits behind the other."""

    @property
    def surely_alive(self) -> bool:
        return monotonic.seconds() - self._alive_at < TRUSTED

    @property
    def job_ids(self) -> set[int]:
        return {context.job.id for context in self._running_jobs.values() if context.job.id is not None}

    def took_slot(self) -> bool:
        if self.worker_id is None or self._stop_event.is_set() or self._slots_taken >= PRE_CLAIMED_AT_MOST:
            return False
        self._slots_taken += 1
        return True

    def leave_slot(self) -> None:
        self._slots_taken -= 1

    def begin(self, job_id: int, task: str, message_id: int, term: int | None, known: object) -> None:
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
            additional_context={LEASE: WorkersJobLease(self, job, term, known)},
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
        """A sign of life. Raises ``JobLeaseLost`` if the worker was struck off the list meanwhile."""
        asked = monotonic.seconds()
        if not await self.app.connector.execute_query_all_async(BEAT, worker=self.worker_id):
            raise JobLeaseLost("this worker was taken for dead")
        if monotonic.seconds() - self._alive_at > TRUSTED:
            self.term += 1
        self._alive_at = asked

    async def _update_heartbeat(self) -> None:
        while True:
            try:
                await self.beat()
            except JobLeaseLost:
                self.stop()  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(self.update_heartbeat_interval)

    async def _process_job(self, context: procrastinate.JobContext) -> None:
        lease = context.additional_context.get(LEASE)
        if lease is None:
            lease = context.additional_context[LEASE] = WorkersJobLease(self, context.job, None)
        await super()._process_job(context)
        if lease.others_wait:
            self._new_job_event.set()

    async def _persist_job_status(
        self,
        job: Job,
        status: Status,
        retry_decision: procrastinate.RetryDecision | None,
        context: procrastinate.JobContext,
        job_result: JobResult | None,
    ) -> None:
        lease = context.additional_context[LEASE]
        if lease.over:
            return
        try:
            # Who failed may have ended the job all the same, and lost the news of it.
            await (lease.confirm() if status is Status.SUCCEEDED else lease.ask())
        except JobLeaseLost as lost:
            log.warning("a job was taken over", action="claim_lost", error=str(lost))
            return
        await super()._persist_job_status(job, status, retry_decision, context, job_result)
