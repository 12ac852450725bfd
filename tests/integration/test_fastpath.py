"""Jobs that are under way from their birth: what is done in fewer steps keeps every promise of the long way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from bot import monotonic
from bot.content.answers import Answers
from bot.domain.channel import Capabilities, Outgoing, TemporaryError
from bot.domain.engine import Prediction, Ranked
from bot.domain.message import Incoming, Receipt, Sender
from bot.pipeline import turns as turns_module
from bot.pipeline.outbox import Outbox
from bot.queue import JobLease, Queue
from bot.queue import worker as worker_module
from bot.store import Store
from bot.store.database import conninfo
from tests.support.turns import turns_of
from tests.support.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]


async def engine(text: str) -> Prediction:
    """What may be said again and again, and is answered each time."""
    return Prediction(text, "greet", 0.9, (Ranked("greet", 0.9),), sure=True)


@dataclass
class Platform:
    account: str = "bot"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(buttons=True, markdown=True))
    sent: list[Outgoing] = field(default_factory=list)
    busy: bool = False

    async def send(self, message: Outgoing) -> str:
        if self.busy:
            raise TemporaryError("busy", retry_after=0.2)
        self.sent.append(message)
        return f"sent-{len(self.sent)}"


@dataclass
class Desk:
    store: Store
    queue: Queue
    platform: Platform
    turned: list[int]

    async def brings(self, id: str, customer: str = "7") -> Receipt:
        return await self.store.incoming.record(
            Incoming("test", "bot", id, Sender(customer, "Ann"), customer, text=f"hello {id}")
        )

    @property
    def answered(self) -> list[str | None]:
        return [sent.reply_to for sent in self.platform.sent]


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[Sql]:
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:

        async def execute(query: str) -> list[Any]:
            cursor = await connection.execute(query)
            return await cursor.fetchall() if cursor.description else []

        yield execute


async def nothing(_message_id: int, _claim: JobLease) -> None: ...


@pytest.fixture
async def desk(store: Store, queue: Queue, answers: Answers) -> AsyncIterator[Desk]:
    """At work."""
    platform, turned = Platform(), []
    outbox = Outbox(store.deliveries, store.files, {"test": platform}, {})
    turns = turns_of(store, answers, engine, lambda _text, _hint: "en", outbox=outbox)

    async def take(message_id: int, job: JobLease) -> None:
        turned.append(message_id)
        await turns.take(message_id, job)

    queue.serve(turn=take, deliver=outbox.deliver, fetch=nothing)
    working = asyncio.create_task(queue.run())
    await until(lambda: queue._worker is not None and queue._worker.surely_alive)
    yield Desk(store, queue, platform, turned)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def idle(sql: Sql) -> None:
    """Every turn is taken, every delivery settled, every job ended."""
    async with asyncio.timeout(20):
        while (await sql("SELECT count(*) FROM procrastinate_jobs"))[0][0]:
            await asyncio.sleep(0.01)
    assert await sql("SELECT message_id FROM turn WHERE NOT done") == []
    assert await sql("SELECT message_id FROM delivery WHERE state <> 'sent' OR in_doubt") == []


async def test_nobody_need_be_told_of_a_job(desk: Desk, sql: Sql) -> None:
    await desk.brings("1")  # opens the conversation, the long way
    await until(lambda: len(desk.platform.sent) == 1)
    await idle(sql)
    # A trigger would leave a row for each job that waited; the jobs are gone, so their rows are kept here.
    await sql("CREATE TABLE waited AS SELECT * FROM procrastinate_events WHERE false")
    await sql(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO waited SELECT NEW.*; RETURN NEW; END $$"
    )
    await sql("CREATE TRIGGER keep AFTER INSERT ON procrastinate_events FOR EACH ROW EXECUTE FUNCTION keep()")
    try:
        await desk.brings("2")
        await until(lambda: len(desk.platform.sent) == 2)
        await idle(sql)
        assert await sql("SELECT type FROM waited") == []
    finally:
        await sql("DROP TRIGGER keep ON procrastinate_events")
        await sql("DROP FUNCTION keep")
        await sql("DROP TABLE waited")


async def test_what_is_said_at_once_is_answered_in_the_order_of_its_recording(desk: Desk, sql: Sql) -> None:
    await desk.brings("0")
    brought = await asyncio.gather(
        *(desk.brings(str(number), customer) for number in range(1, 30) for customer in ("7", "8"))
    )
    await until(lambda: len(desk.platform.sent) == 1 + len(brought))
    await idle(sql)
    for customer in ("7", "8"):
        recorded = await sql(
            "SELECT message.external_id FROM message JOIN contact ON contact.id = contact_id"
            f" WHERE author = 'customer' AND contact.external_id = '{customer}' ORDER BY cursor"
        )
        answered = [sent.reply_to for sent in desk.platform.sent if sent.chat_id == customer]
        assert answered == [row[0] for row in recorded]


async def test_a_message_that_is_brought_again_is_turned_once(desk: Desk, sql: Sql) -> None:
    await desk.brings("1")
    receipts = await asyncio.gather(*(desk.brings("2") for _ in range(10)))
    assert [receipt.duplicate for receipt in receipts].count(False) == 1
    await until(lambda: len(desk.platform.sent) == 2)
    await idle(sql)
    assert len(desk.turned) == 2


async def test_a_worker_without_room_leaves_the_job_to_the_queue(
    desk: Desk, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.brings("1")
    await until(lambda: len(desk.platform.sent) == 1)
    monkeypatch.setattr(worker_module, "PRE_CLAIMED_AT_MOST", 0)
    for number in range(2, 12):
        await desk.brings(str(number))
    await until(lambda: len(desk.platform.sent) == 11)
    await idle(sql)
    assert desk.answered == [str(number) for number in range(1, 12)]


async def test_a_worker_that_was_silent_for_long_takes_no_job_at_its_birth(
    desk: Desk, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.brings("1")
    await until(lambda: len(desk.platform.sent) == 1)
    await idle(sql)
    begun: list[int] = []
    monkeypatch.setattr(worker_module.Slot, "begin", lambda _slot, job, *_: begun.append(job))
    # Others may take it for dead, and its jobs with it.
    await sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '7 seconds'")
    await desk.brings("2")
    assert begun == []


async def test_a_claim_whose_news_was_lost_is_found(desk: Desk, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.brings("1")
    await until(lambda: len(desk.platform.sent) == 1)
    await idle(sql)
    with monkeypatch.context() as patched:
        # As when whoever recorded the message was cancelled in the moment of the commit.
        patched.setattr(worker_module.Slot, "begin", lambda *_: None)
        await desk.brings("2")
    await asyncio.sleep(0.2)
    assert len(desk.platform.sent) == 1
    for _ in range(2):
        assert await desk.queue.rescue_lost() == 0  # it may begin just now
    now = monotonic.seconds
    monkeypatch.setattr(monotonic, "seconds", lambda: now() + worker_module.LOST_AFTER)
    assert await desk.queue.rescue_lost() == 1
    await until(lambda: len(desk.platform.sent) == 2)
    await idle(sql)


async def test_a_claim_whose_news_comes_late_is_asked_about(
    desk: Desk, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the database stood still between the commit and its answer, and the job was handed on meanwhile."""
    later = 0.0
    now = monotonic.seconds
    monkeypatch.setattr(monotonic, "seconds", lambda: now() + later)
    await desk.brings("1")
    await until(lambda: len(desk.platform.sent) == 1)
    await idle(sql)
    at_once = desk.queue.at_once
    handed_on = asyncio.Event()

    async def answers_late(*statements: Any) -> Any:
        nonlocal later
        row = await at_once(*statements)
        if await sql("SELECT id FROM procrastinate_jobs WHERE task_name = 'deliver'"):
            await sql("UPDATE procrastinate_jobs SET attempts = attempts + 1")
            later += worker_module.NEWS_WITHIN
            handed_on.set()
        return row

    monkeypatch.setattr(desk.queue, "at_once", answers_late)
    await desk.brings("2")
    await asyncio.wait_for(handed_on.wait(), 10)
    await asyncio.sleep(0.5)
    assert len(desk.platform.sent) == 1


