"""What the tests of the Telegram connector share: a desk in memory, and the connector running against the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.domain.channel import Outgoing, PermanentError
from bot.domain.message import Incoming, Receipt
from bot.domain.said import Fault
from connectors.telegram import TelegramConnector
from tests.support.waiting import until


class Desk:
    """The core as the connector sees it: keeps what is committed, once each, and may fail."""

    def __init__(self) -> None:
        self.committed: list[Incoming] = []
        self.attempts: list[str] = []
        self.before_commit: Callable[[Incoming], Awaitable[None]] | None = None

    async def receive(self, incoming: Incoming) -> Receipt:
        self.attempts.append(incoming.text)
        if self.before_commit is not None:
            await self.before_commit(incoming)
        if any(known.external_id == incoming.external_id for known in self.committed):
            return Receipt(1, 1, duplicate=True)
        self.committed.append(incoming)
        return Receipt(1, 1)

    @property
    def texts(self) -> list[str]:
        return [incoming.text for incoming in self.committed]

    async def wait(self, count: int) -> None:
        await until(lambda: len(self.committed) >= count)


class Said:
    """``Health`` that keeps what was said."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.troubles: list[str] = []

    def connecting(self) -> None:
        self._become("connecting")

    def connected(self, account: str) -> None:
        self._become(f"connected {account}")

    def _become(self, state: str) -> None:
        if self.states[-1:] != [state]:
            self.states.append(state)

    def trouble(self, error: Fault | str) -> None:
        self.troubles.append(str(error))


def failing(times: int, text: str | None = None) -> Callable[[Incoming], Awaitable[None]]:
    """Fails so often, for every message or for the one with this text."""
    left = times

    async def fail(incoming: Incoming) -> None:
        nonlocal left
        if left and text in (None, incoming.text):
            left -= 1
            raise ConnectionError(f"database lost while writing {incoming.text!r}")

    return fail


@asynccontextmanager
async def running(connector: TelegramConnector, desk: Desk) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(connector.run(desk.receive))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, PermanentError):
            await task


def outgoing(text: str, chat_id: int | str = 42, **fields: object) -> Outgoing:
    return Outgoing("telegram", "700100200", str(chat_id), text, **fields)  # type: ignore[arg-type]


def png(width: int = 3, height: int = 2, size: int = 100) -> bytes:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4)
    return header.ljust(size, b"\0")
