"""What a scrape says of a desk on a real PostgreSQL: of what happened, of what stands, and without the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.content.answers import Answers
from bot.domain.channel import Capabilities, ChannelState, ChannelStatus, Outgoing, PermanentError, TemporaryError
from bot.domain.engine import EngineUnavailable, Prediction, Ranked
from bot.domain.message import Attachment, Incoming, Receipt, Sender
from bot.domain.staff import Role
from bot.pipeline.attachments import Attachments
from bot.pipeline.outbox import Outbox
from bot.pipeline.turns import Turns
from bot.queue import JobLease, Queue, TryAgain
from bot.runtime import http, lease
from bot.runtime import metrics as metrics_module
from bot.runtime.metrics import Metrics
from bot.store import Store
from bot.store.database import conninfo, create_engine
from handoff.desk import Desk
from tests.support.turns import turns_of


@pytest.fixture(autouse=True)
def always_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "REUSED", 0)


async def engine(text: str) -> Prediction:
    if text == "down":
        raise EngineUnavailable("scripted")
    intent = "talk_to_human" if "person" in text else "fee_explained"
    return Prediction(text, intent, 0.9, (Ranked(intent, 0.9),), sure=True)


class Platform:
    account = "bot"

    def __init__(self, *, idempotent: bool = False) -> None:
        self.capabilities = Capabilities(idempotent=idempotent)
        self.faults: list[Exception] = []

    async def send(self, message: Outgoing) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return message.key

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        if attachment.reference == "gone":
            raise PermanentError("gone")
        return b"meow"


async def scrape(metrics: Metrics) -> tuple[dict[tuple[str, frozenset[tuple[str, str]]], float], str]:
    transport = httpx.ASGITransport(http.application([], {}, metrics))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (sample.name.removeprefix("switchboard_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    return samples, answer.text


@dataclass
class Scene:
    """The parts of a desk, taken step by step."""

    store: Store
    desk: Desk
    metrics: Metrics
    platform: Platform
    turns: Turns
    outbox: Outbox
    attachments: Attachments
    url: str

    async def brings(self, text: str, id: str, customer: str = "7", **fields: object) -> Receipt:
        incoming = Incoming("test", "bot", id, Sender(customer, "Ann Smith"), customer, text, **fields)  # type: ignore[arg-type]
        receipt = await self.store.incoming.record(incoming)
        self.metrics.received(incoming, receipt)
        return receipt

    async def says(self, text: str, id: str, customer: str = "7") -> Receipt:
        receipt = await self.brings(text, id, customer)
        assert receipt.message_id is not None
        await self.turns.take(receipt.message_id, JobLease())
        return receipt

    async def pending(self) -> list[int]:
        async with await psycopg.AsyncConnection.connect(conninfo(self.url)) as connection:
            found = await connection.execute("SELECT message_id FROM delivery WHERE state = 'pending' ORDER BY 1")
            return [row[0] for row in await found.fetchall()]

    async def deliver(self, message_id: int) -> None:
        await self.outbox.deliver(message_id, JobLease())

    async def value(self, name: str, **labels: str) -> float | None:
        return (await scrape(self.metrics))[0].get((name, frozenset(labels.items())))


@pytest.fixture
def scene(store: Store, desk: Desk, answers: Answers, database_url: str) -> Scene:
    return make_scene(store, desk, answers, database_url, Platform())


def make_scene(store: Store, desk: Desk, answers: Answers, url: str, platform: Platform) -> Scene:
    metrics = Metrics(store.statistics.read, ["test"])
    return Scene(
        store,
        desk,
        metrics,
        platform,
        turns_of(store, answers, engine, lambda _text, _hint: "en", metrics=metrics),
        Outbox(store.deliveries, store.files, {"test": platform}, {}, metrics),
        Attachments(store.files, {"test": platform}, metrics, marks=store.incoming),
        url,
    )


async def test_turns_are_counted_by_what_the_bot_did(scene: Scene) -> None:
    await scene.says("what are the fees", "1")
    await scene.brings("what are the fees", "1")
    await scene.says("a person please", "2")
    await scene.desk.claim(1, await scene.store.agents.add("Mei", Role.AGENT, None))
    await scene.says("are you there", "3")
    await scene.says("down", "4", customer="8")
    samples, _ = await scrape(scene.metrics)

    def of(name: str, **labels: str) -> float:
        return samples[name, frozenset({"channel": "test", **labels}.items())]

    assert of("messages_received_total") == 4
    assert of("duplicates_refused_total") == 1
    assert of("turns_total", action="answer") == 1
    assert of("turns_total", action="escalate") == 2
    assert of("turns_total", action="silent") == 1
    assert of("turn_seconds_count", action="answer") == 1
    assert 0 < of("turn_seconds_sum", action="answer") < 30
    assert of("escalations_total", reason="asked") == 1
    assert of("escalations_total", reason="engine_unavailable") == 1
    assert samples["parse_seconds_count", frozenset()] == 2
    assert samples["parse_failures_total", frozenset()] == 1


async def test_an_escalation_that_a_human_forestalled_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = await scene.brings("a person please", "1")
    agent = await scene.store.agents.add("Mei", Role.AGENT, None)
    assert receipt.conversation_id is not None
    assert receipt.message_id is not None

    async def claimed_meanwhile(text: str) -> Prediction:
        assert receipt.conversation_id is not None
        await scene.desk.claim(receipt.conversation_id, agent)
        return await engine(text)

    monkeypatch.setattr(scene.turns._listening, "predict", claimed_meanwhile)
    await scene.turns.take(receipt.message_id, JobLease())
    assert await scene.value("escalations_total", channel="test", reason="asked") == 0


async def test_deliveries_are_counted_by_how_they_ended(scene: Scene) -> None:
    await scene.says("fees", "1")
    await scene.says("fees", "2", customer="8")
    await scene.says("fees", "3", customer="9")
    sent, refused, busy = await scene.pending()
    await scene.deliver(sent)
    scene.platform.faults = [PermanentError("blocked by the customer")]
    await scene.deliver(refused)
    scene.platform.faults = [TemporaryError("slow down", retry_after=5)]
    with pytest.raises(TryAgain):
        await scene.deliver(busy)
    for result in ("sent", "failed", "postponed"):
        assert await scene.value("deliveries_total", channel="test", result=result) == 1, result
    assert await scene.value("delivery_seconds_count", channel="test") == 1
    assert await scene.value("deliveries_pending") == 1
    # What the platform refused for certain is not in doubt when it is sent again.
    await scene.deliver(busy)
    assert await scene.value("possible_doubles_total", channel="test") == 0


@pytest.mark.parametrize(("idempotent", "counted"), [(False, 1), (True, 0)])
async def test_a_send_repeated_in_doubt_may_be_a_double(
    store: Store, desk: Desk, answers: Answers, database_url: str, idempotent: bool, counted: int
) -> None:
    scene = make_scene(store, desk, answers, database_url, Platform(idempotent=idempotent))
    await scene.says("fees", "1")
    (message_id,) = await scene.pending()
    scene.platform.faults = [TemporaryError("the line is cut"), TemporaryError("and again")]
    for _ in range(2):
        with pytest.raises(TryAgain):
            await scene.deliver(message_id)
    await scene.deliver(message_id)
    assert await scene.value("deliveries_total", channel="test", result="sent") == 1
    assert await scene.value("possible_doubles_total", channel="test") == counted


async def test_attachments_are_counted(scene: Scene) -> None:
    files = (Attachment("photo", "cat"), Attachment("photo", "gone"))
    receipt = await scene.brings("look", "1", attachments=files)
    assert receipt.message_id is not None
    await scene.attachments.fetch(receipt.message_id, 0)
    await scene.attachments.fetch(receipt.message_id, 1)
    assert await scene.value("attachments_total", channel="test", result="fetched") == 1
    assert await scene.value("attachments_total", channel="test", result="failed") == 1


async def test_the_queue_is_told_by_task(scene: Scene, database_url: str) -> None:
    assert await scene.value("queue_jobs", task="turn", status="todo") == 0
    assert await scene.value("queue_oldest_seconds", task="turn") == 0
    await scene.brings("one", "1")
    await scene.brings("two", "2")
    await scene.says("three", "3", customer="8")
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        # The first is under way, the second waits since a minute, and the delivery is not due for an hour.
        await connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = 1")
        await connection.execute("UPDATE procrastinate_events SET at = at - interval '1 minute' WHERE job_id = 2")
        await connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE task_name = 'deliver'"
        )
    assert await scene.value("queue_jobs", task="turn", status="doing") == 1
    assert await scene.value("queue_jobs", task="turn", status="todo") == 2
    assert 60 <= (await scene.value("queue_oldest_seconds", task="turn") or 0) < 90
    assert await scene.value("queue_jobs", task="deliver", status="todo") == 1
    assert await scene.value("queue_oldest_seconds", task="deliver") == 0
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        # Tried again, and late.
        await connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '2 minutes' WHERE task_name = 'deliver'"
        )
    assert 120 <= (await scene.value("queue_oldest_seconds", task="deliver") or 0) < 150


async def test_conversations_and_waiting_are_told(scene: Scene, database_url: str) -> None:
    assert await scene.value("longest_wait_seconds") == 0
    await scene.says("fees", "1")
    await scene.says("a person please", "2", customer="8")
    taken = await scene.says("a person please", "3", customer="9")
    over = await scene.says("a person please", "4", customer="10")
    agent = await scene.store.agents.add("Mei", Role.AGENT, None)
    assert taken.conversation_id is not None
    assert over.conversation_id is not None
    await scene.desk.claim(taken.conversation_id, agent)
    await scene.desk.claim(over.conversation_id, agent)
    await scene.desk.resolve(over.conversation_id, agent)
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("UPDATE conversation SET waiting_since = waiting_since - interval '1 minute'")
    samples, _ = await scrape(scene.metrics)
    told = {dict(labels)["state"]: value for (name, labels), value in samples.items() if name == "conversations"}
    assert told == {"bot": 1, "queued": 1, "assigned": 1}
    assert 60 <= (await scene.value("longest_wait_seconds") or 0) < 90


async def test_channels_and_leases_are_told(scene: Scene, database_url: str) -> None:
    now = datetime.now(UTC)
    status = ChannelStatus("test", "bot", ChannelState.CONNECTED, now, now - timedelta(minutes=2), now, lag=0.25)
    await scene.store.channels.record(status)
    holding = asyncio.Event()

    async def body(_: lease.Lease) -> None:
        holding.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(lease.hold(conninfo(database_url), "test:1", body))
    await asyncio.wait_for(holding.wait(), 10)
    samples, _ = await scrape(scene.metrics)
    told = {labels: value for (name, labels), value in samples.items() if name == "lease_held"}
    assert list(told.values()) == [1]
    assert samples["lease_generation", frozenset({("lease", "test:1")})] == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    samples, _ = await scrape(scene.metrics)
    assert {labels: value for (name, labels), value in samples.items() if name == "lease_held"} == dict.fromkeys(
        told, 0
    )
    assert samples["channel_state", frozenset({("channel", "test"), ("state", "connected")})] == 1
    assert samples["channel_state", frozenset({("channel", "test"), ("state", "off")})] == 0
    assert samples["channel_lag_seconds", frozenset({("channel", "test")})] == 0.25
    assert 120 <= samples["channel_told_seconds", frozenset({("channel", "test")})] < 150


async def test_nobody_is_named_and_more_customers_are_no_more_series(scene: Scene) -> None:
    await scene.says("my secret fees", "id-1", customer="customer-1")
    before, _ = await scrape(scene.metrics)
    for number in range(2, 12):
        await scene.says(f"my secret fees {number}", f"id-{number}", customer=f"customer-{number}")
    for message_id in await scene.pending():
        await scene.deliver(message_id)
    after, text = await scrape(scene.metrics)
    assert after.keys() == before.keys()
    for word in ("secret", "customer-", "Ann", "Smith", "id-"):
        assert word not in text


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(conninfo(url)) as connection:
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def test_a_database_that_takes_too_long_is_not_waited_for(
    scene: Scene, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "ANSWER_WITHIN", 0.3)
    await scene.says("fees", "1")
    async with locked(database_url, "lease"):
        began = time.monotonic()
        assert await scene.value("database_up") == 0
        assert time.monotonic() - began < 3
        assert await scene.value("turns_total", channel="test", action="answer") == 1
    async with asyncio.timeout(10):
        while not await scene.value("database_up"):
            await asyncio.sleep(0.05)


async def test_without_a_database_the_rest_is_told(queue: Queue) -> None:
    nowhere = Store(create_engine("postgresql://nobody@127.0.0.1:1/none"), queue)
    metrics = Metrics(nowhere.statistics.read, ["test"])
    metrics.parse_failed()
    samples, _ = await scrape(metrics)
    assert samples["database_up", frozenset()] == 0
    assert samples["parse_failures_total", frozenset()] == 1
    assert not any(name == "queue_jobs" for name, _ in samples)
    await nowhere.close()
