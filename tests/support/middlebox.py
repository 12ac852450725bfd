"""What stands between browsers and a desk, and does to answers what some proxies and virus scanners do."""

from __future__ import annotations

import asyncio
import contextlib
import re

from tests.support.between import Between

_HOST = re.compile(rb"(?im)^host:[^\r\n]*")
_CONNECTION = re.compile(rb"(?im)^connection:[^\r\n]*\r\n")
_FETCH = re.compile(rb"(?im)^sec-fetch-[^\r\n]*\r\n")
_COOKIE = re.compile(rb"(?im)^set-cookie:[^\r\n]*\r\n")
_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)")


class Middlebox(Between):
    """Forwards HTTP requests to ``port``, each on a connection of its own. What it does may change meanwhile."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.holds = False
        """An answer goes on only when it is complete."""
        self.cuts_after: float | None = None
        """Seconds after which an answer that is not complete is broken off."""
        self.host: str | None = None
        """What it writes in the place of ``Host``."""
        self.plain = False
        """What browsers say over TLS and to their own machine alone is left out, as if this were neither."""
        self.cookies = True
        """Whether the browser gets any."""
        self.asked: list[str] = []
        """The request lines."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A cut, a browser that has gone, the end of the test.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._forward(reader, writer)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n", 1)[0].decode())
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        head = _CONNECTION.sub(b"", head).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        if self.host is not None:
            head = _HOST.sub(b"Host: " + self.host.encode(), head)
        if self.plain:
            head = _FETCH.sub(b"", head)
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        answering = asyncio.ensure_future(self._answer(there, writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            back.write(head + body)
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
        finally:
            back.close()
            for end in (answering, leaving):
                end.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self.cuts_after):
            if self.holds or not self.cookies:
                answer = await source.read()
                to.write(answer if self.cookies else _COOKIE.sub(b"", answer))
            else:
                while data := await source.read(65536):
                    to.write(data)
                    await to.drain()
        await to.drain()
