"""The desk as customers meet it: a process that answers dialogues, a JSON object a line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from benchmarks.cases.model import Message, Turn

_TURNS = TypeAdapter(list[Turn])


class DeskFailed(RuntimeError):
    """The desk broke the line protocol or ended; the text says how."""


class Desk(Protocol):
    """Whoever answers dialogues."""

    def answer(self, case: str, messages: Sequence[Message]) -> list[Turn]:
        """One turn for each message, of the dialogue from its beginning. Raises DeskFailed."""
        ...


class LineDesk:
    """A process that speaks the line protocol."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self, case: str, messages: Sequence[Message]) -> list[Turn]:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"id": case, "messages": messages}, ensure_ascii=False) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DeskFailed(f"{case}: the desk has ended") from None
        line = self._process.stdout.readline()
        if not line:
            raise DeskFailed(f"{case}: the desk ended with {self._process.wait()}")
        return read_answer(line, case, len(messages))


def read_answer(line: str, case: str, messages: int) -> list[Turn]:
    """The turns of one line. Raises DeskFailed where it is not what was asked for."""
    try:
        said = json.loads(line)
        turns = _TURNS.validate_python(said["turns"])
    except (ValueError, KeyError, TypeError) as error:
        kind = "no turns" if isinstance(error, (KeyError, TypeError)) else str(error)
        if isinstance(error, ValidationError):
            kind = f"{error.error_count()} wrong fields, first {error.errors()[0]['loc']}"
        raise DeskFailed(f"{case}: {kind} in {line[:300]!r}") from None
    if said.get("id") != case or len(turns) != messages:
        raise DeskFailed(f"{case}: {len(turns)} turns for {said.get('id')!r}, and {messages} messages were sent")
    return turns


@contextmanager
def line_desk(command: Sequence[str], folder: Path) -> Iterator[LineDesk]:
    """Starts the process in a checkout and ends it. Its errors go to ours."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(  # noqa: S603 -- whoever runs the benchmark names the desk
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield LineDesk(process)
        finally:
            assert process.stdin
            try:
                process.stdin.close()
                process.wait(timeout=30)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                process.terminate()
