"""The queue on a real PostgreSQL, where workers die, and where they are only taken for dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bot import monotonic
from bot.queue import JobLease, JobLeaseLost, Queue, TryAgain
from bot.queue import rescue as rescue_module
from bot.queue import worker as worker_module
from bot.store.database import conninfo, create_engine
from tests.support.waiting import until

Jobs = Callable[..., Any]


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[Jobs]:
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:

        async def execute(query: str) -> list[Any]:
            cursor = await connection.execute(query)
            return await cursor.fetchall() if cursor.description else []

        yield execute


async def deferred(database_url: str, queue: Queue, *message_ids: int, contact_id: int = 1) -> None:
    engine = create_engine(database_url)
    async with engine.begin() as connection:
        for message_id in message_ids:
            await queue.defer_delivery(connection, message_id, contact_id)
    await engine.dispose()


@asynccontextmanager
async def working(queue: Queue) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def idle(*_: object) -> None: ...


async def test_a_dead_workers_job_is_rescued_once_by_any_number_of_replicas(
    database_url: str, queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deferred(database_url, queue, 1, contact_id=1)
    await deferred(database_url, queue, 2, contact_id=2)
    await sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute'), (now())")
    dead, alive = [row[0] for row in await sql("SELECT id FROM procrastinate_workers ORDER BY last_heartbeat")]
    await sql(f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {dead} WHERE args->>'message_id' = '1'")
    await sql(f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {alive} WHERE args->>'message_id' = '2'")
    replicas = [Queue(conninfo(database_url)) for _ in range(3)]
    for replica in replicas:
        await replica.open()
    assert sum(await asyncio.gather(*(replica.rescue_stalled() for replica in replicas))) == 0
    monkeypatch.setattr(rescue_module, "STILL_FOR", 0.0)
    assert sum(await asyncio.gather(*(replica.rescue_stalled() for replica in replicas))) == 1
    rows = await sql("SELECT args->>'message_id', status, attempts, worker_id FROM procrastinate_jobs ORDER BY 1")
    assert rows == [("1", "todo", 1, None), ("2", "doing", 0, alive)]
    for replica in replicas:
        await replica.close()


@pytest.mark.parametrize("set_by", ["-1 hour", "1 hour"])
async def test_a_clock_that_is_set_makes_nobody_dead_and_nobody_live_for_ever(
    queue: Queue, database_url: str, sql: Jobs, monkeypatch: pytest.MonkeyPatch, set_by: str
) -> None:
    """Set forward, all heartbeats are an hour old; set back, a dead worker's is of the next hour."""
    now = 100.0
    monkeypatch.setattr(monotonic, "seconds", lambda: now)
    await deferred(database_url, queue, 1, contact_id=1)
    await deferred(database_url, queue, 2, contact_id=2)
    await sql(f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '{set_by}'), (now())")
    beats = await sql("SELECT id, last_heartbeat FROM procrastinate_workers ORDER BY id")
    for message_id, (worker_id, _) in zip((1, 2), beats, strict=True):
        await sql(
            f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {worker_id}"
            f" WHERE args->>'message_id' = '{message_id}'"
        )
    alive, dead = (worker_id for worker_id, _ in beats)
    assert await queue.rescue_stalled() == 0
    now += rescue_module.LOOKS_WITHIN
    # Alive: it gives another sign, by whatever clock.
    await sql(f"UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat + '2 s' WHERE id = {alive}")
    assert await queue.rescue_stalled() == 0
    # The other has been silent for as long as a dead one, whether the database's clock says so or not.
    now += worker_module.STALLED_AFTER - rescue_module.LOOKS_WITHIN
    await sql(f"UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat + '2 s' WHERE id = {alive}")
    assert await queue.rescue_stalled() == 1
    assert await sql(f"SELECT count(*) FROM procrastinate_jobs WHERE worker_id = {dead}") == [(0,)]
    for _ in range(2):
        assert await sql(f"SELECT count(*) FROM procrastinate_jobs WHERE worker_id = {alive}") == [(1,)]
        now += rescue_module.LOOKS_WITHIN
        await queue.rescue_stalled()
    assert await sql(f"SELECT count(*) FROM procrastinate_jobs WHERE worker_id = {alive}") == [(0,)]


