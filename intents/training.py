"""From content to a model file: trained once for each state of the content, found again by its hash."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from intents.paths import EnginePaths

Progress = Callable[[str, float], None]
"""Called with the step under way and the share done of the whole, 0 to 1."""

KEPT_MODELS = 3
"""Enough to go back and forth between two versions of the content without training."""

_ERROR_LINES = 30


class TrainingFailed(Exception):
    """Rasa could not train; the message ends with the last lines it said."""


def content_hash(paths: EnginePaths) -> str:
    """Twelve hexadecimal digits over everything that a model is made from.

    Of the answers only the front matter counts: rewording one needs no training.
    """
    digest = hashlib.sha256()
    for name, content in _ingredients(paths):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _ingredients(paths: EnginePaths) -> Iterator[tuple[str, bytes]]:
    for path in sorted((paths.data / "nlu").glob("*.yml")):
        yield f"nlu/{path.name}", path.read_bytes()
    answers = paths.data / "answers"
    for path in sorted(answers.rglob("*.md")):
        yield f"answers/{path.relative_to(answers).as_posix()}", _front_matter(path.read_bytes())
    for path in (paths.server / "pipeline.yml", paths.server / "requirements.txt"):
        yield path.name, path.read_bytes()
    for path in sorted((paths.server / "components").glob("*.py")):
        yield f"components/{path.name}", path.read_bytes()


def _front_matter(content: bytes) -> bytes:
    """What stands between the first two ``---`` lines; nothing if the file does not begin with one."""
    lines = content.splitlines()
    if not lines or lines[0].rstrip() != b"---":
        return b""
    stripped = [line.rstrip() for line in lines]
    try:
        end = stripped.index(b"---", 1)
    except ValueError:
        return b""
    return b"\n".join(lines[1:end])


async def ensure_model(paths: EnginePaths, progress: Progress | None = None) -> Path:
    """The model file for the content as it is now, trained only if there is none yet.

    The file appears complete or not at all. Cancelling stops the training.
    Raises ``EngineNotInstalled`` or ``TrainingFailed``.
    """
    model = paths.models / f"{content_hash(paths)}.tar.gz"
    if model.exists():
        os.utime(model)
        return model
    paths.models.mkdir(parents=True, exist_ok=True)
    unfinished = paths.models / f".{os.getpid()}-{model.name}"
    try:
        await _train(paths, unfinished, progress)
        try:
            unfinished.replace(model)
        except FileNotFoundError:
            raise TrainingFailed("Rasa ended well but wrote no model.") from None
    finally:
        unfinished.unlink(missing_ok=True)
    _remove_old(paths.models)
    return model


async def _train(paths: EnginePaths, model: Path, progress: Progress | None) -> None:
    process = await asyncio.create_subprocess_exec(
        *(paths.python(), paths.server / "train.py", paths.server / "pipeline.yml", paths.data / "nlu", model),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=paths.models,
        env=paths.process_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = asyncio.create_task(_last_lines(process.stderr))
    try:
        async for line in process.stdout:
            if progress is not None:
                report = json.loads(line)
                progress(report["step"], report["done"])
        await process.wait()
        last = await said
    finally:
        said.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise TrainingFailed(f"Training ended with status {process.returncode}.\n" + "\n".join(last))


async def _last_lines(stream: asyncio.StreamReader) -> list[str]:
    lines: deque[str] = deque(maxlen=_ERROR_LINES)
    # In blocks rather than lines: a line longer than the reader's limit must not end the reading.
    rest = ""
    while block := await stream.read(65536):
        *whole, rest = (rest + block.decode(errors="replace")).split("\n")
        lines.extend(line for line in whole if line.strip())
    return [*lines, rest] if rest.strip() else list(lines)


def _remove_old(models: Path) -> None:
    newest_first = sorted(models.glob("[!.]*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[KEPT_MODELS:]:
        path.unlink(missing_ok=True)
