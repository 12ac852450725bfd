"""The commands that run the desk."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.markup import escape

from bot.runtime import handles
from bot.runtime.http import bind, connections_for
from bot.settings import Settings
from connectors import terminal
from switchboard import plugins, start, wiring
from switchboard.cli.shared import (
    ConfigOption,
    bars,
    cli,
    database,
    err,
    load_settings,
    mention_drafts,
    run_until_signal,
)

log = structlog.get_logger(__name__)


@cli.command()
def run(config: ConfigOption = None) -> None:
    """Start the desk; Ctrl-C stops it."""
    settings = load_settings(config)
    _raise_handles()
    mention_drafts(settings)
    with _listening(settings) as listening, bars() as report, database(settings, report) as url:

        async def serve() -> None:
            async with start.running_desk(settings, url, listening, report) as (_, ready):
                report.close()
                _welcome(ready, settings)
                await asyncio.Event().wait()

        run_until_signal(serve())
    err.print("Stopped.")


@cli.command()
def chat(config: ConfigOption = None) -> None:
    """Talk to the desk in this terminal: to the one that runs, or to one started for it."""
    settings = load_settings(config, log_to="chat.log")
    with contextlib.suppress(terminal.NotRunning):
        run_until_signal(terminal.chat(settings.var, wiring.load_words(settings)))
        return
    _raise_handles()
    with _listening(settings) as listening, bars() as report, database(settings, report) as url:

        async def serve_and_chat() -> None:
            async with start.running_desk(settings, url, listening, report) as (_, ready):
                report.close()
                if ready.notice:
                    err.print(f"[yellow]{escape(ready.notice)}[/]", soft_wrap=True)
                await terminal.chat(settings.var, wiring.load_words(settings))

        run_until_signal(serve_and_chat())


def _raise_handles() -> None:
    """Before anything is started that inherits the limit."""
    before, now = handles.limit(), handles.raise_limit()
    log.info("file handles", action="handles", before=before, now=now, connections=connections_for(now))


@contextmanager
def _listening(settings: Settings) -> Iterator[Any]:
    # Before anything slow: a port that is taken is said at once.
    with bind(settings.environment.host, settings.environment.port) as listening:
        yield listening


def _welcome(ready: start.Ready, settings: Settings) -> None:
    lines = [f"Customers chat   {ready.chat}", f"Agents' console  {ready.console}"]
    if ready.sign_in:
        lines.append(f"First sign-in    {ready.sign_in}")
        lines.append("                 works once, within 24 hours; then set a password")
    for name, plugin in plugins.installed().items():
        if plugin.secret_variable and plugin.secret_variable not in settings.secrets:
            lines.append(f"[dim]{name} is off: set {plugin.secret_variable} to switch it on[/]")
        elif needed := plugins.unset(settings, name, plugin):
            lines.append(f"[dim]{name} is off: set {' or '.join(needed)} to switch it on[/]")
    if ready.notice:
        lines.append(f"[yellow]{escape(ready.notice)}[/]")
    # Never in a frame or cut to the width of the window: addresses are copied from here.
    Console(highlight=False).print("[bold]Switchboard is ready[/]", *lines, sep="\n", soft_wrap=True)
    sys.stdout.flush()
