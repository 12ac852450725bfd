"""Discord's gateway for one bot: connection, heartbeat, resumption and shards are discord.py's; events are taken raw,
each in the moment and in the order in which it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import discord
import structlog
import yarl

from connectors.discord.api import UNREACHABLE_BY
from connectors.discord.library import DiscordWebSocket, ReconnectWebSocket, Shard, events_of, parsers_of, shards_of

log = structlog.get_logger(__name__)

DIRECT = 0
"""The shard that direct messages come to, whatever their number."""
RESUME_WITHIN = 20.0
IDENTIFY_EVERY = 5.0
"""Seconds between two IDENTIFYs, of which Discord counts a day's."""
SESSION_OVER = (4007, 4009)
"""Close codes after which there is nothing to resume: an impossible number, a session that timed out."""
MAX_FRUITLESS = 3
FRUITLESS_PAUSE = 0.5
"""Resumptions in a row that brought nothing, and seconds more to wait after each."""
CONNECT_WITHIN = 60.0
RESUMABLE_CLOSE = 4000
"""With 1000, the library's own, Discord forgets the session at once; any other code leaves it to be resumed."""

Take = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Session:
    """Where the direct messages' shard can be resumed after a restart, for the minutes that Discord keeps it."""

    id: str
    url: str
    sequence: int
    """Everything up to here is committed."""
    shards: int
    application_id: int

    @classmethod
    def recalled(cls, value: Any) -> Session | None:
        try:
            return cls(**value)
        except TypeError:  # nothing was kept, or by another version
            return None

    def kept(self) -> dict[str, Any]:
        return asdict(self)


class Gateway(discord.AutoShardedClient):
    """``take`` gets the raw data of the events named in it. ``begins`` is called before the first event of a session
    that is not resumed: what was said before it comes from nowhere but the channels' histories."""

    def __init__(
        self,
        take: Mapping[str, Take],
        *,
        shards: int,
        resume: Session | None,
        begins: Callable[[], None],
        connected: Callable[[], Awaitable[None]],
        disconnected: Callable[[], None],
    ) -> None:
        super().__init__(
            intents=discord.Intents(dm_messages=True, dm_reactions=True),
            shard_count=shards,
            max_messages=None,
            chunk_guilds_at_startup=False,
        )
        self._resumable = resume if resume is not None and resume.shards == shards else None
        self._begins = begins
        self._connected = connected
        self._disconnected = disconnected
        self._identified = -IDENTIFY_EVERY
        parsers = parsers_of(self)
        ready, resumed = parsers["READY"], parsers["RESUMED"]

        def begin(data: Any) -> None:
            data.setdefault("shard", [DIRECT, shards])  # which other servers leave out
            data.setdefault("guilds", [])
            if data["shard"][0] == DIRECT:
                self._begins()
            ready(data)

        parsers.clear()
        parsers.update({"READY": begin, "RESUMED": resumed, **take})

    # --- what discord.py calls

    async def on_shard_connect(self, shard_id: int) -> None:
        if shard_id == DIRECT:
            await self._connected()

    async def on_shard_resumed(self, shard_id: int) -> None:
        if shard_id == DIRECT:
            await self._connected()

    async def on_shard_disconnect(self, shard_id: int) -> None:
        if shard_id == DIRECT:
            self._disconnected()

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        log.exception("an event of the gateway failed", action="discord_event_failed", event_method=event_method)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002
        """As Discord asks: five seconds apart. The library's own waits five seconds however long ago the last was."""
        wait = self._identified + IDENTIFY_EVERY - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._identified = time.monotonic()

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """As the library's, but resumes the session from before the restart, if there is one; and a failure is
        the caller's to report, where the library's tries for ever and says so in its log alone."""
        session, self._resumable = (self._resumable, None) if shard_id == DIRECT else (None, self._resumable)
        socket = None if session is None else await self._resumed(session, initial)
        if socket is None:
            async with asyncio.timeout(CONNECT_WITHIN):
                socket = await DiscordWebSocket.from_client(self, initial=initial, gateway=gateway, shard_id=shard_id)
        shard = _Shard(socket, self, events_of(self))
        shards_of(self)[shard_id] = shard
        shard.launch()

    async def _resumed(self, session: Session, initial: bool) -> DiscordWebSocket | None:
        try:
            async with asyncio.timeout(RESUME_WITHIN):
                return await DiscordWebSocket.from_client(
                    self,
                    initial=initial,
                    gateway=yarl.URL(session.url),
                    shard_id=DIRECT,
                    session=session.id,
                    sequence=session.sequence,
                    resume=True,
                )
        except (*UNREACHABLE_BY, discord.DiscordException) as error:
            log.info("session not resumed", action="discord_resume_failed", error=type(error).__name__)
            return None

    # --- what the connector asks

    @property
    def sequence(self) -> int:
        """The number of the last event of the direct messages' shard; 0 before the first."""
        socket = self._socket()
        # The library takes whatever the frame said.
        return socket.sequence if socket and isinstance(socket.sequence, int) else 0

    def session(self, sequence: int, application_id: int) -> Session | None:
        """How to resume behind ``sequence``; None while there is no session."""
        socket = self._socket()
        if socket is None or not socket.session_id:
            return None
        return Session(socket.session_id, str(socket.gateway), sequence, self.shard_count or 1, application_id)

    def _socket(self) -> DiscordWebSocket | None:
        shard = shards_of(self).get(DIRECT)
        return shard.ws if shard else None

    async def leave(self) -> None:
        """Closes the connection so that the next start can resume it."""
        if (socket := self._socket()) is not None:
            try:
                async with asyncio.timeout(3):
                    await socket.close(code=RESUMABLE_CLOSE)
            except (*UNREACHABLE_BY, RuntimeError):
                pass  # then it is broken, which can be resumed as well
        await self.close()


class _Shard(Shard):
    """Gives a session up that cannot be resumed. The library resumes after every close, at once and for ever: also one
    that Discord closed because it knows the session no longer."""

    _resumed_at: int | None = None
    """The last event when it was resumed; None once there was another, or none was ever resumed."""
    _fruitless = 0

    async def reidentify(self, exc: ReconnectWebSocket) -> None:
        sequence = self.ws.sequence
        self._fruitless = self._fruitless + 1 if exc.resume and sequence == self._resumed_at else 0
        is_over = not self.ws.session_id or self.ws.socket.close_code in SESSION_OVER or self._fruitless > MAX_FRUITLESS
        if exc.resume and is_over:
            exc = ReconnectWebSocket(self.id, resume=False)
        await asyncio.sleep(self._fruitless * FRUITLESS_PAUSE)
        self._resumed_at = sequence if exc.resume else None
        await super().reidentify(exc)
