"""What the desk says of itself to Prometheus.

Two sources. What happens in this process is counted as it happens, by the parts that do it; each replica tells its
own. How the desk stands (what waits, who holds what) is read from the database at each scrape; every replica
tells the same. Labels are channels, tasks, reasons and the like: never what customers write, nor who they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bot import monotonic
from bot.domain.channel import ChannelState
from bot.domain.conversation import EscalationReason
from bot.domain.decision import Action
from bot.domain.message import Incoming, Receipt
from bot.queue import DELIVER, ERASE, FETCH, TURN
from bot.store.statistics import Figures

log = structlog.get_logger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST

ANSWER_WITHIN = 2.0
"""Seconds that a scrape waits for the database; Prometheus itself gives up after ten."""
ABANDONED_AFTER = 30.0
"""Seconds after which a reading that was stopped, and does not stop, is no longer waited for."""
REUSED = 100
"""A reading is told again for this many times as long as it took: however large the database, and however many scrape,
looking costs it one hundredth of one connection's time."""
REUSED_AT_MOST = 15.0

SILENT = "silent"
"""The action of a turn where the bot had no say: a human has the conversation, or the message was taken back."""

_REPLY_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_PARSE_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)


class NullMetrics:
    """What the parts of a desk tell as it happens. Told to this one, nobody hears it."""

    def received(self, incoming: Incoming, receipt: Receipt) -> None:
        """An event of a platform is committed, or was before: the platform brought it again."""

    def parsed(self, seconds: float) -> None:
        """The engine answered."""

    def parse_failed(self) -> None:
        """The engine did not answer, or not with a prediction."""

    def turned(self, channel: str, action: Action | None, since: datetime) -> None:
        """A turn is over; ``since`` its message was written. No action: the bot was silent."""

    def escalated(self, channel: str, reason: EscalationReason) -> None:
        """A conversation went from the bot to the queue."""

    def delivered(self, channel: str, since: datetime) -> None:
        """The customer's side is as the desk wants it, ``since`` when it did."""

    def delivery_postponed(self, channel: str) -> None:
        """The platform did not take it now."""

    def delivery_failed(self, channel: str) -> None:
        """The customer will never have it."""

    def perhaps_doubled(self, channel: str) -> None:
        """The customer has it, from a send that was repeated in doubt, and perhaps from the one before too."""

    def fetched(self, channel: str) -> None:
        """What a customer attached is kept."""

    def fetch_failed(self, channel: str) -> None:
        """What a customer attached cannot be had."""


