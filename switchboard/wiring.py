"""Wires the parts of a desk, and runs them: the only place that knows them all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from fastapi import APIRouter, FastAPI

from bot import guard
from bot.background import BackgroundTasks
from bot.content.answers import Answers
from bot.content.coins import read_vocabulary
from bot.content.cues import read_cues
from bot.content.opening import opening_words
from bot.content.procedures import read_procedures
from bot.content.words import SHIPPED, Facts, Words, locales_in
from bot.domain.channel import PermanentError
from bot.domain.conversation import Conversation, Reopening
from bot.domain.cues import Cues
from bot.domain.forms import Vocabulary
from bot.domain.message import Incoming, Receipt
from bot.domain.procedure import Procedure
from bot.domain.said import fault
from bot.domain.secret import SecretKind, TheirCopy
from bot.pipeline.attachments import Attachments
from bot.pipeline.clearing import Clearing
from bot.pipeline.dead_letters import RetryLimit
from bot.pipeline.deciding import Deciding
from bot.pipeline.erasures import Erasures
from bot.pipeline.files import FileSearch, SearchedFiles, SearchedUploads
from bot.pipeline.intake import Intake
from bot.pipeline.listening import Listening, Predict, measured
from bot.pipeline.notices import StoredNotices
from bot.pipeline.outbox import Outbox
from bot.pipeline.records import StoredRecords
from bot.pipeline.speech import Speech
from bot.pipeline.transcript import StoredTranscript
from bot.pipeline.turns import Turns
from bot.ports import Closing, Connector, Erasing, Fetching, IntentEngine, LookUp, Routes, Typing
from bot.queue import Queue
from bot.runtime import handles, http, lease, sweeps
from bot.runtime.channel_status import ChannelHealth, write_health
from bot.runtime.feed import Feed
from bot.runtime.metrics import Metrics
from bot.runtime.sweeps import Sweep
from bot.settings import ROOT, Settings
from bot.store import Store
from bot.store.database import conninfo, create_engine
from bot.store.errors import safe_message
from handoff import absences, expectations
from handoff.console import console
from handoff.desk import Desk
from handoff.hours import working_hours
from handoff.look_ups import TicketStatus
from handoff.policy import Policy, Topic
from handoff.situations import Situations
from intents import language
from switchboard.plugins import build_connectors, fingerprint, installed, picture_reader
from switchboard.supervise import background

log = structlog.get_logger(__name__)

VENDOR = ROOT / "node_modules"
TURN_FAILED = "customer.queued_unsure"
"""What a customer is told whose turn failed."""
DATABASE_WITHIN = 5.0
"""Seconds for the database to answer whether it takes writes."""


def load_answers(settings: Settings) -> Answers:
    return Answers(settings.data, locales(settings), facts(settings))


def load_words(settings: Settings) -> Words:
    return Words(settings.data, locales(settings), facts(settings))


def facts(settings: Settings) -> Facts:
    """What fills the placeholders of answers and phrases; the working hours in words, where none are configured."""
    known: Facts = settings.facts
    if settings.config.hours is None or known["hours"] is not None:
        return known
    return {**known, "hours": opening_words(settings.config.hours, locales(settings))}


def locales(settings: Settings) -> tuple[str, ...]:
    """The languages of the desk, the default first: those that are configured, else every file of phrases."""
    default = settings.config.locales.default
    available = settings.config.locales.available or locales_in(settings.data) or locales_in(SHIPPED.parent)
    return (default, *(locale for locale in available if locale != default))


def answer_locales(settings: Settings) -> tuple[str, ...]:
    """Those of the desk's languages in which topics have answers; all of them before there is any."""
    found = locales(settings)
    return tuple(locale for locale in found if (settings.data / "answers" / locale).is_dir()) or found


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What makes the bot's side of a conversation, without a database: turns and ``switchboard predict`` share it."""

    answers: Answers
    policy: Policy
    speech: Speech
    vocabulary: Vocabulary
    procedures: Mapping[str, Procedure]

    def listening(self, predict: Predict) -> Listening:
        return Listening(predict, self.vocabulary, self.policy.parts)

    def deciding(
        self,
        listening: Listening,
        look_ups: Mapping[str, LookUp] | None = None,
        their_copy: Callable[[str], TheirCopy] = lambda _: TheirCopy.NONE,
    ) -> Deciding:
        return Deciding(self.answers, self.policy, listening, language.detect, look_ups, their_copy)


def build_dialogue(settings: Settings, answers: Answers | None = None) -> Dialogue:
    """Raises ``ContentError`` for content that cannot be used."""
    answers = answers or load_answers(settings)
    data = settings.data
    return dialogue_of(answers, read_procedures(data), read_cues(data), read_vocabulary(data))


