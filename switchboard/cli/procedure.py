"""``switchboard procedure``: the procedures of the content, drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from bot.content.procedures import read_procedures
from bot.domain.procedure import Condition, End, Procedure, Step
from switchboard import wiring
from switchboard.cli.shared import ConfigOption, cli, fail, load_settings

procedure = typer.Typer(no_args_is_help=True, help="Show the procedures of the content.")
cli.add_typer(procedure, name="procedure")

_PERSON = "→ a person, with what is known"
_SHOWN = 90
"""Characters of a step's text."""


@procedure.command("list")
def list_(config: ConfigOption = None) -> None:
    """Name every procedure, with the topics that begin it."""
    for name, found in read_procedures(load_settings(config).data).items():
        typer.echo(f"{name:20} {len(found.steps):2} steps  {', '.join(found.topics)}")


@procedure.command()
def show(
    name: Annotated[str, typer.Argument(help="The file's name without .yml: money_missing.")],
    locale: Annotated[
        str | None, typer.Option(help="The language of the texts; without it the desk's default.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Draw a procedure as a tree: what each step says, what it asks, and where every answer leads."""
    settings = load_settings(config)
    procedures = read_procedures(settings.data)
    if name not in procedures:
        fail(f"there is no procedure {name}; there are {', '.join(procedures)}")
    Console().print(drawn(procedures[name], locale or wiring.locales(settings)[0]))


def drawn(of: Procedure, locale: str) -> Tree:
    """Each step once, at the first place that leads there; further places name it."""
    title = escape(_in(of.title, locale))
    tree = Tree(f"[bold]{title}[/] ({of.name}), begun by {', '.join(of.topics)}")
    seen: set[str] = set()
    _draw(tree, of, of.steps[of.start], locale, seen)
    return tree


def _draw(tree: Tree, of: Procedure, step: Step, locale: str, seen: set[str]) -> None:
    if step.name in seen:
        tree.add(f"[dim]→ {step.name}, above[/]")
        return
    seen.add(step.name)
    text = " ".join(_in(step.say, locale).split())
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    here = tree.add(f"[bold]{step.name}[/] {escape(shown)}")
    for label, to in _ways(step, locale):
        if to is None:
            here.add(f"{label} {_PERSON}")
        else:
            _draw(here.add(label), of, of.steps[to], locale, seen)


def _ways(step: Step, locale: str) -> Iterator[tuple[str, str | None]]:
    """What leads on from the step, and where to; None: to a person."""
    for condition in step.when:
        yield f"[cyan]if {escape(_condition(condition))}[/]", condition.to
    for choice in step.choices:
        yield f"[green]\\[{escape(_in(choice.label, locale))}][/]", choice.to
    if step.asks:
        yield f"[yellow]given: {', '.join(step.asks)}[/]", step.then
        yield "[yellow]has not got it[/]", step.lacking
    elif step.then is not None:
        yield "then", step.then
    if step.ends is End.SOLVED:
        yield "[green]did it help? no[/]", None
    if step.ends is End.PERSON:
        yield "ends", None
    if step.ends is End.LOOK_UP:
        yield f"{step.look_up} found", step.found
        yield f"no {step.look_up}", step.none


def _condition(condition: Condition) -> str:
    parts = [
        ("has", condition.has),
        ("lacks", condition.lacks),
        ("chain", condition.chain),
        ("coin", condition.coin),
        ("network", condition.network),
        ("began with", condition.topic),
    ]
    said = [f"{name} {' or '.join(sorted(values))}" for name, values in parts if values]
    if condition.older_than is not None:
        said.append(f"older than {condition.older_than} min")
    if condition.people is not None:
        said.append("somebody is there" if condition.people else "nobody is there")
    return " and ".join(said)


def _in(texts: Mapping[str, str], locale: str) -> str:
    return texts.get(locale) or next(iter(texts.values()), "")
