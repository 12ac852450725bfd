"""Discord: direct messages with one bot.

Nothing is lost: within a session the gateway's events are committed in order; a broken connection is resumed; and what
neither brings (a session that ended, a desk that was down) is read from the history of every known chat, from the last
committed message on. Nothing goes out twice: sends carry a nonce that Discord enforces, and one that may have gone out
longer ago than Discord remembers is looked for in the chat before it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import discord
import structlog

from bot.domain.channel import Capabilities, Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment
from bot.domain.said import fault
from bot.ports import ConnectorContext, Health, NullHealth, Plugin, Receive, Records, Words
from connectors.backoff import Backoff
from connectors.discord import messages
from connectors.discord.api import REFUSED, UNREADABLE, Api, explained
from connectors.discord.background import DiscordTasks
from connectors.discord.check import examine
from connectors.discord.commands import commands
from connectors.discord.connection import Connection
from connectors.discord.events import NAME
from connectors.discord.gateway import Session
from connectors.discord.intake import Intake
from connectors.discord.library import point_at
from connectors.discord.markdown import length
from connectors.discord.settings import DiscordSettings

__all__ = ["DiscordConnector", "DiscordSettings", "plugin"]

log = structlog.get_logger(__name__)

MAX_LENGTH = 2000
MAX_FILE = 10 * 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SESSION = "session"
_ENDED = fault("Discord's gateway ended the connection.", "discord.fault.ended")
_USED_UP = fault("The bot has used up Discord's connections for today.", "discord.fault.used_up")
_CLOSED = {
    4004: REFUSED,
    4010: fault(
        "Discord refused the shard. Run one desk with the newest version of Switchboard, and start it again.",
        "discord.fault.shard",
    ),
    4011: fault(
        "Discord wants more shards than the desk opened. Start the desk again: it asks for their number.",
        "discord.fault.more_shards",
    ),
    4012: fault(
        "Discord no longer speaks this version of its gateway. Update Switchboard.", "discord.fault.old_gateway"
    ),
    4013: fault("Discord knows no such intents. Update Switchboard.", "discord.fault.unknown_intents"),
    4014: fault(
        "Discord refused the intents. The desk asks for direct messages alone, which needs no approval: see that the"
        " application is a bot, and not restricted, in the Discord Developer Portal.",
        "discord.fault.intents",
    ),
}
"""Close codes of the gateway after which no retry helps."""


class DiscordConnector:
    """One bot. ``send``, ``edit``, ``delete``, ``typing`` and ``fetch`` work without ``run``."""

    name = NAME
    capabilities = Capabilities(
        buttons=True,
        markdown=True,
        typing=True,
        edits=True,
        attachments=True,
        quotes=True,
        idempotent=True,
        exclusive=True,  # two sessions of a bot would bring everything twice
        max_length=MAX_LENGTH,
        length=length,
        max_file=MAX_FILE,
        title="Discord",
        icon="M7 7c3-1.5 7-1.5 10 0 2 3 3 6.5 2.5 10-1.5 1-2.5 1.5-3.5 1.5L15 16.5M9 16.5l-1 2c-1 0-2-.5-3.5-1.5"
        "C4 13.5 5 10 7 7m2.5 5.5v.01m5-.01v.01M9 16.5c2 .6 4 .6 6 0",
        signed_in=True,
    )

    def __init__(
        self,
        settings: DiscordSettings,
        token: str,
        records: Records,
        health: Health | None = None,
        *,
        words: Words,
        egress: Sequence[str] = (),
    ) -> None:
        """Makes no call. A token that cannot be one is refused by ``run``."""
        self.settings = settings
        self.account = ""
        self._token = token.strip()
        self._records = records
        self._health = health or NullHealth()
        self._api = Api(settings.api_base, self._token, egress)
        self._tasks = DiscordTasks(self._api, self._health, words)

    async def run(self, receive: Receive) -> None:
        """Brings events until cancelled; the session is then left to the next start.

        Raises ``PermanentError`` if Discord refuses the token or what the bot asks for.
        """
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._connected(receive)
                raise TemporaryError(_ENDED)
            except discord.LoginFailure:
                raise PermanentError(REFUSED) from None
            except discord.PrivilegedIntentsRequired:
                raise PermanentError(_CLOSED[4014]) from None
            except PermanentError:
                raise
            except Exception as error:
                if isinstance(error, discord.ConnectionClosed) and error.code in _CLOSED:
                    raise PermanentError(_CLOSED[error.code]) from None
                if isinstance(error, discord.HTTPException) and error.status == 401:
                    raise PermanentError(REFUSED) from None
                wait = self._interrupted(error)
                if asyncio.get_running_loop().time() - started > _LONGEST_PAUSE:
                    backoff.reset()
                await backoff.pause(wait)

    async def send(self, message: Outgoing) -> str:
        with self._tasks.sending(message.chat_id):
            return await messages.send(self._api, message)

    async def edit(self, message: Outgoing, external_id: str) -> None:
        await messages.edit(self._api, message, external_id)

    async def delete(self, chat_id: str, external_id: str) -> None:
        await messages.delete(self._api, chat_id, external_id)

    async def typing(self, chat_id: str, thread: str = "") -> None:  # noqa: ARG002 - a chat is one conversation
        await messages.typing(self._api, chat_id)

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        return await messages.fetch(self._api, attachment, chat_id, external_id, limit)

    async def close(self) -> None:
        """Closes the connections. Nothing can be sent afterwards."""
        await self._tasks.close()
        await self._api.close()

    # --- one connection to the gateway

    async def _connected(self, receive: Receive) -> None:
        self._health.connecting()
        self.account = await self._api.me()
        known = await self._records.chats(NAME, self.account)
        shards = await self._find_gateway()
        intake = Intake(self._api, self._records, receive, self.account, known)
        session = Session.recalled(await self._records.recall(NAME, self.account, _SESSION))
        connection = Connection(
            self.account, intake, self._tasks, self._health, self.keep, shards=shards, session=session
        )
        intake.catch_up()
        try:
            await connection.run(self._token)
        finally:
            await intake.close()

    def _interrupted(self, error: Exception) -> float:
        """Says what went wrong; the seconds to wait at least."""
        told = explained(error)
        self._health.connecting()
        self._health.trouble(told.fault)
        log.warning("discord connection failed", action="discord_failed", error=str(told), kind=type(error).__name__)
        return told.retry_after or 0.0 if isinstance(told, TemporaryError) else 0.0

    async def _find_gateway(self) -> int:
        """Says to discord.py where it is; returns how many shards Discord wants."""
        given = self.settings.gateway_url
        try:
            where = await self._api.call("GET", "/gateway/bot")
        except discord.NotFound:
            if given is None:
                raise
            where = {"url": given, "shards": 1}  # a server that needs no more than its own address
        limit = where.get("session_start_limit") or {}
        if limit.get("remaining", 1) < 1:
            wait = float(limit.get("reset_after", 0)) / 1000
            raise TemporaryError(_USED_UP, wait)
        url = given or str(where["url"])
        if not url.startswith(("wss://", "ws://")):
            raise TemporaryError(UNREADABLE)  # discord.py would try that address for ever
        point_at(self.settings.api_base, url)
        return int(where["shards"])

    async def keep(self, session: Session) -> None:
        """Remembers where a restart goes on."""
        await self._records.remember(NAME, self.account, _SESSION, session.kept())


def _build(settings: DiscordSettings, context: ConnectorContext) -> DiscordConnector:
    return DiscordConnector(
        settings,
        context.access.secret,
        context.records,
        context.health,
        words=context.words,
        egress=context.access.egress,
    )


plugin = Plugin(
    settings=DiscordSettings,
    build=_build,
    secret_variable="DISCORD_BOT_TOKEN",  # noqa: S106
    commands=commands,
    check=lambda settings, access: examine(settings, access.secret),
)
