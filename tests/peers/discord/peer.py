"""One Discord with one bot: its servers, and what tests can do to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.peers.discord.calls import Call
from tests.peers.discord.errors import Json
from tests.peers.discord.gateway import Gateway, Session
from tests.peers.discord.people import PeerUser
from tests.peers.discord.rest import Fault, Rest
from tests.peers.discord.world import World
from tests.support.ports import HeldPort

__all__ = ["Call", "DiscordPeer"]


def _setting(part: str, name: str, doc: str) -> Any:
    """A setting or count that lives in one of the servers' parts."""

    def read(peer: Any) -> Any:
        return getattr(getattr(peer, part), name)

    def write(peer: Any, value: Any) -> None:
        setattr(getattr(peer, part), name, value)

    return property(read, write, doc=doc)


class DiscordPeer:
    """Use as ``async with DiscordPeer() as peer``. ``stop`` and ``start`` are an outage: the port and all state stay,
    sessions included. ``DiscordPeer(state=other.state)`` puts new servers in front of a known world."""

    shards: int = _setting("_gateway", "shards", "How many GET /gateway/bot recommends; more than 1 are required.")
    session_starts_left: int = _setting("_gateway", "session_starts_left", "At 0 Discord resets the token: 4004.")
    privileged_allowed: bool = _setting("_gateway", "privileged_allowed", "Privileged intents are switched on.")
    heartbeat_interval: int = _setting("_gateway", "heartbeat_interval", "In milliseconds, from the next HELLO on.")
    heartbeat_grace: float = _setting("_gateway", "heartbeat_grace", "Intervals after which a silent client is closed.")
    identifies: int = _setting("_gateway", "identifies", "How often IDENTIFY was accepted.")
    as_sent: Callable[[str], str] = _setting("_gateway", "as_sent", "What becomes of frames, from the next HELLO on.")
    resumes: int = _setting("_gateway", "resumes", "How often RESUME was accepted.")
    route_limit: tuple[int, float] = _setting("_limits", "route_limit", "Calls in so many seconds, for each bucket.")
    nonce_window: float = _setting("_limits", "nonce_window", "Seconds for which enforce_nonce finds earlier messages.")
    interaction_window: float = _setting("_limits", "interaction_window", "Seconds in which to answer interactions.")
    upload_limit: int = _setting("_limits", "upload_limit", "Bytes of all files of one call.")

    def __init__(self, *, state: World | None = None) -> None:
        self.state = state or World()
        self._gateway = Gateway(self.state)
        self._rest = Rest(self.state, self._gateway)
        self._limits = self._rest.limits
        self._port = HeldPort()
        self._runner: web.AppRunner | None = None

    # --- running

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/gateway", self._gateway.serve)
        app.router.add_get("/resume-gateway", self._gateway.serve)
        app.router.add_get("/attachments/{path:.+}", self._rest.download)
        app.router.add_route("*", r"/api/v{version:\d+}{path:/.*}", self._rest.serve)
        # A call that the client gave up has its effect all the same, as at the real one.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port.number)
        await site.start()
        self.state.base = f"http://127.0.0.1:{self._port.number}"
        self._rest.places.gateway_url = self.gateway_url
        self._gateway.resume_url = f"ws://127.0.0.1:{self._port.number}/resume-gateway"

    async def stop(self) -> None:
        """Nothing listens any more, and open connections are cut."""
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> DiscordPeer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._port.close()

    # --- where and who

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self._port.number}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self._port.number}/gateway"

    @property
    def token(self) -> str:
        return self.state.token

    @property
    def bot_id(self) -> int:
        return self.state.bot_id

    @property
    def application_id(self) -> int:
        return self.state.bot_id

    @property
    def guild_id(self) -> int:
        return self.state.guild_id

    @property
    def guild_channel_id(self) -> int:
        return self.state.guild_channel_id

    def user(self, name: str = "ann", id: int | None = None, locale: str = "en-US") -> PeerUser:
        """A person who shares the guild with the bot, and has no direct messages with it yet."""
        user = PeerUser(self.state, name, self.state.new_id() if id is None else int(id), locale)
        self.state.users[user.id] = user
        return user

    # --- what happened

    @property
    def calls(self) -> list[Call]:
        """Every authorized call of a known route, as (method, path, payload); a faulted one too."""
        return self._rest.calls

    def called(self, method: str, route_substring: str = "") -> list[Call]:
        return [call for call in self.calls if call.method == method and route_substring in call.path]

    async def wait_calls(
        self, method: str, route_substring: str = "", count: int = 1, timeout: float = 20.0
    ) -> list[Call]:
        """Waits until the bot has made at least so many such calls."""
        await self.wait_until(lambda: len(self.called(method, route_substring)) >= count, timeout)
        return self.called(method, route_substring)

    async def wait_until(self, holds: Callable[[], bool], timeout: float = 20.0) -> None:
        """Waits for what a call, or a connection, of the bot makes true; ``TimeoutError`` if none does."""
        await self.state.wait_until(holds, timeout)

    @property
    def commands(self) -> list[Json]:
        """The global application commands."""
        return self.state.commands.get(None, [])

    @property
    def typings(self) -> list[tuple[int, float]]:
        """Typing shown, as (channel, monotonic time)."""
        return self.state.typings

    def messages(self, channel_id: int) -> list[Json]:
        """All messages of a channel, oldest first, each with ``mentions_pinged``."""
        channel = self.state.channels[int(channel_id)]
        return [
            {**self.state.show(message, nonce=True), "mentions_pinged": list(message.pinged)}
            for message in channel.messages.values()
        ]

    # --- REST, going wrong

    def fail_next(
        self, route_substring: str, status: int = 500, times: int = 1, body: Json | str | None = None
    ) -> None:
        """The next calls whose ``METHOD /path`` contains the text fail, without effect. Text bodies are HTML."""
        self._rest.faults.append(Fault(route_substring, times, "fail", status=status, body=body))

    def drop_next(self, route_substring: str, times: int = 1, after_effect: bool = False) -> None:
        """The connection is cut: before anything happened, or when all has happened.

        aiohttp's client repeats GET, PUT and DELETE by itself, once, on a kept connection: drop those twice.
        """
        self._rest.faults.append(Fault(route_substring, times, "drop", after_effect=after_effect))

    def delay_next(self, route_substring: str, seconds: float, times: int = 1) -> None:
        """The call waits before it has its effect."""
        self._rest.faults.append(Fault(route_substring, times, "delay", seconds=seconds))

    def limit_next(
        self,
        route_substring: str,
        retry_after: float,
        is_global: bool = False,
        times: int = 1,
        cloudflare: bool = False,
    ) -> None:
        """The next calls get a 429, without effect; with ``cloudflare`` the one that carries no JSON."""
        fault = Fault(route_substring, times, "limit", seconds=retry_after, is_global=is_global, cloudflare=cloudflare)
        self._rest.faults.append(fault)

    def clear_faults(self) -> None:
        self._rest.faults.clear()

    def expire_links(self) -> None:
        """Every link to an attachment handed out so far answers 404; fetched messages bring new ones."""
        self.state.expire_links()

    # --- the gateway, going wrong

    def cut(self) -> None:
        """Kills every gateway socket without a close frame; what was on its way is lost, and replayed on RESUME."""
        self._gateway.cut()

    def close(self, code: int) -> None:
        """Closes every gateway socket with this code."""
        self._gateway.close(code)

    def invalidate(self, resumable: bool) -> None:
        """Sends INVALID_SESSION."""
        self._gateway.invalidate(resumable)

    def ask_to_reconnect(self) -> None:
        """Sends RECONNECT."""
        self._gateway.ask_to_reconnect()

    def expire_sessions(self) -> None:
        """No present session can be resumed: RESUME gets INVALID_SESSION false. Open connections last."""
        self._gateway.expire_sessions()

    def mute_heartbeats(self, muted: bool = True) -> None:
        """Heartbeats are no longer acknowledged; events still come. See ``freeze``."""
        self._gateway.heartbeats_muted = muted

    def freeze(self) -> None:
        """Makes zombies of the open connections: they stay open, and nothing passes in either direction."""
        self._gateway.freeze()

    async def connected(self, timeout: float = 30) -> None:
        """Waits until a session is READY or RESUMED."""
        with suppress(TimeoutError):
            return await self.wait_until(lambda: bool(self._gateway.live()), timeout)
        raise TimeoutError(f"no session after {timeout} s: {self.identifies} identified, {self.resumes} resumed")

    @property
    def sessions(self) -> list[Session]:
        """Those that are connected, or can still be resumed."""
        return list(self._gateway.sessions.values())

    @property
    def live_sessions(self) -> list[Session]:
        return self._gateway.live()
