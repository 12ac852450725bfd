"""``switchboard doctor``: is this deployment well?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bot.content import check, drafts
from bot.content.answers import ContentError
from bot.domain.findings import Finding, Level
from bot.settings import Settings, SettingsError
from bot.store.database import START_TIMEOUT, DatabaseError
from bot.store.status import DatabaseStatus, read_status
from switchboard import doctor, engine, plugins, start, wiring
from switchboard.cli.shared import ConfigOption, cli, load_settings, run_until_signal
from switchboard.doctor import Check, machine, postgres
from switchboard.doctor import content as content_checks
from switchboard.doctor import database as database_checks
from switchboard.doctor import engine as engine_checks

_MARKS = {Level.OK: "[green]✓[/]", Level.WARNING: "[yellow]![/]", Level.WRONG: "[red]✗[/]"}
_DATABASE_WITHIN = START_TIMEOUT + 30.0
_PLATFORM_WITHIN = 40.0
_CONTENT_WITHIN = 60.0
_SHORT = 20.0


@cli.command("doctor")
def examine(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Look whether this deployment is well: database, Rasa, tokens, clock, disk, addresses; and say the fix.

    Works beside a running desk and without one, and changes nothing. The status is 1 when something is wrong.
    """
    found: list[Finding] = []
    console = Console(highlight=False)

    def tell(finding: Finding) -> None:
        found.append(finding)
        if not as_json:
            _print(console, finding)

    try:
        settings = load_settings(config)
    except SettingsError as error:
        fix = "correct the file or the variable it names; docs/configuration.md has every setting"
        tell(Finding("configuration", Level.WRONG, str(error), fix))
    else:
        for finding in _configuration(settings):
            tell(finding)
        run_until_signal(_examine(settings, tell))
    worst = [level for level in Level if any(finding.level is level for finding in found)][-1]
    if as_json:
        typer.echo(json.dumps({"status": worst.value, "findings": [_as_json(it) for it in found]}, ensure_ascii=False))
    else:
        _conclude(console, found)
    if worst is Level.WRONG:
        raise typer.Exit(1)


async def _examine(settings: Settings, tell: Callable[[Finding], None]) -> None:
    secrets = [*settings.secrets.values(), settings.environment.rasa_token]
    async for findings in doctor.examine(_checks(settings), secrets):
        for finding in findings:
            tell(finding)


def _checks(settings: Settings) -> list[Check]:
    environment = settings.environment
    privacy = _Once(partial(asyncio.to_thread, _privacy, settings))
    status = _Once(partial(_status_after, privacy, settings))
    platforms = {
        name: _Once(partial(plugin.check, settings.channel(name), plugins.access(settings, name, plugin)))
        for name, plugin in plugins.installed().items()
        if plugin.check is not None and settings.channel(name).enabled and plugins.has_secret(settings, name, plugin)
    }
    if environment.rasa_url:
        rasa = Check(
            "rasa",
            partial(
                engine_checks.remote_rasa, environment.rasa_url, environment.rasa_token, settings.config.engine.timeout
            ),
            settings.config.engine.timeout + 5.0,
        )
    else:
        rasa = Check(
            "rasa", partial(asyncio.to_thread, engine_checks.embedded_rasa, engine.engine_paths(settings)), _SHORT
        )
    folders = {str(settings.var): settings.var}
    if not environment.database_url:
        folders[f"the database in {settings.var / 'postgres'}"] = settings.var / "postgres"
    network = "check this machine's connection and its proxy, and whether the platform has an outage"
    return [
        Check("content", partial(asyncio.to_thread, _content, settings), _CONTENT_WITHIN),
        Check("database", partial(_database, status, settings), _DATABASE_WITHIN, _database_fix(settings)),
        rasa,
        *(Check(name, once.get, _PLATFORM_WITHIN, network) for name, once in platforms.items()),
        Check("clock", partial(_clock, status, list(platforms.values())), _DATABASE_WITHIN),
        Check("disk", partial(asyncio.to_thread, machine.disk, folders), _SHORT),
        Check("files", partial(asyncio.to_thread, machine.rights, settings.var), _SHORT),
        Check("postgres", privacy.get, _SHORT),
        Check("host", _at_once(partial(machine.exposure, environment.host)), _SHORT),
        Check("desk", partial(machine.desk, environment.host, environment.port), _SHORT),
    ]


class _Once:
    """What several checks need is got once. One that stops waiting does not take it from the others."""

    def __init__(self, get: Callable[[], Awaitable[Any]]) -> None:
        self._get = get
        self._task: asyncio.Future[Any] | None = None

    async def get(self) -> Any:
        if self._task is None:
            self._task = asyncio.ensure_future(self._get())
        return await asyncio.shield(self._task)


def _at_once(find: Callable[[], Sequence[Finding]]) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def run() -> Sequence[Finding]:
        return find()

    return run


# --- checks that need the desk's wiring


