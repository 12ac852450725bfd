"""What all fuzzed desks share: what they refuse to record, and that no log has a customer's words."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from bot import guard, logs
from bot.domain.message import Incoming, Receipt
from tests.fuzz.hostile import WORDS
from tests.support.stand_in_desk import StandInDesk

PATIENCE = 10.0
"""Seconds in which anything must be over."""
FIRST_PERSON = 5_000_000_000
_LONGEST_ID = 512


class Strict(StandInDesk):
    """Receives what PostgreSQL would hold; anything else is a fault of the connector, or of the guard."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.texts: set[str] = set()
        self.recorded = 0

    async def receive(self, incoming: Incoming) -> Receipt:
        incoming = guard.incoming(incoming)
        if problems := list(_unstorable(incoming)):
            self.faults += problems
        self.texts.add(incoming.text)
        receipt = await super().receive(incoming)
        self.recorded += len(self.received)
        self.received.clear()
        return receipt

    def forget(self) -> None:
        self._seen.clear()
        self.texts.clear()
        self.faults.clear()


def _unstorable(value: Any, where: str = "incoming") -> Iterator[str]:
    """Why PostgreSQL, or psycopg on the way back, would refuse it."""
    match value:
        case str():
            if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
                yield f"{where} has what no database holds: {value[:40]!a}"
            limit = guard.MAX_TEXT if where.endswith((".text", ".argument", ".reference")) else _LONGEST_ID
            if len(value.encode("utf-8", "replace")) > limit * 4:
                yield f"{where} has {len(value)} characters"
            if where.endswith(("id", "edits", "deletes", "replies_to", "mark")) and len(value) > _LONGEST_ID:
                yield f"{where} is an id of {len(value)} characters: more than an index holds"
        case datetime():
            try:
                assert value.tzinfo is not None
                assert 1 < value.astimezone(UTC).year < 9_999
            except (AssertionError, OverflowError, ValueError):
                yield f"{where} is a time that does not come back from PostgreSQL: {value!r}"
        case int():
            if not -(2**63) <= value < 2**63:
                yield f"{where} has more than 64 bits"
        case tuple() | list():
            for index, part in enumerate(value):
                yield from _unstorable(part, f"{where}[{index}]")
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _unstorable(getattr(value, field.name), f"{where}.{field.name}")


@contextmanager
def logs_watched() -> Iterator[list[str]]:
    """Every line that a desk logs at INFO meanwhile."""
    lines: list[str] = []

    class Watching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith("aiohttp"):  # the server of the platforms' stand-ins
                lines.append(self.format(record))

    def keep(_logger: Any, method: str, event: Any) -> Any:
        if method != "debug":
            lines.append(repr(event))
        raise structlog.DropEvent

    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    root.handlers, watching = [], Watching()
    root.addHandler(watching)
    root.setLevel(logging.INFO)
    structlog.configure(processors=[structlog.processors.format_exc_info, keep], cache_logger_on_first_use=False)
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    for name, quiet in logs._QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    try:
        yield lines
    finally:
        for name, quiet in levels.items():
            logging.getLogger(name).setLevel(quiet)
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(level)


class Fuzzed:
    """Common to all: the customer of each example, and what came of it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.people = itertools.count(FIRST_PERSON)
        self.logs: list[str] = []

        self.desk = Strict()

    def begin(self) -> int:
        """A customer whom nothing that was brought before concerns."""
        self.desk.forget()
        self.logs.clear()
        return next(self.people)

    def check_logs(self) -> None:
        told = [line for line in self.logs if WORDS in line]
        self.counts["recorded"] = self.desk.recorded
        assert not told, f"a customer's words are in the log: {told[0][:2_000]}"
