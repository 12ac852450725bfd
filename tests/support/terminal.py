"""What the tests of the terminal channel share: the connector over a desk in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bot.domain.message import Incoming, Message
from connectors.terminal import TerminalConnector, socket_path
from tests.support.stand_in_desk import StandInDesk, message
from tests.support.words import WORDS


def echo(incoming: Incoming) -> Iterable[Message]:
    return [message(f"you said **{incoming.text}**")]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


@asynccontextmanager
async def listening(desk: StandInDesk, var: Path) -> AsyncIterator[None]:
    running = asyncio.create_task(TerminalConnector(desk, var, words=WORDS).run(desk.receive))
    try:
        async with asyncio.timeout(5):
            while not answers(socket_path(var)):
                await asyncio.sleep(0.01)
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not socket_path(var).exists()
