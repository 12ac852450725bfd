"""Pipelines trained, asked and judged: by cross-validation, or on one set after training on another."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bot.domain.engine import OUT_OF_SCOPE
from intents.datasets import Dataset, DatasetError, Example, make_folds, read_dataset, write_rasa
from intents.metrics import Figures, Row, figures
from intents.offline import Parses, parse_all
from intents.paths import SERVER, EnginePaths
from intents.training import train

SHIPPED = "shipped"
STOCK = "stock"
"""The names of the pipeline that the desk uses, and of Rasa's own."""

TRAINING_SECONDS = 60.0
PARSING_SECONDS = 20.0
"""For progress bars, where the pipeline does not say how far it is."""

_FIRST_STEPS = ("Starting Rasa", "Reading the examples", "Loading the model")

Step = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]
"""Shows a step by its name and expected seconds while entered; takes the share done."""


class PipelineError(Exception):
    """A pipeline file cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Split:
    """What is trained on, and what is then asked."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    source: Path | None = None
    """Where ``train`` already lies as Rasa reads it."""
    lists: tuple[Path, ...] = ()
    """Files with lists of names that belong to ``train``."""


@dataclass(frozen=True, slots=True)
class Result:
    """One pipeline: its parses of every test text of every split, and what they cost."""

    pipeline: Pipeline
    rows: tuple[Row, ...]
    figures: Figures
    training_seconds: tuple[float, ...]
    """For each split, from the start of the process to its end."""
    load_seconds: tuple[float, ...]
    peak_memory: int
    """Bytes, of the process that parses; of all splits the most."""

    @property
    def mean_training_seconds(self) -> float:
        return sum(self.training_seconds) / len(self.training_seconds)


@dataclass(frozen=True, slots=True)
class Evaluation:
    what: str
    """In words, such as "data/nlu, 5-fold cross-validation"."""
    began: datetime
    seconds: float
    trained: int
    """Training examples, on average over the splits."""
    notes: tuple[str, ...]
    """What a reader of the figures should know of the data."""
    results: tuple[Result, ...]


