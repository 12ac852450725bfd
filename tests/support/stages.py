"""Every connector on a stage: running, with its platform's far end and one customer there.

A new platform adds one function to ``STAGES``; the contract suite then runs over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote
from uuid import uuid4

import httpx

from bot.domain.message import Incoming
from bot.ports import Connector, Routes
from bot.runtime import http
from connectors.api import ApiConnector
from connectors.discord import DiscordConnector, DiscordSettings
from connectors.telegram import TelegramConnector, TelegramSettings
from connectors.terminal import TerminalConnector, socket_path
from connectors.web import WebConnector, WebSettings
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.api_channel import api_connector, sample_client
from tests.support.records import MemoryRecords
from tests.support.stand_in_desk import StandInDesk
from tests.support.words import WORDS


class Stage(Protocol):
    """A connector, running, with its platform's far end and one customer there."""

    connector: Connector

    async def customer_says(self, text: str) -> None:
        """The customer writes; their platform repeats what was not acknowledged."""

    def customer_has(self) -> list[str] | None:
        """The texts that were sent to the customer, as they stand there now; None where the customer's side reads
        the transcript, and a send puts nothing there."""


@runtime_checkable
class Attaching(Protocol):
    """A stage whose customer can send files."""

    async def customer_attaches(self, content: bytes, name: str) -> None: ...


@runtime_checkable
class Quoting(Protocol):
    """A stage whose customer sees what a message answers."""

    def customer_sees_quoted(self) -> list[str | None]:
        """For every message sent to the customer, the text that it shows as answered."""


@runtime_checkable
class Forwarding(Protocol):
    """A stage whose customer can pass on somebody else's message."""

    async def customer_forwards(self, text: str, origin: str) -> None:
        """What somebody of that name wrote."""


@runtime_checkable
class Newer(Protocol):
    """A stage whose platform may be newer than the connector."""

    async def customer_sends_what_is_new(self, text: str) -> None:
        """These words, and beside them what the connector cannot know."""


Build = Callable[[StandInDesk, Path], AbstractAsyncContextManager[Stage]]


STAGES: dict[str, Build] = {}
"""By name; its first word is the channel."""


def staged(name: str) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        STAGES[name] = build
        return build

    return register


@asynccontextmanager
async def running(connector: Connector, desk: StandInDesk) -> AsyncIterator[None]:
    task = asyncio.create_task(connector.run(desk.receive))
    try:
        yield
    finally:
        await ended(task)


@asynccontextmanager
async def served(connector: Routes, desk: StandInDesk, listening: socket.socket) -> AsyncIterator[None]:
    """The connector's routes on a server of their own."""
    app = http.application([connector.routes(desk.receive)], {})
    serving = asyncio.create_task(http.serve(app, listening))
    try:
        yield
    finally:
        await ended(serving)


def url_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)


class TelegramStage:
    def __init__(self, peer: TelegramPeer, settings: TelegramSettings) -> None:
        self.connector = TelegramConnector(settings, peer.token, words=WORDS)
        self._peer = peer
        self._customer = peer.user(7, first_name="Ann", language_code="en")

    async def customer_says(self, text: str) -> None:
        self._customer.writes(text)

    async def customer_attaches(self, content: bytes, name: str) -> None:
        self._customer.sends_document(name, content=content)

    async def customer_forwards(self, text: str, origin: str) -> None:
        self._customer.sends(
            text=text, forward_origin={"type": "hidden_user", "sender_user_name": origin, "date": 1_790_000_000}
        )

    async def customer_sends_what_is_new(self, text: str) -> None:
        self._customer.sends(caption=text, hologram={"depth": [{"layers": 3}]}, shade=7)

    def customer_has(self) -> list[str]:
        return [sent.get("text", "") for sent in self._peer.sent(7)]

    def customer_sees_quoted(self) -> list[str | None]:
        return [sent.get("reply_to_message", {}).get("text") for sent in self._peer.sent(7)]


class DiscordStage:
    def __init__(self, peer: DiscordPeer, desk: StandInDesk) -> None:
        settings = DiscordSettings(api_base=peer.api_base)
        self.connector = DiscordConnector(settings, peer.token, MemoryRecords(desk.received), words=WORDS)
        self._customer = peer.user("Ann")

    async def customer_says(self, text: str) -> None:
        self._customer.writes(text)

    async def customer_attaches(self, content: bytes, name: str) -> None:
        self._customer.writes("", [(name, content, None)])

    def customer_has(self) -> list[str]:
        return [shown_by_discord(sent["content"]) for sent in self._customer.sees]

    def customer_sees_quoted(self) -> list[str | None]:
        return [(sent.get("referenced_message") or {}).get("content") for sent in self._customer.sees]


