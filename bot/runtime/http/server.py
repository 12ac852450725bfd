"""Listens, takes connections as long as there is room, and serves them with uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from bot.runtime import handles
from bot.runtime.http.connections import Connections
from bot.runtime.http.limits import Limits, connections_for
from bot.runtime.http.protocol import LimitedProtocol, prepare, refusal

log = structlog.get_logger(__name__)

KEEP_ALIVE = 30
"""Seconds for which an idle connection stays open. Who sends in the moment in which it is closed finds the line cut, so
it is longer than people and proxies mostly pause; where there is no room, idle ones go first."""
CLOSE_AFTER = 2
"""Seconds that open event streams get at shutdown; browsers reconnect by themselves."""
BACKLOG = 2048
"""Connections that the system keeps until they are taken, if it keeps so many."""
AT_ONCE = 32
"""Connections taken before anything else goes on: so many more than allowed may be open for a moment."""
LOOK = 0.002
"""Seconds between two looks whether those that were taken are served."""
BREATH = 0.05
"""Seconds until the next try where no handle was left."""


class AddressInUse(Exception):
    """Another program listens there."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ``AddressInUse`` or another ``OSError`` before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressInUse(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}. "
            "Is another desk running? Set PORT (and HOST) to listen elsewhere"
        ) from error


class Server(uvicorn.Server):
    """Uvicorn, leaving the process's signals to the desk, and the taking of connections to us: it takes whatever comes,
    up to the last file handle."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._ready = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def accept(self, listening: socket.socket) -> None:
        """Takes connections until cancelled."""
        await self._ready.wait()
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
                await self._take(accepted)
                with contextlib.suppress(BlockingIOError):
                    for _ in range(AT_ONCE - 1):
                        await self._take(listening.accept()[0])
                await self._wait_for_those_taken()
            except ConnectionError:
                continue  # gone before it was taken
            except OSError as error:
                if handles.are_used_up(error):
                    # Not while the reserve holds. One of ours goes, and the others wait in the system's queue.
                    self._connections.note("out_of_handles")
                    self._connections.shrink()
                else:
                    # Of the network: the next may be well.
                    self._connections.note(f"accept_{errno.errorcode.get(error.errno or 0, 'failed')}")
                await asyncio.sleep(BREATH)

    async def _wait_for_those_taken(self) -> None:
        """A crowd is taken in groups: each that is served takes its turn beside a few others, and not beside all."""
        limits = self._connections.limits
        for _ in range(round(limits.slowly / LOOK)):
            if self._connections.starting < limits.starting:
                return
            await asyncio.sleep(LOOK)

    async def _take(self, accepted: socket.socket) -> None:
        try:
            room = await self._connections.make_room()
        except asyncio.CancelledError:
            accepted.close()
            raise
        if not room:
            self._connections.note("full")
            _turn_away(accepted)
            return
        opening = asyncio.ensure_future(self._open(accepted))
        self._opening.add(opening)  # the loop keeps only a weak reference
        opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        made: list[LimitedProtocol] = []

        def make() -> LimitedProtocol:
            made.append(
                LimitedProtocol(
                    self.config,
                    self.server_state,
                    self.lifespan.state,
                    asyncio.get_running_loop(),
                    connections=self._connections,
                )
            )
            return made[0]

        try:
            prepare(accepted, self._connections.limits.long_window)
            await asyncio.get_running_loop().connect_accepted_socket(make, accepted)
        except OSError:
            accepted.close()  # gone meanwhile
            if not (made and made[0].transport):
                self._connections.left()


def _turn_away(accepted: socket.socket) -> None:
    with accepted, contextlib.suppress(OSError):
        accepted.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            accepted.recv(64 * 1024)  # what is left unread would reset the line, and the answer with it
        accepted.send(refusal(503))
        accepted.shutdown(socket.SHUT_WR)


async def serve(app: FastAPI, listening: socket.socket, limits: Limits | None = None) -> None:
    """Serves until cancelled, then closes within ``CLOSE_AFTER`` seconds. Without ``limits``, by the file handles that
    this process may have."""
    connections = Connections(limits or Limits(connections_for(handles.limit())))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=CLOSE_AFTER,
        timeout_keep_alive=KEEP_ALIVE,
        lifespan="off",
        ws="none",
    )
    server = Server(config, connections)
    # A cancelled ``serve`` would drop its connections; told to stop, it closes them.
    serving = asyncio.ensure_future(server.serve(sockets=[]))
    accepting = asyncio.ensure_future(server.accept(listening))
    watching = asyncio.ensure_future(connections.watch())
    try:
        await asyncio.wait((serving, accepting, watching), return_when=asyncio.FIRST_COMPLETED)
    finally:
        accepting.cancel()
        watching.cancel()
        ended = await asyncio.gather(accepting, watching, return_exceptions=True)
        listening.close()
        server.should_exit = True
        await serving
    for result in ended:
        if isinstance(result, Exception):
            raise result
