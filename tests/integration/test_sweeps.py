"""Sweeps of three replicas, processes of their own, that all sweep one database at the same moments: each thing is done
once."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from bot.domain.message import Incoming, Reply, Sender
from bot.domain.staff import Role
from bot.queue import DELIVER, TURN, Queue, session
from bot.settings import ROOT
from bot.store import Store
from bot.store.database import conninfo, create_engine
from tests.support.console import ASKED
from tests.support.lifecycle import Sql

SWEEPS = ("rescue_stalled", "rescue_lost", "catch_up_with_clock", "defer_forgotten", "forget_expired")
FORGOTTEN_TURNS, FORGOTTEN_DELIVERIES, OF_THE_DEAD, PUT_OFF, LOST = 200, 100, 60, 30, 20


class Replica:
    """One ``tests.support.replica``, and what it has said so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[list[str]] = []
        self.news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said.append(line.decode().split())
            self.news.set()

    def tell(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n".encode())

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self.news.clear()
                await self.news.wait()

    def swept(self, sweep: str) -> list[int]:
        """What the sweep returned each time."""
        return [int(said[2]) for said in self.said if said[:2] == ["swept", sweep] and said[2] != "None"]

    def rounds(self) -> int:
        """How often it has swept everything."""
        counts = Counter(said[1] for said in self.said if said[0] == "swept")
        return min(counts[sweep] for sweep in SWEEPS)

    def took(self, task: str) -> list[int]:
        """The messages that it worked on."""
        return [int(said[1]) for said in self.said if said[0] == task]

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(15):
                await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
            await self._reading


class Replicas:
    def __init__(self, each: list[Replica]) -> None:
        self.each = each

    def tell(self, order: str) -> None:
        for replica in self.each:
            replica.tell(order)

    def sweep(self) -> None:
        """All at the same moment, a little from now."""
        self.tell(f"sweep {time.time() + 0.5}")

    async def rounds(self, more: int) -> None:
        """Returns when each has swept everything so many times more."""
        for replica, wanted in [(replica, replica.rounds() + more) for replica in self.each]:
            await replica.until(lambda replica=replica, wanted=wanted: replica.rounds() >= wanted)

    def swept(self, sweep: str) -> int:
        """What came of the sweep, in all of them."""
        return sum(sum(replica.swept(sweep)) for replica in self.each)

    def took(self, task: str) -> Counter[int]:
        """The messages that were worked on, and how often."""
        return Counter(message_id for replica in self.each for message_id in replica.took(task))


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[Replicas]:
    started = [
        Replica(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.replica", database_url), stdin=PIPE, stdout=PIPE, cwd=ROOT
            )
        )
        for _ in range(3)
    ]
    try:
        for replica in started:
            await replica.until(lambda replica=replica: replica.said[:1] == [["ready"]])
        yield Replicas(started)
    finally:
        for replica in started:
            await replica.end()


class Work:
    """Messages, by what became of their jobs, and how often their turns or deliveries are to be begun: once."""

    def __init__(self, store: Store, sql: Sql) -> None:
        self._store = store
        self._sql = sql
        self._people = 0
        self.turns: set[int] = set()
        self.deliveries: set[int] = set()

    async def _said(self) -> int:
        """A message of a new customer's, whose turn waits."""
        self._people += 1
        name = str(self._people)
        return (await self._store.incoming.record(Incoming("web", "web", "1", Sender(name), name, "hello"))).message_id

    async def _turns(self, count: int) -> list[int]:
        made = [await self._said() for _ in range(count)]
        self.turns.update(made)
        return made

    async def forgotten(self, turns: int, deliveries: int) -> None:
        """Turns and deliveries of an hour ago that have no job."""
        messages = await self._turns(turns)
        for message_id in [await self._said() for _ in range(deliveries)]:
            taken = await self._store.turns.begin(message_id)
            assert taken is not None
            await self._store.turns.finish(taken, ASKED, [Reply("{position}")], language="en")
        self.deliveries = {row[0] for row in self._sql("SELECT message_id FROM delivery")}
        assert len(self.deliveries) == deliveries
        self._sql("UPDATE turn SET created_at = created_at - interval '1 hour' WHERE message_id = ANY(%s)", messages)
        self._sql("UPDATE delivery SET next_attempt_at = next_attempt_at - interval '1 hour'")
        self._sql("DELETE FROM procrastinate_jobs")

    async def requeue_from_dead_workers(self, count: int, *, on_the_list: bool) -> list[int]:
        """Turns that a worker has begun which is silent for a minute, or was struck off the list of workers."""
        messages = await self._turns(count)
        worker = self._sql(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id"
        )[0][0]
        self.given_to(worker, messages)
        if not on_the_list:
            self._sql("DELETE FROM procrastinate_workers WHERE id = %s", worker)
        return messages

    def given_to(self, worker: int, messages: list[int]) -> None:
        self._sql(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s, scheduled_at = NULL"
            " WHERE (args->>'message_id')::bigint = ANY(%s)",
            worker,
            messages,
        )

    async def put_off(self, count: int) -> list[int]:
        """Turns that nobody begins before an hour is over."""
        messages = await self._turns(count)
        self._sql(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'"
            " WHERE (args->>'message_id')::bigint = ANY(%s)",
            messages,
        )
        return messages

    async def put_off_by_another_clock(self, count: int) -> None:
        """As long, and at a time that is still to come."""
        self._sql(
            "INSERT INTO procrastinate_events (job_id, type, at)"
            " SELECT id, 'deferred_for_retry', now() + interval '59 minutes' FROM procrastinate_jobs"
            " WHERE (args->>'message_id')::bigint = ANY(%s)",
            await self.put_off(count),
        )

    def jobs(self, task: str) -> list[tuple[int, str, int]]:
        """Of each message: its number, whether it waits, how often it was tried."""
        return self._sql(
            "SELECT (args->>'message_id')::bigint, status::text, attempts FROM procrastinate_jobs"
            " WHERE task_name = %s ORDER BY 1",
            task,
        )


