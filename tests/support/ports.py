"""Ports that nobody else on this machine takes meanwhile."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class HeldPort:
    """A port of 127.0.0.1 that stays ours until it is closed, whether or not a server of ours listens there.

    It is bound and does not listen: who connects is refused, until a server of ours binds ``number`` as well. Linux
    lets both be bound because both say ``SO_REUSEADDR``, as ``bot.runtime.http``, asyncio, aiohttp, uvicorn and Sanic
    do, and gives the port to nobody who asks for any. To close a socket and hope that its port stays free fails now
    and then: another worker's server takes it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
