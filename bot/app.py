"""The only place that wires the parts together, and supervises them."""

from __future__ import annotations

import asyncio
import hashlib
import math
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import structlog
from fastapi import FastAPI

from bot import clock, guard, handles, http, lease, ticks
from bot.answers import Answers
from bot.attachments import Attachments
from bot.feed import Feed
from bot.health import ChannelHealth, write_health
from bot.intake import Intake
from bot.metrics import Metrics
from bot.model import Button, Conversation, Incoming, PermanentError, Receipt, Reopening, Role
from bot.outbox import Outbox
from bot.queue import Queue
from bot.settings import ROOT, Settings, load
from bot.store import Store, migrate
from bot.store.database import conninfo, create_engine, embedded
from bot.store.trouble import is_trouble, said
from bot.transcript import StoredTranscript
from bot.tries import Tries
from bot.turns import Turns
from connectors.base import Closing, Connector, Fetching, Plugin, Routes, Surroundings, Typing
from handoff import passwords
from handoff.console import console
from handoff.desk import Desk
from handoff.policy import Policy, Topic
from handoff.staff import LINK_VALID
from intents import language
from intents.breaker import Breaker
from intents.datasets import DatasetError
from intents.engine import IntentEngine
from intents.models import ModelStore
from intents.offline import ParsingFailed
from intents.paths import EnginePaths
from intents.rasa import Endpoint, RasaEngine
from intents.release import TRAINING_SECONDS, Release, present, release
from intents.sidecar import EXPECTED_SECONDS, Sidecar
from intents.training import TrainingFailed, ensure_model

log = structlog.get_logger(__name__)

VENDOR = ROOT / "node_modules"
FIRST_AGENT = "admin"
TURN_FAILED = "queued_unsure"
"""What a customer is told whose turn failed."""
REFUSAL_COUNTS = 30.0
"""Seconds for which a desk is not ready after a message that could not be recorded, unless another could."""
FIRST_READY_WITHIN = 120.0
REMOTE_READY_WITHIN = 30.0
STOPS_WITHIN = 8.0
"""Seconds that a part has to stop in order until it is told again: the queue gives its jobs five."""


def plugins() -> dict[str, Plugin]:
    """The installed connectors by name, from the entry point group ``switchboard.connectors``."""
    return {entry.name: entry.load() for entry in entry_points(group="switchboard.connectors")}


def load_settings(config: Path | None = None) -> Settings:
    """Settings with a section for every installed connector. Raises ``SettingsError``."""
    found = plugins()
    return load(
        {name: plugin.settings for name, plugin in found.items()},
        {name: plugin.secret_variable for name, plugin in found.items() if plugin.secret_variable},
        config,
    )


def load_answers(settings: Settings) -> Answers:
    return Answers(settings.data, settings.config.locales.default_first, settings.facts)


def build_policy(answers: Answers) -> Policy:
    topics = {}
    for topic in answers.topics:
        answer = answers.get(topic, None)
        assert answer is not None
        topics[topic] = Topic(answer.handoff, answer.priority)
    return Policy(topics)


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the deployment's database; the embedded one runs as long as this is entered."""
    if settings.environment.database_url:
        yield settings.environment.database_url
    else:
        with embedded(settings.var / "postgres") as url:
            yield url


class Report(Protocol):
    """Shows a person what takes time at start."""

    def step(self, what: str, expected: float) -> AbstractContextManager[Callable[[float], None]]:
        """``what`` begins, and ends with the context. The bar follows the share done (0 to 1) that is
        reported, or else the ``expected`` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a desk that is ready can be reached."""

    chat: str
    console: str
    sign_in: str | None
    """The first agent's one-time sign-in, until somebody has set a password."""
    notice: str | None = None
    """What the operator should know of the model that answers."""