def dialogue_of(
    answers: Answers,
    procedures: Mapping[str, Procedure] | None = None,
    cues: Cues | None = None,
    vocabulary: Vocabulary | None = None,
) -> Dialogue:
    topics = {topic: _topic(answers, topic) for topic in answers.topics}
    policy = Policy(topics, procedures, cues)
    return Dialogue(answers, policy, Speech(answers, procedures), vocabulary or Vocabulary(), procedures or {})


def _topic(answers: Answers, name: str) -> Topic:
    variants = list(answers.variants(name).values())
    follow_ups = frozenset(cue for answer in variants for cue in answer.follow_ups)
    first = variants[0]
    return Topic(first.handoff, first.priority, first.asks, first.costs, follow_ups)


def _their_copy(connectors: Mapping[str, Connector], channel: str) -> TheirCopy:
    connector = connectors.get(channel)
    if isinstance(connector, Erasing):
        return TheirCopy.DELETED
    own_page = connector is not None and connector.capabilities.immediate
    return TheirCopy.NONE if own_page else TheirCopy.STAYS


class Switchboard:
    """One desk process: parts wired by ``build``, run by ``running``."""

    def __init__(
        self,
        *,
        conninfo: str,
        store: Store,
        queue: Queue,
        feed: Feed,
        intake: Intake,
        connectors: Mapping[str, Connector],
        health: Mapping[str, ChannelHealth],
        leases: Mapping[str, str],
        metrics: Metrics,
        streams: http.Streams,
        sweeps: Iterable[Sweep],
        pages: Callable[[Callable[[], bool]], APIRouter],
    ) -> None:
        """``leases`` by channel: the name under which replicas agree who runs it. ``pages`` makes the agents' pages; it
        is given what says whether the desk is stopping."""
        self.store = store
        self.connectors = connectors
        self.intake = intake
        self._conninfo = conninfo
        self._queue = queue
        self._feed = feed
        self._health = health
        self._leases = leases
        self._metrics = metrics
        self._streams = streams
        self._sweeps = sweeps
        self._pages = pages

    def application(self, engine_ready: Callable[[], bool], stopping: Callable[[], bool]) -> FastAPI:
        """The HTTP side of the desk; its event streams end when ``stopping`` says so."""

        async def check_database() -> str | None:
            try:
                async with asyncio.timeout(DATABASE_WITHIN):
                    await self.store.ping()
            except Exception as error:
                return f"unreachable, or takes no writes: {safe_message(error)}"
            refusal = self.intake.refusal()
            return None if refusal is None else f"did not take a message: {refusal}"

        async def check_engine() -> str | None:
            return None if engine_ready() else "not ready; customers are handed to agents"

        routers = [self._pages(stopping)]
        routers += [part.routes(self.intake.receive) for part in self.connectors.values() if isinstance(part, Routes)]
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
            await stack.enter_async_context(background("feed", self._feed.run))
            await stack.enter_async_context(
                background("channel status", lambda: write_health(self.store.channels, self._health.values()))
            )
            stopping = asyncio.Event()
            app = self.application(engine_ready, stopping.is_set)
            await stack.enter_async_context(
                background("http", lambda: http.serve(app, listening, self._streams.limits))
            )
            stack.callback(stopping.set)
            await asyncio.to_thread(guard.warm)  # or the first customer would wait for it
            await first_engine_ready()
            await stack.enter_async_context(background("sweeps", lambda: sweeps.run(self._sweeps)))
            await stack.enter_async_context(background("queue", self._queue.run))
            for connector in self.connectors.values():
                await stack.enter_async_context(background(connector.name, partial(self._connect, connector)))
            yield

    async def _connect(self, connector: Connector) -> None:
        """Runs one connector. A refused account turns its channel off, and nothing else."""
        doing = self._health[connector.name]

        async def run(held: lease.Lease | None = None) -> None:
            async def receive(incoming: Incoming) -> Receipt:
                if held is not None:
                    held.check()  # who was frozen must not go on where another has begun
                return await self.intake.receive(incoming)

            doing.connecting()
            try:
                await connector.run(receive)
            except PermanentError as error:
                doing.off(error.fault)
                raise
            except Exception as error:
                doing.connecting()
                # Only the kind: other errors may quote what customers wrote.
                doing.trouble(fault("{kind}; the log says more", "fault.failed", kind=type(error).__name__))
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


