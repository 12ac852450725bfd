"""What the connector uses of discord.py beside its public interface, for whoever raises the version."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import discord
import pytest
from discord import gateway, http, shard, state

from bot.settings import ROOT
from connectors.discord.library import events_of, parsers_of, shards_of

READ = "2.7"
"""The minor version whose source was read for everything in connectors/discord/library.py and gateway.py."""
LOOK_AT = """discord.py {now} is not the {read} that connectors/discord/library.py was written for. Read in its source:
 - client.py, state.py: AutoShardedClient._connection.parsers, the table by which an event's data find their parser;
   READY and RESUMED in it take the raw data, and a table without the others drops what it does not know
 - shard.py: AutoShardedClient.__shards and .__queue, launch_shard (gateway.py has its own), Shard.launch and
   .reidentify, before_identify_hook
 - gateway.py: DiscordWebSocket.from_client and what it takes, .session_id, .sequence, .gateway, .DEFAULT_GATEWAY,
   ReconnectWebSocket(shard_id, resume=…); close codes after which it resumes
 - http.py: Route.BASE, HTTPClient.request, .static_login, .close; which answers it repeats, how rate limits wait
Then run tests/integration/test_discord_*.py and tests/e2e/test_discord_desk.py, and put the version into READ here."""


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_version_is_the_one_that_was_read() -> None:
    now = version("discord.py")
    assert now.startswith(f"{READ}."), LOOK_AT.format(now=now, read=READ)


async def test_a_client_keeps_its_parts_where_we_look_for_them() -> None:
    client = discord.AutoShardedClient(intents=discord.Intents.none(), shard_count=1)
    assert {"READY", "RESUMED", "MESSAGE_CREATE"} <= parsers_of(client).keys()
    assert shards_of(client) == {}
    await client._async_setup_hook()  # which its start calls, too
    events_of(client)("told")
    assert client._AutoShardedClient__queue.get_nowait() == "told"  # type: ignore[attr-defined]
    assert isinstance(client._connection, state.AutoShardedConnectionState)
    # An event finds its parser in this very table, at the moment in which it comes.
    assert "_discord_parsers = client._connection.parsers" in inspect.getsource(gateway.DiscordWebSocket.from_client)


def test_what_we_call_and_override_takes_what_we_give() -> None:
    assert parameters(discord.AutoShardedClient.launch_shard) == ["self", "gateway", "shard_id", "initial"]
    assert parameters(discord.Client.before_identify_hook) == ["self", "shard_id", "initial"]
    assert parameters(shard.Shard.__init__) == ["self", "ws", "client", "queue_put"]
    assert parameters(shard.Shard.reidentify) == ["self", "exc"]
    assert parameters(shard.Shard.launch) == ["self"]
    assert parameters(gateway.ReconnectWebSocket.__init__) == ["self", "shard_id", "resume"]
    wanted = {"client", "initial", "gateway", "shard_id", "session", "sequence", "resume"}
    assert wanted <= set(parameters(gateway.DiscordWebSocket.from_client))
    assert parameters(http.HTTPClient.request)[:2] == ["self", "route"]
    assert {"loop", "max_ratelimit_timeout"} <= set(parameters(http.HTTPClient.__init__))
    assert isinstance(http.Route.BASE, str)
    assert hasattr(gateway.DiscordWebSocket, "DEFAULT_GATEWAY")


@pytest.mark.parametrize(
    "private", [r"(?<![.\"])\bdiscord\.(http|gateway|shard|state)\b", r"\._connection\b", r"AutoShardedClient__"]
)
def test_nothing_else_of_the_desk_touches_it(private: str) -> None:
    own = [path for path in (ROOT / "connectors/discord").glob("*.py") if path.name != "library.py"]
    assert own
    assert [path.name for path in own if re.search(private, path.read_text(encoding="utf-8"))] == []
