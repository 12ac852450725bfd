"""``switchboard agent …``, in this process and beside whatever runs on the database."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from bot.domain.conversation import ConversationState
from bot.domain.message import Author
from bot.domain.staff import Role
from bot.queue import Queue
from bot.settings import ROOT
from bot.store import Store
from bot.store.database import conninfo, create_engine
from handoff.desk import Desk
from handoff.passwords import hash_password, token_hash, verify_password
from switchboard.cli import cli
from tests.support.console import PASSWORD, queued

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The commands set up the process's logs for themselves."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    config = tmp_path / "config.yml"
    config.write_text(f"data: {ROOT / 'data'}\nbrand:\n  name: BitPie\n", encoding="utf-8")
    for name, value in {
        "DATABASE_URL": database_url,
        "SWITCHBOARD_VAR": str(tmp_path / "var"),
        "HOST": "0.0.0.0",
        "PORT": "8123",
        "NO_COLOR": "1",
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["agent", *arguments, "--config", str(config)], input=typed)

    return run


def at_the_desk(database_url: str, work: Callable[[Store], Any]) -> Any:
    """What ``work`` finds in the store."""

    async def working() -> Any:
        queue = Queue(conninfo(database_url))
        await queue.open()
        store = Store(create_engine(database_url), queue)
        try:
            return await work(store)
        finally:
            await store.close()
            await queue.close()

    return asyncio.run(working())


def listed(run: Run) -> list[dict[str, object]]:
    return json.loads(run("list", "--json").stdout)


def words(line: str) -> str:
    return " ".join(line.split())


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_from_adding_to_enabling(run: Run, database_url: str, tmp_path: Path) -> None:
    assert "Nobody yet: `switchboard agent add NAME`" in run("list").stderr
    assert listed(run) == []
    added = run("add", "Mei", "--role", "admin", "--password-stdin", typed=PASSWORD + "\n")
    assert added.exit_code == 0, added.output
    assert "Added admin Mei. Customers see Mei." in added.stderr
    assert run("add", "li.wei", "--public-name", "Li Wei", "--link").exit_code == 0
    table = run("list").stdout.splitlines()
    assert table[1].split() == [
        "name",
        "customers",
        "see",
        "role",
        "state",
        "last",
        "seen",
        "conversations",
        "signed",
        "in",
    ]
    assert table[3].split() == ["li.wei", "Li", "Wei", "agent", "no", "password", "yet", "never", "0", "0"]
    assert table[4].split() == ["Mei", "Mei", "admin", "active", "never", "0", "0"]

    for role in ("lead", "auditor", "agent", "admin"):
        assert run("role", "LI.WEI", role).exit_code == 0
        assert listed(run)[0]["role"] == role
    assert run("rename", "li.wei", "li", "--public", "Li").exit_code == 0
    assert "Customers see “a person”." in run("rename", "Li", "--public", "").stderr
    assert run("password", "li", "--password-stdin", typed="tidal copper lamp\n").exit_code == 0
    assert "Disabled li. 0 conversations are back in the queue." in run("disable", "li").stderr
    assert refused(run("disable", "li")) == "li is disabled already"
    one = listed(run)[1]
    assert (one["name"], one["role"], one["public_name"], one["disabled_at"] is None) == ("li", "admin", None, False)
    assert run("enable", "li").exit_code == 0
    assert [one["disabled_at"] for one in listed(run)] == [None, None]
    known = at_the_desk(database_url, lambda store: store.agents.password_of("li"))
    assert asyncio.run(verify_password(known[1], "tidal copper lamp"))
    log = [json.loads(line) for line in (tmp_path / "var" / "log" / "agents.log").read_text().splitlines()]
    said = [(line["action"], line["name"], line["by_name"]) for line in log if "by_name" in line]
    assert ("agent_disabled", "li", "operator") in said
    assert ("agent_role", "li.wei", "operator") in said
    assert PASSWORD not in str(log)


def test_a_link_signs_in_once_at_the_configured_address(run: Run, database_url: str) -> None:
    run("add", "Mei", "--link")
    links = [run("link", "mei").stdout.strip() for _ in range(2)]
    assert all(link.startswith("http://127.0.0.1:8123/console/sign-in/") for link in links)
    hashes = [token_of(link) for link in links]
    redeemed = [at_the_desk(database_url, lambda store, one=one: store.agents.redeem_sign_in(one)) for one in hashes]
    assert [agent is not None for agent in redeemed] == [False, True]
    run("add", "Ada", "--role", "admin", "--link")
    run("disable", "Mei")
    assert refused(run("link", "Mei")) == "Mei is disabled: enable them first"


def token_of(link: str) -> str:
    return token_hash(link.rpartition("/")[2])


def test_disabling_puts_chats_back_and_tells_the_customers(run: Run, database_url: str) -> None:
    async def held(store: Store) -> int:
        mei = await store.agents.add("Mei", Role.AGENT, await hash_password(PASSWORD))
        conversation_id = await queued(store)
        await Desk(store, lambda key, **_: {"": key}).claim(conversation_id, mei)
        return conversation_id

    conversation_id = at_the_desk(database_url, held)
    assert "1 conversation is back in the queue." in run("disable", "Mei").stderr

    async def now(store: Store) -> tuple[ConversationState, str]:
        last = [one for one in await store.messages.of(conversation_id) if one.author is Author.SYSTEM and one.delivery]
        return (await store.conversations.get(conversation_id)).state, last[-1].text

    state, told = at_the_desk(database_url, now)
    assert state is ConversationState.QUEUED
    assert "at place **1**" in told


def test_where_somebody_is_signed_in(run: Run, database_url: str) -> None:
    run("add", "Mei", "--link")
    assert "Mei is signed in nowhere." in run("sessions", "Mei").stderr

    async def sign_in(store: Store) -> None:
        (mei,) = await store.agents.all()
        soon = datetime.now(UTC) + timedelta(hours=1)
        await store.agents.add_session(
            mei.id, "a", soon, by_link=True, address="10.0.0.7", browser="Firefox on Windows"
        )

    at_the_desk(database_url, sign_in)
    assert words(run("sessions", "Mei").stdout.splitlines()[3]) == "Firefox on Windows 10.0.0.7 0 min ago link"
    (one,) = json.loads(run("sessions", "Mei", "--json").stdout)
    assert (one["browser"], one["address"], one["by_link"]) == ("Firefox on Windows", "10.0.0.7", True)
    assert "signed out of 1 browser," in run("sessions", "Mei", "--end").stderr
    assert json.loads(run("sessions", "Mei", "--json").stdout) == []


def test_what_cannot_be_is_one_line_with_the_fix(run: Run) -> None:
    run("add", "Mei", "--role", "admin", "--link")
    run("add", "Maya", "--link")
    for command in ("disable", "enable", "link", "sessions"):
        assert refused(run(command, "Mey")) == "there is no agent Mey; did you mean Mei or Maya?"
    assert refused(run("disable", "Zzzz")) == "there is no agent Zzzz: `switchboard agent list` names everybody"
    assert refused(run("disable", "mei")) == "Mei is the only admin: make another agent admin first"
    assert refused(run("role", "mei", "agent")) == "Mei is the only admin: make another agent admin first"
    assert refused(run("rename", "Maya", "MEI")) == "there is already an agent named MEI"
    assert refused(run("rename", "Maya")).startswith("nothing to change: give a new name")
    assert "not who they are" in refused(run("rename", "Maya", "--public", "Admin"))
    assert "1 to 80 characters" in refused(run("rename", "Maya", " "))
    assert "1 to 80 characters" in refused(run("add", "x" * 81, "--link"))
    assert "choose one of" in refused(run("add", "New", "--link", "--password-stdin"))
    short = refused(run("add", "New", "--password-stdin", typed="short\n"))
    assert short == "a password has at least 10 characters"
    for command in (("add", "New"), ("password", "Maya")):
        easy = refused(run(*command, "--password-stdin", typed=f"{command[1]}-2024-{command[1]}\n"))
        assert easy.startswith("this password is easy to guess: ")
        easy = refused(run(*command, "--password-stdin", typed="password123!\n"))
        assert easy.startswith("this password is easy to guess: ")
    assert [one["name"] for one in listed(run)] == ["Maya", "Mei"]


def test_marks_of_rich_in_names_are_text(run: Run) -> None:
    assert "Added agent [red]x[/]." in run("add", "[red]x[/]", "--link").stderr
    assert "[red]x[/]" in run("list").stdout
    assert "there is no agent [b]y" in refused(run("link", "[b]y"))
