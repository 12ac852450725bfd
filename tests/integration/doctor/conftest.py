"""Stand-ins for the platforms that the doctor asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.ports import HeldPort


@pytest.fixture
async def bot_api() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.fixture
async def guild() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture
def port() -> Iterator[int]:
    """Where no desk runs."""
    with HeldPort() as held:
        yield held.number
