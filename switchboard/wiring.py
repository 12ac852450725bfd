"""Wires the parts of a desk: the only place that knows them all. ``process`` runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from fastapi import APIRouter

from bot import guard
from bot.background import BackgroundTasks
from bot.content.answers import Answers
from bot.content.coins import read_vocabulary
from bot.content.cues import read_cues
from bot.content.opening import opening_words
from bot.content.procedures import read_procedures
from bot.content.words import SHIPPED, Facts, Words, locales_in
from bot.domain.conversation import Conversation, Reopening
from bot.domain.cues import Cues
from bot.domain.forms import Vocabulary
from bot.domain.procedure import Procedure
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
from bot.ports import Connector, Erasing, Fetching, IntentEngine, LookUp, Typing
from bot.queue import Queue
from bot.runtime import handles, http
from bot.runtime.channel_status import ChannelHealth
from bot.runtime.feed import Feed
from bot.runtime.metrics import Metrics
from bot.runtime.sweeps import Sweep
from bot.settings import ROOT, Settings
from bot.store import Store
from bot.store.database import conninfo, create_engine
from bot.store.search_indexes import BUILD_EVERY, SORT_EVERY
from handoff import absences, expectations
from handoff.console import console
from handoff.desk import Desk
from handoff.hours import working_hours
from handoff.look_ups import TicketStatus
from handoff.policy import Policy, Topic
from handoff.situations import Situations
from intents import language
from switchboard.plugins import build_connectors, fingerprint, installed, picture_reader
from switchboard.process import Switchboard

log = structlog.get_logger(__name__)

VENDOR = ROOT / "node_modules"
TURN_FAILED = "customer.queued_unsure"
"""What a customer is told whose turn failed."""


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
            titles=answers.titles,
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
        Sweep(store.glances.forget_old, every=3600),
        Sweep(store.deliveries.defer_forgotten, every=15),
        Sweep(store.agents.forget_expired, every=60),
        Sweep(store.uploads.forget_old, every=3600),
        Sweep(store.files.forget_unnamed, every=3600),
        Sweep(store.search_indexes.build, every=BUILD_EVERY),
        Sweep(store.search_indexes.sort_in, every=SORT_EVERY),
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
