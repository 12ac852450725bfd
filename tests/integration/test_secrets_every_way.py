"""Whatever a platform brings, in whichever field: nothing of a secret is in a table or a log of the whole desk."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import psycopg
import pytest

from benchmarks.secrets import plant
from bot.domain.message import Incoming, Receipt
from bot.domain.secret import Removed, SecretKind
from bot.pipeline.clearing import Clearing
from bot.pipeline.files import FileSearch, SearchedFiles
from bot.store import Store
from bot.store.database import conninfo
from connectors.terminal import socket_path
from tests.fuzz import discord, telegram
from tests.fuzz.fuzzed import FIRST_PERSON
from tests.fuzz.hostile import WORDS, of
from tests.fuzz.whole import Channel, Message, WholeDesk, until
from tests.support.api_channel import Memory, api_connector, calling
from tests.support.dump import everything, left_of

SECRET = plant.phrase(random.Random(20261128), "en", 12)
PHRASE = " ".join(SECRET)
NAMED = "_".join(SECRET)
"""As platforms write it into addresses of files."""
_STRUCTURE = frozenset(
    {
        *("type", "id", "file_id", "file_unique_id", "message_id", "channel_id", "guild_id", "user_id", "update_id"),
        *("data", "custom_id", "token", "application_id", "timestamp", "edited_timestamp", "locale", "language_code"),
        *("participants", "webhook_id", "avatar", "discriminator", "emoji", "format_type", "date", "chat_instance"),
    }
)
"""Fields by which a platform says what it brings: nobody writes anything into them."""


EACH = pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
"""The usual tests take every sixth example."""


def planted(value: Any, name: str = "") -> Any:
    """The same with the phrase in every field that people, or their programs, fill."""
    if isinstance(value, dict):
        return {key: one if key in _STRUCTURE else planted(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [planted(one, name) for one in value]
    if not isinstance(value, str):
        return value
    return f"http://127.0.0.1:9/attachments/1/2/{NAMED}.png" if value.startswith("http") else PHRASE


def both(example: Any) -> Iterator[Any]:
    """The phrase where words stand, and in every field."""
    yield json.loads(json.dumps(example).replace(WORDS, PHRASE))
    yield planted(copy.deepcopy(example))


@pytest.fixture
async def whole(database_url: str) -> AsyncIterator[WholeDesk]:
    desk = WholeDesk(database_url)
    async with desk.running():
        yield desk


async def nothing_left(whole: WholeDesk, url: str, *, least: int) -> None:
    await until(lambda: whole._left() == [], "work is left in the queue", whole._left)
    held = everything(conninfo(url))
    assert held.count("[seed phrase removed]") >= least
    assert left_of(SECRET, held) == []
    assert [line for line in whole.logs if left_of(SECRET, line)] == []


def as_of(person: int, example: Any) -> Any:
    return json.loads(of(person, json.dumps(example).encode()))


@EACH
async def test_telegram(whole: WholeDesk, database_url: str, every: int) -> None:
    peer, person = whole.telegram, FIRST_PERSON
    updates = [one for each in telegram.WELL_FORMED for one in both(each)][1::every]
    for person, update in enumerate(updates, FIRST_PERSON):
        peer.user(person).met = True
        peer.push_raw(as_of(person, {name: value for name, value in update.items() if name != "update_id"}))
    ann = peer.user(person + 1)
    ann.sends_document(f"{PHRASE}.txt", "text/plain", PHRASE, f"words: {PHRASE}".encode())
    await until(lambda: not peer.pending, "updates are left")
    await nothing_left(whole, database_url, least=len(updates) // 2)


@EACH
async def test_discord(whole: WholeDesk, database_url: str, every: int) -> None:
    peer, state = whole.discord, whole.discord.state
    examples = [(name, one) for name, data in discord.EVENTS for one in both(data)][1::every]
    for person, (name, example) in enumerate(examples, FIRST_PERSON):
        user = peer.user(id=person)
        user.channel_id = person
        channel = state.channels[person] = Channel(person, person)
        data = as_of(person, example)
        if name == "MESSAGE_CREATE":
            message = Message(state.new_id(), channel, user.profile, extra=data)
            channel.messages[message.id] = message
        for session in peer.live_sessions:
            session.add(name, data)
    ann = peer.user("Ann")
    ann.writes(PHRASE, [(f"{NAMED}.txt", f"words: {PHRASE}".encode(), "text/plain")])
    ann.sends_poll(PHRASE, PHRASE, PHRASE)
    await until(lambda: any("[seed phrase removed].txt" in line for line in held(database_url)), "not brought")
    # The bot cannot delete what stands in the customer's chat: they are told to.
    await until(lambda: any("please do that now" in sent["content"] for sent in ann.sees), "not told")
    # Its address ends with its name, and without that it is found all the same.
    await until(lambda: kept(database_url) != [], "the file is not there", lambda: whole.logs[-5:])
    assert all("[seed phrase removed]" in content for content in kept(database_url))
    await nothing_left(whole, database_url, least=len(examples) // 3)


def kept(url: str) -> list[str]:
    with psycopg.connect(conninfo(url)) as connection:
        return [row[0] for row in connection.execute("SELECT convert_from(content, 'UTF8') FROM file").fetchall()]


def held(url: str) -> list[str]:
    return everything(conninfo(url)).splitlines()


async def test_the_web_chat_and_the_terminal(whole: WholeDesk, database_url: str) -> None:
    address = f"http://127.0.0.1:{whole.address[1]}"
    async with httpx.AsyncClient(base_url=address, timeout=20) as page:
        await page.get("/chat", params={"lang": PHRASE}, headers={"Accept-Language": "en", "User-Agent": PHRASE})
        ids = [str(UUID(int=number)) for number in range(4)]
        kept = await page.post(
            f"/chat/uploads/{ids[0]}",
            content=f"words: {PHRASE}".encode(),
            headers={"Switchboard-File-Name": quote(f"{PHRASE}.txt"), "Content-Type": f"text/{'-'.join(SECRET)}"},
        )
        assert kept.json()["name"] == "[seed phrase removed].txt"
        for body in (
            {"id": ids[1], "text": PHRASE, "files": [ids[0]]},
            {"id": ids[2], "text": f"/start {PHRASE}"},
            {"id": ids[3], "button": {"payload": "helped:yes", "label": PHRASE}},
            {"id": PHRASE, "text": PHRASE},
        ):
            await page.post("/chat/messages", json=body)
    reader, writer = await asyncio.open_unix_connection(str(socket_path(whole.var)))
    for line in (
        {"hello": {"after": 0, "name": "ann", "language": "zh"}},
        {"id": "one", "text": PHRASE},
        {"id": "two", "button": "helped:yes", "label": PHRASE},
        {"id": "three", "text": PHRASE, "button": PHRASE},
    ):
        writer.write(json.dumps(line).encode() + b"\n")
    async with asyncio.timeout(20):
        async for received in reader:
            if (own := json.loads(received).get("message", {})).get("external_id") == "one":
                break
    assert own["text"] == "【助记词已移除】"
    writer.close()
    await nothing_left(whole, database_url, least=6)


async def test_the_channel_by_api(store: Store, database_url: str) -> None:
    files, clearing = SearchedFiles(store.files, FileSearch()), Clearing(store.incoming, files=store.files)

    class Stored(Memory):
        async def add(self, content: bytes) -> str:
            return await files.add(content)

    async def receive(incoming: Incoming) -> Receipt:
        return await store.incoming.record(await clearing(incoming))

    connector = api_connector("http://127.0.0.1:9/", Stored())
    async with calling(connector, receive) as app:
        content = base64.b64encode(f"words: {PHRASE}".encode()).decode()
        file = (await app.post("/files", {"content": content}, "file")).json()["file"]
        named = {"file": file, "name": f"{NAMED}.txt", "media_type": f"text/{'-'.join(SECRET)}"}
        said = {"type": "message", "text": PHRASE}
        for number, event in enumerate(
            (
                {**said, "subject": PHRASE, "quote": PHRASE, "other": {PHRASE: [PHRASE]}},
                {**said, "files": [named], "forwarded": {"name": PHRASE}, "thread": "second"},
                {"type": "edit", "message": "0", "text": f"again {PHRASE}"},
                {"type": "press", "payload": "helped:yes", "label": PHRASE},
                {"type": "message", "text": "look", "contact": {"id": "ben", "name": PHRASE}, "files": [named]},
                {**said, "reply_to": "0"},
            )
        ):
            answer = await app.event(str(number), **event)
            assert answer.status_code == 200, answer.text
    held = everything(conninfo(database_url))
    assert held.count("[seed phrase removed]") > 10
    assert left_of(SECRET, held) == []
    contact = await store.contacts.get("api", "sample", "ben")
    assert contact is not None
    [message] = await store.messages.transcript(contact.id)
    assert (message.text, message.removed) == ("look", (Removed(SecretKind.SEED_PHRASE),))
