"""``switchboard scan --database``: secrets that were stored before there was a search, found and removed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.secrets import plant
from bot.domain.context import Context
from bot.domain.message import Attachment, ClearedContent, ClearedIncoming, Command, Incoming, Sender
from bot.domain.secret import LABELS, SecretKind
from bot.queue import Queue
from bot.store import Store
from bot.store.database import create_engine
from bot.store.stored_secrets import Found, Rules, stored_secrets
from switchboard.cli import cli
from tests.support.dump import everything, left_of

LABEL = LABELS[SecretKind.SEED_PHRASE]
OLD = Incoming("test", "bot", "1", Sender("7", "Ann"), "7", "hello")


async def stored(store: Store, id: str, text: str, **fields: Any) -> int:
    """As it was stored before there was a search: past the guard."""
    incoming = replace(OLD, external_id=id, text=text, **fields)
    return (await store.incoming.record(ClearedIncoming(incoming))).message_id or 0


@pytest.fixture
async def phrases(store: Store) -> list[list[str]]:
    """What was planted, in one conversation."""
    rnd = random.Random(20261128)
    planted = [plant.phrase(rnd, "en", 12) for _ in range(6)]
    one, split, quoted, named, within, versioned = (" ".join(words) for words in planted)
    await stored(store, "1", f"my phrase is {one}, help")
    await stored(store, "2", " ".join(planted[1][:5]))
    await stored(store, "3", " ".join(planted[1][5:]))
    await stored(store, "4", "this", context=Context(quote=quoted))
    await stored(store, "5", "see", attachments=(Attachment("document", "ref", name=f"{named}.txt"),))
    sha256 = await store.files.add(ClearedContent(f"{within}\nthe end, thanks".encode()))
    await stored(store, "6", "my file", attachments=(Attachment("document", "ref", name="a.txt", sha256=sha256),))
    await stored(store, "7", versioned)
    await stored(store, "7e", "nothing", edits="7")
    await stored(store, "8", f"the hash is {rnd.getrandbits(256):064x}")
    assert split
    return planted


async def look(database_url: str, rules: Rules) -> Found:
    engine = create_engine(database_url)
    try:
        store = stored_secrets(engine, Queue(""), rules)
        for number in await store.conversations(0):
            await store.look_through(number)
        await store.look_through_names()
        await store.look_through_files()
        if rules.clean:
            await store.vacuum()
        return store.found
    finally:
        await engine.dispose()


async def test_what_was_stored_is_counted_and_then_removed(
    store: Store, database_url: str, phrases: list[list[str]]
) -> None:
    counted = await look(database_url, Rules())
    assert counted.kinds == {"seed_phrase": 6}
    assert (counted.messages, counted.files, len(counted.conversations)) == (5, 1, 1)
    held = everything(database_url)
    assert all(left_of(words[5:], held) for words in phrases)  # nothing was changed

    cleaned = await look(database_url, Rules(clean=True))
    assert cleaned.kinds == counted.kinds
    held = everything(database_url)
    assert [left for words in phrases if (left := left_of(words, held, run=2))] == []
    [number] = cleaned.conversations
    messages = await store.messages.of(number)
    assert [one.text for one in messages[:4]] == [f"my {LABEL}, help", LABEL, LABEL, "this"] or LABEL in messages[
        0
    ].text
    assert all(messages[place].removed for place in (0, 1, 2, 3, 4, 5, 6))
    assert await store.files.get(messages[5].attachments[0].sha256) == f"{LABEL}\nthe end, thanks".encode()
    # Done is done.
    assert (await look(database_url, Rules(clean=True))).kinds == {}


async def test_what_versions_held_is_told_beside_what_the_message_held(store: Store, database_url: str) -> None:
    words = " ".join(plant.phrase(random.Random(20261129), "en", 12))
    number = await stored(store, "1", words)
    await stored(store, "1e", "my password is Sunny2026!", edits="1")
    await look(database_url, Rules(clean=True))
    kinds = {one.kind for one in (await store.messages.some([number]))[number].removed}
    assert kinds == {SecretKind.SEED_PHRASE, SecretKind.PASSWORD}


async def test_what_a_conversation_is_called_and_a_command_brings_goes_too(store: Store, database_url: str) -> None:
    rnd = random.Random(20261130)
    named, brought = (plant.phrase(rnd, "en", 12) for _ in range(2))
    words = " ".join(brought)
    await stored(store, "1", f"/start {words}", command=Command.START, argument=words, subject=" ".join(named))
    found = await look(database_url, Rules(clean=True))
    assert (found.messages, found.names, len(found.conversations)) == (1, 1, 1)
    held = everything(database_url)
    assert [left for words in (named, brought) if (left := left_of(words, held, run=2))] == []


def test_the_command(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = CliRunner().invoke(cli, ["scan", "--database", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["kinds"]) == (0, {})
    refused = CliRunner().invoke(cli, ["scan", "--clean"])
    assert refused.exit_code != 0
