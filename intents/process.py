"""One run of a script of ``intents/server`` in the Rasa environment: its progress lines, its end, its last words."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intents.paths import EnginePaths

Progress = Callable[[str, float], None]
"""Called with the step under way and the share done of the whole, 0 to 1."""

_ERROR_LINES = 30


class ProcessFailed(Exception):
    """The script ended with another status than 0. ``last`` are the last lines it said."""

    def __init__(self, status: int, last: list[str]) -> None:
        super().__init__(f"ended with status {status}.\n" + "\n".join(last))
        self.status = status
        self.last = last


async def run_script(
    paths: EnginePaths, script: str, *arguments: Path, cwd: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Runs ``script`` to its end and returns its last progress line, empty if it wrote none.

    Cancelling ends the process, and so does the end of this one. Raises ``EngineNotInstalled`` or ``ProcessFailed``.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(paths, script, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=paths.process_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = asyncio.create_task(_last_lines(process.stderr))
    report: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            report = json.loads(line)
            if progress is not None:
                progress(report["step"], report["done"])
        status = await process.wait()
        last = await said
    finally:
        said.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        raise ProcessFailed(status, last)
    return report


def _command(paths: EnginePaths, script: str, arguments: tuple[Path, ...]) -> list[Path]:
    # Absolute: the process works in another folder.
    return [paths.python(), paths.server / script, *(path.absolute() for path in arguments)]


async def _last_lines(stream: asyncio.StreamReader) -> list[str]:
    lines: deque[str] = deque(maxlen=_ERROR_LINES)
    # In blocks rather than lines: a line longer than the reader's limit must not end the reading.
    rest = ""
    while block := await stream.read(65536):
        *whole, rest = (rest + block.decode(errors="replace")).split("\n")
        lines.extend(line for line in whole if line.strip())
    return [*lines, rest] if rest.strip() else list(lines)