async def test_recorded_is_shown_where_there_is_nothing_to_send(desk: Desk, sql: Sql) -> None:
    desk.platform.capabilities = Capabilities(buttons=True, markdown=True, immediate=True)
    await desk.brings("1")
    await idle(sql)
    shown = await sql("SELECT cursor, state, placed FROM message JOIN delivery ON message_id = id")
    assert [(cursor is not None, state, placed) for cursor, state, placed in shown] == [(True, "sent", 1)]
    assert desk.platform.sent == []


async def test_nothing_is_shown_before_what_is_still_on_its_way(desk: Desk, sql: Sql) -> None:
    desk.platform.busy = True
    await desk.brings("1")
    async with asyncio.timeout(20):
        while not await sql("SELECT 1 FROM delivery WHERE attempts > 0 AND state = 'pending'"):
            await asyncio.sleep(0.01)
    desk.platform.capabilities = Capabilities(buttons=True, markdown=True, immediate=True)
    await desk.brings("2")
    async with asyncio.timeout(20):
        while (await sql("SELECT count(*) FROM turn WHERE done"))[0][0] < 2:
            await asyncio.sleep(0.01)
    desk.platform.busy = False
    await idle(sql)
    assert desk.answered == ["1", "2"]
    in_order = await sql("SELECT reply_to FROM message WHERE author = 'bot' ORDER BY cursor")
    assert in_order == sorted(in_order)