class Switchboard:
    """One desk process: parts wired by ``build``, run by ``run``."""

    def __init__(
        self,
        *,
        conninfo: str,
        store: Store,
        queue: Queue,
        feed: Feed,
        turns: Turns,
        outbox: Outbox,
        attachments: Attachments,
        tries: Tries,
        desk: Desk,
        connectors: Mapping[str, Connector],
        health: Mapping[str, ChannelHealth],
        leases: Mapping[str, str],
        metrics: Metrics,
        streams: http.Streams,
        brand: str,
        reopening: Reopening,
    ) -> None:
        """``leases`` by channel: the name under which replicas agree who runs it."""
        self.store = store
        self.connectors = connectors
        self._health = health
        self._leases = leases
        self._conninfo = conninfo
        self._metrics = metrics
        self._streams = streams
        self._queue = queue
        self._feed = feed
        self._desk = desk
        self._brand = brand
        self._refusal = ""
        self._refused_at = -math.inf
        self._turns = turns
        self._intake = Intake(partial(store.record_incoming, reopening=reopening))
        self._gone_after = reopening.agent_gone_after
        queue.serve(turn=turns.take, deliver=outbox.deliver, fetch=attachments.fetch, counted=tries.counted)

    async def receive(self, incoming: Incoming) -> Receipt:
        """The one way in for every connector: guard, then store. What it returns for is committed."""
        incoming = guard.incoming(incoming)
        self._turns.foresee(incoming)
        try:
            receipt = await self._intake.record(incoming)
        except Exception as error:
            if is_trouble(error):
                self._refusal = said(error)
                self._refused_at = ticks.seconds()
                log.error("a message is left with its platform", action="not_recorded", error=self._refusal)
            raise
        self._refused_at = -math.inf
        self._metrics.received(incoming, receipt)
        if incoming.channel in self._health and not receipt.duplicate:
            self._health[incoming.channel].received(incoming)
        log.info(
            "received",
            action="received",
            channel=incoming.channel,
            conversation=receipt.conversation_id,
            message=receipt.message_id,
            duplicate=receipt.duplicate,
        )
        return receipt

    def application(self, engine_ready: Callable[[], bool], stopping: Callable[[], bool]) -> FastAPI:
        """The HTTP side of the desk; its event streams end when ``stopping`` says so."""

        async def check_database() -> str | None:
            try:
                async with asyncio.timeout(5):
                    await self.store.ping()
            except Exception as error:
                return f"unreachable, or takes no writes: {said(error)}"
            # Small writes may still find room where a message does not.
            if ticks.seconds() - self._refused_at < REFUSAL_COUNTS:
                return f"did not take a message: {self._refusal}"
            return None

        async def check_engine() -> str | None:
            return None if engine_ready() else "not ready; customers are handed to agents"

        routers = [
            console(
                self.store,
                self._desk,
                self._feed,
                capabilities={name: connector.capabilities for name, connector in self.connectors.items()},
                vendor=VENDOR,
                brand=self._brand,
                stopping=stopping,
                streams=self._streams,
            )
        ]
        routers += [part.routes(self.receive) for part in self.connectors.values() if isinstance(part, Routes)]
        self._metrics.watch_engine(engine_ready)
        return http.application(routers, {"database": check_database, "engine": check_engine}, self._metrics)

    @asynccontextmanager
    async def running(
        self,
        listening: socket.socket,
        engine_ready: Callable[[], bool],
        first_engine_ready: Callable[[], Awaitable[None]],
    ) -> AsyncIterator[None]:
        """Runs the desk while entered. Entered when customers are answered; left when nothing is under way:
        connectors stop first, then the queue, so what was received is finished or waits in the database.

        Work starts with ``first_engine_ready``: after a restart customers wait some seconds for the engine
        rather than all be handed to agents.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            await self._queue.open()
            stack.push_async_callback(self._queue.close)
            for connector in self.connectors.values():
                if isinstance(connector, Closing):
                    stack.push_async_callback(connector.close)
            await stack.enter_async_context(_background("feed", self._feed.run))
            await stack.enter_async_context(
                _background("channel status", lambda: write_health(self.store, self._health.values()))
            )
            stopping = asyncio.Event()
            app = self.application(engine_ready, stopping.is_set)
            await stack.enter_async_context(
                _background("http", lambda: http.serve(app, listening, self._streams.limits))
            )
            stack.callback(stopping.set)
            await first_engine_ready()
            sweeps = partial(
                clock.run, self.store, self._queue, partial(self._desk.put_back_abandoned, self._gone_after)
            )
            await stack.enter_async_context(_background("clock", sweeps))
            await stack.enter_async_context(_background("queue", self._queue.run))
            for connector in self.connectors.values():
                await stack.enter_async_context(_background(connector.name, partial(self._connect, connector)))
            yield

    async def _connect(self, connector: Connector) -> None:
        """Runs one connector. A refused account turns its channel off, and nothing else."""
        doing = self._health[connector.name]

        async def run(held: lease.Lease | None = None) -> None:
            async def receive(incoming: Incoming) -> Receipt:
                if held is not None:
                    held.check()  # who was frozen must not go on where another has begun
                return await self.receive(incoming)

            doing.connecting()
            try:
                await connector.run(receive)
            except PermanentError as error:
                doing.off(str(error))
                raise
            except Exception as error:
                doing.connecting()
                # Only the kind: other errors may quote what customers wrote.
                doing.trouble(f"{type(error).__name__}; the log says more")
                raise
            except asyncio.CancelledError:
                doing.not_here()
                raise

        try:
            if connector.capabilities.exclusive:
                await lease.hold(self._conninfo, self._leases[connector.name], run)
            else:
                await run()
        except PermanentError as error:
            log.error("channel is off", action="channel_off", channel=connector.name, error=str(error))

    async def first_sign_in(self) -> str | None:
        """The path of a fresh one-time sign-in for the first agent, whom it makes; None once any agent
        has a password."""
        agents = [agent for agent in await self.store.agents() if agent.disabled_at is None]
        if any(agent.has_password for agent in agents):
            return None
        agent = agents[0] if agents else await self.store.add_agent(FIRST_AGENT, Role.ADMIN, None)
        token = passwords.new_token()
        await self.store.add_sign_in(agent.id, passwords.token_hash(token), datetime.now(UTC) + LINK_VALID)
        return f"/console/sign-in/{token}"


def build(settings: Settings, url: str, engine: IntentEngine) -> Switchboard:
    """Wires a desk. No network calls here; ``url`` is a migrated database."""
    answers = load_answers(settings)
    queue = Queue(conninfo(url))
    store = Store(create_engine(url), queue)
    feed = Feed(conninfo(url))
    health = {name: ChannelHealth(name) for name in plugins()}
    streams = http.Streams(http.Limits(http.connections_for(handles.limit(), settings.config.server.connections)))
    connectors = build_connectors(settings, answers, store, StoredTranscript(store, feed), health, streams)
    metrics = Metrics(store.figures, connectors)
    outbox = Outbox(store, connectors, health, metrics)
    turns = Turns(
        store,
        answers,
        build_policy(answers),
        engine.predict,
        language.detect,
        partial(_show_typing, connectors),
        metrics,
        outbox,
    )
    return Switchboard(
        conninfo=conninfo(url),
        store=store,
        queue=queue,
        feed=feed,
        turns=turns,
        outbox=outbox,
        attachments=Attachments(
            store, {name: part for name, part in connectors.items() if isinstance(part, Fetching)}, metrics
        ),
        tries=Tries(store, answers.phrase_by_locale(TURN_FAILED), metrics),
        desk=Desk(store, answers.phrase_by_locale),
        connectors=connectors,
        health=health,
        leases={name: f"{name}:{_fingerprint(settings, plugin)}" for name, plugin in plugins().items()},
        metrics=metrics,
        streams=streams,
        brand=settings.config.brand.name,
        reopening=Reopening(
            within=timedelta(hours=settings.config.desk.reopen_hours),
            agent_gone_after=timedelta(minutes=settings.config.desk.agent_gone_minutes),
            to_agent=answers.phrase_by_locale("reopened"),
            to_queue=answers.phrase_by_locale("reopened_queued"),
        ),
    )


def _fingerprint(settings: Settings, plugin: Plugin) -> str:
    """Tells bot accounts apart before any has said who it is; an account has one valid token at a time."""
    return hashlib.sha256(settings.secrets.get(plugin.secret_variable or "", "").encode()).hexdigest()[:16]


def build_connectors(
    settings: Settings,
    answers: Answers,
    store: Store,
    transcript: StoredTranscript,
    health: Mapping[str, ChannelHealth],
    streams: http.Streams,
) -> dict[str, Connector]:
    """The channels that are enabled and, where they need a token, have one."""
    built = {}
    for name, plugin in plugins().items():
        section = settings.channel(name)
        secret = settings.secrets.get(plugin.secret_variable, "") if plugin.secret_variable else ""
        if not section.enabled or (plugin.secret_variable and not secret):
            continue
        built[name] = plugin.build(
            section,
            Surroundings(
                secret=secret,
                var=settings.var,
                brand=settings.config.brand.name,
                locales=answers.locales,
                transcript=transcript,
                records=store,
                health=health[name],
                streams=streams,
                suggestions=_suggestions(settings, answers),
            ),
        )
    return built


def _suggestions(settings: Settings, answers: Answers) -> dict[str, list[Button]]:
    return {
        locale: [button for topic in settings.config.suggestions if (button := answers.topic_button(topic, locale))]
        for locale in answers.locales
    }


_typing: set[asyncio.Task[None]] = set()


def _show_typing(connectors: Mapping[str, Connector], conversation: Conversation) -> None:
    """Beside the turn, not before it: no customer waits for a courtesy."""
    connector = connectors.get(conversation.contact.channel)
    if isinstance(connector, Typing):
        task = asyncio.ensure_future(connector.typing(conversation.contact.chat_id))
        # The loop keeps only a weak reference.
        _typing.add(task)
        task.add_done_callback(_typing.discard)


@asynccontextmanager
async def _background(name: str, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs a part until the context is left; one that fails is started again, with growing pauses."""
    task = asyncio.create_task(_forever(name, run), name=name)
    try:
        yield
    finally:
        task.cancel()
        while not (await asyncio.wait({task}, timeout=STOPS_WITHIN))[0]:
            # Before Python 3.12 a cancellation is lost where what is waited for comes in the same moment, as it does in
            # psycopg's waiting for the database.
            log.warning("a part does not stop; telling it again", action="part_stops_late", part=name)
            task.cancel()


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    pause = 1.0
    while True:
        started = time.monotonic()
        try:
            await run()
            return
        except Exception as error:
            if _is_cancelled():
                return  # some end with another error than that they were cancelled
            if time.monotonic() - started > 60:
                pause = 1.0
            log.exception("part failed; starting it again", action="part_failed", part=name, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30.0)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@dataclass(frozen=True, slots=True)
