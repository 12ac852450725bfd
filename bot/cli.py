"""``switchboard``: the commands of operators and developers."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bot import app as desk_app
from bot import content, logs
from bot.answers import ContentError
from bot.http import AddressInUse, bind
from bot.model import EngineUnavailable, PermanentError, Prediction, Role, Thread
from bot.settings import Settings, SettingsError
from bot.store.database import DatabaseError
from connectors import terminal
from handoff import passwords
from handoff.policy import Policy
from intents import language
from intents.paths import EngineNotInstalled
from intents.training import TrainingFailed

cli = typer.Typer(
    help="Switchboard: a customer-care desk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
agents = typer.Typer(help="The people who answer.", no_args_is_help=True)
cli.add_typer(agents, name="agent")

_err = Console(stderr=True, highlight=False)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file, instead of SWITCHBOARD_CONFIG.")
]


# --- commands -----------------------------------------------------------------------------------


@cli.command()
def run(config: ConfigOption = None) -> None:
    """Start the desk; Ctrl-C stops it."""
    settings = _settings(config)
    with _listening(settings) as listening, _bars() as report, _database(settings, report) as url:

        async def serve() -> None:
            async with desk_app.running_desk(settings, url, listening, report) as (_, ready):
                report.close()
                _welcome(ready, settings)
                await asyncio.Event().wait()

        _run_until_signal(serve())
    _err.print("Stopped.")


@cli.command()
def chat(config: ConfigOption = None) -> None:
    """Talk to the desk in this terminal: to the one that runs, or to one started for it."""
    settings = _settings(config, log_to="chat.log")
    with contextlib.suppress(terminal.NotRunning):
        _run_until_signal(terminal.chat(settings.var))
        return
    with _listening(settings) as listening, _bars() as report, _database(settings, report) as url:

        async def serve_and_chat() -> None:
            async with desk_app.running_desk(settings, url, listening, report):
                report.close()
                await terminal.chat(settings.var)

        _run_until_signal(serve_and_chat())


@cli.command()
def train(config: ConfigOption = None) -> None:
    """Train the intent model for the content as it is now; does nothing if that is done already."""
    settings = _settings(config)
    with _bars() as report:
        model = _run_until_signal(desk_app.train(settings, report))
    typer.echo(model)


@cli.command()
def check(config: ConfigOption = None) -> None:
    """Look for mistakes in the content: missing answers, dead buttons, doubled or too few examples."""
    settings = _settings(config)
    problems = list(content.problems(settings.data, desk_app.load_answers(settings)))
    for problem in problems:
        typer.echo(problem)
    if problems:
        _err.print(f"[red]{len(problems)} problem(s) found.[/]")
        raise typer.Exit(1)
    _err.print("[green]The content is in order.[/]")


@cli.command()
def predict(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say what the desk would do with each line of standard input as a customer's first message."""
    settings = _settings(config)
    answers = desk_app.load_answers(settings)
    policy = desk_app.build_policy(answers)
    with _bars() as report:

        async def classify() -> None:
            async with desk_app.intent_engine(settings, report) as running:
                await running.first_ready()
                report.close()
                async for found in _predictions(running, sys.stdin.buffer, policy, answers.default_locale):
                    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _prediction_line(found))

        _run_until_signal(classify())


