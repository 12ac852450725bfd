"""From content to a model file: trained once for each state of the content, found again by its hash."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from intents.datasets import DatasetError, read_dataset
from intents.models import ModelInfo, ModelStore
from intents.paths import EnginePaths
from intents.process import ProcessFailed, Progress, run_script


class TrainingFailed(Exception):
    """Rasa could not train; the message ends with the last lines it said."""


def content_hash(paths: EnginePaths) -> str:
    """Twelve hexadecimal digits over everything that a model is made from.

    Of the answers only the front matter counts: rewording one needs no training.
    """
    return _digest(_ingredients(paths))


def code_hash(paths: EnginePaths) -> str:
    """Twelve hexadecimal digits over what runs a model, whatever it was trained on."""
    return _digest(_code(paths))


def _digest(ingredients: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in ingredients:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _ingredients(paths: EnginePaths) -> Iterator[tuple[str, bytes]]:
    for path in sorted((paths.data / "nlu").glob("*.yml")):
        yield f"nlu/{path.name}", path.read_bytes()
    answers = paths.data / "answers"
    for path in sorted(answers.rglob("*.md")):
        yield f"answers/{path.relative_to(answers).as_posix()}", front_matter(path.read_bytes())
    yield "pipeline.yml", (paths.server / "pipeline.yml").read_bytes()
    yield from _code(paths)


def _code(paths: EnginePaths) -> Iterator[tuple[str, bytes]]:
    yield "requirements.txt", (paths.server / "requirements.txt").read_bytes()
    for folder in ("components", "encoders"):
        for path in sorted((paths.server / folder).glob("*.*")):
            if path.suffix in (".py", ".tsv"):
                yield f"{folder}/{path.name}", path.read_bytes()


def front_matter(content: bytes) -> bytes:
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
    store = ModelStore(paths.models)
    model = content_hash(paths)
    if store.has(model):
        os.utime(store.path(model))
        return store.path(model)
    began = time.monotonic()
    with store.adding(model) as unfinished:
        await train(paths, paths.server / "pipeline.yml", paths.data / "nlu", unfinished, progress)
    store.keep_info(
        model,
        ModelInfo(
            content=model,
            trained=datetime.now(UTC),
            seconds=round(time.monotonic() - began, 1),
            **_counts(paths),
        ),
    )
    store.remove_old()
    return store.path(model)


async def train(paths: EnginePaths, pipeline: Path, data: Path, model: Path, progress: Progress | None = None) -> None:
    """Trains ``pipeline`` (a Rasa configuration) on the examples in ``data`` and writes the file ``model``.

    Cancelling stops the training; a partly written file is possible then, as it is after a failure.
    Raises ``EngineNotInstalled`` or ``TrainingFailed``.
    """
    try:
        await run_script(paths, "train.py", pipeline, data, model, cwd=model.parent, progress=progress)
    except ProcessFailed as error:
        raise TrainingFailed(f"Training {error}") from None
    _check_written(model)


def _check_written(model: Path) -> None:
    if not model.exists():
        raise TrainingFailed("Rasa ended well but wrote no model.")


def _counts(paths: EnginePaths) -> dict[str, int]:
    """How many examples and intents the content has, for people to know a model by."""
    try:
        examples = read_dataset(paths.data / "nlu").examples
    except DatasetError:
        # Rasa has read it, and that is what matters here.
        return {}
    return {"examples": len(examples), "intents": len({example.label for example in examples})}
