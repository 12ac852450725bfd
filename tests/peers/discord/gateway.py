"""The gateway: sessions that outlive their sockets, sequences, heartbeats and every way to lose a connection."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.peers.discord.entities import GUILD_MESSAGES, GUILDS
from tests.peers.discord.errors import Json
from tests.peers.discord.world import World

_GUILD_MEMBERS = 1 << 1
_GUILD_PRESENCES = 1 << 8
_MESSAGE_CONTENT = 1 << 15
_PRIVILEGED = _GUILD_MEMBERS | _GUILD_PRESENCES | _MESSAGE_CONTENT
_ALL_INTENTS = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25
_MAX_PAYLOAD = 4096
_MAX_COMMANDS = 120
"""A minute; heartbeats count."""

_FINAL = frozenset({4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
"""Close codes of the server after which a session cannot be resumed."""


class _Close(Exception):
    """Ends a connection with a code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass
class Session:
    """What a bot resumes: its events are kept while no connection is there to take them."""

    id: str
    shard: int
    shards: int
    intents: int
    events: list[Json] = field(default_factory=list)
    """Every event of it, in order; ``s`` counts from 1."""
    connection: Connection | None = None
    ended: bool = False
    expired: bool = False
    """A RESUME comes too late; the connection that it has lasts."""

    @property
    def connected(self) -> bool:
        return self.connection is not None

    def add(self, event: str, data: Json) -> None:
        frame = {"op": 0, "t": event, "s": len(self.events) + 1, "d": data}
        self.events.append(frame)
        if self.connection is not None:
            self.connection.send(frame)


class Connection:
    """One socket. What it sends goes through a queue, so that people can write without waiting for it."""

    def __init__(
        self, socket: web.WebSocketResponse, request: web.Request, as_sent: Callable[[str], str] = str
    ) -> None:
        self.socket = socket
        self._as_sent = as_sent
        self.session: Session | None = None
        self.frozen = False
        """A zombie: the socket is open, and nothing passes."""
        self.closing = False
        """The server closes it, not the client."""
        self.goodbye: int | None = None
        """The client's close code, None if the line just ended (aiohttp would call that 1000)."""
        self.last_heartbeat = time.monotonic()
        self.commands: deque[float] = deque()
        self._transport = request.transport
        self._compress = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._queue: asyncio.Queue[str | _Close] = asyncio.Queue()

    def send(self, frame: Json) -> None:
        if not self.frozen:
            # As text at once: a later change of the message must not reach back into its event.
            self._queue.put_nowait(self._as_sent(json.dumps({"t": None, "s": None, "d": None, **frame})))

    def close(self, code: int, reason: str = "") -> None:
        self.closing = True
        self._queue.put_nowait(_Close(code, reason))

    def abort(self) -> None:
        """Cuts the line: no close frame, and whatever was on its way is lost."""
        self.closing = True
        self.detach()
        self._queue = asyncio.Queue()
        if self._transport is not None:
            self._transport.abort()

    def detach(self) -> None:
        if self.session is not None and self.session.connection is self:
            self.session.connection = None

    async def write(self) -> None:
        """Sends what is queued until the socket ends."""
        while True:
            item = await self._queue.get()
            if isinstance(item, _Close):
                await self.socket.close(code=item.code, message=item.reason.encode())
                return
            try:
                if self._compress is None:
                    await self.socket.send_str(item)
                else:
                    packed = self._compress.compress(item.encode()) + self._compress.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(packed)
            except (ConnectionError, RuntimeError):
                return


