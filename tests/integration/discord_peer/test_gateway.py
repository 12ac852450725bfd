"""The rules of the stand-in's gateway, frame by frame."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.peers.discord import DiscordPeer
from tests.support.discord_peer import running
from tests.support.waiting import until


async def test_a_client_that_says_goodbye_logs_out_and_one_that_dies_does_not(peer: DiscordPeer) -> None:
    async with running(peer):
        assert len(peer.sessions) == 1
    await until(lambda: peer.sessions == [])
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await until(lambda: len(peer.live_sessions) == 1)
        it.socket._response.connection.transport.close()  # the line ends, without a frame
        await until(lambda: peer.live_sessions == [])
    assert len(peer.sessions) == 1


class Wire:
    """A gateway connection in the hand."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Any:
        frame = await self.socket.receive(timeout=5)
        return json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else frame.data

    async def says(self, op: int, data: Any = None) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def closed(self) -> int | None:
        async for _ in self.socket:
            pass
        return self.socket.close_code


@asynccontextmanager
async def wire(peer: DiscordPeer, query: str = "v=10&encoding=json") -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{peer.gateway_url}?{query}") as socket:
        yield Wire(socket)


def identity(peer: DiscordPeer, **changes: Any) -> Any:
    return {"token": peer.token, "intents": 1 << 12, "properties": {"os": "x"}, **changes}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": 1 << 15}, 4014),
        ({"intents": 1 << 30}, 4013),
        ({"intents": "512"}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": 0}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_identify_is_checked(peer: DiscordPeer, changes: Any, code: int) -> None:
    async with wire(peer) as it:
        assert (await it.next())["d"]["heartbeat_interval"] == 41250
        await it.says(2, identity(peer, **changes))
        assert await it.closed() == code
    assert peer.sessions == []


async def test_frames_are_checked(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        await it.socket.send_str("{")
        assert await it.closed() == 4002
    async with wire(peer) as it:
        await it.says(3, {})
        assert await it.closed() == 4003
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.says(2, identity(peer))
        assert await it.closed() == 4005
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.says(99)
        assert await it.closed() == 4001
    async with wire(peer) as it:
        for _ in range(121):
            await it.says(1)
        assert await it.closed() == 4008
    async with wire(peer, "v=6") as it:
        assert await it.closed() == 4012
    peer.shards = 2
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        assert await it.closed() == 4011


async def test_ready_and_resume_in_plain_text(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        assert (await it.next())["op"] == 10
        await it.says(1)  # allowed before identifying
        assert (await it.next())["op"] == 11
        await it.says(2, identity(peer, shard=[0, 1]))
        ready = await it.next()
        assert (ready["op"], ready["t"], ready["s"]) == (0, "READY", 1)
        assert ready["d"]["application"] == {"id": str(peer.bot_id), "flags": 0}
        assert ready["d"]["shard"] == [0, 1]
        ann = peer.user()
        ann.writes("one")
        one = await it.next()
        assert (one["t"], one["s"], one["d"]["content"]) == ("MESSAGE_CREATE", 2, "one")
        assert not {"guild_id", "member", "nonce"} & set(one["d"])
        assert isinstance(one["d"]["id"], str)
        peer.cut()
    ann.writes("two")
    ann.writes("three")
    resume = {"token": peer.token, "session_id": ready["d"]["session_id"], "seq": 2}
    async with wire(peer) as it:
        await it.next()
        await it.says(6, resume)
        frames = [await it.next() for _ in range(3)]
        assert [(frame["t"], frame["s"]) for frame in frames] == [
            ("MESSAGE_CREATE", 3),
            ("MESSAGE_CREATE", 4),
            ("RESUMED", 5),
        ]
        assert [frame["d"].get("content") for frame in frames] == ["two", "three", None]
        await it.socket.close(code=1000)
    async with wire(peer) as it:
        await it.next()
        await it.says(6, resume)
        assert await it.next() == {"op": 9, "d": False, "t": None, "s": None}  # it logged out
        await it.says(2, identity(peer))
        assert (await it.next())["t"] == "READY"


async def test_resume_is_checked(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.next()
        session = (await it.next())["d"]["session_id"]
        peer.cut()
    for wrong, code in (({"token": "x"}, 4004), ({"seq": 99}, 4007)):
        async with wire(peer) as it:
            await it.says(6, {"token": peer.token, "session_id": session, "seq": 1, **wrong})
            assert await it.closed() == code


async def test_silent_clients_are_closed(peer: DiscordPeer) -> None:
    peer.heartbeat_interval = 100
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        assert await it.closed() == 4009
    assert peer.sessions == []


async def test_compression_when_asked_for(peer: DiscordPeer) -> None:
    async with wire(peer, "v=10&encoding=json&compress=zlib-stream") as it:
        unpack = zlib.decompressobj()
        hello = await it.next()
        assert hello.endswith(b"\x00\x00\xff\xff")
        assert json.loads(unpack.decompress(hello))["op"] == 10
        await it.says(1)
        assert json.loads(unpack.decompress(await it.next()))["op"] == 11
