"""What every connector promises (``connectors/base.py``), the same tests over all of them, over real sockets.

A new platform adds one ``Stage``: how its customer speaks, and what its far end does when it was not heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import httpx
import pytest

from bot import http
from bot.app import plugins
from bot.model import Button, Capabilities, Command, Incoming, MessageFormat, Outgoing, PermanentError, TemporaryError
from connectors.base import Connector, Typing
from connectors.telegram import TelegramConnector, TelegramSettings
from connectors.terminal import TerminalConnector, socket_path
from connectors.web import WebConnector, WebSettings
from tests.peers.desk import StandInDesk
from tests.peers.telegram import TelegramPeer


class Stage(Protocol):
    """A connector with its platform's far end and one customer there."""

    connector: Connector

    async def customer_says(self, text: str) -> None:
        """The customer writes; their platform repeats what was not acknowledged."""


class TelegramStage:
    def __init__(self, peer: TelegramPeer, settings: TelegramSettings) -> None:
        self.connector = TelegramConnector(settings, peer.token)
        self._customer = peer.user(7, first_name="Ann", language_code="en")

    async def customer_says(self, text: str) -> None:
        self._customer.writes(text)


class WebStage:
    def __init__(self, desk: StandInDesk) -> None:
        self.connector = WebConnector(WebSettings(), desk, "BitPie")
        self.page = httpx.AsyncClient()

    async def customer_says(self, text: str) -> None:
        body = {"id": str(uuid4()), "text": text}
        while (await self.page.post("/chat/messages", json=body)).status_code == 503:
            await asyncio.sleep(0.05)


class TerminalStage:
    def __init__(self, desk: StandInDesk, var: Path) -> None:
        self.connector = TerminalConnector(desk, var)
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


STAGES = ("telegram polling", "telegram webhook", "web", "terminal")


@asynccontextmanager
async def staged(name: str, desk: StandInDesk, var: Path) -> AsyncIterator[Stage]:
    """The stage with its connector running."""
    async with AsyncExitStack() as stack:
        if name == "terminal":
            stage: Stage = TerminalStage(desk, var)
        elif name == "telegram polling":
            peer = await stack.enter_async_context(TelegramPeer())
            stage = TelegramStage(peer, TelegramSettings(base_url=peer.base_url, poll_timeout=1))
        else:
            listening = stack.enter_context(http.bind("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            if name == "web":
                stage = WebStage(desk)
                stage.page = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=10))
            else:
                peer = await stack.enter_async_context(TelegramPeer())
                settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url=url)
                stage = TelegramStage(peer, settings)
            app = http.application([stage.connector.routes(desk.receive)], {})  # type: ignore[attr-defined]
            serving = asyncio.create_task(http.serve(app, listening))
            stack.push_async_callback(ended, serving)
        running = asyncio.create_task(stage.connector.run(desk.receive))
        stack.push_async_callback(ended, running)
        if isinstance(stage, WebStage):
            while (await stage.page.get("/chat")).status_code != 200:
                await asyncio.sleep(0.02)
        yield stage


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def desk() -> StandInDesk:
    return StandInDesk()


@pytest.fixture(params=STAGES)
async def stage(request: pytest.FixtureRequest, desk: StandInDesk, var: Path) -> AsyncIterator[Stage]:
    var.mkdir()
    async with staged(request.param, desk, var) as stage:
        yield stage


async def received(desk: StandInDesk, count: int = 1) -> list[Incoming]:
    async with asyncio.timeout(10):
        while len(desk.received) < count:
            await asyncio.sleep(0.01)
    return desk.received


def test_every_installed_connector_is_on_a_stage() -> None:
    assert set(plugins()) == {name.split()[0] for name in STAGES}


async def test_it_keeps_the_protocol(stage: Stage) -> None:
    assert isinstance(stage.connector, Connector)
    assert stage.connector.name in plugins()
    assert stage.connector.account
    assert isinstance(stage.connector.capabilities, Capabilities)


@pytest.mark.parametrize(
    "text", ["忘记密码了怎么办", "👩‍👩‍👧 <b>&amp;</b> \u202eabc", "two\nlines", "x" * 4_000, "/unknown command"]
)
async def test_a_customers_words_arrive_as_they_were_written(stage: Stage, desk: StandInDesk, text: str) -> None:
    await stage.customer_says(text)
    (incoming,) = await received(desk)
    assert incoming.text == text
    assert (incoming.channel, incoming.account) == (stage.connector.name, stage.connector.account)
    assert incoming.external_id
    assert incoming.sender.external_id
    assert incoming.chat_id


async def test_messages_arrive_in_order_with_ids_of_their_own(stage: Stage, desk: StandInDesk) -> None:
    for number in range(10):
        await stage.customer_says(f"number {number}")
    arrived = await received(desk, 10)
    assert [incoming.text for incoming in arrived] == [f"number {number}" for number in range(10)]
    assert len({incoming.external_id for incoming in arrived}) == 10
    assert len({incoming.sender.external_id for incoming in arrived}) == 1


async def test_what_was_not_committed_comes_again_and_is_recorded_once(stage: Stage, desk: StandInDesk) -> None:
    desk.failures = 2
    await stage.customer_says("important")
    await stage.customer_says("and more")
    arrived = await received(desk, 2)
    await asyncio.sleep(0.5)
    assert sorted(incoming.text for incoming in arrived) == ["and more", "important"]


async def test_commands_are_commands(stage: Stage, desk: StandInDesk) -> None:
    await stage.customer_says("/start transfer_delay")
    await stage.customer_says("/human")
    start, human = await received(desk, 2)
    assert (start.command, start.argument) == (Command.START, "transfer_delay")
    assert human.command is Command.HUMAN


@pytest.mark.parametrize("format", MessageFormat)
async def test_a_send_returns_the_platforms_id(stage: Stage, desk: StandInDesk, format: MessageFormat) -> None:
    await stage.customer_says("hi")
    (incoming,) = await received(desk)
    room = min(stage.connector.capabilities.max_length, 5_000)
    buttons = (Button("是", "helped:yes"),) if stage.connector.capabilities.buttons else ()
    for text in ("**hello** 您好", "字" * room, "<script>"):
        sent = Outgoing(incoming.channel, incoming.account, incoming.chat_id, text, format, buttons, key=text[:9])
        assert await stage.connector.send(sent)


async def test_a_send_to_nobody_fails_as_promised_or_not_at_all(stage: Stage) -> None:
    nobody = Outgoing(stage.connector.name, stage.connector.account, "404404", "hello", key="1")
    with contextlib.suppress(PermanentError, TemporaryError):
        assert await stage.connector.send(nobody)


async def test_typing_is_a_courtesy_that_never_fails(stage: Stage) -> None:
    if isinstance(stage.connector, Typing):
        await stage.connector.typing("404404")
    assert isinstance(stage.connector, Typing) is stage.connector.capabilities.typing