def shown_by_discord(sent: str) -> str:
    """As Discord's apps show it, but for emphasis and the like: without the backslashes of escaping."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", sent)


@staged("discord")
@asynccontextmanager
async def discord(desk: StandInDesk, _: Path) -> AsyncIterator[Stage]:
    async with DiscordPeer() as peer:
        stage = DiscordStage(peer, desk)
        try:
            async with running(stage.connector, desk):
                await peer.connected()
                yield stage
        finally:
            await stage.connector.close()


@staged("telegram polling")
@asynccontextmanager
async def telegram_polling(desk: StandInDesk, _: Path) -> AsyncIterator[Stage]:
    async with TelegramPeer() as peer:
        stage = TelegramStage(peer, TelegramSettings(base_url=peer.base_url, poll_timeout=1))
        async with running(stage.connector, desk):
            yield stage
        await stage.connector.close()


@staged("telegram webhook")
@asynccontextmanager
async def telegram_webhook(desk: StandInDesk, _: Path) -> AsyncIterator[Stage]:
    async with TelegramPeer() as peer:
        listening = http.bind("127.0.0.1", 0)
        settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url=url_of(listening))
        stage = TelegramStage(peer, settings)
        async with served(stage.connector, desk, listening), running(stage.connector, desk):
            yield stage
        await stage.connector.close()


class WebStage:
    def __init__(self, connector: WebConnector, page: httpx.AsyncClient) -> None:
        self.connector = connector
        self._page = page

    async def customer_says(self, text: str) -> None:
        body = {"id": str(uuid4()), "text": text}
        while (await self._page.post("/chat/messages", json=body)).status_code == 503:
            await asyncio.sleep(0.05)

    async def customer_attaches(self, content: bytes, name: str) -> None:
        upload_id = str(uuid4())
        kept = await self._page.post(
            f"/chat/uploads/{upload_id}", content=content, headers={"Switchboard-File-Name": quote(name)}
        )
        assert kept.status_code == 201, kept.text
        body = {"id": str(uuid4()), "files": [upload_id]}
        assert (await self._page.post("/chat/messages", json=body)).status_code == 202

    def customer_has(self) -> None:
        return None


@staged("web")
@asynccontextmanager
async def web(desk: StandInDesk, _: Path) -> AsyncIterator[Stage]:
    connector = WebConnector(WebSettings(), desk, "BitPie", uploads=desk, streams=http.Streams(), words=WORDS)
    listening = http.bind("127.0.0.1", 0)
    async with (
        served(connector, desk, listening),
        httpx.AsyncClient(base_url=url_of(listening), timeout=10) as page,
        running(connector, desk),
    ):
        assert (await page.get("/chat")).status_code == 200
        yield WebStage(connector, page)


class ApiStage:
    """The far end is the client that docs/channel-api gives to readers, as it stands there."""

    def __init__(self, connector: ApiConnector, client: Any) -> None:
        self.connector = connector
        self._client = client

    async def customer_says(self, text: str) -> None:
        self._client.says("ann", text, name="Ann", language="en")

    async def customer_attaches(self, content: bytes, name: str) -> None:
        file = await asyncio.to_thread(self._client.upload, content)
        self._client.says("ann", "", files=[{"file": file, "name": name}])

    async def customer_forwards(self, text: str, origin: str) -> None:
        self._client.says("ann", text, forwarded={"name": origin})

    async def customer_sends_what_is_new(self, text: str) -> None:
        self._client.says("ann", text, other={"hologram": {"depth": [{"layers": 3}]}})

    def customer_has(self) -> list[str]:
        return [sent["text"] for sent in self._client.screen("ann")]

    def customer_sees_quoted(self) -> list[str | None]:
        said = {known["id"]: known["text"] for known in self._client.screen("ann", "customer")}
        return [said.get(sent["reply_to"]) for sent in self._client.screen("ann")]


@staged("api")
@asynccontextmanager
async def api(desk: StandInDesk, var: Path) -> AsyncIterator[Stage]:
    var.mkdir()
    listening = http.bind("127.0.0.1", 0)
    with sample_client(var / "chat.db", url_of(listening)) as (client, webhook):
        connector = api_connector(webhook)
        async with served(connector, desk, listening), running(connector, desk):
            yield ApiStage(connector, client)
        await connector.close()


class TerminalStage:
    def __init__(self, desk: StandInDesk, var: Path) -> None:
        self.connector = TerminalConnector(desk, var, words=WORDS)
        self._var = var

    async def customer_says(self, text: str) -> None:
        line = {"id": str(uuid4()), "text": text}
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(str(socket_path(self._var)))
                for sent in ({"hello": {"after": 0, "name": "ann"}}, line):
                    writer.write(json.dumps(sent).encode() + b"\n")
                async for received in reader:
                    if (said := json.loads(received)).get("accepted") or said.get("refused"):
                        writer.close()
                        if said.get("accepted"):
                            return
                        break
            await asyncio.sleep(0.05)

    def customer_has(self) -> None:
        return None


@staged("terminal")
@asynccontextmanager
async def terminal(desk: StandInDesk, var: Path) -> AsyncIterator[Stage]:
    var.mkdir()
    stage = TerminalStage(desk, var)
    async with running(stage.connector, desk):
        yield stage


async def received(desk: StandInDesk, count: int = 1) -> list[Incoming]:
    async with asyncio.timeout(10):
        while len(desk.received) < count:
            await asyncio.sleep(0.01)
    return desk.received
