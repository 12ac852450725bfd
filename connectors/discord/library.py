"""The parts of discord.py that are not its public interface, and the only module that touches them.

pyproject.toml holds the library to the minor version that was read. After raising it, read what
tests/unit/test_upgrade_discord.py names, mend what changed, and put the new version there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import HTTPClient, Route
from discord.shard import Shard

__all__ = [
    "DiscordWebSocket",
    "HTTPClient",
    "ReconnectWebSocket",
    "Route",
    "Shard",
    "answer_of",
    "events_of",
    "http_client",
    "parsers_of",
    "point_at",
    "shards_of",
]


def point_at(api_base: str, gateway_url: str) -> None:
    """Says where Discord is. The library has no option for it: it keeps both addresses on its classes. One process has
    one Discord."""
    Route.BASE = api_base
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


def http_client(api_base: str, longest_limit: float) -> HTTPClient:
    """The library's REST client by itself, for the Discord at ``api_base``; it waits at most ``longest_limit`` seconds
    for its turn under a rate limit."""
    Route.BASE = api_base
    return HTTPClient(asyncio.get_running_loop(), max_ratelimit_timeout=longest_limit)


def answer_of(error: discord.HTTPException) -> dict[str, Any]:
    """The body of the answer that the library made the error of: it keeps the code and the words alone."""
    try:
        answer = json.loads(getattr(error.response, "_body", None) or b"")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def parsers_of(client: discord.Client) -> dict[str, Callable[[Any], None]]:
    """By an event's name what the library does with its raw data. Its own parsing makes objects, caches them, and ends
    the connection over one malformed event; in this table it looks up what to do."""
    return client._connection.parsers


def shards_of(client: discord.AutoShardedClient) -> dict[int, Shard]:
    """The connections by number."""
    return client._AutoShardedClient__shards  # type: ignore[attr-defined,no-any-return]


def events_of(client: discord.AutoShardedClient) -> Callable[[Any], None]:
    """Where a shard tells its client what became of it."""
    return client._AutoShardedClient__queue.put_nowait  # type: ignore[attr-defined,no-any-return]