@pytest.fixture
def work(store: Store, sql: Sql) -> Work:
    return Work(store, sql)


async def test_each_replica_sweeps_all_the_time_and_everything_is_handed_on_once(
    work: Work, replicas: Replicas, store: Store, sql: Sql
) -> None:
    await work.forgotten(FORGOTTEN_TURNS, FORGOTTEN_DELIVERIES)
    dead = await work.requeue_from_dead_workers(OF_THE_DEAD, on_the_list=False)
    dead += await work.requeue_from_dead_workers(OF_THE_DEAD, on_the_list=True)
    await work.put_off_by_another_clock(PUT_OFF)
    mei = await store.agents.add("Mei", Role.ADMIN, None)
    for number in range(10):
        await store.agents.add_session(mei.id, str(number), datetime.now(UTC) + timedelta(hours=number - 5))

    replicas.sweep()
    # The one that is only silent is known to be dead once it has been so for some seconds by their own clocks.
    while replicas.swept("rescue_stalled") < len(dead):
        await replicas.rounds(1)
    await replicas.rounds(2)

    assert work.jobs(DELIVER) == [(message_id, "todo", 0) for message_id in sorted(work.deliveries)]
    assert work.jobs(TURN) == [(message_id, "todo", int(message_id in dead)) for message_id in sorted(work.turns)]
    assert replicas.swept("defer_forgotten") == FORGOTTEN_TURNS + FORGOTTEN_DELIVERIES
    assert replicas.swept("rescue_stalled") == len(dead)
    assert replicas.swept("catch_up_with_clock") == PUT_OFF
    assert sql("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at > now()") == [(0,)]
    assert sql("SELECT count(*) FROM session") == [(4,)]


async def test_while_all_of_them_work_and_sweep_every_turn_is_taken_once(
    work: Work, replicas: Replicas, sql: Sql
) -> None:
    await work.forgotten(FORGOTTEN_TURNS, FORGOTTEN_DELIVERIES)
    dead = await work.requeue_from_dead_workers(OF_THE_DEAD, on_the_list=False)
    await work.put_off_by_another_clock(PUT_OFF)
    lost = [await work.put_off(LOST) for _ in replicas.each]

    replicas.tell("work")
    while len(workers := [row[0] for row in sql("SELECT id FROM procrastinate_workers")]) < len(replicas.each):
        await asyncio.sleep(0.05)
    # What the database says is under way in them, and they have never heard of.
    for worker, messages in zip(workers, lost, strict=True):
        work.given_to(worker, messages)
    replicas.sweep()
    async with asyncio.timeout(60):
        # What was forgotten has no job before a sweep finds it.
        while (
            work.jobs(TURN)
            or work.jobs(DELIVER)
            or len(replicas.took(TURN)) < len(work.turns)
            or len(replicas.took(DELIVER)) < len(work.deliveries)
        ):
            await asyncio.sleep(0.05)
    await replicas.rounds(2)

    assert replicas.took(TURN) == dict.fromkeys(work.turns, 1)
    assert replicas.took(DELIVER) == dict.fromkeys(work.deliveries, 1)
    assert all(replica.took(TURN) for replica in replicas.each), "nobody was idle"
    assert replicas.swept("defer_forgotten") == FORGOTTEN_TURNS + FORGOTTEN_DELIVERIES
    assert replicas.swept("rescue_stalled") == len(dead)
    assert replicas.swept("rescue_lost") == sum(map(len, lost))
    assert sql("SELECT count(*) FROM turn WHERE NOT done") == [(0,)]
    assert sql("SELECT count(*) FROM delivery WHERE state <> 'sent'") == [(0,)]


async def test_one_that_freezes_in_the_middle_of_its_sweep_holds_up_the_others_for_a_while_only(
    work: Work, store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE_WITHIN", 1)
    await work.forgotten(3, 0)
    reached, thawed = asyncio.Event(), asyncio.Event()

    async def freezes(*_: object) -> None:
        reached.set()
        await thawed.wait()

    queue = Queue(conninfo(database_url))
    monkeypatch.setattr(queue, "defer_turn", freezes)
    frozen = Store(create_engine(database_url), queue)
    sweeping = asyncio.create_task(frozen.deliveries.defer_forgotten())
    await asyncio.wait_for(reached.wait(), 10)
    assert await store.deliveries.defer_forgotten() == 0
    async with asyncio.timeout(10):
        while not await store.deliveries.defer_forgotten():
            await asyncio.sleep(0.05)
    thawed.set()
    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        await sweeping
    assert work.jobs(TURN) == [(message_id, "todo", 0) for message_id in sorted(work.turns)]
    await frozen.close()
