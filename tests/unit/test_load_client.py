"""The load benchmark's client outlives a connection that the server closed while nobody used it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from benchmarks.load.client import Client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers a request, or closes its connection instead where ``closes(connection, request)``, counted from 1."""

    def __init__(self, closes: Callable[[int, int], bool]) -> None:
        self.requests: list[tuple[int, int]] = []
        self._closes = closes
        self._connections = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection, request = self._connections, 0
        with suppress(asyncio.IncompleteReadError):  # the client left
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
                request += 1
                self.requests.append((connection, request))
                if self._closes(connection, request):
                    break
                writer.write(ANSWER)
        writer.close()


async def said(client: Client, text: str) -> str:
    async with client.post("/said", json={"text": text}) as answer:
        return await answer.text()


async def test_a_request_that_meets_a_connection_just_closed_is_sent_again_over_a_new_one() -> None:
    server = Server(lambda connection, request: (connection, request) == (1, 2))
    async with server.running() as url, Client(url) as client:
        assert [await said(client, "one"), await said(client, "two")] == ["ok", "ok"]
        assert server.requests == [(1, 1), (1, 2), (2, 1)]


async def test_it_is_sent_again_once_only() -> None:
    server = Server(lambda connection, request: (connection, request) != (1, 1))
    async with server.running() as url, Client(url) as client:
        assert await said(client, "one") == "ok"
        with pytest.raises(aiohttp.ClientError):
            await said(client, "two")
        assert server.requests == [(1, 1), (1, 2), (2, 1)]


async def test_what_a_new_connection_may_have_taken_is_not_sent_again() -> None:
    server = Server(lambda connection, request: True)
    async with server.running() as url, Client(url) as client:
        with pytest.raises(aiohttp.ClientError):
            await said(client, "one")
        assert server.requests == [(1, 1)]