def build(settings: Settings, url: str, engine: IntentEngine) -> Switchboard:
    """Wires a desk. No network calls here; ``url`` is a migrated database."""
    answers = load_answers(settings)
    queue = Queue(conninfo(url))
    store = Store(create_engine(url), queue)
    feed = Feed(conninfo(url))
    health = {name: ChannelHealth(name) for name in installed()}
    streams = http.Streams(http.Limits(http.connections_for(handles.limit(), settings.config.server.connections)))
    transcript = StoredTranscript(store.contacts, store.messages, store.files, feed)
    dialogue = build_dialogue(settings, answers)
    lets_pass = frozenset(map(SecretKind, settings.config.secrets.let_pass))
    search = FileSearch(lets_pass, picture_reader())
    connectors = build_connectors(
        settings,
        answers,
        StoredRecords(store.contacts, store.channels),
        SearchedFiles(store.files, search),
        StoredNotices(store.notices, answers, dialogue.speech, dialogue.procedures, lets_pass),
        store.receipts,
        SearchedUploads(store.uploads, search),
        transcript,
        health,
        streams,
    )
    metrics = Metrics(store.statistics.read, connectors)
    outbox = Outbox(store.deliveries, store.files, connectors, health, metrics)
    typing = partial(_show_typing, connectors, BackgroundTasks())
    reopening = _reopening(settings, answers)
    situations = Situations(store.waiting, working_hours(settings.config.hours), reopening.agent_gone_after)
    listening = dialogue.listening(measured(engine.predict, metrics))
    clearing = Clearing(store.incoming, lets_pass, store.files)
    turns = Turns(
        store.turns,
        dialogue.deciding(listening, {"ticket": TicketStatus(store.conversations)}, partial(_their_copy, connectors)),
        listening,
        dialogue.speech,
        situations=situations.now,
        show_typing=typing,
        metrics=metrics,
        outbox=outbox,
        clears_again=clearing.again,
    )
    attachments = Attachments(
        store.files,
        {name: part for name, part in connectors.items() if isinstance(part, Fetching)},
        metrics,
        marks=store.incoming,
        search=search,
    )
    retry_limit = RetryLimit(store.dead_letters, guard.phrases(answers.words.by_locale(TURN_FAILED)), metrics)
    desk = Desk(store, answers.words.by_locale, lets_pass)
    pages_alone = [name for name, connector in connectors.items() if not connector.capabilities.reaches_absent]
    waits = expectations.Expectations(store.waiting, situations.now, dialogue.speech)
    absent = absences.Absences(
        situations.now,
        partial(desk.expire_absent, pages_alone),
        timedelta(minutes=settings.config.desk.visitor_gone_minutes),
    )
    erasers = {name: part for name, part in connectors.items() if isinstance(part, Erasing)}
    queue.serve(
        turn=turns.take,
        deliver=outbox.deliver,
        fetch=attachments.fetch,
        erase=Erasures(store.incoming, erasers).erase,
        limited=retry_limit.limited,
    )

    def pages(stopping: Callable[[], bool]) -> APIRouter:
        return console(
            store,
            desk,
            feed,
            capabilities={name: connector.capabilities for name, connector in connectors.items()},
            vendor=VENDOR,
            brand=settings.config.brand.name,
            words=answers.words,
            stopping=stopping,
            streams=streams,
        )

    return Switchboard(
        conninfo=conninfo(url),
        store=store,
        queue=queue,
        feed=feed,
        intake=Intake(partial(store.incoming.record, reopening=reopening), turns.prefetch, health, metrics, clearing),
        connectors=connectors,
        health=health,
        leases={name: f"{name}:{fingerprint(settings, plugin)}" for name, plugin in installed().items()},
        metrics=metrics,
        streams=streams,
        sweeps=(
            *sweeps_of(store, queue, partial(desk.put_back_abandoned, reopening.agent_gone_after)),
            Sweep(transcript.note_present, every=20),
            Sweep(absent.sweep, every=absences.EVERY),
            Sweep(waits.sweep, every=expectations.EVERY),
        ),
        pages=pages,
    )


def sweeps_of(store: Store, queue: Queue, put_back_abandoned: Callable[[], Awaitable[object]]) -> tuple[Sweep, ...]:
    """Every sweep of what the tables alone make due, with its rhythm."""
    return (
        Sweep(queue.rescue_stalled, every=2),
        Sweep(queue.rescue_lost, every=2),
        Sweep(queue.catch_up_with_clock, every=15),
        Sweep(store.deliveries.release_held, every=1),
        Sweep(put_back_abandoned, every=5),
        Sweep(store.conversations.wake_due, every=5),
        Sweep(store.deliveries.defer_forgotten, every=15),
        Sweep(store.agents.forget_expired, every=60),
        Sweep(store.uploads.forget_old, every=3600),
        Sweep(store.files.forget_unnamed, every=3600),
    )


def _reopening(settings: Settings, answers: Answers) -> Reopening:
    return Reopening(
        within=timedelta(hours=settings.config.desk.reopen_hours),
        agent_gone_after=timedelta(minutes=settings.config.desk.agent_gone_minutes),
        to_agent=guard.phrases(answers.words.by_locale("customer.reopened")),
        to_queue=guard.phrases(answers.words.by_locale("customer.reopened_queued")),
    )


def _show_typing(connectors: Mapping[str, Connector], tasks: BackgroundTasks, conversation: Conversation) -> None:
    """Beside the turn, not before it: no customer waits for a courtesy."""
    connector = connectors.get(conversation.contact.channel)
    if isinstance(connector, Typing):
        tasks.run(connector.typing(conversation.contact.chat_id, conversation.thread))