class Running:
    """An intent engine that runs."""

    engine: IntentEngine
    ready: Callable[[], bool]
    first_ready: Callable[[], Awaitable[None]]
    """Waits until it has been ready once, or has clearly failed to become so."""
    notice: str | None = None
    """What the operator should know of the model that answers."""


@asynccontextmanager
async def intent_engine(settings: Settings, report: Report, *, trial: bool = False) -> AsyncIterator[Running]:
    """The engine at ``RASA_URL``, or one of our own as a child process: trained if its content changed,
    started, and kept alive while entered.

    It answers with the live model, also with one that becomes live meanwhile; in a ``trial``, with the content's own
    one, and what is live stays so.
    """
    timeout = settings.config.engine.timeout
    environment = settings.environment
    if environment.rasa_url:
        endpoint = Endpoint(environment.rasa_url, environment.rasa_token)
        async with RasaEngine(lambda: endpoint, timeout) as engine:
            remote = _Remote(engine)
            async with _background("engine", remote.watch):
                yield Running(Breaker(engine), lambda: remote.ready, remote.first_ready)
        return
    paths = engine_paths(settings)
    notice = None
    if trial:
        with report.step("Training the intent model", TRAINING_SECONDS) as progress:
            model = await ensure_model(paths, lambda _step, done: progress(done))
        sidecar = Sidecar(paths, model)
    else:
        store = ModelStore(paths.models)
        model, notice = await _live_model(paths, store, report)
        sidecar = Sidecar(paths, model, follow=store)
    async with (
        RasaEngine(sidecar.endpoint, timeout) as engine,
        _background("rasa", sidecar.run),
    ):

        async def first_ready() -> None:
            with report.step("Starting Rasa", EXPECTED_SECONDS):
                await _within(sidecar.first_ready.wait(), FIRST_READY_WITHIN)

        yield Running(Breaker(engine), lambda: sidecar.ready, first_ready, notice)


