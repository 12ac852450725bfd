"""Logs: readable lines on a terminal, JSON elsewhere. No message text at info level, no secret at any."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

# Libraries whose info lines are noise here, or hold what a log must not (httpx: URLs with bot tokens;
# procrastinate: a line for every job).
_OURS = ("bot", "connectors", "handoff", "intents", "switchboard")
"""What these say at debug level is looked after; libraries write down whatever they receive."""
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "procrastinate": logging.ERROR,
    "alembic": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "psycopg.pool": logging.ERROR,
}


def configure(level: str, secrets: Iterable[str] = (), to: Path | None = None) -> None:
    """Sets up logging for the process, on standard error or in the file ``to``. Every value in
    ``secrets`` is blotted out wherever it turns up, tracebacks included."""
    if to is not None:
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stream: TextIO = sys.stderr if to is None else to.open("a", encoding="utf-8")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Sequence[Processor]
    if stream.isatty():
        last = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _Blot(secrets)],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _OURS:
        logging.getLogger(name).setLevel(root.level)
    root.setLevel(max(root.level, logging.INFO))
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _Blot:
    """The last step: works on the finished line, so that nothing can slip past it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, _logger: WrappedLogger, _method: str, line: str | EventDict) -> Any:
        for secret in self._secrets:
            line = str(line).replace(secret, "•••")
        return line
