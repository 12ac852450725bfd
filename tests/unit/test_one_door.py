"""Texts are written through ``bot.guard`` alone: there is no way round it, and mypy says so."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy import api

from bot import guard
from bot.domain.message import Incoming, Sender
from bot.settings import ROOT
from bot.store.acts import ConversationActs
from bot.store.dead_letters import DeadLetters
from bot.store.files import Files
from bot.store.incoming import IncomingMessages
from bot.store.replies import Replies
from bot.store.uploads import Uploads

PACKAGES = ("bot", "connectors", "handoff", "intents", "switchboard")
MADE_BY_GUARD = {"Cleared", "ClearedContent", "ClearedIncoming", "ClearedWords"}
TEXTS = {"body", "content", "notice", "incoming", "why"}
"""Parameters of writers that hold what customers or agents will read."""


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if "server" not in path.parts)


def names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def makes_cleared(call: ast.Call) -> bool:
    """``Cleared(text)``, and ``cast(Cleared, text)`` in all its forms."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if function == "cast":
        what = call.args[0]
        quoted = what.value if isinstance(what, ast.Constant) else ""
        return bool(names(what) & MADE_BY_GUARD) or any(name in str(quoted) for name in MADE_BY_GUARD)
    return function in MADE_BY_GUARD


def test_only_the_guard_makes_what_may_be_written() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if not path.is_relative_to(ROOT / "bot" / "guard")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and makes_cleared(node)
    }
    assert found == set()


@pytest.mark.parametrize("area", [ConversationActs, DeadLetters, Files, IncomingMessages, Replies, Uploads])
def test_writers_take_nothing_else(area: type) -> None:
    taken = {
        f"{name}({parameter.name})": parameter.annotation
        for name, method in inspect.getmembers(area, inspect.isfunction)
        if not name.startswith("_") or name in ("_add_message", "_add_notice")
        for parameter in inspect.signature(method).parameters.values()
        if parameter.name in TEXTS
    }
    assert taken
    assert {where: what for where, what in taken.items() if "Cleared" not in str(what)} == {}


ROUND_IT = """
from bot import guard
from bot.domain.message import Reply, Sender, Incoming
from bot.store import Store

async def go_round(store: Store, text: str, event: Incoming) -> None:
    await store.replies.add(1, 1, text)
    await store.replies.add_note(1, 1, text)
    await store.replies.edit(1, 1, text)
    await store.incoming.record(event)
    await store.conversations.claim(1, 1, {"": text})
    await store.files.add(text.encode())
    Reply(text)
    await store.replies.add(1, 1, guard.outgoing(text))
    await store.replies.add_note(1, 1, guard.outgoing(text))
    await store.replies.edit(1, 1, guard.outgoing(text))
    await store.conversations.put_back(1, 1, {}, guard.outgoing(text))
    await store.conversations.transfer(1, 1, 2, {}, guard.outgoing(text))
    await store.conversations.take_over(1, 1, 2, {}, guard.outgoing(text))

async def go_through(store: Store, text: str, event: Incoming) -> None:
    await store.replies.add(1, 1, guard.agents(text))
    await store.conversations.take_over(1, 1, 2, {}, guard.agents(text))
    await store.incoming.record(guard.incoming(event))
    await store.conversations.claim(1, 1, guard.phrases({"": text}))
    await store.files.add(*guard.file(text.encode()))
    Reply(guard.outgoing(text))
"""


def test_mypy_refuses_every_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "round_it.py"
    file.write_text(ROUND_IT, encoding="utf-8")
    monkeypatch.chdir(ROOT)  # for its configuration and its cache
    said, problem, _ = api.run([str(file)])
    refused = [int(line.split(":")[1]) for line in said.splitlines() if "error:" in line]
    assert (refused, problem) == ([*range(7, 20)], ""), said


def test_what_the_guard_makes_is_clean() -> None:
    assert guard.outgoing("a\x00b\ud800") == "ab"
    assert guard.fill(guard.outgoing("You are number {position}."), position=3) == "You are number 3."
    assert guard.phrases({"": "x\x00"}) == {"": "x"}
    assert guard.incoming(Incoming("web", "web", "1", Sender("ann"), "ann", text="a\x00b")).text == "ab"
