"""The commands about models: training one, and which one answers customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from bot.settings import Settings
from intents import release as releases
from intents.datasets import DatasetError, Example
from intents.metrics import Share
from intents.models import Guess, Live, ModelStore
from intents.paths import EnginePaths
from intents.real_words import read_real_words, real_words, urgent_topics
from intents.regression import Change, Comparison, figures, known, read_rows
from intents.training import content_hash
from switchboard import engine
from switchboard.cli.shared import ConfigOption, bars, cli, err, fail, load_settings, mention_drafts, run_until_signal

models = typer.Typer(help="The trained models: list, compare, choose the one that answers.", add_completion=False)
cli.add_typer(models, name="models")

SHOWN_WITH_A_REFUSAL = 10
"""Messages: enough to see what kind they are."""

ModelArgument = Annotated[
    str, typer.Argument(help="The beginning of its hash, or: live, previous, content (of the content as it is now).")
]


@cli.command()
def train(
    accept: Annotated[bool, typer.Option("--accept", help="Make the new model live even if it is worse.")] = False,
    config: ConfigOption = None,
) -> None:
    """Train the intent model for the content as it is now, and make it live unless it is worse than the live one.

    Does nothing if that is done already. A running desk follows within seconds.
    """
    settings = load_settings(config)
    mention_drafts(settings)
    with bars() as report:
        released = _finished(run_until_signal(engine.train(settings, report, accept=accept)))
    paths = engine.engine_paths(settings)
    live, comparison = released.live, released.comparison
    if released.refused:
        _explain_refusal(comparison, paths)
        raise typer.Exit(1)
    if comparison is not None:
        _show_figures(comparison, err)
    err.print(f"Model {live.model} is live: {escape(live.why)}.", soft_wrap=True)
    if live.model != content_hash(paths):
        err.print("It is not the content's own: that one goes live with `switchboard train --accept`.", soft_wrap=True)
    _mention_remote(settings)
    typer.echo(ModelStore(paths.models).path(live.model))


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    measure: Annotated[bool, typer.Option("--measure", help="Measure those that have not been yet.")] = False,
    config: ConfigOption = None,
) -> None:
    """List the models, with their figures on the regression file; the commands below compare and choose."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(config)
    paths = engine.engine_paths(settings)
    store = ModelStore(paths.models)
    rows, real, skipped = _rows(paths)
    if measure and rows:
        with bars() as report:
            for model in store.models():
                _finished(run_until_signal(releases.measured(paths, report.step, model, (*rows, *real))))
    live = store.live()
    content = content_hash(paths)
    table = _table(
        "model",
        "trained",
        "took",
        "examples",
        "intents",
        "top-1",
        "answered rightly",
        "wrong answers",
        "real words",
        "",
    )
    for model in store.models():
        table.add_row(*_line(paths, store, model, rows, real), _marks(model, live, content))
    _show(table, Console(highlight=False))
    for line in _below(paths, store, rows, skipped, live, content):
        err.print(line, soft_wrap=True)
    _mention_remote(settings)


@models.command()
def compare(a: ModelArgument, b: ModelArgument, config: ConfigOption = None) -> None:
    """Show where two models differ: per intent, and each message whose outcome changed."""
    settings = load_settings(config)
    paths = engine.engine_paths(settings)
    old, new = (_find(paths, name) for name in (a, b))
    with bars() as report:
        comparison = _finished(run_until_signal(releases.compare(paths, report.step, old, new)))
    console = Console(highlight=False)
    _show_figures(comparison, console)
    _show_intents(comparison, console)
    for worse, title in ((True, "worse"), (False, "better")):
        changes = [change for change in comparison.changes if change.worse is worse]
        if changes:
            console.print(f"\n{len(changes)} {title} with {new}")
            _show(_messages(changes), console)


@models.command()
def use(model: ModelArgument, config: ConfigOption = None) -> None:
    """Make a model live by hand. It stays so until the content changes; a running desk follows within seconds."""
    settings = _with_own_engine(config)
    _choose(settings, _find(engine.engine_paths(settings), model), "chosen by hand")


