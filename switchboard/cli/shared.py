"""What the commands share: settings, progress bars, signals, errors."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bot import logs
from bot.content import drafts
from bot.settings import Settings
from switchboard import plugins, start

cli = typer.Typer(
    help="Switchboard: a customer-care desk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

err = Console(stderr=True, highlight=False)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file, instead of SWITCHBOARD_CONFIG.")
]


def fail(message: str) -> NoReturn:
    err.print(f"[red]{escape(message)}[/]", soft_wrap=True)
    raise typer.Exit(2)


def load_settings(config: Path | None, log_to: str | None = None) -> Settings:
    settings = plugins.load_settings(config)
    environment = settings.environment
    secrets = [*settings.secrets.values(), environment.rasa_token]
    logs.configure(settings.config.logs.level, secrets, to=None if log_to is None else settings.var / "log" / log_to)
    return settings


def mention_drafts(settings: Settings) -> None:
    """Says which topics customers get nothing of, so that nobody wonders why."""
    if names := drafts.drafts(settings.data):
        err.print(
            f"[yellow]Left out, for they are drafts: {escape(', '.join(names))}.[/]"
            " `switchboard check` says what they lack.",
            soft_wrap=True,
        )


def run_until_signal(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs ``work``; SIGINT, SIGTERM and SIGHUP cancel it, and it cleans up before this returns None."""

    async def supervised() -> Any:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        stopping = False

        def stop() -> None:
            # Only once: an impatient second Ctrl-C must not interrupt the cleaning up.
            nonlocal stopping
            if not stopping:
                stopping = True
                task.cancel()

        # SIGHUP: the terminal's window was closed. Windows has none of this; Ctrl-C raises KeyboardInterrupt there.
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError):
                loop.add_signal_handler(getattr(signal, name), stop)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(supervised())


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where there is one: every message passes the loop some thirty times."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class Bars:
    """``app.Report`` on a terminal: a bar for each step; elsewhere a line when it begins and one when it ends."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._progress.start()

    def close(self) -> None:
        """Leaves the terminal to whatever comes next."""
        self._progress.stop()

    @contextmanager
    def step(self, what: str, expected: float) -> Iterator[Callable[[float], None]]:
        task = self._progress.add_task(what, total=1.0)
        if self._progress.disable:
            err.print(f"{what} …")
        started = time.monotonic()
        ended = threading.Event()
        reported: list[float] = []

        def advance() -> None:
            while not ended.wait(0.1):
                # Nobody knows how long it takes here; the bar slows down rather than promise an end.
                guess = 1 - 2 ** -((time.monotonic() - started) / expected)
                self._progress.update(task, completed=reported[-1] if reported else guess)

        thread = threading.Thread(target=advance, daemon=True)
        thread.start()
        try:
            yield reported.append
        finally:
            ended.set()
            thread.join()
            self._end(task, what, time.monotonic() - started)

    def _end(self, task: TaskID, what: str, seconds: float) -> None:
        self._progress.update(task, completed=1.0)
        if self._progress.disable:
            err.print(f"{what}: {seconds:.1f} s")


@contextmanager
def bars() -> Iterator[Bars]:
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


@contextmanager
def database(settings: Settings, report: Bars) -> Iterator[str]:
    """The URL of the desk's database, started if it does not run."""
    with contextlib.ExitStack() as stack:
        with report.step("Starting PostgreSQL", 2):
            url = stack.enter_context(start.database(settings))
        yield url
