"""Rasa as a supervised child process on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

from bot.domain.engine import EngineUnavailable
from intents.models import Live, ModelError, ModelStore, held
from intents.paths import EnginePaths
from intents.rasa import Endpoint, RasaEngine

log = structlog.get_logger(__name__)

EXPECTED_SECONDS = 8.0
"""From start to ready on two ordinary cores, for progress bars."""

Waiting = Callable[[float, float], None]
"""Called a few times a second while Rasa starts, with the seconds passed and those expected."""

_START_LIMIT = 120.0
_CHECKS_TO_FAIL = 3
_STABLE = 60.0
_MAX_PAUSE = 30.0
_GRACE = 5.0
_LOOK_INTERVAL = 1.0
"""Seconds between two looks at which model is live: a small file."""
_LAST_ANSWERS = 60.0
"""Seconds that a model which was replaced gets for them; each request has a much shorter timeout of its own."""


class RasaProcess:
    """One Rasa server with one model, from its start to its end. Each gets a port and a token of its own.

    Its health is checked every ``check_interval`` seconds, with as long to answer; three failures in a row end it.
    """

    def __init__(
        self,
        paths: EnginePaths,
        model: Path,
        lines: logging.Logger,
        *,
        check_interval: float,
        waiting: Waiting | None,
        on_ready: Callable[[RasaProcess], None],
    ) -> None:
        self.model = model
        self.endpoint = Endpoint(f"http://127.0.0.1:{_free_port()}", secrets.token_urlsafe(32))
        self.ready = False
        self.pid: int | None = None
        """The child's process id while there is one."""
        self._paths = paths
        self._lines = lines
        self._check_interval = check_interval
        self._waiting = waiting
        self._on_ready = on_ready
        self.ended = asyncio.create_task(self._run())
        """Its whole life, with the reason why it is over. Cancelling ends it in order, and leaves no child."""

    async def stop(self) -> None:
        self.ended.cancel()
        await asyncio.wait({self.ended})

    async def _run(self) -> str:
        python = self._paths.python()
        try:
            # The file is needed again whenever Rasa is: nobody may tidy it away meanwhile.
            with held(self.model):
                return await self._serve(python)
        except OSError as error:
            return f"it could not be started: {error}"

    async def _serve(self, python: Path) -> str:
        process = await self._start(python)
        self.pid = process.pid
        assert process.stdout is not None
        copying = asyncio.create_task(_copy(process.stdout, self._lines))
        exited = asyncio.create_task(process.wait())
        watching = asyncio.create_task(self._watch())
        try:
            done, _ = await asyncio.wait((exited, watching), return_when=asyncio.FIRST_COMPLETED)
            return f"it exited with status {exited.result()}" if exited in done else watching.result()
        finally:
            self.ready = False
            watching.cancel()
            try:
                await _stop(process)
            finally:
                self.pid = None
                copying.cancel()

    async def _start(self, python: Path) -> asyncio.subprocess.Process:
        port = self.endpoint.url.rpartition(":")[2]
        return await asyncio.create_subprocess_exec(
            *(python, self._paths.server / "serve.py", self.model, port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._paths.log.parent,
            env={**self._paths.process_environment(), "RASA_TOKEN": self.endpoint.token},
            # A process group of its own: Ctrl-C in the terminal is for the desk, which then ends Rasa in order.
            start_new_session=True,
        )

    async def _watch(self) -> str:
        """Waits until Rasa is ready, then until it is not any more. Returns what was wrong."""
        async with RasaEngine(lambda: self.endpoint, timeout=self._check_interval) as engine:
            began = time.monotonic()
            while not await engine.healthy():
                passed = time.monotonic() - began
                if passed > _START_LIMIT:
                    return f"it was not ready after {_START_LIMIT:g} seconds"
                if self._waiting is not None:
                    self._waiting(passed, EXPECTED_SECONDS)
                await asyncio.sleep(0.1)
            with contextlib.suppress(EngineUnavailable):
                # The first text takes longest; let it be nobody's.
                await engine.predict("hello")
            self.ready = True
            self._on_ready(self)
            log.info("rasa is ready", action="rasa_ready", seconds=round(time.monotonic() - began, 1))
            failures = 0
            while failures < _CHECKS_TO_FAIL:
                await asyncio.sleep(self._check_interval)
                failures = 0 if await engine.healthy() else failures + 1
            return f"it failed {failures} health checks in a row"


class Sidecar:
    """Keeps Rasa alive while ``run`` runs, and customers unaware of a change of its model.

    Where it answers changes with every start, so ``endpoint`` is asked for every request. The child ends with
    ``run``, and if this process is killed outright, by itself.

    With a store to ``follow``, a model that becomes live there takes over within seconds: it is started beside the
    one that serves, gets all requests from the moment it is ready, and the other one ends when it has answered its
    last. If it does not get ready, the one that serves stays until another one becomes live.
    """

    def __init__(
        self,
        paths: EnginePaths,
        model: Path,
        waiting: Waiting | None = None,
        *,
        check_interval: float = 5.0,
        follow: ModelStore | None = None,
    ) -> None:
        self._paths = paths
        self._model = model
        self._waiting = waiting
        self._check_interval = check_interval
        self._store = follow
        self._followed: Live | None = None
        """The last choice of a live model that was dealt with, whatever came of it."""
        self._unreadable = ""
        self._lines = logging.Logger("rasa")
        self._processes: set[RasaProcess] = set()
        self._serving: RasaProcess | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.first_ready = asyncio.Event()
        """Set once Rasa has been ready for the first time, and never cleared."""

    @property
    def ready(self) -> bool:
        return self._serving is not None and self._serving.ready

    @property
    def model(self) -> Path:
        """The model that answers, or that is being started to."""
        return self._model

    @property
    def pid(self) -> int | None:
        """The process id of the child that answers, while there is one."""
        return None if self._serving is None else self._serving.pid

    def endpoint(self) -> Endpoint:
        """Where Rasa answers now. Raises ``EngineUnavailable`` while it does not."""
        if self._serving is None or not self._serving.ready:
            raise EngineUnavailable("Rasa is starting.")
        return self._serving.endpoint

    async def run(self) -> None:
        """Starts Rasa and starts it again, with growing pauses, whenever it dies or stops answering.

        Returns only by cancellation; no child is left then. Raises ``EngineNotInstalled``.
        """
        with _log_file(self._paths.log) as self._lines:
            try:
                self._serve_with(self._start(self._model, self._waiting))
                while True:
                    await self._until_next_look()
                    await self._follow()
            finally:
                await self._end_all()

    def _start(self, model: Path, waiting: Waiting | None = None) -> RasaProcess:
        process = RasaProcess(
            self._paths,
            model,
            self._lines,
            check_interval=self._check_interval,
            waiting=waiting,
            on_ready=self._became_ready,
        )
        self._processes.add(process)
        process.ended.add_done_callback(lambda _: self._processes.discard(process))
        return process

    def _became_ready(self, process: RasaProcess) -> None:
        if process is self._serving:
            self.first_ready.set()

    def _serve_with(self, process: RasaProcess) -> None:
        """From now on ``process`` answers, and its successors with the same model."""
        if self._keeping is not None:
            # This ends the looking after the one before, not that one: it may have requests to answer.
            self._keeping.cancel()
        self._serving, self._model = process, process.model
        self._keeping = asyncio.create_task(self._keep_alive(process))
        if process.ready:
            self.first_ready.set()

    async def _keep_alive(self, process: RasaProcess) -> None:
        pause = 1.0
        while True:
            started = time.monotonic()
            await asyncio.wait({process.ended})
            if time.monotonic() - started > _STABLE:
                pause = 1.0
            log.warning("rasa stopped", action="rasa_restart", reason=process.ended.result(), pause=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MAX_PAUSE)
            process = self._serving = self._start(process.model)

    async def _until_next_look(self) -> None:
        """Raises what ended the keeping alive, which never ends well."""
        assert self._keeping is not None
        done, _ = await asyncio.wait({self._keeping}, timeout=_LOOK_INTERVAL)
        if done:
            self._keeping.result()

    async def _follow(self) -> None:
        """Deals with the choice of another live model, if there was one since the last look."""
        live = self._chosen()
        if live is None or live == self._followed:
            return
        assert self._store is not None
        self._followed = live
        model = self._store.path(live.model)
        if model != self._model:
            await self._swap(model)

    def _chosen(self) -> Live | None:
        try:
            live = None if self._store is None else self._store.live()
        except ModelError as error:
            if str(error) != self._unreadable:
                self._unreadable = str(error)
                log.error("the live model cannot be followed", action="model_unknown", error=str(error))
            return self._followed
        self._unreadable = ""
        return live

    async def _swap(self, model: Path) -> None:
        """Starts ``model`` beside the one that serves, and lets it take over. Given up for yet another choice."""
        log.info("starting another model beside the live one", action="model_starting", model=model.name)
        candidate = self._start(model)
        while not candidate.ready:
            await asyncio.wait({candidate.ended}, timeout=0.1)
            if candidate.ended.done():
                error = candidate.ended.exception()
                log.error(
                    "the new model did not get ready; the one before goes on",
                    action="model_not_ready",
                    model=model.name,
                    serving=self._model.name,
                    reason=candidate.ended.result() if error is None else str(error),
                )
                return
            if self._chosen() != self._followed:
                await candidate.stop()
                return
        before = self._serving
        self._serve_with(candidate)
        log.info("another model answers now", action="model_swapped", model=model.name)
        if before is not None:
            await _retire(before)

    async def _end_all(self) -> None:
        self._serving = None
        if self._keeping is not None:
            self._keeping.cancel()
        ending = [process.ended for process in self._processes]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


async def _retire(process: RasaProcess) -> None:
    """Ends ``process``, which gets no new requests, when it has answered the last."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_ANSWERS):
            await process.endpoint.idle.wait()
    await process.stop()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Asks the process to end and makes it end. Even a cancellation here leaves no process behind."""
    if process.returncode is not None:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    await process.wait()


def _free_port() -> int:
    # Somebody may take it before the child does; the child then fails to start and gets another.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _log_file:
    """A logger that writes bare lines to ``path``: at most three files of half a megabyte."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> logging.Logger:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(self._path, maxBytes=500_000, backupCount=2, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        # Not from the registry: its lines must not reach the desk's own log.
        logger = logging.Logger("rasa")
        logger.addHandler(self._handler)
        return logger

    def __exit__(self, *_: object) -> None:
        self._handler.close()


async def _copy(stream: asyncio.StreamReader, lines: logging.Logger) -> None:
    while block := await stream.read(65536):
        for line in block.decode(errors="replace").splitlines():
            if line.strip():
                lines.info("%s", line)
