"""BANKING77 for docs/benchmarks.md: ``.venv/bin/python benchmarks/nlu/run.py [FOLDER]``; README.md says more."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import mean
from typing import Annotated

import typer
from rich.markup import escape

from benchmarks.places import PATHS, VAR
from bot.settings import ROOT
from intents.datasets import DatasetError, Example, read_dataset
from intents.evaluate import SHIPPED, STOCK, PipelineError, Result, Split, Step, distinct, evaluate, find_pipeline
from intents.offline import ParsingFailed
from intents.paths import EngineNotInstalled
from intents.report import write_report
from intents.training import TrainingFailed
from switchboard.cli.shared import bars, err, run_until_signal

FULL = "full"
SEEDS = 3

_EXPLAINED = (DatasetError, EngineNotInstalled, ParsingFailed, PipelineError, TrainingFailed)


@dataclass(frozen=True, slots=True)
class Run:
    """One training set: so many examples of each intent, drawn with a seed, or all there are."""

    shots: str
    seed: int
    split: Split

    @property
    def name(self) -> str:
        return FULL if self.shots == FULL else f"{self.shots}-shot-seed-{self.seed}"


def main(
    folder: Annotated[Path, typer.Argument(help="Where train.csv and test.csv are.")] = ROOT.parent
    / "shared/benchmarks/banking77",
    shots: Annotated[
        list[str] | None,
        typer.Option(help="Examples of each intent, or full; may be repeated. 10 and full unless told."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of which the mean is taken.", min=1)] = SEEDS,
    pipeline: Annotated[list[str] | None, typer.Option(help="Instead of the shipped one; may be repeated.")] = None,
    stock: Annotated[bool, typer.Option("--stock", help="Beside it Rasa's own; takes hours.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where the reports go, instead of var/benchmarks.")] = None,
) -> None:
    """Print a Markdown table of BANKING77, and write a report of every run."""
    out = out or VAR / "benchmarks" / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    paths = PATHS
    try:
        pipelines = distinct(find_pipeline(name, paths) for name in (*(pipeline or [SHIPPED]), *([STOCK] * stock)))
        runs = list(_runs(folder, shots or ["10", FULL], seeds))

        async def measure(step: Step) -> dict[str, list[tuple[Result, ...]]]:
            found: defaultdict[str, list[tuple[Result, ...]]] = defaultdict(list)
            for run in runs:
                evaluation = await evaluate(paths, pipelines, [run.split], f"BANKING77, {run.name}", step)
                write_report(evaluation, out / run.name)
                found[run.shots].append(evaluation.results)
            return found

        with bars() as report:
            measured = run_until_signal(measure(report.step))
    except _EXPLAINED as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        sys.exit(2)
    if measured is None:
        raise typer.Exit(130)
    typer.echo("\n".join(_table(measured)))
    err.print(f"Reports: {out}", soft_wrap=True)


def _runs(folder: Path, shots: Sequence[str], seeds: int) -> Iterator[Run]:
    train, test = read_dataset(folder / "train.csv").examples, read_dataset(folder / "test.csv").examples
    by_label: defaultdict[str, list[Example]] = defaultdict(list)
    for example in train:
        by_label[example.label].append(example)
    for wanted in shots:
        if wanted == FULL:
            yield Run(FULL, 0, Split(train, test))
            continue
        if not wanted.isdigit() or not 1 <= int(wanted) <= min(map(len, by_label.values())):
            raise DatasetError(f"--shots {wanted}: give full, or a number that every intent has examples for.")
        for seed in range(seeds):
            random = Random(seed)  # noqa: S311 (the same draw every time is the point)
            drawn = [random.sample(by_label[label], int(wanted)) for label in sorted(by_label)]
            yield Run(wanted, seed, Split(tuple(example for own in drawn for example in own), test))


def _table(measured: dict[str, list[tuple[Result, ...]]]) -> Iterator[str]:
    """A row for each pipeline and size of training set; figures are means over the draws."""
    yield "| pipeline | examples an intent | accuracy | macro F1 | ECE | training | p50 | p99 | peak memory |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for shots, runs in measured.items():
        # One tuple for each pipeline: its result of every draw.
        by_pipeline = list(zip(*runs, strict=True))
        stock = next((results for results in by_pipeline if results[0].pipeline.name == STOCK), None)
        for results in by_pipeline:
            beside = stock if stock is not results else None
            yield " | ".join(
                (
                    f"| {results[0].pipeline.name}",
                    shots if len(results) == 1 else f"{shots} ({len(results)} draws)",
                    _accuracy(results),
                    f"{_mean(results, lambda result: result.figures.macro_f1):.3f}",
                    f"{_mean(results, lambda result: result.figures.calibration_error):.3f}",
                    _cost(results, beside, lambda result: result.mean_training_seconds, "{:.0f} s"),
                    _cost(results, beside, lambda result: result.figures.times.p50, "{:.1f} ms"),
                    _cost(results, beside, lambda result: result.figures.times.p99, "{:.1f} ms"),
                    _cost(results, beside, lambda result: result.peak_memory / 1e6, "{:.0f} MB") + " |",
                )
            )


def _accuracy(results: Sequence[Result]) -> str:
    values = [(result.figures.accuracy.value or 0.0) * 100 for result in results]
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{mean(values):.2f} %{spread}"


def _cost(
    results: Sequence[Result], stock: Sequence[Result] | None, of: Callable[[Result], float], written: str
) -> str:
    """The figure, and its multiple of the stock pipeline's in the same run."""
    own = _mean(results, of)
    ratio = "" if stock is None else f" ({own / _mean(stock, of):.2g} × stock)"
    return written.format(own) + ratio


def _mean(results: Sequence[Result], of: Callable[[Result], float]) -> float:
    return mean(of(result) for result in results)


if __name__ == "__main__":
    typer.run(main)
