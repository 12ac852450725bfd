"""The connector with the real python-telegram-bot against the stand-in, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors import telegram as telegram_connector
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.peers.telegram import TelegramPeer
from tests.support.telegram_connector import Desk
from tests.support.words import WORDS


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_connector, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(telegram_connector, "LONGEST_PAUSE", 0.1)


@pytest.fixture
async def peer() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def connector(peer: TelegramPeer) -> AsyncIterator[TelegramConnector]:
    connector = TelegramConnector(TelegramSettings(base_url=peer.base_url, poll_timeout=2), peer.token, words=WORDS)
    yield connector
    await connector.close()


@pytest.fixture
def ann_wrote(peer: TelegramPeer) -> None:
    peer.user(42).writes("hi")
