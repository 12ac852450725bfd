"""One HTTP/1.1 connection, within limits: uvicorn's, which has none.

The only module that knows uvicorn's private parts. What it relies on is tested in ``tests/unit/test_http_uvicorn.py``,
which says after an upgrade what has moved.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from http import HTTPStatus
from typing import Any

import httptools
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from bot.runtime.http.connections import Connections, State
from bot.runtime.http.limits import Limits

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SEND_BUFFER = 256 * 1024
"""Bytes that the system takes off us for one client; by itself it takes megabytes for one that does not read."""
RETRY_AFTER = 5
"""Seconds after which a client that found no room may come again."""
OURS = "switchboard.connection"
"""Among the extensions of a request's scope."""


class _Refused(Exception):
    """Stops the parser: the request is not taken."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def vouch(scope: Scope) -> None:
    """Says that the request comes from one of the desk's own people. It then keeps its place when there is no room, may
    hold as much as its route allows, and may be as slow as the lines of trains are."""
    _tell(scope, "vouch")


def started(scope: Scope) -> None:
    """Says that the answer to the request begins."""
    _tell(scope, "started")


def _tell(scope: Scope, what: str) -> None:
    ours = scope.get("extensions", {}).get(OURS)
    if ours is not None:
        ours[what]()


def refusal(status: int, *, date: list[tuple[bytes, bytes]] | None = None) -> bytes:
    """A whole response that refuses, and closes the connection."""
    phrase = HTTPStatus(status).phrase.encode()
    lines = [b"HTTP/1.1 %d %s" % (status, phrase), *(b"%s: %s" % header for header in date or ())]
    lines += [b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(phrase)]
    if status == 503:
        lines.append(b"retry-after: %d" % RETRY_AFTER)
    return b"\r\n".join([*lines, b"x-content-type-options: nosniff", b"connection: close", b"", phrase])


def prepare(accepted: socket.socket, patience: float) -> None:
    """Sets what the system does for a connection. It closes one whose client has acknowledged nothing for ``patience``
    seconds: what has gone without a word, and who leaves no room to write to. Where it cannot (this is Linux's), its
    own patience holds."""
    accepted.setblocking(False)
    if accepted.family not in (socket.AF_INET, socket.AF_INET6):
        return
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        accepted.setsockopt(socket.IPPROTO_TCP, option, int(patience * 1000))


def outstanding(transport: asyncio.Transport) -> int:
    """Bytes that the client has not acknowledged, with those that the system took off us, where it tells."""
    here = transport.get_write_buffer_size()
    if fcntl is None or transport.is_closing():
        return here
    try:
        queued = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return here
    return here + int.from_bytes(queued, sys.byteorder)


class LimitedProtocol(HttpToolsProtocol):
    """The ``Connection`` that is counted. What is done for every chunk is a few additions; all that takes long is
    found by the sweep over all connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._others = connections
        self._limits: Limits = connections.limits
        self.state = State.HEAD
        self.since = 0.0
        self.held = 0
        self.unread = 0
        self.vouched = False
        self._was = State.HEAD
        """The state in which the others know it."""
        self._fed = 0
        """Bytes since the last part of a request was complete."""
        self._head = 0
        self._body = 0
        self._marked: tuple[float, int] = (0.0, 0)
        """When the window of the least rate began, and the bytes there were."""
        self._stalled: tuple[float, int] = (0.0, 0)
        self._running: RequestResponseCycle | None = None
        self._starting = False
        """Whether the application has a request of which no answer has begun."""
        self._waiting: tuple[RequestResponseCycle, Any] | None = None
        """A request that the application has not got yet, as its body is still coming."""

    # --- the connection's life

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        self._others.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # Uvicorn tells the latest request alone, and an event stream before it would go on for ever.
        self._disconnect()
        self.pipeline.clear()
        super().connection_lost(exc)
        self.state = self._was
        self._started()
        self._others.remove(self)
        self._others.left()

    def _disconnect(self) -> None:
        for cycle in (self._running, self.cycle, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._waiting = None

    def _settle(self, state: State) -> None:
        """Tells the others of the state, once a chunk is done with rather than for every part of it."""
        self.state = state
        if state is not self._was:
            self.since = self.loop.time()
            before, self._was = self._was, state
            if state is State.BODY:
                self._marked = (self.since, self._body)
            self._others.moved(self, before)

    # --- in

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._fed += len(data)
        if self.state is State.OVER:
            if self._fed > self._limits.linger_bytes:
                self.cut()
            return
        if self.state is State.REST:
            # Not only with the first letter of a request: line ends before it are skipped, without end.
            self.state = State.HEAD
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to a protocol that we do not speak; the request is answered as if it had not asked
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self.refuse(cause.status, cause.reason)
            else:
                self.refuse(400, "malformed")
        if self.state is not State.OVER:
            self._check()
        if self.state is not State.OVER:
            self._settle(self.state)

    def _check(self) -> None:
        if self.state is State.BODY:
            if self._fed > self._limits.chunking + 2 * self._body:
                self.refuse(400, "chunking")
        elif self._fed > self._limits.head:
            self.refuse(431, "head")
        elif self.state is State.HEAD and self._fed > self.held:
            self._others.hold(self, self._fed - self.held)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.state = State.HEAD
        self._head = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.line:
            raise _Refused(414, "line")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.state is not State.HEAD:
            return  # behind a body in chunks: nobody here reads those
        self._head += len(name) + len(value)
        if self._head > self._limits.head or len(self.headers) >= self._limits.headers:
            raise _Refused(431, "headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            raise _Refused(503, "pipelined")
        self._others.release(self)
        self._fed = self._body = 0
        self.vouched = False
        self.scope["extensions"] = {OURS: {"vouch": self._vouch, "started": self._started}}
        super().on_headers_complete()
        self.state = State.BODY

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self._body > self._limits.body:
            raise _Refused(413, "body")
        super().on_body(body)
        if not (self.vouched or self.cycle.response_complete):
            self._settle(State.BODY)  # lest it be the first to go, as one without a head
            self._others.hold(self, len(body))
            if self.state is State.OVER:
                raise _Refused(503, "memory")
        if self._waiting is not None and len(self.cycle.body) > self._limits.wait_for:
            self._start_waiting()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._start_waiting()
        self._fed = 0
        self.state = State.REST if self.cycle.response_complete and not self.pipeline else State.BUSY

    def _vouch(self) -> None:
        self.vouched = True
        self._others.release(self)

    # --- out

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.more_body and not cycle.waiting_for_100_continue:
            self._waiting = (cycle, app)
        else:
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self._others.starting += not self._starting
        self._starting = True
        super()._start_asgi_task(cycle, app)

    def _started(self) -> None:
        """Its answer has begun, or never will."""
        self._others.starting -= self._starting
        self._starting = False

    def _start_waiting(self) -> None:
        """Whoever is slow to say what they want takes none of the application's time until they have."""
        if self._waiting is not None:
            cycle, app = self._waiting
            self._waiting = None
            self._start(cycle, app)

    def on_response_complete(self) -> None:
        ended = self._running
        self._started()
        super().on_response_complete()
        if self._running is not ended or self.state is State.OVER:
            return  # the next of the pipeline has begun
        self._others.release(self)
        if self.state is State.BUSY:
            self._settle(State.REST)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = (self.loop.time(), outstanding(self.transport))
        self._others.stalls(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._others.flows(self)

    # --- what the others ask, and do

    def has_begun(self) -> bool:
        return self._fed > 0

    def is_flushed(self) -> bool:
        return self.transport.get_write_buffer_size() == 0

    def is_too_slow(self, now: float) -> bool:
        since, bytes_then = self._marked
        if self.flow.read_paused:
            # It is the desk that does not read on.
            self._marked = (now, self._body)
            return False
        window = self._limits.long_window if self.vouched else self._limits.window
        if now - since < window:
            return False
        self._marked = (now, self._body)
        return self._body - bytes_then < (now - since) * self._limits.least_rate

    def is_stuck(self, now: float) -> bool:
        since, bytes_then = self._stalled
        if now - since < self._limits.long_window:
            return False
        left = outstanding(self.transport)
        self._stalled = (now, left)
        return bytes_then - left < (now - since) * self._limits.least_rate

    def refuse(self, status: int, reason: str) -> None:
        if self.state is State.OVER:
            return
        self._others.note(reason)
        if not self._say(status):
            self.cut()
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            # Closed while its client still sends, the line would be reset, and the client never read why.
            self.transport.write_eof()
        else:
            self.transport.close()

    def turn_away(self) -> None:
        # Where something is unread, closing waits for the client.
        if self.state in (State.HEAD, State.BODY) and self.is_flushed() and self._say(503):
            self.transport.close()
        else:
            self.cut()

    def _say(self, status: int) -> bool:
        """Answers so; False where nothing can be said: in the middle of an answer, or behind one that is owed."""
        running = self._running
        if self.state is State.BODY:
            reading = running is self.cycle and running is not None and not running.response_started
            said = reading or self._waiting is not None
        else:
            said = self.state is not State.BUSY and (running is None or running.response_complete)
        said = said and not self.transport.is_closing()
        self._disconnect()
        self._fed = 0
        self._settle(State.OVER)
        if said:
            self.transport.write(refusal(status, date=self.server_state.default_headers))
        return said

    def cut(self) -> None:
        self.transport.abort()
