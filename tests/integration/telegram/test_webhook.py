"""The webhook: it is set, checks its secret, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from aiohttp import ClientSession
from fastapi import FastAPI

from bot.domain.channel import PermanentError
from bot.domain.message import Button
from connectors import telegram as telegram_connector
from connectors.telegram import WEBHOOK_HEADER, TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.ports import HeldPort
from tests.support.telegram_connector import Desk, Said, failing, outgoing, running
from tests.support.waiting import until
from tests.support.words import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@asynccontextmanager
async def served(connector: TelegramConnector, desk: Desk, port: int) -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(connector.routes(desk.receive))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}/telegram/webhook"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def port() -> Iterator[int]:
    with HeldPort() as held:
        yield held.number


@pytest.fixture
async def hooked(peer: TelegramPeer, port: int) -> AsyncIterator[TelegramConnector]:
    settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url=f"http://127.0.0.1:{port}")
    connector = TelegramConnector(settings, peer.token, words=WORDS)
    yield connector
    await connector.close()


async def test_webhook(peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int) -> None:
    ann = peer.user(42)
    desk.before_commit = failing(2, "two")
    async with served(hooked, desk, port), running(hooked, desk):
        ann.writes("one")
        ann.writes("two")
        peer.push_raw({"message": {"text": 7}})
        ann.writes("three")
        await desk.wait(3)
        await peer.wait_until(lambda: not peer.pending)
    assert desk.attempts == ["one", "two", "two", "two", "three"]
    assert not peer.called("getUpdates")


async def test_webhook_before_the_server_is_up(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    ann = peer.user(42)
    async with running(hooked, desk):
        ann.writes("early")
        await peer.wait_until(lambda: peer.webhook is not None and peer.webhook.last_error is not None)
        async with served(hooked, desk, port):
            await desk.wait(1)
    assert desk.texts == ["early"]


async def test_webhook_presses_are_answered(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    ann = peer.user(42)
    async with served(hooked, desk, port), running(hooked, desk):
        ann.writes("hi")
        await desk.wait(1)
        message_id = await hooked.send(outgoing("Did it help?", buttons=(Button("Yes", "helped:yes"),)))
        query = ann.presses(int(message_id), "Yes")
        await peer.wait_until(lambda: peer.answered == [query])


async def test_webhook_refusals(peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int) -> None:
    async with served(hooked, desk, port) as url, running(hooked, desk), ClientSession() as session:
        await peer.wait_until(lambda: peer.webhook is not None)
        assert peer.webhook is not None
        assert peer.webhook.secret is not None
        right = {WEBHOOK_HEADER: peer.webhook.secret}
        said = b'{"update_id": 1, "message": {}}'

        async def status(data: bytes, headers: dict[str, str]) -> int:
            async with session.post(url, data=data, headers=headers) as answer:
                return answer.status

        assert await status(said, {}) == 403
        assert await status(said, {WEBHOOK_HEADER: "wrong"}) == 403
        assert await status(said, {WEBHOOK_HEADER: "ключ"}) == 403
        assert await status(b"x" * 1_000_001, right) == 413
        for malformed in (b"", b"{", b"\xff", b"[" * 200_000):
            assert await status(malformed, right) == 400
        for odd in (b"[]", b"null", b"7", b'"x"', b"1" * 5_000, b"[" * 200_000 + b"]" * 200_000, said):
            assert await status(odd, right) == 200
        async with session.get(url, headers=right) as answer:
            assert answer.status == 405
    assert desk.committed == []


async def test_webhook_checks_the_secret_before_it_reads(
    peer: TelegramPeer, desk: Desk, hooked: TelegramConnector, port: int
) -> None:
    async with served(hooked, desk, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /telegram/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        assert b"403" in await asyncio.wait_for(reader.readline(), 5), "answered although no body has come"
        writer.close()


async def test_a_refused_webhook_address_says_the_fix(peer: TelegramPeer, desk: Desk) -> None:
    settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url="http://desk.example")
    connector = TelegramConnector(settings, peer.token, words=WORDS)
    with pytest.raises(PermanentError, match="webhook_url"):
        await connector.run(desk.receive)
    await connector.close()


async def test_polling_serves_no_webhook(desk: Desk, connector: TelegramConnector) -> None:
    assert connector.routes(desk.receive).routes == []


async def test_a_webhook_that_somebody_else_changes_is_set_again(
    peer: TelegramPeer, desk: Desk, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_connector, "WATCH", 0.05)
    health = Said()
    settings = TelegramSettings(base_url=peer.base_url, mode="webhook", webhook_url=f"http://127.0.0.1:{port}")
    hooked = TelegramConnector(settings, peer.token, health, words=WORDS)
    async with running(hooked, desk), ClientSession() as another:
        await peer.wait_until(lambda: peer.webhook is not None)
        await another.get(f"{peer.base_url}/bot{peer.token}/setWebhook", params={"url": "http://127.0.0.1:1/secret"})
        await until(lambda: bool(health.troubles))
        assert peer.webhook is not None
        assert peer.webhook.url == hooked.settings.webhook_url
    assert "another program had changed this bot's webhook (now: 127.0.0.1)" in health.troubles[0]
    assert "secret" not in health.troubles[0]
    await hooked.close()
