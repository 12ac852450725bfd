"""The work queue: four procrastinate tasks, deferred in the transaction that makes them necessary.

``turn`` takes one customer message, with the conversation as its lock: in order within a conversation,
parallel across conversations. ``deliver`` sends one message, with the contact as its lock. ``fetch`` gets what a
customer attached, ``erase`` deletes from a platform what held a secret. A task that fails is tried again with growing
pauses, and blocks only its own lock meanwhile.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import procrastinate
import psycopg
from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncConnection as Transaction

from bot.queue import session
from bot.queue.job_lease import JobLease, JobLeaseLost, Task, TryAgain
from bot.queue.rescue import Rescue
from bot.queue.statements import HURRY, OF_NOBODY
from bot.queue.worker import LEASE, STALLED_AFTER, TURN, Retry, Slot, Worker

__all__ = [
    "DELIVER",
    "ERASE",
    "FETCH",
    "STALLED_AFTER",
    "TURN",
    "JobLease",
    "JobLeaseLost",
    "Queue",
    "Task",
    "TryAgain",
    "WorkerEnded",
    "delivery_priority",
    "schema",
]

_NAME = re.compile(r"%\((\w+)\)s")
DELIVER = "deliver"
FETCH = "fetch"
ERASE = "erase"

_URGENT = 2


class Queue:
    def __init__(self, conninfo: str) -> None:
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=2,
            max_size=12,
            open=False,
            configure=_autocommit,
            kwargs={"options": session.options(conninfo)},
        )
        self._worker: Worker | None = None
        self._rescue = Rescue(self._app)

    async def open(self) -> None:
        await self._pool.open(wait=True)
        await self._app.open_async(self._pool)

    async def close(self) -> None:
        await self._app.close_async()
        await self._pool.close()

    @property
    def is_open(self) -> bool:
        return not self._pool.closed

    async def at_once(self, *statements: tuple[str, Mapping[str, Any]]) -> Any:
        """One transaction of ``statements`` that go out together; the first row of the last one, or None. Their values
        are named ``%(name)s``, as everywhere."""
        async with self._pool.connection() as connection:
            try:
                # Without a commit of its own: what a pipeline holds is one transaction.
                async with connection.pipeline():
                    for statement, values in statements:
                        numbered, names = _numbered(statement)
                        cursor = AsyncRawCursor(connection)
                        await cursor.execute(numbered, [values[name] for name in names])
                row = await cursor.fetchone()
                return None if row is None else _row_of(statement, cursor)._make(row)
            except psycopg.OperationalError:
                # The database was restarted: all the other connections are as dead.
                await self._pool.check()
                raise

    async def within(self, connection: Transaction, statement: str, values: Mapping[str, Any]) -> Any:
        """One statement in the caller's transaction: its first row, or None. Its jobs are left to whoever fetches them,
        and none is ended."""
        return (await connection.exec_driver_sql(statement, {**values, **OF_NOBODY})).first()

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
        lock, priority = f"contact:{contact_id}", delivery_priority(urgent=urgent)
        if urgent:
            await connection.exec_driver_sql(HURRY.format(lock="%(lock)s"), {"lock": lock, "priority": priority})
        await self._defer(connection, DELIVER, message_id, lock=lock, priority=priority)

    async def defer_fetch(self, connection: Transaction, message_id: int) -> None:
        """Like ``defer_turn``, and after both others: the words come first."""
        await self._defer(connection, FETCH, message_id, lock=f"files:{message_id}", priority=-1)

    async def defer_erasure(self, connection: Transaction, message_id: int) -> None:
        """Like ``defer_fetch``, and before it."""
        await self._defer(connection, ERASE, message_id, lock=f"erasure:{message_id}", priority=0)

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
        erase: Task | None = None,
        limited: Callable[[str, Task], Task] = lambda _, task: task,
    ) -> None:
        """Names what the tasks do; before ``run``, once. Without ``erase`` platforms keep what they have. ``limited``
        gives up, in a task's place, what always fails."""
        for name, task in ((TURN, turn), (DELIVER, deliver), (FETCH, fetch), (ERASE, erase or _nothing)):
            self._app.task(name=name, retry=Retry(), pass_context=True)(_in_context(limited(name, task)))

    async def run(self) -> None:
        """Works until cancelled; jobs under way then get five seconds, and come again after a restart."""
        self._worker = Worker(self._app)
        try:
            await self._worker.run()  # type: ignore[no-untyped-call]
        finally:
            self._worker = None
        # It ends in good order, too, when one of its parts failed, such as a heartbeat without a database.
        raise WorkerEnded

    async def rescue_stalled(self) -> int:
        """Hands the jobs of dead workers back to the queue. Returns how many."""
        return await self._rescue.requeue_from_dead_workers()

    async def rescue_lost(self) -> int:
        """Hands back what the database says is under way here, and is not: the news that a job is this worker's was
        lost, or its end could not be written. Returns how many."""
        return 0 if self._worker is None else await self._rescue.requeue_unknown_to(self._worker)

    async def catch_up_with_clock(self) -> int:
        """Has done now what was put off until a moment of a clock that has been set back since. Returns how many."""
        return await self._rescue.requeue_after_clock_change()


def delivery_priority(*, urgent: bool = False) -> int:
    return _URGENT if urgent else 1


class WorkerEnded(Exception):
    """The queue's worker has stopped by itself and must be started again."""


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """With ``$1`` for the first name, and so on, as PostgreSQL has it: once for each statement. Psycopg does it anew
    each time where a statement has more than 4096 characters, which costs 0.4 ms."""
    names: dict[str, int] = {}

    def number(name: re.Match[str]) -> str:
        return f"${names.setdefault(name[1], len(names) + 1)}"

    return _NAME.sub(number, statement).encode(), tuple(names)


_ROWS: dict[str, Any] = {}


def _row_of(statement: str, cursor: AsyncRawCursor[Any]) -> Any:
    """The kind of row that the statement gives: the same each time, and there may be fifty columns."""
    if statement not in _ROWS:
        assert cursor.description is not None
        _ROWS[statement] = namedtuple("Row", [column.name for column in cursor.description])
    return _ROWS[statement]


async def _autocommit(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


async def _nothing(_: int, __: JobLease) -> None:
    """There is nothing to be done."""


def _in_context(task: Task) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, message_id: int, **_: object) -> None:
        await task(message_id, context.additional_context[LEASE])

    return run


def schema() -> str:
    """The SQL that makes procrastinate's own tables and functions."""
    return SchemaManager.get_schema()
