"""Discord: direct messages with one bot.

Nothing is lost: within a session the gateway's events are committed in order; a broken connection is resumed; and what
neither brings (a session that ended, a desk that was down) is read from the history of every known chat, from the last
committed message on. Nothing goes out twice: sends carry a nonce that Discord enforces, and one that may have gone out
longer ago than Discord remembers is looked for in the chat before it is sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

import discord
import structlog

from bot.model import Attachment, Incoming, Outgoing
from connectors.backoff import Backoff
from connectors.base import (
    Capabilities,
    Health,
    PermanentError,
    Plugin,
    Receive,
    Records,
    Surroundings,
    TemporaryError,
    Unobserved,
)
from connectors.discord import interactions
from connectors.discord.api import REFUSED, UNKNOWN_MESSAGE, UNREADABLE, Api, explain, explained, point_at
from connectors.discord.check import examine
from connectors.discord.commands import commands
from connectors.discord.events import (
    NAME,
    Interaction,
    MalformedEvent,
    author_id,
    message_id,
    partly_edited,
    read_deletion,
    read_edit,
    read_interaction,
    read_message,
)
from connectors.discord.gateway import Gateway, Session
from connectors.discord.intake import PAGE, Event, Intake
from connectors.discord.markdown import length, render
from connectors.discord.settings import DiscordSettings

__all__ = ["DiscordConnector", "DiscordSettings", "plugin"]

log = structlog.get_logger(__name__)

MAX_LENGTH = 2000
MAX_FILE = 10 * 1024 * 1024
ANSWER_WITHIN = 2.0
"""Seconds in which an event is committed, as a rule. Discord gives three; then the customer sees a failure."""
WRITTEN_WITHIN = 10.0
"""Seconds in which the first words reach a customer who opened the chat, as a rule."""
CONNECTED_WITHIN = 15.0
"""Seconds without a session after which operators are told."""
KEEP_EVERY = 1.0
"""Seconds between two writings of where the session can be resumed."""
KEEP_WITHIN = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

_SESSION = "session"
_SUPPRESS_PREVIEWS = 1 << 2
_NO_MENTIONS: dict[str, Any] = {"parse": [], "replied_user": False}
_STICKERS = "https://media.discordapp.net/stickers/{}.png"

_CLOSED = {
    4004: REFUSED,
    4010: "Discord refused the shard. Run one desk with the newest version of Switchboard, and start it again.",
    4011: "Discord wants more shards than the desk opened. Start the desk again: it asks for their number.",
    4012: "Discord no longer speaks this version of its gateway. Update Switchboard.",
    4013: "Discord knows no such intents. Update Switchboard.",
    4014: (
        "Discord refused the intents. The desk asks for direct messages alone, which needs no approval: see that the"
        " application is a bot, and not restricted, in the Discord Developer Portal."
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
    )

    def __init__(self, settings: DiscordSettings, token: str, records: Records, health: Health | None = None) -> None:
        """Makes no call. A token that cannot be one is refused by ``run``."""
        self.settings = settings
        self.account = ""
        self._token = token.strip()
        self._records = records
        self._health = health or Unobserved()
        self._api = Api(settings.api_base, self._token)
        self._errands: set[asyncio.Task[None]] = set()
        self._opened: dict[str, asyncio.Future[str | None]] = {}
        """Chats that a customer has just opened: what becomes of the first words there, None or the error."""

    async def run(self, receive: Receive) -> None:
        """Brings events until cancelled; the session is then left to the next start.

        Raises ``PermanentError`` if Discord refuses the token or what the bot asks for.
        """
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._connected(receive)
                raise TemporaryError("Discord's gateway ended the connection.")
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

    def _interrupted(self, error: Exception) -> float:
        """Says what went wrong; the seconds to wait at least."""
        told = explained(error)
        self._health.connecting()
        self._health.trouble(str(told))
        log.warning("discord connection failed", action="discord_failed", error=str(told), kind=type(error).__name__)
        return told.retry_after or 0.0 if isinstance(told, TemporaryError) else 0.0

    async def send(self, message: Outgoing) -> str:
        opened = self._opened.pop(message.chat_id, None)
        try:
            sent = await self._send(message)
        except Exception as error:
            told = explained(error)
            if opened is not None and not opened.done():
                opened.set_result(str(told) if isinstance(told, PermanentError) else None)
            raise told from None
        if opened is not None and not opened.done():
            opened.set_result(None)
        return sent

    async def _send(self, message: Outgoing) -> str:
        body = self._body(message)
        if message.repeated and (earlier := await self._sent_earlier(message, body)) is not None:
            return earlier
        # A nonce has at most 25 characters.
        body["nonce"] = hashlib.blake2b(message.key.encode(), digest_size=12).hexdigest()
        body["enforce_nonce"] = True
        if message.reply_to is not None and message.reply_to.isdecimal():
            body["message_reference"] = {"message_id": message.reply_to, "fail_if_not_exists": False}
        sent = await self._call(
            "POST", "/channels/{channel_id}/messages", message.chat_id, json=body, file=message.file
        )
        number = str(message_id(sent))
        if number == "0":
            raise TemporaryError(UNREADABLE)
        if message.repeated and message.file is None and sent.get("content", "").strip() != body["content"].strip():
            # The nonce found a try from before the message was edited.
            await self.edit(message, number)
        return number

    def _body(self, message: Outgoing) -> dict[str, Any]:
        body: dict[str, Any] = {"allowed_mentions": _NO_MENTIONS, "flags": _SUPPRESS_PREVIEWS}
        if message.file is None:
            body["content"] = render(message.text, message.format)
            if not body["content"].strip():
                raise PermanentError("The message is empty: Discord sends none without text.")
            body["components"] = interactions.components(message.buttons)
        return body

    async def _sent_earlier(self, message: Outgoing, body: dict[str, Any]) -> str | None:
        """The id of the message, if an earlier try reached the customer: Discord forgets a nonce within minutes."""
        answered = re.fullmatch(r"(?:interaction:)?(\d+)", message.reply_to or "")
        since = max(int(message.after or 0), int(answered[1]) if answered else 0)
        if not since:
            return None  # nothing tells this try's message from an older one
        me = await self._api.me()
        while True:
            page = await self._call(
                "GET", "/channels/{channel_id}/messages", message.chat_id, query={"after": str(since), "limit": PAGE}
            )
            if not isinstance(page, list):
                raise TemporaryError(UNREADABLE)
            for raw in sorted(page, key=message_id):
                if author_id(raw) == me and _shows(raw, message, body):
                    return str(message_id(raw))
            latest = max(map(message_id, page), default=0)
            if latest <= since:
                return None
            since = latest

    async def edit(self, message: Outgoing, external_id: str) -> None:
        try:
            await self._call(
                "PATCH",
                "/channels/{channel_id}/messages/{message_id}",
                message.chat_id,
                json=self._body(message),
                message_id=external_id,
            )
        except Exception as error:
            explain(error)

    async def delete(self, chat_id: str, external_id: str) -> None:
        try:
            await self._call("DELETE", "/channels/{channel_id}/messages/{message_id}", chat_id, message_id=external_id)
        except discord.NotFound as error:
            if error.code != UNKNOWN_MESSAGE:
                explain(error)
        except Exception as error:
            explain(error)

    async def typing(self, chat_id: str) -> None:
        try:
            await self._call("POST", "/channels/{channel_id}/typing", chat_id)
        except Exception as error:
            log.debug("typing not shown", action="discord_typing_failed", error=type(error).__name__)

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        try:
            if attachment.kind == "sticker":
                return await self._api.download(_STICKERS.format(attachment.reference), limit)
            try:
                return await self._api.download(_checked(attachment.reference), limit)
            except FileNotFoundError:
                return await self._api.download(await self._fresh_link(attachment, chat_id, external_id), limit)
        except FileNotFoundError:
            raise PermanentError("The file is gone at Discord.") from None
        except Exception as error:
            explain(error)

    async def _fresh_link(self, attachment: Attachment, chat_id: str, external_id: str) -> str:
        """Discord's links expire within a day; the message has new ones."""
        path = urlsplit(attachment.reference).path
        try:
            message = await self._call(
                "GET", "/channels/{channel_id}/messages/{message_id}", chat_id, message_id=external_id
            )
        except discord.NotFound:
            raise FileNotFoundError from None
        shots = [shot["message"] for shot in message.get("message_snapshots") or ()]
        for content in (message, *shots):
            for file in content.get("attachments") or ():
                if urlsplit(file["url"]).path == path:
                    return _checked(file["url"])
        raise FileNotFoundError

    async def close(self) -> None:
        """Closes the connections. Nothing can be sent afterwards."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self._api.close()

    async def _call(self, method: str, path: str, chat_id: str, **more: Any) -> Any:
        if not chat_id.isascii() or not chat_id.isdecimal():
            raise PermanentError("This is not a Discord channel.")
        return await self._api.call(method, path, channel_id=chat_id, **more)

    # --- one connection to the gateway

    async def _connected(self, receive: Receive) -> None:
        self._health.connecting()
        self.account = await self._api.me()
        known = await self._records.chats(NAME, self.account)
        shards = await self._find_gateway()
        intake = Intake(self._api, self._records, receive, self.account, known)
        session = Session.recalled(await self._records.recall(NAME, self.account, _SESSION))
        connection = _Connection(self, intake, self._health, shards, session)
        intake.catch_up()
        try:
            await connection.run(self._token)
        finally:
            await intake.close()

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
            raise TemporaryError("The bot has used up Discord's connections for today.", wait)
        url = given or str(where["url"])
        if not url.startswith(("wss://", "ws://")):
            raise TemporaryError(UNREADABLE)  # discord.py would try that address for ever
        point_at(self.settings.api_base, url)
        return int(where["shards"])

    async def keep(self, session: Session) -> None:
        """Remembers where a restart goes on."""
        await self._records.remember(NAME, self.account, _SESSION, session.kept())

    # --- errands: what may fail without loss

    def run_errand(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)  # the event loop alone would let it be collected
        task.add_done_callback(self._errands.discard)

    async def announce_commands(self, application_id: int) -> None:
        try:
            await self._api.call(
                "PUT",
                "/applications/{application_id}/commands",
                json=interactions.commands(),
                application_id=str(application_id),
            )
        except Exception as error:
            said = str(explained(error))
            log.warning("commands not announced", action="discord_announce_commands_failed", error=said)
            self._health.trouble(f"The slash commands could not be announced: {said}")

    async def acknowledge(self, interaction: Interaction, event: Event) -> None:
        """Answers what was done in the chat itself: when it is committed, or before the customer is shown a failure."""
        answers = interactions.Answers(self._api, interaction)
        try:
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await event.committed.wait()
            except TimeoutError:
                pass  # it stays in line, and nobody else will bring it again
            if interaction.command is None:
                await answers.taken()
            else:
                await answers.said(interactions.words("here", interaction.locale))
        except Exception as error:  # most often: done too long ago
            log.debug("interaction not answered", action="discord_answer_failed", error=type(error).__name__)

    async def open_chat(self, interaction: Interaction, connection: _Connection) -> None:
        """Opens the direct messages for somebody who asked on a server, and tells them there where it goes on."""
        answers = interactions.Answers(self._api, interaction)
        try:
            await answers.later()
        except Exception as error:
            log.info("interaction not answered", action="discord_answer_failed", error=type(error).__name__)
        try:
            said = await self._open(interaction, connection)
        except Exception as error:
            log.warning("chat not opened", action="discord_open_failed", error=str(explained(error)))
            said = interactions.words("failed", interaction.locale)
        try:
            await answers.finally_said(said)
        except Exception as error:
            log.info("interaction not answered", action="discord_answer_failed", error=type(error).__name__)

    async def _open(self, interaction: Interaction, connection: _Connection) -> str:
        channel = await self._api.call(
            "POST", "/users/@me/channels", json={"recipient_id": int(interaction.sender.external_id)}
        )
        chat_id = str(message_id(channel))
        if chat_id == "0":
            raise TemporaryError(UNREADABLE)
        opened = self._opened.setdefault(chat_id, asyncio.get_running_loop().create_future())
        event = connection.offer(interaction.incoming(self.account, chat_id))
        problem, written = None, False
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                await event.committed.wait()
                problem, written = await asyncio.shield(opened), True
        except TimeoutError:
            if not event.committed.is_set():
                return interactions.words("failed", interaction.locale)
        finally:
            if self._opened.get(chat_id) is opened:
                del self._opened[chat_id]
        if problem is not None:
            return interactions.words("closed", interaction.locale)
        link = f"https://discord.com/channels/@me/{chat_id}"
        # A person may have the conversation, and then nothing new is written there.
        return interactions.words("there" if written else "continue", interaction.locale, link=link)


class _Connection:
    """One connection to the gateway. What it brings is handed on in the moment in which it comes."""

    def __init__(
        self, connector: DiscordConnector, intake: Intake, health: Health, shards: int, session: Session | None
    ) -> None:
        self._connector = connector
        self._intake = intake
        self._health = health
        self._is_connected = False
        self._is_announced = False
        self._kept = session
        self._gateway = Gateway(
            {
                "MESSAGE_CREATE": partial(self._take, read_message),
                "MESSAGE_UPDATE": partial(self._take, read_edit),
                "MESSAGE_DELETE": partial(self._take, read_deletion),
                "INTERACTION_CREATE": self._take_interaction,
            },
            shards=shards,
            resume=session,
            begins=intake.begin_session,
            connected=self._connected,
            disconnected=self._disconnected,
        )

    async def run(self, token: str) -> None:
        """Until it ends for good, which raises what discord.py raises; or until cancelled, resumable then."""
        async with self._gateway:
            await self._gateway.http.static_login(token)
            beside = [asyncio.create_task(self._keep_session()), asyncio.create_task(self._watch())]
            # A task of its own: while it reconnects, discord.py swallows a cancellation, and would wait for ever.
            connecting = asyncio.create_task(self._gateway.connect())
            try:
                await asyncio.shield(connecting)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                await self._keep_now()
                connecting.cancel()
                await self._gateway.leave()
                await asyncio.gather(connecting, return_exceptions=True)

    def offer(self, incoming: Incoming) -> Event:
        return self._intake.offer(incoming, self._gateway.sequence)

    def _take(self, read: Callable[[object, str], Incoming | None], raw: object) -> None:
        if (chat_id := partly_edited(raw)) is not None:
            self._intake.revisit(chat_id)
            return
        try:
            incoming = read(raw, self._connector.account)
        except MalformedEvent as error:
            log.warning("event malformed", action="discord_event_malformed", error=str(error))
            return
        if incoming is not None:
            self.offer(incoming)

    def _take_interaction(self, raw: object) -> None:
        try:
            interaction = read_interaction(raw)
        except MalformedEvent as error:
            log.warning("interaction malformed", action="discord_event_malformed", error=str(error))
            return
        if interaction is None:
            return
        if interaction.chat_id is None:
            self._connector.run_errand(self._connector.open_chat(interaction, self))
        else:
            event = self.offer(interaction.incoming(self._connector.account, interaction.chat_id))
            self._connector.run_errand(self._connector.acknowledge(interaction, event))

    async def _connected(self) -> None:
        log.info("discord connected", action="discord_connected", account=self._connector.account)
        self._is_connected = True
        self._health.connected(self._connector.account)
        if not self._is_announced:
            self._is_announced = True
            self._connector.run_errand(self._connector.announce_commands(self._application_id))

    def _disconnected(self) -> None:
        log.info("discord disconnected; reconnecting", action="discord_disconnected", account=self._connector.account)
        self._is_connected = False
        self._health.connecting()

    @property
    def _application_id(self) -> int:
        # A resumed session does not say it again.
        said = self._gateway.application_id or (self._kept.application_id if self._kept else 0)
        return said or int(self._connector.account)

    async def _watch(self) -> NoReturn:
        """discord.py tries for ever to get a connection, and says so in the log alone."""
        while True:
            await asyncio.sleep(CONNECTED_WITHIN)
            if not self._is_connected:
                self._health.trouble("Discord's gateway has not let the bot in yet; the desk keeps trying.")

    async def _keep_session(self) -> NoReturn:
        while True:
            await asyncio.sleep(KEEP_EVERY)
            await self._keep_now()

    async def _keep_now(self) -> None:
        committed = self._intake.committed(self._gateway.sequence)
        session = self._gateway.session(committed, self._application_id) if committed >= 0 else None
        if session is None or session == self._kept:
            return
        try:
            async with asyncio.timeout(KEEP_WITHIN):
                await self._connector.keep(session)
            self._kept = session
        except Exception as error:
            log.warning("session not kept", action="discord_keep_failed", error=type(error).__name__)


def _shows(raw: Any, message: Outgoing, body: dict[str, Any]) -> bool:
    """Whether a message of the chat's history is what ``body`` would make."""
    if message.file is not None:
        return [file.get("size") for file in raw.get("attachments") or ()] == [len(message.file.content)]
    return bool(raw.get("content", "").strip() == body["content"].strip())


def _checked(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise PermanentError("Discord named no address for the file.")
    return url


def _build(settings: DiscordSettings, surroundings: Surroundings) -> DiscordConnector:
    return DiscordConnector(settings, surroundings.secret, surroundings.records, surroundings.health)


plugin = Plugin(
    settings=DiscordSettings,
    build=_build,
    secret_variable="DISCORD_BOT_TOKEN",  # noqa: S106
    commands=commands,
    check=examine,
)
