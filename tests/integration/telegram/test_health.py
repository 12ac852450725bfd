"""How the connector says that it is doing, and that no log holds the token or a text."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp import ClientSession

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.message import Attachment, File
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk, Said, failing, outgoing, png, running
from tests.support.waiting import until
from tests.support.words import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.fixture
def health() -> Said:
    return Said()


@pytest.fixture
async def observed(peer: TelegramPeer, health: Said) -> AsyncIterator[TelegramConnector]:
    settings = TelegramSettings(base_url=peer.base_url, poll_timeout=30)
    connector = TelegramConnector(settings, peer.token, health, words=WORDS)
    yield connector
    await connector.close()


async def test_trouble_is_told_and_when_it_is_over(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    peer.fail_next("getMe", 502, f"Bad Gateway at /bot{peer.token}/getMe")
    async with running(observed, desk):
        await until(lambda: health.states == ["connecting", "connected 700100200"])
        peer.drop_next("getUpdates", times=2)
        peer.user(42).writes("hello")
        await desk.wait(1)
        await until(lambda: len(health.states) == 4)  # at once, although a fetch would wait for half a minute
        assert health.states[2:] == ["connecting", "connected 700100200"]
        desk.before_commit = failing(1)
        peer.users[42].writes("my words")
        await desk.wait(2)
    assert health.troubles[0].startswith(
        "getMe: Bad Gateway at /bot<token>/getMe. Fix: check this machine's connection"
    )
    assert sum("getUpdates" in said for said in health.troubles) == 2
    assert "could not be recorded (ConnectionError)" in health.troubles[-1]
    assert peer.token.partition(":")[2] not in str(health.troubles)
    assert "my words" not in str(health.troubles)


async def test_another_poller_is_trouble_with_a_fix(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    async with running(observed, desk):
        await peer.wait_calls("getUpdates")
        async with ClientSession() as session:
            await session.get(f"{peer.base_url}/bot{peer.token}/getUpdates")
        await until(lambda: bool(health.troubles))
    assert "another program fetches this bot's messages: stop it" in health.troubles[0]
    assert health.states[-1] == "connecting", "only a fetch that nobody ended shows that the other is gone"


async def test_a_foreign_webhook_is_taken_away_and_nothing_that_waits_is_lost(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    async with running(observed, desk):
        await peer.wait_calls("getUpdates")
        async with ClientSession() as session:
            await session.get(
                f"{peer.base_url}/bot{peer.token}/setWebhook", params={"url": "http://127.0.0.1:1/secret"}
            )
            peer.user(42).writes("hello")
            await desk.wait(1)
        await until(lambda: health.states[-1].startswith("connected"))
    assert desk.texts == ["hello"]
    assert peer.webhook is None
    assert "another program had set a webhook for this bot, at 127.0.0.1: the desk took it away" in health.troubles[0]
    assert "secret" not in str(health.troubles)


async def test_a_skipped_update_is_trouble(
    peer: TelegramPeer, desk: Desk, observed: TelegramConnector, health: Said
) -> None:
    async with running(observed, desk):
        await peer.wait_calls("getUpdates")
        peer.push_raw({"message": {"text": "my words"}})
        await until(lambda: bool(health.troubles))
    assert "an update was skipped" in health.troubles[0]
    assert "my words" not in health.troubles[0]


@pytest.fixture
def all_logs() -> Iterator[io.StringIO]:
    """Everything that any library logs, down to debug."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


async def test_no_log_and_no_error_holds_the_token_or_a_text(
    peer: TelegramPeer, desk: Desk, connector: TelegramConnector, all_logs: io.StringIO
) -> None:
    secret = peer.token.partition(":")[2]
    ann = peer.user(42)
    ann.writes("my words")
    for method in ("getMe", "getUpdates", "sendMessage"):
        peer.fail_next(method, 500, f"Internal Server Error at /bot{peer.token}/{method}")
    peer.drop_next("getUpdates")
    with structlog.testing.capture_logs() as logs:
        async with running(connector, desk):
            await desk.wait(1)
            for _ in range(2):
                with contextlib.suppress(TemporaryError):
                    await connector.send(outgoing("our words"))
            peer.fail_next("sendMessage", 400, f"Bad Request: /bot{peer.token}/sendMessage")
            with pytest.raises(PermanentError) as refused:
                await connector.send(outgoing("our words"))
            await connector.send(outgoing("", file=File("our words.png", "image/png", png())))
            kept = Attachment("file", peer.store_file(b"my words")["file_id"])
            assert await connector.fetch(kept, "42", "42:1", 100) == b"my words"
        await peer.stop()
        with pytest.raises(TemporaryError) as unreachable:
            await connector.send(outgoing("our words"))
    written = all_logs.getvalue() + str(logs) + str(refused.value) + str(unreachable.value)
    assert "telegram_call_failed" in written
    assert secret not in written
    assert " words" not in written
