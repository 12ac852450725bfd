"""``switchboard evaluate``: how good the engine is, in figures and in a report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.settings import Settings
from handoff.rules import NO_TOPIC
from intents.datasets import read_dataset
from intents.evaluate import SHIPPED, Evaluation, Split, cross_validation, distinct, evaluate, find_pipeline, hold_out
from intents.headline import Cell, headline
from intents.paths import EnginePaths
from intents.report import write_report
from switchboard.cli.shared import ConfigOption, bars, cli, err, fail, load_settings, run_until_signal

_FOLDS = 5


@cli.command("evaluate")
def evaluate_command(
    train: Annotated[
        Path | None, typer.Option(help="Train on these examples: CSV, TSV, Rasa YAML, or a folder of the latter.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Test on these, which --train does not hold.")] = None,
    folds: Annotated[
        int | None, typer.Option(help=f"Parts to cross-validate the content in, without --train; {_FOLDS} unless told.")
    ] = None,
    pipeline: Annotated[
        str, typer.Option(help="A Rasa configuration file, or the name of one that ships: shipped, stock.")
    ] = SHIPPED,
    compare: Annotated[
        list[str] | None, typer.Option(help="Another pipeline beside it, on the same texts. May be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder for the report, instead of a new one in var/evaluation.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Say how good the engine is: trains, asks, judges, and writes a report.

    Without --train and --test the content's own examples are cross-validated: each fifth of them is the test of
    what the other four train. The model that the desk uses is neither asked nor touched.
    """
    settings = load_settings(config)
    paths = EnginePaths(settings.data, settings.var)
    pipelines = distinct(find_pipeline(wanted, paths) for wanted in (pipeline, *(compare or ())))
    splits, what, notes = _splits(settings, train, test, folds)
    out = out or settings.var / "evaluation" / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    with _folder(out), bars() as report:
        evaluation: Evaluation | None = run_until_signal(
            evaluate(paths, pipelines, splits, what, report.step, notes=notes, never_offered=NO_TOPIC)
        )
        if evaluation is None:
            report.close()
            err.print("Stopped; there is no report.")
            raise typer.Exit(130)
        written = write_report(evaluation, out)
    _print(evaluation)
    for path in written:
        typer.echo(path)


def _splits(
    settings: Settings, train: Path | None, test: Path | None, folds: int | None
) -> tuple[tuple[Split, ...], str, tuple[str, ...]]:
    """What is trained and tested, in words too, and what to know of the data."""
    if train is not None and test is not None:
        if folds is not None:
            fail("--folds is for cross-validation: leave it out, or leave out --train and --test")
        split, notes = hold_out(train, test)
        return (split,), f"{train}, tested on {test}", tuple(notes)
    if train is not None or test is not None:
        given, missing = ("--train", "--test") if test is None else ("--test", "--train")
        fail(f"{given} needs {missing} as well; without both, {settings.data / 'nlu'} is cross-validated")
    folds = _FOLDS if folds is None else folds
    if folds < 2:
        fail(f"--folds is at least 2, not {folds}")
    folder = settings.data / "nlu"
    return cross_validation(read_dataset(folder), folds), f"{folder}, {folds}-fold cross-validation", ()


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Makes the folder before the work rather than after it, and leaves none behind if nothing came of it."""
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder}: the report cannot be written there: {error.strerror}")
    try:
        yield
    finally:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _print(evaluation: Evaluation) -> None:
    for note in evaluation.notes:
        err.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    lines = headline(evaluation.results)
    targets = any(line.target for line in lines)
    if targets:
        table.add_column("target", no_wrap=True, style="dim")
    for result in evaluation.results:
        table.add_column(escape(result.pipeline.name), justify="right")
    for line in lines:
        table.add_row(line.name, *([line.target] if targets else []), *(_shown(cell) for cell in line.cells))
    Console(highlight=False).print(table)


def _shown(cell: Cell) -> str:
    if cell.met is None:
        return cell.value
    return f"[green]{cell.value} ✓[/]" if cell.met else f"[red]{cell.value} ✗[/]"
