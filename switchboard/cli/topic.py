"""The commands about topics: what the desk can be asked, and the drafts of more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from bot.content import check, drafts
from switchboard import wiring
from switchboard.cli.shared import ConfigOption, cli, err, fail, load_settings

commands = typer.Typer(help="What customers can ask.", no_args_is_help=True)
cli.add_typer(commands, name="topic")

TitleOption = Annotated[
    list[str] | None,
    typer.Option("--title", metavar="LOCALE=TITLE", help="What its buttons say; once for each locale."),
]


@commands.command("add")
def add(name: str, title: TitleOption = None, config: ConfigOption = None) -> None:
    """Make the files of a new topic. It is a draft, of which customers see nothing, until it is ready."""
    settings = load_settings(config)
    locales = wiring.answer_locales(settings)
    try:
        drafts.check_name(settings.data, name)
        titles = _titles(title or [], locales)
        if on_terminal():
            titles |= _asked_titles([locale for locale in locales if locale not in titles])
        made = drafts.add(settings.data, locales, name, titles)
    except drafts.TopicError as error:
        fail(str(error))
    for path in made:
        typer.echo(_shown(path))
    to_write = "the answers" if len(titles) == len(locales) else "the titles and the answers"
    err.print(
        f"\n{name} is a draft: customers see nothing of it until it is ready. Next:",
        f"  1. Write how customers ask, in each language ({', '.join(locales)}): {check.MIN_EXAMPLES} examples at"
        f" least, {check.GOOD_EXAMPLES} to be told apart well.",
        f"  2. Write {to_write}, and choose handoff, priority and buttons.",
        "  3. switchboard check           what is still missing?",
        f"  4. switchboard topic ready {name}",
        "  5. switchboard evaluate        is it told apart from its neighbours?",
        "  6. switchboard train           the next start of the desk answers it",
        "Each step with an example: Adding a topic, in data/README.md.",
        sep="\n",
        soft_wrap=True,
        markup=False,
    )


@commands.command("ready")
def ready(name: str, config: ConfigOption = None) -> None:
    """Put a finished draft live, or say what it lacks."""
    settings = load_settings(config)
    try:
        moved = drafts.make_live(settings.data, wiring.load_answers(settings), name)
    except drafts.Unfinished as error:
        for problem in error.problems:
            typer.echo(problem)
        err.print(f"[red]{error}.[/]")
        raise typer.Exit(1) from None
    except drafts.TopicError as error:
        fail(str(error))
    for path in moved:
        typer.echo(_shown(path))
    err.print(
        f"[green]{name} is a topic now.[/] `switchboard evaluate` shows whether it is told apart from its neighbours,"
        " `switchboard train` teaches it, and the desk answers it from its next start.",
        soft_wrap=True,
    )


@commands.command("list")
def list_topics(config: ConfigOption = None) -> None:
    """All topics: examples in each language, answers in each locale, drafts marked."""
    settings = load_settings(config)
    answers = wiring.load_answers(settings)
    table = Table("topic", box=box.SIMPLE_HEAD, pad_edge=False)
    for locale in answers.answered:
        table.add_column(f"examples {locale}", justify="right")
    table.add_column("answers")
    table.add_column("")
    for topic in drafts.overview(settings.data, answers):
        counts = ("?" if topic.examples is None else str(topic.examples.get(locale, 0)) for locale in answers.answered)
        written = " ".join(topic.answers) or ("by code" if topic.name in check.WITHOUT_ANSWER else "none")
        table.add_row(topic.name, *counts, written, "[yellow]draft[/]" if topic.draft else "")
    # Names are never cut, whatever the width of the window or the pipe.
    console = Console(highlight=False, soft_wrap=True)
    console.print(table, width=max(console.width, console.measure(table).maximum))


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def _titles(given: list[str], locales: tuple[str, ...]) -> dict[str, str]:
    titles: dict[str, str] = {}
    for text in given:
        locale, equals, title = text.partition("=")
        if not equals:
            fail(f"--title {text}: write LOCALE=TITLE, as in {locales[0]}=Refunds")
        if locale not in locales:
            fail(f"--title {text}: {locale} is not a locale of this desk; it has {', '.join(locales)}")
        if locale in titles:
            fail(f"--title {text}: a second title in {locale}")
        titles[locale] = drafts.check_title(title)
    return titles


def _asked_titles(locales: list[str]) -> dict[str, str]:
    """The titles somebody types in; Enter leaves one to be written later."""

    def checked(typed: str) -> str:
        try:
            return drafts.check_title(typed) if typed.strip() else ""
        except drafts.TopicError as error:
            raise typer.BadParameter(str(error)) from None

    asked = {
        locale: typer.prompt(
            f"Title in {locale}, as on a button (Enter: later)",
            default="",
            show_default=False,
            value_proc=checked,
            err=True,
        )
        for locale in locales
    }
    return {locale: title for locale, title in asked.items() if title}


def _shown(path: Path) -> Path:
    """Short, where the reader stands above it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
