"""The connector with the real discord.py against the stand-in, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from connectors import discord as connector_module
from connectors.discord import DiscordConnector, connection, gateway, intake
from tests.peers.discord import DiscordPeer, PeerUser
from tests.support.discord_connector import Desk, Doing, settings
from tests.support.words import WORDS


@pytest.fixture
async def peer() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture(autouse=True)
def _quick(peer: DiscordPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the connector sets them; here only so that they are put back.
    monkeypatch.setattr(Route, "BASE", peer.api_base)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(peer.gateway_url))
    monkeypatch.setattr(gateway, "IDENTIFY_EVERY", 0.01)
    monkeypatch.setattr(connection, "KEEP_EVERY", 0.02)
    monkeypatch.setattr(connector_module, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connector_module, "_LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(intake, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(intake, "_LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(intake, "SWEEP_PAUSE", 0.001)
    monkeypatch.setattr(discord.shard.ExponentialBackoff, "delay", lambda _: 0.05)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def doing() -> Doing:
    return Doing()


@pytest.fixture
async def connector(peer: DiscordPeer, desk: Desk, doing: Doing) -> AsyncIterator[DiscordConnector]:
    connector = DiscordConnector(settings(peer), peer.token, desk.records, doing, words=WORDS, egress=["127.0.0.1"])
    yield connector
    await connector.close()


@pytest.fixture
def ann(peer: DiscordPeer) -> PeerUser:
    """Somebody with a chat, where nothing was said."""
    user = peer.user("Ann")
    peer.state.dm(user)
    return user