def find_pipeline(wanted: str, paths: EnginePaths) -> Pipeline:
    """The pipeline file ``wanted``, or one that ships: ``shipped``, ``stock``. Raises ``PipelineError``."""
    shipping = {SHIPPED: paths.server / "pipeline.yml"}
    shipping |= {path.stem: path for path in (SERVER / "pipelines").glob("*.yml")}
    path = shipping.get(wanted) or Path(wanted)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(shipping))
        raise PipelineError(f"{path}: cannot be read: {error.strerror}. Give a file, or one of {known}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise PipelineError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("pipeline"), list) or not content["pipeline"]:
        raise PipelineError(f"{path}: not a Rasa configuration: there is no list named pipeline in it.")
    name = next((name for name, shipped in shipping.items() if path.resolve() == shipped.resolve()), path.stem)
    return Pipeline(name, path)


def distinct(pipelines: Iterable[Pipeline]) -> tuple[Pipeline, ...]:
    """The pipelines, each once, under names that tell them apart."""
    found = {pipeline.path.resolve(): pipeline for pipeline in pipelines}
    often = Counter(pipeline.name for pipeline in found.values())
    return tuple(
        pipeline if often[pipeline.name] == 1 else Pipeline(str(pipeline.path), pipeline.path)
        for pipeline in found.values()
    )


def cross_validation(dataset: Dataset, folds: int) -> tuple[Split, ...]:
    """Each fold as the test of what the others train. Raises ``DatasetError``."""
    parts = make_folds(dataset.examples, folds)
    return tuple(
        Split(
            train=tuple(example for other in parts if other is not part for example in other),
            test=tuple(part),
            lists=dataset.lists,
        )
        for part in parts
    )


def hold_out(train: Path, test: Path) -> tuple[Split, Sequence[str]]:
    """One split from two data sets, and what to know of them. Raises ``DatasetError``."""
    trained, tested = read_dataset(train), read_dataset(test)
    source = train if train.is_dir() or train.suffix in (".yml", ".yaml") else None
    notes = [
        f"{path}: nothing is done with the column{'s' * (len(read.ignored) > 1)} {', '.join(read.ignored)}."
        for path, read in ((train, trained), (test, tested))
        if read.ignored
    ]
    return Split(trained.examples, tested.examples, source), notes


async def evaluate(
    paths: EnginePaths,
    pipelines: Sequence[Pipeline],
    splits: Sequence[Split],
    what: str,
    step: Step,
    *,
    notes: Sequence[str] = (),
    never_offered: Iterable[str] = (OUT_OF_SCOPE,),
) -> Evaluation:
    """Trains and asks every pipeline on every split: the same texts for each, and nothing else at the same time.

    Cancelling ends what runs and leaves no file. Raises ``DatasetError``, ``EngineNotInstalled``, ``TrainingFailed``
    or ``ParsingFailed``.
    """
    for split in splits:
        if len({example.label for example in split.train}) < 2:
            raise DatasetError("There are training examples of one intent only; at least two are needed.")
    began, started = datetime.now(UTC), time.monotonic()
    rows: dict[str, list[Row]] = {pipeline.name: [] for pipeline in pipelines}
    seconds: dict[str, list[float]] = {pipeline.name: [] for pipeline in pipelines}
    loads: dict[str, list[float]] = {pipeline.name: [] for pipeline in pipelines}
    peaks = dict.fromkeys(rows, 0)
    for number, split in enumerate(splits, start=1):
        fold = f", {number} of {len(splits)}" if len(splits) > 1 else ""
        # Side by side rather than one after the other: if the machine slows down, it does so for all.
        for pipeline in pipelines:
            took, parses = await _run(paths, pipeline, split, f"{pipeline.name}{fold}", step)
            seconds[pipeline.name].append(took)
            loads[pipeline.name].append(parses.load_seconds)
            peaks[pipeline.name] = max(peaks[pipeline.name], parses.peak_memory)
            rows[pipeline.name] += [
                Row(example.label, parse.prediction, example.language, example.kind, parse.milliseconds)
                for example, parse in zip(split.test, parses.rows, strict=True)
            ]
    languages = {example.language for split in splits for example in split.train if example.language}
    never_offered = frozenset(never_offered)
    results = tuple(
        Result(
            pipeline=pipeline,
            rows=tuple(rows[pipeline.name]),
            figures=figures(rows[pipeline.name], trained_languages=languages, never_offered=never_offered),
            training_seconds=tuple(seconds[pipeline.name]),
            load_seconds=tuple(loads[pipeline.name]),
            peak_memory=peaks[pipeline.name],
        )
        for pipeline in pipelines
    )
    return Evaluation(
        what=what,
        began=began,
        seconds=time.monotonic() - started,
        trained=round(sum(len(split.train) for split in splits) / len(splits)),
        notes=(*notes, *_notes(splits)),
        results=results,
    )


async def _run(paths: EnginePaths, pipeline: Pipeline, split: Split, name: str, step: Step) -> tuple[float, Parses]:
    """The seconds that the training took, and the parses."""
    with TemporaryDirectory(prefix="switchboard-") as folder:
        model, data = Path(folder) / "model.tar.gz", split.source
        if data is None:
            data = Path(folder) / "nlu"
            data.mkdir()
            write_rasa(split.train, data / "nlu.yml")
            for number, path in enumerate(split.lists):
                shutil.copy(path, data / f"list{number}.yml")
        with step(f"Training {name}", TRAINING_SECONDS) as done:
            began = time.monotonic()
            await train(paths, pipeline.path, data, model, _after_the_start(done))
            seconds = time.monotonic() - began
        with step(f"Asking {name}", PARSING_SECONDS) as done:
            texts = [example.text for example in split.test]
            return seconds, await parse_all(paths, model, texts, _after_the_start(done))


def _after_the_start(done: Callable[[float], None]) -> Callable[[str, float], None]:
    # Of some pipelines nothing more is known until they end; then a guess by the clock is the better bar.
    def progress(step: str, share: float) -> None:
        if step not in _FIRST_STEPS:
            done(share)

    return progress


def _notes(splits: Sequence[Split]) -> list[str]:
    notes = []
    untrained: Counter[str] = Counter()
    seen = 0
    for split in splits:
        labels, texts = {example.label for example in split.train}, {example.text for example in split.train}
        untrained.update(example.label for example in split.test if example.label not in labels)
        seen += sum(example.text in texts for example in split.test)
    if untrained.pop(OUT_OF_SCOPE, 0):
        notes.append(f"{OUT_OF_SCOPE} was never trained: only for want of confidence is such a text not answered.")
    if untrained:
        names = ", ".join(sorted(untrained))
        notes.append(f"Test texts whose intent was never trained, {untrained.total()}, count as wrong: {names}.")
    if seen:
        notes.append(f"Test texts that are also training examples, {seen}, flatter the figures.")
    return notes
