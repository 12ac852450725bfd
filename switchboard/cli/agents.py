"""The commands about the people who answer. They work beside a running desk and without one."""

from __future__ import annotations

import difflib
import getpass
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.domain.staff import Agent, Role
from bot.queue import Queue
from bot.settings import Settings
from bot.store import Store, migrate
from bot.store.database import conninfo, create_engine
from handoff import passwords
from handoff.desk import Desk
from handoff.staff import LINK_VALID, Staff
from switchboard import start, wiring
from switchboard.cli.shared import ConfigOption, bars, cli, database, err, fail, load_settings, run_until_signal

commands = typer.Typer(help="The people who answer.", no_args_is_help=True)
cli.add_typer(commands, name="agent")

NameArgument = Annotated[str, typer.Argument(help="The name to sign in with; case does not matter.")]
StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command("add")
def add(
    name: NameArgument,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.AGENT,
    public_name: Annotated[str, typer.Option(help="What customers see; else the name, if that is one.")] = "",
    password_stdin: StdinOption = False,
    link: Annotated[
        bool, typer.Option("--link", help="Print a one-time link instead of asking for a password.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Add an agent, who can then sign in to the console."""
    settings = _settings(config)
    if link and password_stdin:
        fail("choose one of --link and --password-stdin: with a link they set their own password")
    password = None if link else _password(name, password_stdin)

    async def work(_: Store, staff: Staff) -> tuple[Agent, str | None]:
        who = await staff.add(name, role, seen_as=public_name, password=password)
        return who, await staff.link(who) if link else None

    who, token = _with_staff(settings, work)
    seen = who.public_name or "“a person”; to change that: switchboard agent rename NAME --public PUBLIC"
    _say(f"Added {who.role.value} {who.name}. Customers see {seen}.")
    if token is not None:
        _print_link(settings, token)


@commands.command("list")
def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List who works here, and who did."""

    async def work(store: Store, _: Staff) -> Any:
        return await store.agents.staff()

    found = _with_staff(_settings(config), work)
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {
                        "name": one.agent.name,
                        "public_name": one.agent.public_name,
                        "role": one.agent.role.value,
                        "has_password": one.agent.has_password,
                        "disabled_at": _iso(one.agent.disabled_at),
                        "seen_at": _iso(one.agent.seen_at),
                        "conversations": one.conversations,
                        "sessions": one.sessions,
                    }
                    for one in found
                ],
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    if not found:
        _say("Nobody yet: `switchboard agent add NAME` adds somebody; `switchboard run` makes the first admin.")
        return
    rows = [
        (
            one.agent.name,
            one.agent.public_name or "a person",
            one.agent.role.value,
            _standing(one.agent),
            _ago(one.agent.seen_at),
            str(one.conversations),
            str(one.sessions),
        )
        for one in found
    ]
    _print_table(("name", "customers see", "role", "state", "last seen", "conversations", "signed in"), rows)


@commands.command("disable")
def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Sign an agent out everywhere for good; their conversations go back into the queue."""

    async def work(store: Store, staff: Staff) -> tuple[Agent, int]:
        who = await _find(store, name)
        if who.disabled_at is not None:
            raise ValueError(f"{who.name} is disabled already")
        return who, await staff.disable(who)

    who, put_back = _with_staff(_settings(config), work)
    conversations = "1 conversation is" if put_back == 1 else f"{put_back} conversations are"
    _say(f"Disabled {who.name}. {conversations} back in the queue.")


@commands.command("enable")
def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let an agent sign in again."""

    async def work(store: Store, staff: Staff) -> Agent:
        return await staff.enable(await _find(store, name))

    _say(f"Enabled {_with_staff(_settings(config), work).name}.")


@commands.command("role")
def role(name: NameArgument, role: Role, config: ConfigOption = None) -> None:
    """Say what somebody may do: agents answer, leads move everybody's work, admins manage agents, auditors read."""

    async def work(store: Store, staff: Staff) -> Agent:
        return await staff.set_role(await _find(store, name), role)

    who = _with_staff(_settings(config), work)
    _say(f"{who.name} is {who.role.value} now.")


@commands.command("rename")
def rename(
    name: NameArgument,
    new: Annotated[str | None, typer.Argument(help="The new name to sign in with.")] = None,
    public: Annotated[str | None, typer.Option("--public", help="What customers see; “” for “a person”.")] = None,
    config: ConfigOption = None,
) -> None:
    """Change the name that an agent signs in with, the one that customers see, or both."""
    if new is None and public is None:
        fail("nothing to change: give a new name to sign in with, --public and the name that customers see, or both")

    async def work(store: Store, staff: Staff) -> Agent:
        who = await _find(store, name)
        if public is not None:
            who = await staff.show_as(who, public)
        return who if new is None else await staff.rename(who, new)

    who = _with_staff(_settings(config), work)
    _say(f"{who.name} signs in by this name. Customers see {who.public_name or '“a person”'}.")


@commands.command("password")
def password(name: NameArgument, password_stdin: StdinOption = False, config: ConfigOption = None) -> None:
    """Set an agent's password, and sign them out everywhere. Better: `switchboard agent link`."""
    settings = _settings(config)
    words = _password(name, password_stdin)

    async def work(store: Store, staff: Staff) -> Agent:
        who = await _find(store, name)
        await staff.set_password(who, words)
        return who

    _say(f"The password of {_with_staff(settings, work).name} is set; they are signed out everywhere.")


@commands.command("link")
def link(name: NameArgument, config: ConfigOption = None) -> None:
    """Print a one-time link with which an agent signs in and sets a new password."""
    settings = _settings(config)

    async def work(store: Store, staff: Staff) -> str:
        return await staff.link(await _find(store, name))

    _print_link(settings, _with_staff(settings, work))


@commands.command("sessions")
def sessions(
    name: NameArgument,
    end: Annotated[bool, typer.Option("--end", help="Sign them out everywhere.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show where an agent is signed in, or end it."""

    async def work(store: Store, staff: Staff) -> Any:
        who = await _find(store, name)
        return who, await staff.end_sessions(who) if end else await store.agents.sessions(who.id)

    who, found = _with_staff(_settings(config), work)
    if end:
        _say(f"{who.name} is signed out of {found} browser{'' if found == 1 else 's'}, and links do nothing any more.")
    elif as_json:
        listed = [
            {
                "browser": one.browser,
                "address": one.address,
                "since": _iso(one.created_at),
                "until": _iso(one.expires_at),
                "by_link": one.by_link,
            }
            for one in found
        ]
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
    elif not found:
        _say(f"{who.name} is signed in nowhere.")
    else:
        rows = [
            (one.browser or "?", one.address or "?", _ago(one.created_at), "link" if one.by_link else "password")
            for one in found
        ]
        _print_table(("browser", "from", "since", "by"), rows)


# --- what they share ------------------------------------------------------------------------------


def _settings(config: Path | None) -> Settings:
    # Who did what to whom is kept, and not mixed with what is said here.
    return load_settings(config, log_to="agents.log")


@asynccontextmanager
async def staffing(settings: Settings, url: str) -> AsyncIterator[tuple[Store, Staff]]:
    """Who works at the desk whose database is at ``url``, beside a desk that runs or without one."""
    await migrate(url)
    store = Store(create_engine(url), Queue(conninfo(url)))
    desk = Desk(store, wiring.load_answers(settings).words.by_locale)
    try:
        yield store, Staff(store.agents, desk, settings.config.brand.name)
    finally:
        await store.close()


def _with_staff(settings: Settings, work: Callable[[Store, Staff], Awaitable[Any]]) -> Any:
    """What ``work`` returns; a refusal of it ends the command with its reason."""

    async def working() -> Any:
        async with staffing(settings, url) as (store, staff):
            return await work(store, staff)

    with bars() as report, database(settings, report) as url:
        try:
            done = run_until_signal(working())
        except ValueError as error:
            fail(str(error))
        if done is None:  # a signal ended it
            raise typer.Exit(130)
        return done


async def _find(store: Store, name: str) -> Agent:
    """Raises ``ValueError`` with the names that come closest."""
    agents = {agent.name.casefold(): agent for agent in await store.agents.all()}
    wanted = " ".join(name.split()).casefold()
    if wanted in agents:
        return agents[wanted]
    close = [agents[key].name for key in difflib.get_close_matches(wanted, agents, n=3, cutoff=0.5)]
    meant = f"; did you mean {' or '.join(close)}?" if close else ": `switchboard agent list` names everybody"
    raise ValueError(f"there is no agent {name}{meant}")


def _password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        words = sys.stdin.readline().rstrip("\r\n")
    else:
        words = getpass.getpass(f"Password for {name}: ")
        if words != getpass.getpass("Again: "):
            fail("the two passwords differ")
    if len(words) < passwords.MIN_LENGTH:
        fail(f"a password has at least {passwords.MIN_LENGTH} characters")
    return words


def _print_link(settings: Settings, token: str) -> None:
    environment = settings.environment
    typer.echo(f"{start.base_address(environment.host, environment.port)}/console/sign-in/{token}")
    hours = LINK_VALID.total_seconds() / 3600
    _say(f"Works once, within {hours:.0f} hours. Where the desk has another address, put that before /console.")


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    out = Console(highlight=False)
    if not out.is_terminal:
        # Nothing is cut or folded that a program reads.
        out.width = 400
    out.print(table)


def _say(words: str) -> None:
    err.print(words, markup=False, soft_wrap=True)


def _standing(who: Agent) -> str:
    if who.disabled_at is not None:
        return f"disabled {who.disabled_at.astimezone():%d %b %Y}"
    return "active" if who.has_password else "no password yet"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    minutes = int((datetime.now(UTC) - moment).total_seconds() // 60)
    if minutes < 60:
        return f"{max(minutes, 0)} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 60 // 24} d ago"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
