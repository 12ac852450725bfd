"""The intent engine of a desk: one at ``RASA_URL``, or one of our own as a child process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from bot.ports import IntentEngine
from bot.settings import Settings
from intents.breaker import Breaker
from intents.datasets import DatasetError
from intents.models import ModelStore
from intents.offline import ParsingFailed
from intents.paths import EnginePaths
from intents.rasa import Endpoint, RasaEngine
from intents.release import TRAINING_SECONDS, Release, present, release
from intents.sidecar import EXPECTED_SECONDS, Sidecar
from intents.training import TrainingFailed, ensure_model
from switchboard.supervise import background

log = structlog.get_logger(__name__)

FIRST_READY_WITHIN = 120.0
REMOTE_READY_WITHIN = 30.0


class Report(Protocol):
    """Shows a person what takes time at start."""

    def step(self, what: str, expected: float) -> AbstractContextManager[Callable[[float], None]]:
        """``what`` begins, and ends with the context. The bar follows the share done (0 to 1) that is
        reported, or else the ``expected`` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """An intent engine that runs."""

    engine: IntentEngine
    ready: Callable[[], bool]
    first_ready: Callable[[], Awaitable[None]]
    """Waits until it has been ready once, or has clearly failed to become so."""
    notice: str | None = None
    """What the operator should know of the model that answers."""


def engine_paths(settings: Settings) -> EnginePaths:
    return EnginePaths(settings.data, settings.var)


async def train(settings: Settings, report: Report, *, accept: bool = False) -> Release:
    """Makes the model of the content live, unless it is worse than the live one and not accepted all the same."""
    return await release(engine_paths(settings), report.step, accept=accept)


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
            async with background("engine", remote.watch):
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
        background("rasa", sidecar.run),
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
