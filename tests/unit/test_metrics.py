"""The metrics themselves: named, documented, bounded, and told even while the database is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.channel import ChannelState
from bot.domain.conversation import ConversationState, EscalationReason
from bot.domain.decision import Action
from bot.domain.message import Incoming, Receipt, Sender
from bot.runtime import metrics as metrics_module
from bot.runtime.metrics import Metrics, NullMetrics
from bot.settings import ROOT
from bot.store.statistics import ChannelFigures, Figures, LeaseFigures, TaskFigures
from tests.support.waiting import until

FIGURES = Figures(
    tasks=(TaskFigures("turn", 3, 1, 12.5),),
    conversations={ConversationState.BOT: 5, ConversationState.QUEUED: 2, ConversationState.ASSIGNED: 1},
    longest_wait=90.0,
    deliveries_pending=4,
    dead_letters={"deliver": 2},
    channels=(
        ChannelFigures("test", ChannelState.CONNECTED, 3.0, 0.5),
        ChannelFigures("web", ChannelState.OFF, 1, None),
    ),
    leases=(LeaseFigures("test:1", 7, "here:42", True),),
)


async def figures(_: timedelta) -> Figures:
    return FIGURES


async def scraped(metrics: Metrics) -> dict[str, Metric]:
    found = list(text_string_to_metric_families((await metrics.exposition()).decode()))
    assert len({family.name for family in found}) == len(found), "a measure is told twice"
    return {family.name: family for family in found}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float | None:
    found = [s.value for f in families.values() for s in f.samples if s.name == sample and s.labels == labels]
    assert len(found) <= 1
    return found[0] if found else None


async def test_every_measure_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    families = await scraped(Metrics(figures, ["test"]))
    assert len(families) > 20
    names = {f"{name}_total" if family.type == "counter" else name for name, family in families.items()}
    assert sorted(name for name in names if f"`{name}`" not in text) == []
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `switchboard_")}
    assert documented == names, "the page tells of a measure that there is not"


async def test_names_follow_the_conventions() -> None:
    for name, family in (await scraped(Metrics(figures, ["test"]))).items():
        assert name.startswith("switchboard_")
        assert family.documentation
        assert (family.type == "histogram") <= name.endswith("_seconds")


async def test_the_database_is_told_as_it_stands() -> None:
    families = await scraped(Metrics(figures, []))
    assert value(families, "switchboard_database_up") == 1
    assert value(families, "switchboard_queue_jobs", task="turn", status="todo") == 3
    assert value(families, "switchboard_queue_jobs", task="deliver", status="doing") == 0
    assert value(families, "switchboard_queue_oldest_seconds", task="turn") == 12.5
    assert value(families, "switchboard_conversations", state="queued") == 2
    assert value(families, "switchboard_longest_wait_seconds") == 90
    assert value(families, "switchboard_deliveries_pending") == 4
    assert value(families, "switchboard_channel_state", channel="test", state="connected") == 1
    assert value(families, "switchboard_channel_state", channel="web", state="connected") == 0
    assert value(families, "switchboard_channel_lag_seconds", channel="test") == 0.5
    assert value(families, "switchboard_channel_lag_seconds", channel="web") is None
    assert value(families, "switchboard_lease_generation", lease="test:1") == 7
    assert value(families, "switchboard_lease_held", lease="test:1", holder="here:42") == 1


async def test_what_never_happened_is_told_as_zero() -> None:
    families = await scraped(Metrics(figures, ["test"]))
    for sample, labels in (
        ("switchboard_messages_received_total", {"channel": "test"}),
        ("switchboard_turns_total", {"channel": "test", "action": "silent"}),
        ("switchboard_turn_seconds_count", {"channel": "test", "action": "escalate"}),
        ("switchboard_escalations_total", {"channel": "test", "reason": "asked"}),
        ("switchboard_deliveries_total", {"channel": "test", "result": "failed"}),
        ("switchboard_possible_doubles_total", {"channel": "test"}),
        ("switchboard_attachments_total", {"channel": "test", "result": "fetched"}),
        ("switchboard_parse_failures_total", {}),
    ):
        assert value(families, sample, **labels) == 0, sample


def everything(metrics: NullMetrics, *, words: str = "hello", customer: str = "7") -> None:
    now = datetime.now(UTC)
    incoming = Incoming("test", "bot", words, Sender(customer, customer), customer, words)
    metrics.received(incoming, Receipt(1, 1))
    metrics.received(incoming, Receipt(1, 1, duplicate=True))
    metrics.parsed(0.02)
    metrics.parse_failed()
    for action in (*Action, None):
        metrics.turned("test", action, now)
    for reason in EscalationReason:
        metrics.escalated("test", reason)
    metrics.delivered("test", now)
    metrics.delivery_postponed("test")
    metrics.delivery_failed("test")
    metrics.perhaps_doubled("test")
    metrics.fetched("test")
    metrics.fetch_failed("test")


async def test_no_number_of_customers_adds_a_series() -> None:
    metrics = Metrics(figures, ["test"])
    before = {(s.name, *sorted(s.labels.items())) for f in (await scraped(metrics)).values() for s in f.samples}
    for number in range(100):
        everything(metrics, words=f"secret words {number}", customer=f"customer-{number}")
    families = await scraped(metrics)
    assert {(s.name, *sorted(s.labels.items())) for f in families.values() for s in f.samples} == before
    assert value(families, "switchboard_messages_received_total", channel="test") == 100
    assert len(before) < 250
    told = (await metrics.exposition()).decode()
    assert "secret" not in told
    assert "customer-" not in told


async def test_two_desks_in_a_process_do_not_meet() -> None:
    one, other = Metrics(figures, ["test"]), Metrics(figures, ["test"])
    everything(one)
    assert value(await scraped(one), "switchboard_parse_failures_total") == 1
    assert value(await scraped(other), "switchboard_parse_failures_total") == 0


async def test_an_edit_is_no_message() -> None:
    metrics = Metrics(figures, ["test"])
    metrics.received(Incoming("test", "bot", "2", Sender("7"), "7", "other words", edits="1"), Receipt(1, 1))
    assert value(await scraped(metrics), "switchboard_messages_received_total", channel="test") == 0


async def test_a_clock_that_runs_ahead_makes_no_negative_time() -> None:
    metrics = Metrics(figures, ["test"])
    metrics.delivered("test", datetime.now(UTC) + timedelta(hours=1))
    assert value(await scraped(metrics), "switchboard_delivery_seconds_sum", channel="test") == 0


async def test_the_engine_is_asked_at_each_scrape() -> None:
    metrics, ready = Metrics(figures, []), [True]
    metrics.watch_engine(lambda: ready[0])
    assert value(await scraped(metrics), "switchboard_engine_ready") == 1
    ready[0] = False
    assert value(await scraped(metrics), "switchboard_engine_ready") == 0


async def test_without_the_database_the_rest_is_told() -> None:
    async def refused(_: timedelta) -> Figures:
        raise OSError("no route")

    metrics = Metrics(refused, ["test"])
    everything(metrics)
    families = await scraped(metrics)
    assert value(families, "switchboard_database_up") == 0
    assert "switchboard_queue_jobs" not in families
    assert value(families, "switchboard_parse_failures_total") == 1


async def test_a_database_that_hangs_is_asked_once_however_many_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "ANSWER_WITHIN", 0.05)
    asked = []
    release = asyncio.Event()

    async def hangs(_: timedelta) -> Figures:
        asked.append(1)
        while not release.is_set():  # as a driver does that waits for the other side in spite of being stopped
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return FIGURES

    metrics = Metrics(hangs, ["test"])
    for families in await asyncio.gather(*(scraped(metrics) for _ in range(10))):
        assert value(families, "switchboard_database_up") == 0
    assert value(await scraped(metrics), "switchboard_database_up") == 0
    assert len(asked) == 1
    release.set()
    await until(lambda: metrics._reading is not None and metrics._reading.done())
    assert value(await scraped(metrics), "switchboard_database_up") == 1


async def test_a_costly_reading_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def slow(_: timedelta) -> Figures:
        asked.append(1)
        await asyncio.sleep(0.01)
        return FIGURES

    metrics = Metrics(slow, [])
    for _ in range(5):
        await scraped(metrics)
    assert len(asked) == 1
    monkeypatch.setattr(metrics_module, "REUSED", 0)
    metrics = Metrics(slow, [])
    await scraped(metrics)
    await scraped(metrics)
    assert len(asked) == 3
