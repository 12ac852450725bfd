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

from bot.model import EngineUnavailable
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


class Sidecar:
    """Keeps one Rasa server alive while ``run`` runs.

    Each start gets a port and a token of its own, so ``endpoint`` is asked for every request. The child
    ends with ``run``, and if this process is killed outright, by itself.

    Its health is checked every ``check_interval`` seconds, with as long to answer; three failures in a row
    end it.
    """

    def __init__(
        self, paths: EnginePaths, model: Path, waiting: Waiting | None = None, *, check_interval: float = 5.0
    ) -> None:
        self._paths = paths
        self._model = model
        self._waiting = waiting
        self._check_interval = check_interval
        self._endpoint: Endpoint | None = None
        self._pid: int | None = None
        self.first_ready = asyncio.Event()
        """Set once Rasa has been ready for the first time, and never cleared."""

    @property
    def ready(self) -> bool:
        return self._endpoint is not None

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._pid

    def endpoint(self) -> Endpoint:
        """Where Rasa answers now. Raises ``EngineUnavailable`` while it does not."""
        if self._endpoint is None:
            raise EngineUnavailable("Rasa is starting.")
        return self._endpoint

    async def run(self) -> None:
        """Starts Rasa and starts it again, with growing pauses, whenever it dies or stops answering.

        Returns only by cancellation; no child is left then. Raises ``EngineNotInstalled``.
        """
        pause = 1.0
        with _log_file(self._paths.log) as lines:
            while True:
                started = time.monotonic()
                reason = await self._serve_once(lines)
                if time.monotonic() - started > _STABLE:
                    pause = 1.0
                log.warning("rasa stopped", action="rasa_restart", reason=reason, pause=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE)

    async def _serve_once(self, lines: logging.Logger) -> str:
        """One life of the child. Returns the reason why it is over."""
        endpoint = Endpoint(f"http://127.0.0.1:{_free_port()}", secrets.token_urlsafe(32))
        process = await self._start(endpoint)
        self._pid = process.pid
        assert process.stdout is not None
        copying = asyncio.create_task(_copy(process.stdout, lines))
        exited = asyncio.create_task(process.wait())
        watching = asyncio.create_task(self._watch(endpoint))
        try:
            done, _ = await asyncio.wait((exited, watching), return_when=asyncio.FIRST_COMPLETED)
            return f"it exited with status {exited.result()}" if exited in done else watching.result()
        finally:
            self._endpoint = None
            watching.cancel()
            try:
                await _stop(process)
            finally:
                self._pid = None
                copying.cancel()

    async def _start(self, endpoint: Endpoint) -> asyncio.subprocess.Process:
        python = self._paths.python()
        port = endpoint.url.rpartition(":")[2]
        return await asyncio.create_subprocess_exec(
            *(python, self._paths.server / "serve.py", self._model, port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._paths.log.parent,
            env={**self._paths.process_environment(), "RASA_TOKEN": endpoint.token},
            # A process group of its own: Ctrl-C in the terminal is for the desk, which then ends Rasa in order.
            start_new_session=True,
        )

    async def _watch(self, endpoint: Endpoint) -> str:
        """Waits until Rasa is ready, then until it is not any more. Returns what was wrong."""
        async with RasaEngine(lambda: endpoint, timeout=self._check_interval) as engine:
            began = time.monotonic()
            while not await engine.healthy():
                passed = time.monotonic() - began
                if passed > _START_LIMIT:
                    return f"it was not ready after {_START_LIMIT:g} seconds"
                if self._waiting is not None:
                    self._waiting(passed, EXPECTED_SECONDS)
                await asyncio.sleep(0.1)
            self._endpoint = endpoint
            self.first_ready.set()
            log.info("rasa is ready", action="rasa_ready", seconds=round(time.monotonic() - began, 1))
            failures = 0
            while failures < _CHECKS_TO_FAIL:
                await asyncio.sleep(self._check_interval)
                failures = 0 if await engine.healthy() else failures + 1
            return f"it failed {failures} health checks in a row"


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
        self._path.parent.mkdir(parents=True, exist_ok=True)
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