async def test_a_restarted_database_costs_one_message_a_second_try(desk: Desk, sql: Sql, database_url: str) -> None:
    await desk.brings("1")
    await until(lambda: len(desk.platform.sent) == 1)
    await idle(sql)
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    for number in ("2", "3", "4"):
        async with asyncio.timeout(20):
            while True:  # as the platform brings it again
                try:
                    await desk.brings(number)
                    break
                except Exception:
                    await asyncio.sleep(0.05)
    await until(lambda: len(desk.platform.sent) >= 4)
    assert desk.answered == ["1", "2", "3", "4"]


async def test_the_mark_never_passes_a_message_that_is_not_recorded(
    desk: Desk, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked(number: str) -> Incoming:
        return Incoming("test", "bot", number, Sender("7", "Ann"), "7", text="hello", mark=number)

    async def mark() -> str:
        return str((await sql("SELECT mark FROM contact"))[0][0])

    await desk.store.incoming.record(marked("1"))
    assert await mark() == "1"
    await idle(sql)
    # The next one opens a conversation, the long way; and the process dies before it does.
    await sql("UPDATE conversation SET state = 'resolved', resolved_at = now()")
    with monkeypatch.context() as dying:
        dying.setattr(desk.store.incoming, "_upsert_contact", None)
        with pytest.raises(TypeError):
            await desk.store.incoming.record(marked("2"))
    assert await mark() == "1"
    for number in ("2", "3"):
        await desk.store.incoming.record(marked(number))
        assert await mark() == number
    await until(lambda: len(desk.platform.sent) == 3)


async def test_typing_is_shown_to_who_waits_and_to_nobody_else(
    store: Store, queue: Queue, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "A_MOMENT", 0.05)
    shown: list[str] = []

    async def slow_engine(text: str) -> Prediction:
        await asyncio.sleep(0.3 if text == "slow" else 0)
        return await engine(text)

    turns = turns_of(
        store,
        answers,
        slow_engine,
        lambda _text, _hint: "en",
        show_typing=lambda conversation: shown.append(conversation.contact.external_id),
    )
    for customer in ("quick", "slow"):
        receipt = await store.incoming.record(
            Incoming("test", "bot", "1", Sender(customer, "Ann"), customer, text=customer)
        )
        assert receipt.message_id is not None
        await turns.take(receipt.message_id, JobLease())
    assert shown == ["slow"]