async def _live_model(paths: EnginePaths, store: ModelStore, report: Report) -> tuple[Path, str | None]:
    """The model to start with, and what there is to say about it. Once there has been a good one, no content, however
    broken, keeps a desk from starting."""
    try:
        released = await release(paths, report.step)
    except (TrainingFailed, ParsingFailed, DatasetError) as error:
        live = present(store)
        if live is None:
            raise
        log.error(
            "no model of the content; the live one stays", action="model_failed", live=live.model, error=str(error)
        )
        first = str(error).partition("\n")[0]
        return store.path(live.model), (
            f"The content as it is now has no model: {first} Model {live.model} answers, which was live before."
            " `switchboard train` says more."
        )
    live = released.live
    notice = None
    if released.refused and released.comparison is not None:
        log.error(
            "the model of the content is worse than the live one and was refused",
            action="model_refused",
            model=released.comparison.new,
            live=live.model,
            losses=[str(loss) for loss in released.comparison.losses],
        )
        notice = (
            f"Model {released.comparison.new}, of the content as it is now, was refused: it is worse than"
            f" {live.model}, which stays live. `switchboard train` says what got worse."
        )
    elif live.model != live.content:
        notice = f"Model {live.model} answers, and not the one of the content as it is now: {live.why}."
    return store.path(live.model), notice