@models.command()
def rollback(config: ConfigOption = None) -> None:
    """Go back to the model that was live before; once more goes forth again."""
    settings = _with_own_engine(config)
    paths = engine.engine_paths(settings)
    live = ModelStore(paths.models).live()
    _choose(settings, _find(paths, "previous"), f"rolled back from {live.model}" if live else "rolled back")


def _choose(settings: Settings, model: str, why: str) -> None:
    paths = engine.engine_paths(settings)
    with bars() as report:
        live = _finished(run_until_signal(releases.choose(paths, report.step, model, why)))
    err.print(f"Model {live.model} is live, until the content changes.", soft_wrap=True)


def _find(paths: EnginePaths, name: str) -> str:
    return ModelStore(paths.models).find(content_hash(paths) if name == "content" else name)


def _finished(result: Any) -> Any:
    """What ``run_until_signal`` returned, if it was not interrupted."""
    if result is None:
        raise typer.Exit(130)
    return result


# --- whose engine -------------------------------------------------------------------------------


def _with_own_engine(config: ConfigOption) -> Settings:
    settings = load_settings(config)
    if settings.environment.rasa_url:
        fail("RASA_URL is set: which model answers is decided where that Rasa runs, not here")
    return settings


def _mention_remote(settings: Settings) -> None:
    if settings.environment.rasa_url:
        err.print(
            "[yellow]RASA_URL is set: that Rasa answers customers, with the model that it was given there.[/]",
            soft_wrap=True,
        )


# --- the list -----------------------------------------------------------------------------------


def _rows(paths: EnginePaths) -> tuple[Sequence[Example], Sequence[Example], int]:
    try:
        rows, skipped = read_rows(paths)
        return rows, read_real_words(paths), skipped
    except DatasetError as error:
        # The list is what one looks at when something is broken.
        err.print(f"[yellow]No figures: {escape(str(error))}[/]", soft_wrap=True)
        return (), (), 0


def _line(
    paths: EnginePaths, store: ModelStore, model: str, rows: Sequence[Example], real: Sequence[Example]
) -> Iterable[str]:
    info = store.info(model)
    yield model
    yield _time(info.trained)
    yield "?" if info.seconds is None else f"{info.seconds:.0f} s"
    yield from ("?" if number is None else str(number) for number in (info.examples, info.intents))
    guesses = known(paths, model)
    if rows and all(row.text in guesses for row in rows):
        found = figures(rows, guesses)
        yield from (_percent(share) for share in (found.top_1, found.served, found.wrong))
    else:
        yield from ("–", "–", "–")
    there = real and all(row.text in guesses for row in real)
    yield str(real_words(real, guesses, urgent_topics(paths))) if there else "–"


def _marks(model: str, live: Live | None, content: str) -> str:
    marks = []
    if live is not None and model == live.model:
        marks.append("[green]live[/]")
    if live is not None and model == live.previous:
        marks.append("previous")
    if model == content:
        marks.append("content")
    return ", ".join(marks)


def _below(
    paths: EnginePaths, store: ModelStore, rows: Sequence[Example], skipped: int, live: Live | None, content: str
) -> Iterable[str]:
    if live is None:
        yield "None is live yet; the next start of the desk, or `switchboard train`, changes that."
    else:
        yield f"Live since {_time(live.since)}: {escape(live.why)}."
        if not store.has(live.model):
            yield f"[red]Its file is gone: {escape(str(store.path(live.model)))}[/]"
    if not store.has(content):
        yield "The content as it is now has no model yet: `switchboard train`."
    elif live is not None and live.model != content != live.content:
        yield f"Model {content}, of the content as it is now, is not live: `switchboard train` says why."
    if rows:
        figures_of = f"Figures: on {_on_messages(len(rows), skipped, paths)}"
        texts = {row.text for row in rows}
        unmeasured = any(texts - known(paths, model).keys() for model in store.models())
        yield figures_of + ("; `switchboard models --measure` fills the gaps." if unmeasured else ".")