async def test_a_worker_that_is_silent_for_long_is_struck_off(
    queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(monotonic, "seconds", lambda: now)
    await sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()), (now())")
    alive, _ = [row[0] for row in await sql("SELECT id FROM procrastinate_workers ORDER BY id")]
    while now < 100 + worker_module.FORGOTTEN_AFTER:
        await queue.rescue_stalled()
        assert await sql("SELECT count(*) FROM procrastinate_workers") == [(2,)]
        now += rescue_module.LOOKS_WITHIN
        await sql(f"UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat + '3 s' WHERE id = {alive}")
    await queue.rescue_stalled()
    assert await sql("SELECT id FROM procrastinate_workers") == [(alive,)]


async def test_who_stood_still_itself_takes_nobody_for_dead(
    queue: Queue, database_url: str, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause of the looking replica, or of the database, all are late, and none need be dead."""
    now = 100.0
    monkeypatch.setattr(monotonic, "seconds", lambda: now)
    await deferred(database_url, queue, 1, contact_id=1)
    await sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')")
    await sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    assert await queue.rescue_stalled() == 0
    now += 3600
    assert await queue.rescue_stalled() == 0
    now += rescue_module.LOOKS_WITHIN
    assert await queue.rescue_stalled() == 0
    now += rescue_module.STILL_FOR - rescue_module.LOOKS_WITHIN
    assert await queue.rescue_stalled() == 1


async def test_a_job_knows_how_many_workers_died_with_it(
    database_url: str, queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue_module, "STILL_FOR", 0.0)
    await deferred(database_url, queue, 1)
    for _ in range(2):
        await sql(
            "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')"
            " RETURNING id) UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead"
        )
        assert await queue.rescue_stalled() + await queue.rescue_stalled() == 1
    interrupted: list[int] = []

    async def deliver(_message_id: int, job: JobLease) -> None:
        interrupted.append(job.interrupted)

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    async with working(queue):
        await until(lambda: interrupted == [2])


async def test_what_was_put_off_by_a_clock_since_set_back_is_due(database_url: str, queue: Queue, sql: Jobs) -> None:
    await deferred(database_url, queue, 1, 2, 3)
    await sql("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE id < 3")
    assert await queue.catch_up_with_clock() == 0
    # The first was put off at a time that is still to come.
    await sql(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " VALUES (1, 'deferred_for_retry', now() + interval '59 minutes')"
    )
    assert await queue.catch_up_with_clock() == 1
    assert await sql("SELECT scheduled_at <= now() FROM procrastinate_jobs ORDER BY id") == [(True,), (False,), (None,)]


async def test_a_worker_whose_job_was_taken_over_neither_confirms_nor_ends_it(
    database_url: str, queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen_for = 0.0
    now = monotonic.seconds
    monkeypatch.setattr(monotonic, "seconds", lambda: now() + frozen_for)
    begun, going = asyncio.Event(), asyncio.Event()
    lost: list[str] = []
    done: list[int] = []

    async def deliver(message_id: int, job: JobLease) -> None:
        if message_id == 1:
            await job.confirm()
            begun.set()
            await going.wait()
            try:
                await job.confirm()
            except JobLeaseLost as error:
                lost.append(str(error))
                return
        done.append(message_id)

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    await deferred(database_url, queue, 1, 2)
    async with working(queue):
        await asyncio.wait_for(begun.wait(), 10)
        # As if it had been frozen: another replica rescued the job, and is at work on it.
        frozen_for = worker_module.STALLED_AFTER
        await sql("UPDATE procrastinate_jobs SET attempts = attempts + 1, worker_id = NULL WHERE status = 'doing'")
        going.set()
        await until(lambda: bool(lost))
        await asyncio.sleep(1)
        # Still the other's, and its lock still held: the next message waits.
        assert await sql("SELECT args->>'message_id', status FROM procrastinate_jobs ORDER BY 1") == [
            ("1", "doing"),
            ("2", "todo"),
        ]
        assert done == []
        assert await queue.rescue_stalled() == 1
        await until(lambda: done == [1, 2])


async def test_a_sign_of_life_after_a_freeze_makes_no_old_claim_good(
    database_url: str, queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wakes up says so first; of two jobs that it had, it must ask about both."""
    frozen_for = 0.0
    now = monotonic.seconds
    monkeypatch.setattr(monotonic, "seconds", lambda: now() + frozen_for)
    claims: list[JobLease] = []
    going = asyncio.Event()

    async def deliver(_: int, job: JobLease) -> None:
        claims.append(job)
        await going.wait()

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    await deferred(database_url, queue, 1, contact_id=1)
    await deferred(database_url, queue, 2, contact_id=2)
    async with working(queue):
        await until(lambda: len(claims) == 2)
        frozen_for = worker_module.STALLED_AFTER
        await sql("UPDATE procrastinate_jobs SET attempts = attempts + 1 WHERE args->>'message_id' = '1'")
        lost, kept = sorted(claims, key=lambda claim: claim.job_id or 0)
        for _ in range(2):
            with pytest.raises(JobLeaseLost, match="another worker"):
                await lost.confirm()
        await kept.confirm()
        # Known to be its own again, and nobody is asked any more.
        await sql("UPDATE procrastinate_jobs SET attempts = attempts + 1 WHERE args->>'message_id' = '2'")
        await kept.confirm()
        going.set()


async def test_a_claim_is_trusted_as_long_as_the_worker_cannot_be_taken_for_dead(
    database_url: str, queue: Queue, sql: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = 0.0
    now = monotonic.seconds
    monkeypatch.setattr(monotonic, "seconds", lambda: now() + later)
    monkeypatch.setattr(worker_module, "HEARTBEAT", 3600.0)
    said: list[str] = []

    async def deliver(_: int, job: JobLease) -> None:
        nonlocal later
        await job.confirm()
        # The job is taken over by now, and a question would tell.
        await sql("UPDATE procrastinate_jobs SET attempts = attempts + 1")
        await job.confirm()
        said.append("trusted")
        later += worker_module.TRUSTED
        with pytest.raises(JobLeaseLost, match="another worker"):
            await job.confirm()
        await sql("UPDATE procrastinate_jobs SET worker_id = NULL")
        await sql("DELETE FROM procrastinate_workers")
        later += worker_module.TRUSTED
        with pytest.raises(JobLeaseLost, match="taken for dead"):
            await job.confirm()
        said.append("lost")

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    async with working(queue):
        await until(lambda: queue._worker is not None and queue._worker.surely_alive)
        await deferred(database_url, queue, 1)
        await until(lambda: said == ["trusted", "lost"])


async def put(database_url: str, queue: Queue, *waiting: tuple[int, int, bool]) -> None:
    """Defers deliveries: message, contact, and whether it is urgent."""
    engine = create_engine(database_url)
    for message_id, contact_id, urgent in waiting:
        async with engine.begin() as connection:
            await queue.defer_delivery(connection, message_id, contact_id, urgent=urgent)
    await engine.dispose()


async def test_what_is_urgent_overtakes_other_contacts_and_nothing_of_its_own(
    database_url: str, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "CONCURRENCY", 1)
    done: list[int] = []

    async def deliver(message_id: int, _: JobLease) -> None:
        done.append(message_id)

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    storm = [(number, number, False) for number in range(1, 20)]
    # To contact 7 something waits already, and more comes behind the agent's.
    await put(database_url, queue, *storm, (20, 7, False), (21, 7, True), (22, 7, False), (23, 99, True))
    async with working(queue):
        await until(lambda: len(done) == 23)
    assert done == [7, 20, 21, 23, *(number for number in range(1, 20) if number != 7), 22]


async def test_what_is_tried_again_stays_before_what_is_urgent(database_url: str, queue: Queue) -> None:
    begun, going = asyncio.Event(), asyncio.Event()
    done: list[int] = []

    async def deliver(message_id: int, job: JobLease) -> None:
        if message_id == 1 and not job.attempts:
            begun.set()
            await going.wait()
            raise TryAgain(datetime.now(UTC) + timedelta(seconds=0.5))
        done.append(message_id)

    queue.serve(turn=idle, deliver=deliver, fetch=idle)
    await put(database_url, queue, (1, 7, False))
    async with working(queue):
        await asyncio.wait_for(begun.wait(), 10)
        await put(database_url, queue, (2, 7, True))
        going.set()
        await until(lambda: len(done) == 2)
    assert done == [1, 2]
