"""A server with limits that are soon reached, and rude clients: for the tests of the HTTP server's limits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse

from bot.runtime import http
from bot.runtime.http import Limits
from bot.runtime.http.connections import Connections
from bot.runtime.http.server import Server
from tests.support import waiting

KB = 1024
LIMITS = Limits(
    connections=8,
    head_within=0.3,
    body=256 * KB,
    window=0.4,
    long_window=0.8,
    linger=0.3,
    linger_bytes=64 * KB,
    held=1024 * KB,
    unread=1024 * KB,
    sweep=0.05,
)
GET = b"GET /quick HTTP/1.1\r\nHost: desk\r\n\r\n"
SOON = 5.0
"""Seconds that a test waits for what comes at once."""


@dataclass
class Site:
    """A server with an application that can be slow in every way."""

    port: int = 0
    limits: Limits = LIMITS
    connections: Connections = field(init=False)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    """Event streams that are open, as the application sees it."""
    read: int = 0
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    def application(self) -> FastAPI:
        app = FastAPI()

        @app.get("/quick")
        async def quick() -> PlainTextResponse:
            return PlainTextResponse("here")

        @app.post("/body")
        async def body(request: Request) -> PlainTextResponse:
            with suppress(ClientDisconnect):
                async for chunk in request.stream():
                    self.read += len(chunk)
            return PlainTextResponse(f"read {self.read}")

        @app.post("/vouched")
        async def vouched(request: Request) -> PlainTextResponse:
            http.vouch(request.scope)
            return await body(request)

        @app.post("/late")
        async def late(request: Request) -> PlainTextResponse:
            await self.go_on.wait()
            return await body(request)

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(self._forever(b"data: x\n\n", 0.02), media_type="text/event-stream")

        @app.get("/flood")
        async def flood() -> StreamingResponse:
            return StreamingResponse(self._forever(bytes(64 * KB), 0))

        return app

    async def _forever(self, chunk: bytes, pause: float) -> AsyncIterator[bytes]:
        self.streams += 1
        try:
            while True:
                yield chunk
                await asyncio.sleep(pause)
        finally:
            self.streams -= 1

    async def many(self, number: int, *said: bytes, receives: int | None = None) -> list[Line]:
        """So many clients, one after the other; they stay until the end."""
        lines = []
        for _ in range(number):
            lines.append(await self.closing.enter_async_context(self.line(*said, receives=receives)))
            await asyncio.sleep(0.01)
        return lines

    @asynccontextmanager
    async def line(self, *said: bytes, receives: int | None = None) -> AsyncIterator[Line]:
        opened = socket.socket()
        if receives is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", self.port))
        with opened:
            line = Line(opened)
            for part in said:
                await line.say(part)
            yield line


@dataclass
class Line:
    """A client, as rude as can be."""

    socket: socket.socket

    async def say(self, words: bytes) -> None:
        async with asyncio.timeout(SOON):
            await asyncio.get_running_loop().sock_sendall(self.socket, words)

    async def hears(self, until: bytes) -> bytes:
        heard = b""
        async with asyncio.timeout(SOON):
            while until not in heard:
                more = await asyncio.get_running_loop().sock_recv(self.socket, 64 * KB)
                assert more, f"closed after {heard!r}"
                heard += more
        return heard

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        heard = b""
        async with asyncio.timeout(SOON):
            while True:
                try:
                    more = await asyncio.get_running_loop().sock_recv(self.socket, 64 * KB)
                except ConnectionResetError:
                    return heard
                if not more:
                    return heard
                heard += more


@asynccontextmanager
async def serving(limits: Limits = LIMITS) -> AsyncIterator[Site]:
    site = Site(limits=limits)
    listening = http.bind("127.0.0.1", 0)
    site.port = listening.getsockname()[1]
    made: list[Connections] = []

    class Watched(Server):
        def __init__(self, config, connections) -> None:
            made.append(connections)
            super().__init__(config, connections)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.runtime.http.server.Server", Watched)
        running = asyncio.create_task(http.serve(site.application(), listening, limits))
        await asyncio.sleep(0)
    site.connections = made[0]
    try:
        yield site
    finally:
        await site.closing.aclose()
        site.go_on.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # Nothing that is counted is forgotten.
    assert (len(site.connections), site.connections.held, site.connections.unread) == (0, 0, 0)
    assert not any(site.connections._by_state.values())


async def until(holds: Callable[[], bool]) -> None:
    await waiting.until(holds, SOON)


async def answers(site: Site) -> bool:
    """Whether a client that behaves is served, and soon."""
    async with asyncio.timeout(1), site.line(GET) as line:
        return b"here" in await line.hears(b"here")


def head(*headers: bytes, line: bytes = b"GET /quick HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: desk", *headers, b"", b""])
