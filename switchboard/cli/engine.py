"""The commands about the intent engine and the content it is made from."""

from __future__ import annotations

import typer

from bot.content import check as content_check
from bot.content import drafts
from switchboard import wiring
from switchboard.cli.shared import ConfigOption, cli, err, load_settings


@cli.command()
def check(config: ConfigOption = None) -> None:
    """Look for mistakes in the content: missing answers, dead buttons, doubled or too few examples.

    Drafts, and languages that need not be complete, are listed with what they lack; being unfinished is no mistake.
    """
    settings = load_settings(config)
    answers = wiring.load_answers(settings)
    problems = list(content_check.problems(settings.data, answers))
    for problem in problems:
        typer.echo(problem)
    for line in content_check.partial_languages(answers):
        typer.echo(line)
    for name in drafts.drafts(settings.data):
        lacking = list(drafts.missing(settings.data, answers, name))
        for line in lacking or [f"{name} is finished; `switchboard topic ready {name}` puts it live"]:
            typer.echo(f"draft: {line}")
    if problems:
        err.print(f"[red]{len(problems)} problem(s) found.[/]")
        raise typer.Exit(1)
    err.print("[green]The content is in order.[/]")