def _configuration(settings: Settings) -> list[Finding]:
    environment, secrets = settings.environment, settings.secrets
    path = environment.switchboard_config
    installed = plugins.installed()
    on, off, unused = [], [], []
    for name, plugin in installed.items():
        variable = plugin.secret_variable
        if not settings.channel(name).enabled:
            off.append(f"{name} off")
            if variable in secrets:
                unused.append(f"{variable} is set and channels.{name}.enabled is false")
        elif not plugins.has_secret(settings, name, plugin):
            needed = variable or " or ".join(plugins.variables(settings, name, plugin)) or "an app in its section"
            off.append(f"{name} off without {needed}")
        else:
            on.append(name)
    if environment.rasa_token and not environment.rasa_url:
        unused.append("RASA_TOKEN is set without RASA_URL, and the desk runs a Rasa of its own")
    what = f"{path} loads" if path.is_file() else f"there is no {path}, so every default holds"
    words = f"{what}; channels: {', '.join([*on, *off])}"
    return [
        Finding("configuration", Level.OK, words),
        *(Finding("configuration", Level.WARNING, words, "unset the variable, or use it") for words in unused),
    ]


def _content(settings: Settings) -> list[Finding]:
    try:
        answers = wiring.load_answers(settings)
    except ContentError as error:
        return [Finding("content", Level.WRONG, str(error), "correct that file: the desk does not start with it")]
    unknown = [topic for topic in settings.config.suggestions if topic not in answers.topics]
    problems = [
        *(f"suggestions: {topic} is no topic, and is not offered" for topic in unknown),
        *check.problems(settings.data, answers),
    ]
    if problems:
        words = f"{len(problems)} problem(s), the first: {problems[0]}"
        fix = "`switchboard check` lists those of the content; mend them"
        return [Finding("content", Level.WARNING, words, fix), *content_checks.crisis(settings, answers.topics)]
    unfinished = drafts.drafts(settings.data)
    words = f"in order: {len(list(answers.topics))} topics in {', '.join(answers.locales)}"
    words += f"; drafts: {', '.join(unfinished)}" if unfinished else ""
    return [Finding("content", Level.OK, words), *content_checks.crisis(settings, answers.topics)]


def _privacy(settings: Settings) -> list[Finding]:
    return [] if settings.environment.database_url else postgres.privacy(settings.var)


async def _status_after(privacy: _Once, settings: Settings) -> DatabaseStatus | None:
    """Once it is seen how things stand: a server that is started for the look closes what was open."""
    with suppress(OSError):
        await privacy.get()
    return await asyncio.to_thread(_read_status, settings)


def _read_status(settings: Settings) -> DatabaseStatus | None:
    """In a thread: the embedded server, if none runs, is started for this and stopped after it. None where there is
    none yet, for a look makes none."""
    if not settings.environment.database_url and not (settings.var / "postgres" / "PG_VERSION").exists():
        return None
    with start.database(settings) as url:
        return read_status(url)


async def _database(status: _Once, settings: Settings) -> list[Finding]:
    try:
        found: DatabaseStatus | None = await status.get()
    except (DatabaseError, OSError) as error:
        return [Finding("database", Level.WRONG, str(error), _database_fix(settings))]
    if found is None:
        return [Finding("database", Level.WARNING, "there is none yet", "`switchboard run` makes it")]
    return database_checks.database(found)


def _database_fix(settings: Settings) -> str:
    if settings.environment.database_url:
        return "check DATABASE_URL (server, port, user, password, database), and that the server runs and lets us in"
    return (
        f"see the end of {settings.var / 'postgres' / 'log'}: most often the disk is full, or the folder belongs to"
        " another user"
    )


async def _clock(status: _Once, platforms: Sequence[_Once]) -> list[Finding]:
    ahead: dict[str, float] = {}
    # What is wrong with them, they say themselves.
    looked, *answered = await asyncio.gather(status.get(), *(once.get() for once in platforms), return_exceptions=True)
    if isinstance(looked, DatabaseStatus):
        ahead["the database"] = looked.clock_ahead
    for findings in answered:
        if not isinstance(findings, BaseException):
            ahead |= {it.name: it.clock_ahead for it in findings if it.clock_ahead is not None}
    return machine.clock(ahead)


# --- words


def _print(console: Console, finding: Finding) -> None:
    console.print(
        f"{_MARKS[finding.level]} [bold]{escape(finding.name):<24}[/] {escape(finding.words)}", soft_wrap=True
    )
    if finding.fix:
        console.print(f"  → {escape(finding.fix)}", soft_wrap=True)


def _conclude(console: Console, found: Sequence[Finding]) -> None:
    wrong = sum(finding.level is Level.WRONG for finding in found)
    warnings = sum(finding.level is Level.WARNING for finding in found)
    noted = f", {warnings} warning(s)" if warnings else ""
    console.print(f"[red]{wrong} thing(s) wrong{noted}.[/]" if wrong else f"[green]Nothing is wrong[/]{noted}.")


def _as_json(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "level": finding.level.value, "words": finding.words, "fix": finding.fix}
