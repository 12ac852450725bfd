"""HTTP to one server that closes the connections which nobody uses for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp


@dataclass
class _Connection:
    reused: bool = False


async def _note_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


class Client:
    """Keeps connections, and cookies as one browser does. A POST over a kept connection that the server was just
    closing was not taken: it is sent again, once, over a new connection. aiohttp by itself does so for GET only."""

    def __init__(self, url: str) -> None:
        noting = aiohttp.TraceConfig()
        noting.on_connection_reuseconn.append(_note_reuse)
        jar = aiohttp.CookieJar(unsafe=True)
        timeout = aiohttp.ClientTimeout(total=None)
        self._kept = aiohttp.ClientSession(url, cookie_jar=jar, timeout=timeout, trace_configs=[noting])
        once = aiohttp.TCPConnector(force_close=True)
        self._new = aiohttp.ClientSession(url, cookie_jar=jar, timeout=timeout, connector=once)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._kept.close()
        await self._new.close()

    @asynccontextmanager
    async def get(self, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self._kept.get(path) as answer:
            yield answer

    @asynccontextmanager
    async def post(self, path: str, **content: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        connection = _Connection()
        try:
            answer = await self._kept.post(path, trace_request_ctx=connection, **content)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not connection.reused:
                raise
            answer = await self._new.post(path, **content)
        async with answer:
            yield answer