class Metrics(NullMetrics):
    """One desk's measures, in a registry of their own: several desks in a process do not meet."""

    def __init__(self, read: Callable[[timedelta], Awaitable[Figures]], channels: Iterable[str]) -> None:
        """``read`` asks the database (``Store.figures``). The ``channels`` are told from the start, with zeros: a
        rate needs a value before the first event."""
        self._read = read
        self._reading: asyncio.Task[Figures | None] | None = None
        self._began = 0.0
        self._known: Figures | None = None
        self._known_until = 0.0
        self._registry = registry = CollectorRegistry()
        self._engine_ready = Gauge(
            "switchboard_engine_ready",
            "Whether the intent engine answers; customers are queued while not",
            registry=registry,
        )
        self._received = _counter(
            registry, "messages_received", "Customers' messages committed; edits and deletions are none", "channel"
        )
        self._duplicates = _counter(
            registry, "duplicates_refused", "Events that a platform brought again, and that were known", "channel"
        )
        self._parse_seconds = Histogram(
            "switchboard_parse_seconds",
            "Time of the intent engine for one text; failures are not in it",
            buckets=_PARSE_SECONDS,
            registry=registry,
        )
        self._parse_failures = _counter(registry, "parse_failures", "Texts that the intent engine had no answer for")
        self._turn_seconds = Histogram(
            "switchboard_turn_seconds",
            "From the commit of a customer's message to the end of its turn",
            ["channel", "action"],
            buckets=_REPLY_SECONDS,
            registry=registry,
        )
        self._turns = _counter(
            registry,
            "turns",
            "Turns by what the bot did. Containment, counted in turns and not in conversations, which have no end:"
            " answer and ask_back, divided by those and escalate",
            "channel",
            "action",
        )
        self._escalations = _counter(
            registry, "escalations", "Conversations that went from the bot to the queue", "channel", "reason"
        )
        self._delivery_seconds = Histogram(
            "switchboard_delivery_seconds",
            "From the writing (or change) of a message by bot, agent or desk until its customer has it so",
            ["channel"],
            buckets=_REPLY_SECONDS,
            registry=registry,
        )
        self._deliveries = _counter(
            registry,
            "deliveries",
            "Tries to bring a message to its customer, by how they ended; failed is for good",
            "channel",
            "result",
        )
        self._possible_doubles = _counter(
            registry,
            "possible_doubles",
            "Sends repeated because the end of the one before is not known, where the platform cannot tell that they"
            " are the same: the customer may have it twice",
            "channel",
        )
        self._attachments = _counter(
            registry, "attachments", "What customers attached: kept, or impossible to get", "channel", "result"
        )
        for channel in channels:
            self._begin(channel)

    def _begin(self, channel: str) -> None:
        for counter in (self._received, self._duplicates, self._possible_doubles):
            counter.labels(channel)
        for action in (*Action, SILENT):
            self._turns.labels(channel, str(action))
            self._turn_seconds.labels(channel, str(action))
        for reason in EscalationReason:
            self._escalations.labels(channel, reason.value)
        for result in ("sent", "postponed", "failed"):
            self._deliveries.labels(channel, result)
        for result in ("fetched", "failed"):
            self._attachments.labels(channel, result)
        self._delivery_seconds.labels(channel)

    def watch_engine(self, ready: Callable[[], bool]) -> None:
        """``ready`` is asked at each scrape."""
        self._engine_ready.set_function(ready)

    def received(self, incoming: Incoming, receipt: Receipt) -> None:
        if receipt.duplicate:
            self._duplicates.labels(incoming.channel).inc()
        elif incoming.edits is None and incoming.deletes is None:
            self._received.labels(incoming.channel).inc()

    def parsed(self, seconds: float) -> None:
        self._parse_seconds.observe(seconds)

    def parse_failed(self) -> None:
        self._parse_failures.inc()

    def turned(self, channel: str, action: Action | None, since: datetime) -> None:
        name = SILENT if action is None else action.value
        self._turns.labels(channel, name).inc()
        self._turn_seconds.labels(channel, name).observe(_seconds_since(since))

    def escalated(self, channel: str, reason: EscalationReason) -> None:
        self._escalations.labels(channel, reason.value).inc()

    def delivered(self, channel: str, since: datetime) -> None:
        self._deliveries.labels(channel, "sent").inc()
        self._delivery_seconds.labels(channel).observe(_seconds_since(since))

    def delivery_postponed(self, channel: str) -> None:
        self._deliveries.labels(channel, "postponed").inc()

    def delivery_failed(self, channel: str) -> None:
        self._deliveries.labels(channel, "failed").inc()

    def perhaps_doubled(self, channel: str) -> None:
        self._possible_doubles.labels(channel).inc()

    def fetched(self, channel: str) -> None:
        self._attachments.labels(channel, "fetched").inc()

    def fetch_failed(self, channel: str) -> None:
        self._attachments.labels(channel, "failed").inc()

    async def exposition(self) -> bytes:
        """Every measure, as Prometheus reads it. Without the database, all that needs none."""
        figures = await self._figures()
        told = CollectorRegistry()
        told.register(_Happened(self._registry))
        told.register(_Standing(figures))
        return generate_latest(told)

    async def _figures(self) -> Figures | None:
        """None if the database does not answer in time. Scrapes that meet share one reading, and one that hangs is
        not joined by others: a database in trouble is not asked ever more."""
        if self._known is not None and monotonic.seconds() < self._known_until:
            return self._known
        if (
            self._reading is None
            or self._reading.done()
            # Where the network swallows everything, not even the end of a connection is quick.
            or monotonic.seconds() - self._began > ABANDONED_AFTER
        ):
            self._began = monotonic.seconds()
            self._reading = asyncio.create_task(self._look(), name="metrics")
        reading = self._reading
        done, _ = await asyncio.wait({reading}, timeout=ANSWER_WITHIN)
        if not done:
            reading.cancel()
        return reading.result() if done and not reading.cancelled() else None

    async def _look(self) -> Figures | None:
        try:
            self._known = None
            found = await self._read(timedelta(seconds=ANSWER_WITHIN))
        except Exception as error:
            log.warning("the database has no figures", action="figures_failed", error=type(error).__name__)
            return None
        took = monotonic.seconds() - self._began
        self._known, self._known_until = found, monotonic.seconds() + min(REUSED * took, REUSED_AT_MOST)
        return found


