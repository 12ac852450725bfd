"""A line between browsers and a server that can go dead as lines do: without a word to either end."""

from __future__ import annotations

import asyncio
import contextlib

from tests.support.between import Between


class Wire(Between):
    """Forwards TCP connections to ``port`` while it is alive."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.dead = False
        """While it is set nothing passes, in either direction; new connections are taken and hear nothing. What was
        connected meanwhile stays dead for good: its bytes are lost."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        lost = asyncio.Event()
        if self.dead:
            lost.set()

        async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if self.dead:
                    lost.set()
                if not lost.is_set():
                    target.write(data)
                    await target.drain()

        ways = [asyncio.ensure_future(forward(reader, back)), asyncio.ensure_future(forward(there, writer))]
        try:
            # An end is told on a living line; on a dead one only the side that ends knows.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if lost.is_set() or self.dead:
                await ways[0]
        except asyncio.CancelledError:
            pass
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, back):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()