class _Remote:
    """Watches an engine that somebody else runs."""

    def __init__(self, engine: IntentEngine) -> None:
        self._engine = engine
        self._seen = asyncio.Event()
        self.ready = False

    async def watch(self) -> None:
        while True:
            self.ready = await self._engine.healthy()
            if self.ready:
                self._seen.set()
            await asyncio.sleep(5 if self._seen.is_set() else 0.5)

    async def first_ready(self) -> None:
        await _within(self._seen.wait(), REMOTE_READY_WITHIN)


async def _within(waiting: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        log.error("the engine is not ready; customers are handed to agents until it is", action="engine_late")


@asynccontextmanager
async def running_desk(
    settings: Settings, url: str, listening: socket.socket, report: Report
) -> AsyncIterator[tuple[Switchboard, Ready]]:
    """A whole desk on the database at ``url``, answering customers while entered."""
    with report.step("Preparing the database", 1):
        await migrate(url)
    async with intent_engine(settings, report) as running:
        desk = build(settings, url, running.engine)
        async with desk.running(listening, running.ready, running.first_ready):
            yield desk, await _ready(desk, listening, running.notice)


def base_address(host: str, port: int) -> str:
    """Where a desk that listens there is reached from this machine."""
    # An address that means "every interface" is none that a browser can open.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _ready(desk: Switchboard, listening: socket.socket, notice: str | None) -> Ready:
    base = base_address(*listening.getsockname()[:2])
    try:
        sign_in = await desk.first_sign_in()
    except Exception as error:
        # The desk runs, and its parts wait for a database that went away meanwhile: no reason to end.
        log.warning("no first sign-in could be made", action="sign_in_failed", error=type(error).__name__)
        sign_in = None
    return Ready(
        chat=f"{base}/chat",
        console=f"{base}/console",
        sign_in=None if sign_in is None else base + sign_in,
        notice=notice,
    )


def engine_paths(settings: Settings) -> EnginePaths:
    return EnginePaths(settings.data, settings.var)


async def train(settings: Settings, report: Report, *, accept: bool = False) -> Release:
    """Makes the model of the content live, unless it is worse than the live one and not accepted all the same."""
    return await release(engine_paths(settings), report.step, accept=accept)