def _counter(registry: CollectorRegistry, name: str, what: str, *labels: str) -> Counter:
    return Counter(f"switchboard_{name}_total", what, labels, registry=registry)


def _seconds_since(moment: datetime) -> float:
    """The moment is of the database's clock, and this is another: they are never quite the same."""
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())


class _Happened(Collector):
    """What was counted, without the moments in which each counting began: another series for every one there is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Standing(Collector):
    """One reading of the database, as measures."""

    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield _gauge("database_up", "Whether the database answered this scrape", self._figures is not None)
        if self._figures is None:
            return
        yield from _queue(self._figures)
        yield from _desk(self._figures)
        yield from _channels(self._figures)
        yield from _leases(self._figures)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchboard_{name}", what, value=value)


def _gauges(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchboard_{name}", what, labels=labels)


def _queue(figures: Figures) -> Iterator[Metric]:
    jobs = _gauges("queue_jobs", "Jobs that wait (todo) or are under way (doing)", "task", "status")
    oldest = _gauges("queue_oldest_seconds", "How long the oldest job that could begin has waited", "task")
    by_task = {task.task: task for task in figures.tasks}
    for name in dict.fromkeys((TURN, DELIVER, FETCH, ERASE, *by_task)):
        task = by_task.get(name)
        jobs.add_metric([name, "todo"], task.todo if task else 0)
        jobs.add_metric([name, "doing"], task.doing if task else 0)
        oldest.add_metric([name], task.oldest_due if task else 0)
    yield jobs
    yield oldest


def _desk(figures: Figures) -> Iterator[Metric]:
    conversations = _gauges("conversations", "Open conversations, by who has them", "state")
    for state, count in figures.conversations.items():
        conversations.add_metric([state.value], count)
    yield conversations
    yield _gauge(
        "longest_wait_seconds",
        "How long the customer has waited for a person's answer who has waited longest, in the queue or with an agent",
        figures.longest_wait,
    )
    yield _gauge("deliveries_pending", "Messages that their customers do not have yet", figures.deliveries_pending)
    dead_letters = _gauges("dead_letters", "Work that failed as often as it is tried, and waits for a person", "task")
    for name in dict.fromkeys((TURN, DELIVER, FETCH, ERASE, *figures.dead_letters)):
        dead_letters.add_metric([name], figures.dead_letters.get(name, 0))
    yield dead_letters


def _channels(figures: Figures) -> Iterator[Metric]:
    states = _gauges("channel_state", "1 for the state that the channel is in, 0 for the others", "channel", "state")
    told = _gauges("channel_told_seconds", "Since when no replica has said how the channel is doing", "channel")
    lag = _gauges("channel_lag_seconds", "From a customer's sending to the commit, of the last message", "channel")
    for channel in figures.channels:
        for state in ChannelState:
            states.add_metric([channel.channel, state.value], channel.state is state)
        told.add_metric([channel.channel], channel.told)
        if channel.lag is not None:
            lag.add_metric([channel.channel], channel.lag)
    yield from (states, told, lag)


def _leases(figures: Figures) -> Iterator[Metric]:
    generation = _gauges("lease_generation", "Grows with every term of any holder", "lease")
    held = _gauges("lease_held", "1 if the holder has the lease, 0 if it had it last", "lease", "holder")
    for lease in figures.leases:
        generation.add_metric([lease.name], lease.generation)
        held.add_metric([lease.name, lease.holder], lease.held)
    yield from (generation, held)
