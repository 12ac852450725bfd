"""Poison: what fails by its own fault is tried, given up for a person, and what waits behind it goes on."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.channel import Capabilities, Outgoing, TemporaryError
from bot.domain.conversation import ConversationState, EscalationReason, NotFound
from bot.domain.message import Attachment, Author, DeliveryState, Incoming, Message, Sender
from bot.domain.staff import Role
from bot.pipeline.attachments import Attachments
from bot.pipeline.dead_letters import INTERRUPTED, MOST, RetryLimit, described
from bot.pipeline.outbox import Outbox
from bot.queue import DELIVER, FETCH, TURN, JobLease, Queue, TryAgain
from bot.queue import worker as worker_module
from bot.runtime.metrics import NullMetrics
from bot.store import Store
from bot.store.dead_letters import NOT_FETCHED
from handoff.desk import Desk
from tests.support.waiting import until

NOTICE = {"": "You are number {position}.", "zh": "第 {position} 位"}
POISON = "my secret words"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_PAUSE", timedelta(0))
    monkeypatch.setattr(worker_module, "POLL", 0.05)


@dataclass
class Platform:
    """Chokes on what is poison."""

    account: str = "bot"
    capabilities: Capabilities = field(default_factory=Capabilities)
    sent: list[str] = field(default_factory=list)
    choked: int = 0
    error: Callable[[], Exception] | None = lambda: KeyError(POISON)

    async def send(self, message: Outgoing) -> str:
        if POISON in message.text and self.error is not None:
            self.choked += 1
            raise self.error()
        self.sent.append(message.text)
        return f"sent-{len(self.sent)}"

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        if self.error is not None:
            self.choked += 1
            raise self.error()
        return b"meow"


class Told(NullMetrics):
    def __init__(self) -> None:
        self.reasons: list[EscalationReason] = []

    def escalated(self, channel: str, reason: EscalationReason) -> None:
        self.reasons.append(reason)


@dataclass
class Scene:
    """A desk whose turns choke on poison, too, and are silent otherwise."""

    store: Store
    queue: Queue
    platform: Platform = field(default_factory=Platform)
    turned: list[str] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    told: Told = field(default_factory=Told)

    async def turn(self, message_id: int, job: JobLease) -> None:
        taken = await self.store.turns.begin(message_id)
        if taken is None:
            return
        if POISON in taken.message.text and self.platform.error is not None:
            self.tried.append(job.failures)
            raise self.platform.error()
        self.turned.append(taken.message.text)
        await self.store.turns.skip(taken)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        working = asyncio.create_task(self.queue.run())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def says(self, text: str, *attachments: Attachment) -> tuple[int, int]:
        """The ids of message and conversation."""
        incoming = Incoming("test", "bot", text, Sender("7", "Ann", "en"), "7", text, attachments=attachments)
        receipt = await self.store.incoming.record(incoming)
        assert receipt.message_id is not None
        assert receipt.conversation_id is not None
        return receipt.message_id, receipt.conversation_id

    async def message(self, message_id: int) -> Message:
        return (await self.store.messages.some([message_id]))[message_id]


@pytest.fixture
def scene(store: Store, queue: Queue) -> Scene:
    scene = Scene(store, queue)
    queue.serve(
        turn=scene.turn,
        deliver=Outbox(store.deliveries, store.files, {"test": scene.platform}, {}).deliver,
        fetch=Attachments(store.files, {"test": scene.platform}, marks=store.incoming).fetch,
        limited=RetryLimit(store.dead_letters, NOTICE, scene.told).limited,
    )
    return scene


async def aside(store: Store, many: int = 1) -> None:
    async with asyncio.timeout(20):
        while await store.dead_letters.count() != many:
            await asyncio.sleep(0.02)


async def test_a_poison_turn_is_given_up_and_a_person_sees_the_conversation(scene: Scene) -> None:
    message_id, conversation_id = await scene.says(POISON)
    await scene.says("next")
    async with scene.working():
        await until(lambda: scene.turned == ["next"])
        assert scene.tried == list(range(MOST))
        (one,) = await scene.store.dead_letters.all(10)
        assert (one.task, one.message_id, one.conversation_id, one.tries) == (TURN, message_id, conversation_id, MOST)
        assert one.error.startswith("KeyError in turn, tests/integration/test_tries.py:")
        assert POISON not in one.error
        assert (one.contact.name, one.author) == ("Ann", Author.CUSTOMER)
        now = await scene.store.conversations.get(conversation_id)
        assert (now.state, now.reason) == (ConversationState.QUEUED, EscalationReason.TURN_FAILED)
        await until(lambda: scene.platform.sent == ["You are number 1."])
        assert scene.told.reasons == [EscalationReason.TURN_FAILED]
        # Neither a job nor the net under the queue brings it back.
        assert await scene.store.deliveries.defer_forgotten(older_than=timedelta(0)) == 0
        assert (await scene.store.statistics.read(timedelta(seconds=5))).dead_letters == {TURN: 1}

        scene.platform.error = None
        await scene.store.dead_letters.try_again(TURN, message_id)
        await until(lambda: scene.turned == ["next", POISON])
    assert await scene.store.dead_letters.count() == 0
    assert await scene.store.dead_letters.failures(TURN, message_id) == 0


async def test_tried_again_in_vain_it_has_all_its_tries_and_is_given_up_again(scene: Scene) -> None:
    message_id, _ = await scene.says(POISON)
    async with scene.working():
        await aside(scene.store)
        await scene.store.dead_letters.try_again(TURN, message_id)
        await aside(scene.store, 0)
        await aside(scene.store)
    assert scene.tried == [*range(MOST), *range(MOST)]
    # Who has it already is not queued once more.
    assert scene.told.reasons == [EscalationReason.TURN_FAILED]
    await scene.store.dead_letters.dismiss(TURN, message_id)
    with pytest.raises(NotFound):
        await scene.store.dead_letters.dismiss(TURN, message_id)
    with pytest.raises(NotFound):
        await scene.store.dead_letters.try_again(TURN, message_id)
    assert await scene.store.deliveries.defer_forgotten(older_than=timedelta(0)) == 0
    assert await scene.store.turns.begin(message_id) is None


async def test_a_poison_delivery_lets_the_next_one_through(scene: Scene, desk: Desk) -> None:
    _, conversation_id = await scene.says("hello")
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(conversation_id, mei)
    poison = await desk.reply(conversation_id, mei, POISON)
    await desk.reply(conversation_id, mei, "behind it")
    async with scene.working():
        await until(lambda: scene.platform.sent[-1:] == ["behind it"])
        assert scene.platform.choked == MOST
        (one,) = await scene.store.dead_letters.all(10)
        assert (one.task, one.message_id, one.author) == (DELIVER, poison.id, Author.AGENT)
        now = await scene.message(poison.id)
        assert now.delivery is DeliveryState.FAILED
        assert now.delivery_error is not None
        assert now.delivery_error.words.startswith(f"given up after {MOST} tries (KeyError in ")
        assert now.delivery_error.said is not None
        assert POISON not in str(now.delivery_error.kept)
        assert await scene.store.deliveries.defer_forgotten(older_than=timedelta(0)) == 0

        scene.platform.error = None
        await scene.store.dead_letters.retry_delivery(poison.id)
        await until(lambda: scene.platform.sent[-1] == POISON)
        with pytest.raises(NotFound):
            await scene.store.dead_letters.retry_delivery(poison.id)
    assert await scene.store.dead_letters.count() == 0


async def test_in_other_words_a_poison_message_goes_out(scene: Scene, desk: Desk) -> None:
    _, conversation_id = await scene.says("hello")
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(conversation_id, mei)
    poison = await desk.reply(conversation_id, mei, POISON)
    async with scene.working():
        await aside(scene.store)
        await desk.edit(poison.id, mei, "well said")
        await until(lambda: scene.platform.sent[-1:] == ["well said"])
    assert await scene.store.dead_letters.count() == 0


async def test_changed_in_the_moment_of_its_last_try_it_is_not_given_up(scene: Scene, desk: Desk) -> None:
    _, conversation_id = await scene.says("hello")
    mei = await scene.store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(conversation_id, mei)
    poison = await desk.reply(conversation_id, mei, POISON)
    assert await scene.store.dead_letters.record_failure(DELIVER, poison.id, "KeyError") == 1
    await desk.edit(poison.id, mei, "well said")
    assert await scene.store.dead_letters.add(DELIVER, poison.id, NOTICE) is None
    assert (await scene.message(poison.id)).delivery is DeliveryState.PENDING


async def test_files_that_make_the_desk_fail_are_marked_and_can_be_had_later(scene: Scene) -> None:
    message_id, _ = await scene.says("look", Attachment("photo", "cat"), Attachment("location", "52.5,13.4"))
    async with scene.working():
        await aside(scene.store)
        first = (await scene.message(message_id)).attachments[0]
        assert (first.sha256, first.problem) == ("", NOT_FETCHED)
        scene.platform.error = None
        await scene.store.dead_letters.try_again(FETCH, message_id)
        async with asyncio.timeout(10):
            while not (await scene.message(message_id)).attachments[0].sha256:
                await asyncio.sleep(0.02)
    assert [one.problem for one in (await scene.message(message_id)).attachments] == [None, None]


def of_the_driver(error: psycopg.Error) -> Exception:
    return (OperationalError if isinstance(error, psycopg.OperationalError) else DataError)("SELECT", {}, error)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (KeyError("x"), True),
        (of_the_driver(psycopg.errors.NumericValueOutOfRange("x")), True),
        (OSError(errno.ENAMETOOLONG, "x"), True),
        (of_the_driver(psycopg.errors.DiskFull("x")), False),
        (of_the_driver(psycopg.errors.AdminShutdown("x")), False),
        (of_the_driver(psycopg.OperationalError("connection refused")), False),
        (psycopg.errors.ReadOnlySqlTransaction("x"), False),
        (psycopg.errors.InsufficientPrivilege("x"), False),
        (PoolTimeout("x"), False),
        (OSError(errno.ENOSPC, "x"), False),
        (ConnectionResetError("x"), False),
        (TimeoutError(), False),
        (MemoryError(), False),
        (TemporaryError("x"), False),
    ],
)
async def test_what_is_not_the_works_fault_never_counts(scene: Scene, error: Exception, counts: bool) -> None:
    message_id, _ = await scene.says("hello")

    async def task(_message_id: int, _claim: JobLease) -> None:
        raise error

    counted = RetryLimit(scene.store.dead_letters, NOTICE).limited(DELIVER, task)
    for attempt in range(MOST - 1):
        with pytest.raises(type(error)):
            await counted(message_id, JobLease(attempt))
    assert await scene.store.dead_letters.failures(DELIVER, message_id) == (MOST - 1 if counts else 0)


async def test_a_queue_without_its_database_counts_nothing(scene: Scene) -> None:
    message_id, _ = await scene.says("hello")

    async def task(_message_id: int, _claim: JobLease) -> None:
        raise ConnectorException from psycopg.OperationalError("gone")

    with pytest.raises(ConnectorException):
        await RetryLimit(scene.store.dead_letters, NOTICE).limited(TURN, task)(message_id, JobLease(0))
    assert await scene.store.dead_letters.failures(TURN, message_id) == 0


async def test_failures_do_not_add_up_over_tries_that_went_well(scene: Scene) -> None:
    message_id, _ = await scene.says("hello")
    ends: list[Exception | None] = [KeyError(), KeyError(), TryAgain(datetime.now(UTC)), None]

    async def task(_message_id: int, job: JobLease) -> None:
        if (end := ends[job.attempts]) is not None:
            raise end

    counted = RetryLimit(scene.store.dead_letters, NOTICE).limited(DELIVER, task)
    for attempt in (0, 1):
        with pytest.raises(KeyError):
            await counted(message_id, JobLease(attempt))
    assert await scene.store.dead_letters.failures(DELIVER, message_id) == 2
    with pytest.raises(TryAgain):
        await counted(message_id, JobLease(2))
    assert await scene.store.dead_letters.failures(DELIVER, message_id) == 0


async def test_a_turn_that_was_only_interrupted_did_not_fail(scene: Scene) -> None:
    message_id, _ = await scene.says("hello")
    told: list[int] = []

    async def task(_message_id: int, job: JobLease) -> None:
        told.append(job.failures)

    counted = RetryLimit(scene.store.dead_letters, NOTICE).limited(TURN, task)
    for attempts in (0, 4, 40):
        await counted(message_id, JobLease(attempts, interrupted=INTERRUPTED - 1))
    assert told == [0, 0, 0]


@pytest.mark.parametrize("task", [TURN, DELIVER, FETCH])
async def test_work_that_desks_die_of_is_given_up_before_it_begins_again(scene: Scene, task: str) -> None:
    message_id, _ = await scene.says("hello")

    async def kills(_message_id: int, _claim: JobLease) -> None:
        raise AssertionError("it was begun")

    await RetryLimit(scene.store.dead_letters, NOTICE).limited(task, kills)(
        message_id, JobLease(12, interrupted=INTERRUPTED)
    )
    (aside,) = await scene.store.dead_letters.all(10)
    assert (aside.task, aside.message_id, aside.error) == (task, message_id, "10 desks died at it")


def test_an_error_is_described_without_its_words() -> None:
    with pytest.raises(ValueError, match=POISON) as caught:
        int(POISON)
    assert described(caught.value).startswith("ValueError in test_an_error_is_described")
    assert POISON not in described(caught.value)