class Gateway:
    """All sessions of the bot."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.heartbeat_interval = 41250
        self.heartbeat_grace = 1.5
        """Intervals without a heartbeat after which a client is closed."""
        self.heartbeats_muted = False
        self.privileged_allowed = False
        self.shards = 1
        self.session_starts_left = 1000
        self.identifies = 0
        self.resumes = 0
        self.resume_url = ""
        self.as_sent: Callable[[str], str] = str
        world.dispatch = self.dispatch

    # --- events

    def dispatch(self, event: str, data: Json, guild_id: int | None, intent: int | None) -> None:
        """Brings an event to the sessions that asked for it. Direct messages are only ever on shard 0."""
        data = json.loads(json.dumps(data))  # as it is now, whatever becomes of it
        for session in self.sessions.values():
            shard = 0 if guild_id is None else (guild_id >> 22) % session.shards
            if session.ended or session.shard != shard or (intent is not None and not session.intents & intent):
                continue
            session.add(event, self._readable(session, data) if intent == GUILD_MESSAGES else data)

    def _readable(self, session: Session, data: Json) -> Json:
        """Without the message content intent, guild messages of others that do not mention the bot come empty."""
        if session.intents & _MESSAGE_CONTENT or "content" not in data:
            return data
        bot = str(self.world.bot_id)
        if data["author"]["id"] == bot or any(user["id"] == bot for user in data["mentions"]):
            return data
        return {**data, "content": "", "attachments": [], "embeds": [], "components": []}

    def live(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.connected]

    def end(self, session: Session) -> None:
        session.ended = True
        self.sessions.pop(session.id, None)

    # --- connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("compress") not in (None, "zlib-stream"):
            return web.Response(status=501, text="this stand-in compresses with zlib-stream only")
        socket = web.WebSocketResponse(timeout=1.0, max_msg_size=1 << 20, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request, self.as_sent)
        self.connections.add(connection)
        tasks = [asyncio.create_task(connection.write()), asyncio.create_task(self._watch(connection))]
        try:
            if request.query.get("v") not in ("9", "10") or request.query.get("encoding", "json") != "json":
                raise _Close(4012, "Invalid API version.")
            connection.send({"op": 10, "d": {"heartbeat_interval": self.heartbeat_interval, "_trace": ["[]"]}})
            await self._read(connection)
        except _Close as closing:
            self._end_after(connection, closing.code)
            connection.detach()
            connection.close(closing.code, closing.reason)
            await asyncio.wait([tasks[0]], timeout=2)
        else:
            # A client that says goodbye with 1000 or 1001 logs out; with any other code, or none, it may resume.
            if not connection.closing and connection.goodbye in (1000, 1001) and connection.session is not None:
                self.end(connection.session)
        finally:
            connection.detach()
            self.connections.discard(connection)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.world.change()
        return socket

    def _end_after(self, connection: Connection, code: int) -> None:
        if connection.session is not None and code in _FINAL:
            self.end(connection.session)

    async def _watch(self, connection: Connection) -> None:
        """Closes a client that does not heartbeat."""
        while True:
            allowed = self.heartbeat_interval / 1000 * self.heartbeat_grace
            silent = time.monotonic() - connection.last_heartbeat
            if silent >= allowed and not connection.frozen:
                self._end_after(connection, 4009)
                connection.detach()
                connection.close(4009, "Session timed out.")
                return
            await asyncio.sleep(max(allowed - silent, 0.05))

    async def _read(self, connection: Connection) -> None:
        while True:
            frame = await connection.socket.receive()
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                connection.goodbye = frame.data if frame.type is WSMsgType.CLOSE else None
                return
            if connection.frozen:
                continue
            self._count(connection)
            raw = frame.data if isinstance(frame.data, bytes) else frame.data.encode()
            try:
                payload = json.loads(raw)
            except ValueError:
                raise _Close(4002, "Error while decoding payload.") from None
            if len(raw) > _MAX_PAYLOAD or not isinstance(payload, dict) or type(payload.get("op")) is not int:
                raise _Close(4002, "Error while decoding payload.")
            self._take(connection, payload["op"], payload.get("d"))

    def _count(self, connection: Connection) -> None:
        now = time.monotonic()
        connection.commands.append(now)
        while connection.commands[0] < now - 60:
            connection.commands.popleft()
        if len(connection.commands) > _MAX_COMMANDS:
            raise _Close(4008, "You are being rate limited.")

    def _take(self, connection: Connection, op: int, data: Any) -> None:
        match op:
            case 1:  # allowed before identifying; the number in it is not checked
                connection.last_heartbeat = time.monotonic()
                if not self.heartbeats_muted:
                    connection.send({"op": 11})
            case 2:
                self._identify(connection, data)
            case 6:
                self._resume(connection, data)
            case 3 | 4 | 8 | 31 if connection.session is not None:
                pass  # presence, voice, members, sounds: nothing that a desk needs
            case 3 | 4 | 8 | 31:
                raise _Close(4003, "Not authenticated.")
            case _:
                raise _Close(4001 if connection.session else 4003, "Unknown opcode.")

    def _identify(self, connection: Connection, data: Any) -> None:
        if connection.session is not None:
            raise _Close(4005, "Already authenticated.")
        if not isinstance(data, dict) or not isinstance(data.get("properties"), dict):
            raise _Close(4002, "Error while decoding payload.")
        # Discord resets the token of a bot that used up its session starts; the old one is then as good as wrong.
        if data.get("token") != self.world.token or self.session_starts_left <= 0:
            raise _Close(4004, "Authentication failed.")
        intents = data.get("intents")
        if type(intents) is not int or intents < 0 or intents & ~_ALL_INTENTS:
            raise _Close(4013, "Invalid intent(s).")
        if intents & _PRIVILEGED and not self.privileged_allowed:
            raise _Close(4014, "Disallowed intent(s).")
        shard, shards = self._shard(data.get("shard"))
        self.identifies += 1
        self.session_starts_left -= 1
        session = Session(secrets.token_hex(16), shard, shards, intents, connection=connection)
        self.sessions[session.id] = connection.session = session
        # A bot sees itself verified and with flags, unlike as others see it.
        me = {**self.world.bot, "verified": True, "mfa_enabled": False, "email": None, "flags": 0}
        here = (self.world.guild_id >> 22) % shards == shard
        ready: Json = {
            "v": 10,
            "user": me,
            # Bots start with every guild unavailable, whatever their intents.
            "guilds": [{"id": str(self.world.guild_id), "unavailable": True}] if here else [],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.resume_url,
            "shard": [shard, shards],
            "application": {"id": str(self.world.bot_id), "flags": 0},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "user_settings_proto": "",
            "geo_ordered_rtc_regions": [],
            "guild_join_requests": [],
            "_trace": ["[]"],
        }
        session.add("READY", ready)
        if here and intents & GUILDS:
            session.add("GUILD_CREATE", self.world.guild())
        self.world.change()

    def _shard(self, given: Any) -> tuple[int, int]:
        if given is None:
            if self.shards > 1:
                raise _Close(4011, "Sharding required.")
            return 0, 1
        whole = isinstance(given, list) and len(given) == 2 and all(type(part) is int for part in given)
        if not whole or not 0 <= given[0] < given[1]:
            raise _Close(4010, "Invalid shard.")
        return given[0], given[1]

    def _resume(self, connection: Connection, data: Any) -> None:
        if connection.session is not None:
            raise _Close(4005, "Already authenticated.")
        if not isinstance(data, dict):
            raise _Close(4002, "Error while decoding payload.")
        if data.get("token") != self.world.token:
            raise _Close(4004, "Authentication failed.")
        session = self.sessions.get(str(data.get("session_id")))
        seq = data.get("seq")
        if session is None or session.expired:
            connection.send({"op": 9, "d": False})
            return
        if type(seq) is not int or not 0 <= seq <= len(session.events):
            self.end(session)
            raise _Close(4007, "Invalid seq.")
        if session.connection is not None:
            # The client knows that its old line is dead before the server does.
            session.connection.abort()
        session.connection, connection.session = connection, session
        for frame in session.events[seq:]:
            if frame["t"] != "RESUMED":
                connection.send(frame)
        session.add("RESUMED", {"_trace": ["[]"]})
        self.resumes += 1
        self.world.change()

    # --- what goes wrong

    def cut(self) -> None:
        for connection in list(self.connections):
            connection.abort()

    def close(self, code: int) -> None:
        for connection in list(self.connections):
            self._end_after(connection, code)
            connection.detach()
            connection.close(code)

    def invalidate(self, resumable: bool) -> None:
        for connection in self._identified():
            if not resumable and connection.session is not None:
                self.end(connection.session)
            connection.detach()
            connection.send({"op": 9, "d": resumable})

    def ask_to_reconnect(self) -> None:
        for connection in self._identified():
            connection.detach()
            connection.send({"op": 7})

    def freeze(self) -> None:
        for connection in self.connections:
            connection.frozen = True
            connection.detach()

    def expire_sessions(self) -> None:
        for session in list(self.sessions.values()):
            session.expired = True
            if session.connection is None:
                self.end(session)

    def _identified(self) -> Iterator[Connection]:
        yield from [connection for connection in self.connections if connection.session is not None]
