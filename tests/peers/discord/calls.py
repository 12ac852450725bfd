"""A call of the bot, taken apart, and what answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.peers.discord.entities import Channel
from tests.peers.discord.errors import Json, snowflake, unknown
from tests.peers.discord.messages import Uploads, check_object
from tests.peers.discord.world import World


class Call(NamedTuple):
    """One call of the bot: the path without ``/api/v10``, and the body, or the query of a call without one."""

    method: str
    path: str
    payload: Any


@dataclass
class Request:
    """A call, taken apart."""

    match: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Uploads

    def id(self, name: str) -> int:
        return snowflake(self.match[name], name)

    @property
    def object(self) -> Json:
        return check_object(self.body)


Answer = tuple[int, Any]
Route = Callable[[Request], Awaitable[Answer]]
Routes = list[tuple[str, str, Route]]
"""Method, path, and what answers."""


@dataclass
class Limits:
    """What tests set to see a desk run into it."""

    route_limit: tuple[int, float] = (1000, 1.0)
    nonce_window: float = 300.0
    interaction_window: float = 3.0
    upload_limit: int = 10 * 1024 * 1024


def channel_of(world: World, request: Request) -> Channel:
    """The channel that the path names."""
    channel = world.channels.get(request.id("channel_id"))
    if channel is None:
        raise unknown("Channel")
    return channel