@agents.command("add")
def add_agent(
    name: str,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.AGENT,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Add an agent, who can then sign in to the console."""
    settings = _settings(config)
    name = name.strip()
    if not name or len(name) > 80:
        _fail("a name has 1 to 80 characters")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass(f"Password for {name}: ")
        if password != getpass.getpass("Again: "):
            _fail("the two passwords differ")
    if len(password) < passwords.MIN_LENGTH:
        _fail(f"a password has at least {passwords.MIN_LENGTH} characters")
    with _bars() as report, _database(settings, report) as url:
        try:
            _run_until_signal(desk_app.add_agent(url, name, role, password))
        except ValueError as error:
            _fail(str(error))
    _err.print(f"Added {role.value} {name}.")


_EXPLAINED = (
    AddressInUse,
    ContentError,
    DatabaseError,
    EngineNotInstalled,
    PermanentError,
    SettingsError,
    TrainingFailed,
)


def main() -> None:
    """The entry point. Whatever the desk can explain is explained in one line, without a traceback."""
    try:
        cli()
    except _EXPLAINED as error:
        _err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        sys.exit(2)


# --- predictions --------------------------------------------------------------------------------

_IN_FLIGHT = 4
"""Texts classified at once: enough to keep the engine busy, few enough not to queue behind its timeout."""


async def _predictions(
    running: desk_app.Running, lines: Any, policy: Policy, default_language: str
) -> AsyncIterator[dict[str, object]]:
    """One object a line, in their order."""
    batch: list[str] = []
    for raw in lines:
        batch.append(raw.decode("utf-8", errors="replace").rstrip("\r\n").replace("\x00", ""))
        if len(batch) == _IN_FLIGHT:
            for found in await asyncio.gather(*(_predicted(running, text, policy, default_language) for text in batch)):
                yield found
            batch = []
    for found in await asyncio.gather(*(_predicted(running, text, policy, default_language) for text in batch)):
        yield found


async def _predicted(running: desk_app.Running, text: str, policy: Policy, default_language: str) -> dict[str, object]:
    prediction: Prediction | None = None
    if not text.strip():
        decision = policy.on_attachment()
    else:
        try:
            prediction = await running.engine.predict(text)
            decision = policy.on_text(Thread(), prediction)
        except EngineUnavailable as error:
            _err.print(f"[yellow]{error}[/]")
            decision = policy.on_engine_unavailable()
    return {
        "text": text,
        "language": language.detect(text, default_language),
        "intent": prediction and prediction.intent,
        "confidence": prediction and round(prediction.confidence, 4),
        "ranking": [
            {"name": ranked.name, "confidence": round(ranked.confidence, 4)}
            for ranked in (prediction.ranking if prediction else ())
        ],
        "decision": decision.action.value,
    }


def _prediction_line(found: dict[str, object]) -> str:
    return f"{found['decision']!s:9} {found['intent']!s:24} {found['confidence']!s:7} {found['text']}"


# --- what the commands share --------------------------------------------------------------------


def _fail(message: str) -> None:
    _err.print(f"[red]{escape(message)}[/]", soft_wrap=True)
    raise typer.Exit(2)


def _settings(config: Path | None, log_to: str | None = None) -> Settings:
    settings = desk_app.load_settings(config)
    environment = settings.environment
    secrets = [*settings.secrets.values(), environment.rasa_token]
    logs.configure(settings.config.logs.level, secrets, to=None if log_to is None else settings.var / "log" / log_to)
    return settings


@contextmanager
def _listening(settings: Settings) -> Iterator[Any]:
    # Before anything slow: a port that is taken is said at once.
    with bind(settings.environment.host, settings.environment.port) as listening:
        yield listening


@contextmanager
def _database(settings: Settings, report: _Bars) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        with report.step("Starting PostgreSQL", 2):
            url = stack.enter_context(desk_app.database(settings))
        yield url


def _run_until_signal(work: Coroutine[Any, Any, Any]) -> Any:
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

    return asyncio.run(supervised())


def _welcome(ready: desk_app.Ready, settings: Settings) -> None:
    lines = [f"Customers chat   {ready.chat}", f"Agents' console  {ready.console}"]
    if ready.sign_in:
        lines.append(f"First sign-in    {ready.sign_in}")
        lines.append("                 works once, within 24 hours; then set a password")
    for name, plugin in desk_app.plugins().items():
        if plugin.secret_variable and plugin.secret_variable not in settings.secrets:
            lines.append(f"[dim]{name} is off: set {plugin.secret_variable} to switch it on[/]")
    # Never in a frame or cut to the width of the window: addresses are copied from here.
    Console(highlight=False).print("[bold]Switchboard is ready[/]", *lines, sep="\n", soft_wrap=True)
    sys.stdout.flush()


class _Bars:
    """``app.Report`` on a terminal: a bar for each step; elsewhere a line when it begins and one when it ends."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=_err,
            disable=not _err.is_terminal,
        )
        self._progress.start()

    def close(self) -> None:
        """Leaves the terminal to whatever comes next."""
        self._progress.stop()

    @contextmanager
    def step(self, what: str, expected: float) -> Iterator[Callable[[float], None]]:
        task = self._progress.add_task(what, total=1.0)
        if self._progress.disable:
            _err.print(f"{what} …")
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
            _err.print(f"{what}: {seconds:.1f} s")


@contextmanager
def _bars() -> Iterator[_Bars]:
    bars = _Bars()
    try:
        yield bars
    finally:
        bars.close()