def _time(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


# --- comparisons --------------------------------------------------------------------------------


def _explain_refusal(comparison: Comparison, paths: EnginePaths) -> None:
    old, new = comparison.old, comparison.new
    on = _on_messages(len(comparison.rows), comparison.skipped, paths)
    err.print(f"[red]Refused: model {new} is worse than the live one, {old},[/] on {on}.", soft_wrap=True)
    _show_figures(comparison, err)
    for loss in comparison.losses:
        err.print(f"[red]{loss}[/]", soft_wrap=True)
    worse = [change for change in comparison.changes if change.worse]
    shown = _of_all_intents(worse)[:SHOWN_WITH_A_REFUSAL]
    if shown:
        err.print(f"\nWorse now ({len(shown)} of {len(worse)}):", soft_wrap=True)
        _show(_messages(shown), err)
    err.print(
        f"Model {old} stays live. Next:",
        f"  switchboard models compare {old} {new}   everything that changed",
        "  switchboard train --accept                            make it live all the same",
        sep="\n",
        soft_wrap=True,
    )


def _of_all_intents(changes: Iterable[Change]) -> list[Change]:
    """One of each intent before the second of any."""
    seen: Counter[str] = Counter()
    rounds = []
    for change in changes:
        rounds.append((seen[change.row.label], change))
        seen[change.row.label] += 1
    return [change for _, change in sorted(rounds, key=lambda pair: pair[0])]


def _show_figures(comparison: Comparison, console: Console) -> None:
    table = _table("", comparison.old, comparison.new, "points", "messages")
    old, new = comparison.old_figures, comparison.new_figures
    for what, before, after in (
        ("in scope, best candidate right", old.top_1, new.top_1),
        ("in scope, answered rightly", old.served, new.served),
        ("wrong answers", old.wrong, new.wrong),
    ):
        table.add_row(what, _percent(before), _percent(after), _points(before, after), str(after.of))
    if comparison.real:
        then, today = comparison.old_real, comparison.new_real
        for what, was, now in (
            ("real words: acted on", then.acted, today.acted),
            ("real words: right of that", then.right, today.right),
            ("real words: urgent reached", then.urgent, today.urgent),
        ):
            table.add_row(what, _percent(was), _percent(now), _points(was, now), str(now.of))
    _show(table, console)


def _points(was: Share, now: Share) -> str:
    return "" if was.value is None or now.value is None else f"{(now.value - was.value) * 100:+.1f}"


def _show_intents(comparison: Comparison, console: Console) -> None:
    differing = [line for line in comparison.right_by_intent if line[2] != line[3]]
    if not differing:
        console.print("No intent has more or fewer messages right.")
        return
    table = _table("intent", "messages", f"right with {comparison.old}", f"right with {comparison.new}", "difference")
    for intent, messages, old, new in sorted(differing, key=lambda line: line[3] - line[2]):
        table.add_row(intent, str(messages), str(old), str(new), f"{new - old:+d}")
    _show(table, console)
    if same := len(comparison.right_by_intent) - len(differing):
        console.print(f"The other {same} as before.")


def _messages(changes: Iterable[Change]) -> Table:
    table = Table("intent", "before", "now", "message", box=box.SIMPLE_HEAD, pad_edge=False)
    for change in changes:
        row = change.row
        table.add_row(row.label, _said(row, change.old), _said(row, change.new), escape(row.text))
    return table


def _said(row: Example, guess: Guess) -> str:
    if guess.sure:
        return "answered rightly" if guess.intent == row.label else f"answered as {guess.intent}"
    if guess.intent == row.label:
        return "not answered"
    return f"not answered, {guess.intent or 'nothing'} nearest"


def _on_messages(rows: int, skipped: int, paths: EnginePaths) -> str:
    left_out = f" ({skipped} more have an intent that the content has not)" if skipped else ""
    return f"{rows} messages of {escape(str(paths.regression))}{left_out}"


# --- tables -------------------------------------------------------------------------------------


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in others:
        table.add_column(name, justify="right" if name else "left")
    return table


_ANY_WIDTH = 10_000


def _show(table: Table, console: Console) -> None:
    """Nothing is cut or folded, whatever the width of the window or the pipe."""
    needed = Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).maximum
    Console(file=console.file, highlight=False, width=max(console.width, needed)).print(table)


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{share.value * 100:.1f} %"
