"""Telegram: private chats with one bot, by long polling or by webhook.

Nothing is acknowledged to Telegram before the desk has committed it. python-telegram-bot's own updater
confirms updates when it fetches them, so only its transport, types and errors are used here: the offset moves
past an update once ``receive`` has returned for it, and a webhook is answered 200 only then.

No offset is stored. Telegram keeps what was not confirmed and brings it again; what was committed but not yet
confirmed is a duplicate, which the store refuses by ``Incoming.external_id``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import re
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, NoReturn
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request, Response
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from starlette.requests import ClientDisconnect
from structlog.typing import FilteringBoundLogger
from telegram import (
    Bot,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MaybeInaccessibleMessage,
    Message,
    MessageEntity,
    Update,
    User,
)
from telegram.constants import ChatType, MessageType
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.ext.filters import StatusUpdate
from telegram.request import HTTPXRequest

from bot.model import Attachment, Button, Command, Incoming, MessageFormat, Outgoing, Sender
from connectors.base import (
    Capabilities,
    PermanentError,
    Plugin,
    Receive,
    Surroundings,
    TemporaryError,
    parse_command,
)

log: FilteringBoundLogger = structlog.get_logger(__name__)

# httpx logs every URL, and Telegram's URLs hold the token; python-telegram-bot logs parameters and results,
# which hold what customers wrote. Neither may reach a log, however the root logger is set.
for _name in ("httpx", "telegram"):
    logging.getLogger(_name).setLevel(logging.WARNING)

WEBHOOK_PATH = "/telegram/webhook"
WEBHOOK_HEADER = "X-Telegram-Bot-Api-Secret-Token"

_ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
_MAX_BODY = 1_000_000
"""Bytes of one webhook call. Telegram's own updates stay far below."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_LAST_WORD = 3.0
"""Seconds that a shutdown waits for Telegram to take the final confirmation."""

_REFUSED = (
    "Telegram refused the bot token. Set TELEGRAM_BOT_TOKEN to the token that @BotFather shows for this bot"
    " (digits, a colon, letters); if channels.telegram.base_url is set, check that address too."
)
_CONFLICT = (
    "another program fetches this bot's messages: stop it, or give this desk a bot of its own"
    " (a new token from @BotFather in TELEGRAM_BOT_TOKEN)"
)
_UNREADABLE = "What answered in Telegram's place could not be understood."
_TOO_SOON = 0.2
_FORGET_AFTER = 3600.0
"""Seconds without an update after which the offset is forgotten."""
_COMMANDS = {
    "": ("Start", "What I can help with", "Talk to a person"),
    "zh": ("开始", "我能帮您做什么", "联系人工客服"),
}
"""What Telegram's menu says of /start, /help and /human, by language; ``""`` is everybody else's."""


class TelegramSettings(BaseModel):
    """The section ``channels.telegram`` of ``config.yml``. The token is not here: TELEGRAM_BOT_TOKEN."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    mode: Literal["polling", "webhook"] = "polling"
    base_url: str = "https://api.telegram.org/bot"
    """The Bot API server; the token is appended as it stands. ``/bot`` may be left out: ``http://127.0.0.1:8081``."""
    base_file_url: str | None = None
    """Where files are downloaded, with the same rules; unless set, ``base_url`` with ``/file`` before ``/bot``."""
    webhook_url: str | None = None
    """Public address of the webhook, needed in mode ``webhook``; without a path, ``/telegram/webhook`` is added."""
    poll_timeout: int = Field(default=30, ge=1, le=50)
    """Seconds that one fetch waits for news."""

    @field_validator("base_url")
    @classmethod
    def _complete_base_url(cls, value: str) -> str:
        return _completed(value, "/bot")

    @field_validator("base_file_url")
    @classmethod
    def _complete_file_url(cls, value: str | None) -> str | None:
        return None if value is None else _completed(value, "/file/bot")

    @field_validator("webhook_url")
    @classmethod
    def _complete_webhook_url(cls, value: str | None) -> str | None:
        return None if value is None else _completed(value, WEBHOOK_PATH)

    @model_validator(mode="after")
    def _need_webhook_url(self) -> TelegramSettings:
        if self.mode == "webhook" and self.webhook_url is None:
            raise ValueError("webhook_url is required when mode is webhook")
        return self

    @property
    def file_url(self) -> str:
        root, _, last = self.base_url.rpartition("/")
        return self.base_file_url or f"{root}/file/{last}"


def _completed(url: str, path: str) -> str:
    url = url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://example.com")
    return url if parts.path else url + path


# --- from Telegram: one raw update becomes an Incoming ------------------------------------------


class MalformedUpdate(ValueError):
    """An update that does not have Telegram's form. Its text is the kind of error, never what the update held."""


def read_update(raw: object, account: str) -> Incoming | None:
    """What one update says to the desk; None if it is of no concern (groups, other bots, service messages).

    Raises ``MalformedUpdate``, and nothing else, whatever ``raw`` is.
    """
    try:
        if not isinstance(raw, dict) or _update_id(raw) is None:
            raise TypeError
        update = Update.de_json(_pruned(raw))
        if update.callback_query is not None:
            return _press(update.callback_query, account)
        if StatusUpdate.ALL.check_update(update):
            return None
        if update.message is not None:
            return _message(update.message, account)
        if update.edited_message is not None:
            return _edit(update.edited_message, update.update_id, account)
        return None
    except Exception as error:
        # The library does not check types, so that anything may be raised from anywhere in it.
        raise MalformedUpdate(type(error).__name__) from None


_UNREAD = frozenset(
    {
        "business_connection_id",
        "effect_id",
        "external_reply",
        "forward_origin",
        "link_preview_options",
        "quote",
        "reply_markup",
        "reply_to_message",
        "reply_to_story",
        "sender_boost_count",
        "sender_business_bot",
        "via_bot",
    }
)
"""Parts of a message that the desk does not read, and that therefore must not be able to spoil it: a reply to
something newer than the library would otherwise count as malformed."""


def _pruned(update: dict[str, Any]) -> dict[str, Any]:
    pruned = dict(update)
    for kind in ("message", "edited_message"):
        if isinstance(pruned.get(kind), dict):
            pruned[kind] = {name: value for name, value in pruned[kind].items() if name not in _UNREAD}
    return pruned


def _update_id(update: object) -> int | None:
    value = update.get("update_id") if isinstance(update, dict) else None
    return value if type(value) is int and 0 < value < 2**63 else None


def _press(query: CallbackQuery, account: str) -> Incoming | None:
    if query.message is None or query.message.chat.type != ChatType.PRIVATE or query.from_user.is_bot:
        return None
    if query.data is None:  # a game's button: we never send one
        return None
    payload = _text(query.data)
    return Incoming(
        channel=TelegramConnector.name,
        account=account,
        external_id=f"callback:{_text(query.id)}",
        sender=_sender(query.from_user),
        chat_id=str(_integer(query.message.chat.id)),
        text=_label(query.message, payload),
        button=payload,
    )


def _label(message: MaybeInaccessibleMessage, payload: str) -> str:
    """What the pressed button said. Telegram names only its payload, and withholds messages that are old."""
    markup = message.reply_markup if isinstance(message, Message) else None
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            if button.callback_data == payload:
                return _text(button.text)
    return payload


def _message(message: Message, account: str) -> Incoming | None:
    sender = message.from_user
    if message.chat.type != ChatType.PRIVATE or sender is None or sender.is_bot:
        return None
    chat_id = str(_integer(message.chat.id))
    text = _text(message.text or message.caption)
    command, argument = parse_command(text) or (None, "")
    return Incoming(
        channel=TelegramConnector.name,
        account=account,
        external_id=f"{chat_id}:{_integer(message.message_id)}",
        sender=_sender(sender),
        chat_id=chat_id,
        text=text,
        command=command,
        argument=argument,
        attachments=_attachments(message),
        sent_at=message.date,
    )


def _edit(message: Message, update_id: int, account: str) -> Incoming | None:
    if message.location is not None:  # a live location on its way: many a minute, and none says anything
        return None
    edited = _message(message, account)
    if edited is None:
        return None
    at = int(message.edit_date.timestamp()) if message.edit_date else 0
    return replace(
        edited,
        external_id=f"{edited.external_id}:edit:{at}:{update_id}",
        edits=edited.external_id,
        command=None,  # correcting an old message is not a new request
        argument="",
    )


_FILES = {
    "animation": "video",  # before document: Telegram sets both
    "document": "file",
    "voice": "voice",
    "audio": "audio",
    "video": "video",
    "video_note": "video",
}


def _attachments(message: Message) -> tuple[Attachment, ...]:
    if message.photo:
        largest = max(message.photo, key=lambda photo: photo.width * photo.height)
        return (Attachment("photo", _text(largest.file_id), size=_size(largest.file_size)),)
    for name, kind in _FILES.items():
        if (file := getattr(message, name)) is not None:
            return (
                Attachment(
                    kind,
                    _text(file.file_id),
                    name=_text(getattr(file, "file_name", None)),
                    media_type=_text(getattr(file, "mime_type", None)),
                    size=_size(file.file_size),
                ),
            )
    if sticker := message.sticker:
        return (
            Attachment("sticker", _text(sticker.file_id), name=_text(sticker.emoji), size=_size(sticker.file_size)),
        )
    if venue := message.venue:  # before location: Telegram sets both
        name = ", ".join(part for part in (_text(venue.title), _text(venue.address)) if part)
        return (Attachment("location", f"{venue.location.latitude:f},{venue.location.longitude:f}", name=name),)
    if place := message.location:
        return (Attachment("location", f"{place.latitude:f},{place.longitude:f}"),)
    if card := message.contact:
        name = f"{_text(card.first_name)} {_text(card.last_name)}".strip()
        return (Attachment("contact", _text(card.phone_number), name=name),)
    if message.text:
        return ()
    return (Attachment("unsupported", _content(message)),)


def _content(message: Message) -> str:
    """What Telegram calls content that the desk cannot show: ``poll``, ``dice``, or a name from the future."""
    known = (kind.value for kind in MessageType if getattr(message, kind.value))
    return next(known, next(iter(message.api_kwargs), "unknown"))


def _sender(user: User) -> Sender:
    name = f"{_text(user.first_name)} {_text(user.last_name)}".strip()
    return Sender(str(_integer(user.id)), name=name, language=_text(user.language_code) or None)


def _text(value: object) -> str:
    """Text that every database and every encoder takes: without NUL and without lone surrogates."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _size(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


# --- to Telegram: Markdown becomes plain text and entities --------------------------------------

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_SPANS = {
    "heading": MessageEntity.BOLD,
    "strong": MessageEntity.BOLD,
    "em": MessageEntity.ITALIC,
    "s": MessageEntity.STRIKETHROUGH,
    "blockquote": MessageEntity.BLOCKQUOTE,
}
_LINKABLE = ("http://", "https://", "tg://")
_ADDRESSES = ("mailto:", "tel:")


def render_markdown(markdown: str) -> tuple[str, list[MessageEntity]]:
    """The text as Telegram shows it, and the entities that point into it in UTF-16 units.

    Entities rather than Telegram's own Markdown, which refuses a whole message over one unescaped character.
    """
    page = _Page()
    for token in _MARKDOWN.parse(markdown):
        page.add(token)
    return page.text, sorted(page.entities, key=lambda entity: (entity.offset, -entity.length))


class _Page:
    """A message being laid out, token by token."""

    def __init__(self) -> None:
        self.text = ""
        self.entities: list[MessageEntity] = []
        self._length = 0
        self._newlines = 0
        self._marker = ""
        self._open: list[int] = []
        self._links: list[str] = []
        self._lists: list[int | None] = []
        """The next number of every list we are in; None for one of bullets."""

    def add(self, token: Token) -> None:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        match token.type:
            case "inline":
                for child in token.children or ():
                    self.add(child)
            case "text":
                self._write(token.content)
            case "softbreak":
                self._write(" ")
            case "hardbreak":
                self._write("\n")
            case "code_inline":
                self._begin()
                self._write(token.content)
                self._end(MessageEntity.CODE)
            case "fence" | "code_block":
                self._begin()
                self._write(token.content.rstrip("\n"))
                self._end(MessageEntity.PRE, language=token.info.split(maxsplit=1)[0] if token.info.strip() else None)
                self._newlines = 2
            case "image":
                self._link(str(token.attrs.get("src", "")))
                self._write(token.content)
                self._unlink()
            case "link_open":
                self._link(str(token.attrs.get("href", "")))
            case "link_close":
                self._unlink()
            case "hr":
                self._write("———")
                self._newlines = 2
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                if not self._lists:
                    self._newlines = 2
            case "list_item_open":
                self._item()
            case "list_item_close":
                self._newlines = max(self._newlines, 1)
            case "paragraph_close":
                self._newlines = 1 if token.hidden else 2  # hidden: an item of a list without blank lines
            case _ if kind in _SPANS and token.nesting > 0:
                self._begin()
            case _ if kind in _SPANS:
                self._end(_SPANS[kind])
                if token.block:
                    self._newlines = 2

    def _item(self) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "   " * (len(self._lists) - 1) + ("• " if number is None else f"{number}. ")

    def _write(self, text: str) -> None:
        """Writes what separates it from the text before, and then the text."""
        lead = ("\n" * self._newlines if self.text else "") + self._marker
        self._newlines, self._marker = 0, ""
        self.text += lead + text
        self._length += len((lead + text).encode("utf-16-le")) // 2

    def _begin(self) -> None:
        self._write("")  # an entity starts after the line break and the list's marker, not before
        self._open.append(self._length)

    def _end(self, kind: str, **details: str | None) -> None:
        start = self._open.pop()
        if self._length > start:
            self.entities.append(MessageEntity(kind, start, self._length - start, **details))  # type: ignore[arg-type]

    def _link(self, url: str) -> None:
        self._begin()
        self._links.append(url)

    def _unlink(self) -> None:
        url = self._links.pop()
        if url.startswith(_LINKABLE):
            self._end(MessageEntity.TEXT_LINK, url=url)
            return
        self._open.pop()
        # Telegram links to web addresses only, so others are spelt out; a relative one leads nowhere.
        address = url.partition(":")[2]
        if url.startswith(_ADDRESSES) and not self.text.endswith(address):
            self._write(f" ({address})")


def _keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(_text(button.label), callback_data=button.payload)] for button in buttons]
    )


# --- the wire -----------------------------------------------------------------------------------


class _Request(HTTPXRequest):
    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As in the library, which however logs all of an answer that it cannot parse: customers' words."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise TelegramError(_UNREADABLE)
        return answer


class _Api(Bot):
    """The Bot API with its results as they came.

    The typed methods parse a whole answer or fail: one malformed update would hide its batch, and a sent
    message that the library cannot parse would look unsent and go out twice.
    """

    async def call(self, method: str, **parameters: object) -> Any:
        """The raw result. Raises ``TelegramError``, and nothing else."""
        try:
            return await self._post(method, parameters)
        except KeyError:  # an answer 200 that holds no result
            raise TelegramError(_UNREADABLE) from None


class _Backoff:
    """Pauses that grow while something keeps failing."""

    def __init__(self) -> None:
        self._seconds = _FIRST_PAUSE

    def reset(self) -> None:
        self._seconds = _FIRST_PAUSE

    async def pause(self, at_least: float = 0.0) -> None:
        # Jitter, so that replicas that failed together do not return together.
        await asyncio.sleep(max(at_least, self._seconds * random.uniform(0.75, 1.25)))  # noqa: S311
        self._seconds = min(self._seconds * 2, _LONGEST_PAUSE)


class TelegramConnector:
    """One bot. ``send`` and ``typing`` work without ``run``: a replica that does not poll delivers all the same."""

    name = "telegram"
    capabilities = Capabilities(
        buttons=True,
        markdown=True,
        typing=True,
        edits=True,
        attachments=True,
        idempotent=False,
        exclusive=True,  # a second poller of the same bot ends the first one's fetch
        max_length=4096,
    )

    def __init__(self, settings: TelegramSettings, token: str) -> None:
        """Makes no call. A token that cannot be one is refused by ``run``."""
        self.settings = settings
        self._token = token.strip()
        self.account = self._token.partition(":")[0]
        # Fetches wait for long and have connections of their own, so that no send waits behind them.
        self._requests = (
            _Request(connection_pool_size=2, read_timeout=settings.poll_timeout + 15, connect_timeout=10),
            _Request(connection_pool_size=32, read_timeout=20, write_timeout=20, connect_timeout=10, pool_timeout=30),
        )
        self._bot = _Api(
            self._token or "none",  # the library refuses to exist without one
            base_url=settings.base_url,
            base_file_url=settings.file_url,
            get_updates_request=self._requests[0],
            request=self._requests[1],
        )
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self, receive: Receive) -> None:
        """Brings messages until cancelled; then tells Telegram what has been committed.

        Raises ``PermanentError`` if Telegram refuses the token or the webhook's address.
        """
        if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", self._token):
            raise PermanentError(_REFUSED)
        await self._insist("getMe")
        self._run_errand(self._announce_commands())
        if self.settings.mode == "webhook":
            await self._insist(
                "setWebhook",
                url=self.settings.webhook_url,
                secret_token=self._secret(),
                allowed_updates=_ALLOWED_UPDATES,
            )
            log.info("telegram connected", action="telegram_started", account=self.account, mode=self.settings.mode)
            await asyncio.Event().wait()  # what comes now comes through ``routes``
        else:
            await self._insist("deleteWebhook")  # keeps what is pending
            log.info("telegram connected", action="telegram_started", account=self.account, mode=self.settings.mode)
            await self._poll(receive)

    async def send(self, message: Outgoing) -> str:
        text = _text(message.text)
        entities: list[MessageEntity] = []
        if message.format is MessageFormat.MARKDOWN:
            text, entities = render_markdown(text)
        if not text.strip():
            raise PermanentError("The message is empty: Telegram sends none without text.")
        try:
            chat_id = int(message.chat_id)
        except ValueError:
            raise PermanentError("This is not a Telegram chat.") from None
        try:
            sent = await self._bot.call(
                "sendMessage",
                chat_id=chat_id,
                text=text,
                entities=entities or None,
                reply_markup=_keyboard(message.buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
            return str(_integer(sent["message_id"]))
        except TelegramError as error:
            self._fail(error)
        except (KeyError, TypeError):
            raise TemporaryError(_UNREADABLE) from None

    async def typing(self, chat_id: str) -> None:
        try:
            await self._bot.call("sendChatAction", chat_id=int(chat_id), action="typing")
        except (TelegramError, ValueError) as error:
            log.debug("typing not shown", action="telegram_typing_failed", error=type(error).__name__)

    def routes(self, receive: Receive) -> APIRouter:
        """The webhook, to be served by every replica; nothing in mode ``polling``."""
        router = APIRouter()

        async def webhook(request: Request) -> Response:
            return Response(status_code=await self._delivered(request, receive))

        if self.settings.mode == "webhook":
            router.add_api_route(WEBHOOK_PATH, webhook, methods=["POST"], include_in_schema=False)
        return router

    async def close(self) -> None:
        """Closes the connections. Nothing can be sent afterwards."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        for request in self._requests:
            await request.shutdown()

    # --- polling

    async def _poll(self, receive: Receive) -> NoReturn:
        offset: int | None = None
        heard = time.monotonic()
        backoff = _Backoff()
        try:
            while True:
                asked = time.monotonic()
                try:
                    updates = await self._fetch(offset, wait=self.settings.poll_timeout)
                except TelegramError as error:
                    await self._wait_out("getUpdates", error, backoff)
                    continue
                if not updates:
                    if time.monotonic() - asked < _TOO_SOON:
                        await asyncio.sleep(_TOO_SOON)  # this server does not wait for news, so we do
                    # Everything below the offset is confirmed. Keeping it for long would be dangerous: after a
                    # quiet week Telegram goes on from a random id, and would take a lower one for confirmed too.
                    if time.monotonic() - heard > _FORGET_AFTER:
                        offset = None
                    backoff.reset()
                    continue
                heard = time.monotonic()
                stuck = True
                for update in updates:
                    try:
                        await self._take(update, receive)
                    except Exception as error:
                        # Only the kind: the text of a database error quotes what the customer wrote.
                        log.error(
                            "update not recorded",
                            action="telegram_receive_failed",
                            update_id=_update_id(update),
                            error=type(error).__name__,
                        )
                        stuck = True
                        break
                    if (taken := _update_id(update)) is not None:
                        offset = taken + 1
                        stuck = False
                if stuck:
                    await backoff.pause()
                else:
                    backoff.reset()
        finally:
            if offset is not None:
                await self._confirm(offset)

    async def _fetch(self, offset: int | None, *, wait: int, limit: int = 100) -> list[object]:
        updates = await self._bot.call(
            "getUpdates", offset=offset, timeout=wait, limit=limit, allowed_updates=_ALLOWED_UPDATES
        )
        if not isinstance(updates, list):
            raise TelegramError(_UNREADABLE)
        return updates

    async def _confirm(self, offset: int) -> None:
        """A fetch only for its offset: what it returns stays unconfirmed, and comes again."""
        try:
            async with asyncio.timeout(_LAST_WORD):
                await self._fetch(offset, wait=0, limit=1)
        except (TelegramError, TimeoutError) as error:
            # Nothing is lost: it comes again, and is refused as a duplicate.
            log.debug("last confirmation failed", action="telegram_confirm_failed", error=type(error).__name__)

    async def _take(self, raw: object, receive: Receive) -> None:
        """Returns once the update needs nothing more from us; raises what ``receive`` raises."""
        try:
            incoming = read_update(raw, self.account)
        except MalformedUpdate as error:
            log.warning(
                "update malformed", action="telegram_update_malformed", update_id=_update_id(raw), error=str(error)
            )
            return
        if incoming is None:
            log.debug("update ignored", action="telegram_update_ignored", update_id=_update_id(raw))
            return
        await receive(incoming)
        if incoming.button is not None:
            self._run_errand(self._answer_press(incoming.external_id.removeprefix("callback:")))

    # --- webhook

    def _secret(self) -> str:
        """Proves that a call comes from Telegram. From the token, so that every replica knows it unconfigured."""
        return hmac.new(self._token.encode(), b"switchboard telegram webhook", hashlib.sha256).hexdigest()

    async def _delivered(self, request: Request, receive: Receive) -> int:
        """The status that tells Telegram whether to bring this update again."""
        shown = request.headers.get(WEBHOOK_HEADER, "")
        if not hmac.compare_digest(shown.encode(), self._secret().encode()):
            return 403
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY:
                    return 413
            update = json.loads(body)
        except (ClientDisconnect, ValueError, RecursionError):
            return 400
        try:
            await self._take(update, receive)
        except Exception as error:
            log.error(
                "update not recorded",
                action="telegram_receive_failed",
                update_id=_update_id(update),
                error=type(error).__name__,
            )
            return 503
        return 200

    # --- errands: what may fail without loss

    def _run_errand(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)  # the event loop alone would let it be collected
        task.add_done_callback(self._errands.discard)

    async def _answer_press(self, query_id: str) -> None:
        """Stops the pressed button's spinner."""
        try:
            await self._bot.call("answerCallbackQuery", callback_query_id=query_id)
        except TelegramError as error:  # most often: pressed too long ago
            log.debug("button press not answered", action="telegram_answer_press_failed", error=type(error).__name__)

    async def _announce_commands(self) -> None:
        try:
            for language, descriptions in _COMMANDS.items():
                commands = [
                    {"command": command.value, "description": description}
                    for command, description in zip(Command, descriptions, strict=True)
                ]
                await self._bot.call("setMyCommands", commands=commands, language_code=language or None)
        except TelegramError as error:
            log.warning(
                "commands not announced", action="telegram_announce_commands_failed", error=self._redacted(error)
            )

    # --- faults

    async def _insist(self, method: str, **parameters: object) -> None:
        """Calls until Telegram agrees; raises ``PermanentError`` where it never will."""
        backoff = _Backoff()
        while True:
            try:
                await self._bot.call(method, **parameters)
                return
            except TelegramError as error:
                if method == "deleteWebhook" and isinstance(error, InvalidToken):
                    return  # the token has just been accepted: this server knows no webhooks
                if method == "setWebhook" and isinstance(error, BadRequest):
                    raise PermanentError(
                        f"Telegram refused the webhook: {self._redacted(error)}. Correct channels.telegram.webhook_url"
                        " (public, https, port 443, 80, 88 or 8443), or use mode: polling."
                    ) from None
                await self._wait_out(method, error, backoff)

    async def _wait_out(self, method: str, error: TelegramError, backoff: _Backoff) -> None:
        if isinstance(error, InvalidToken):
            raise PermanentError(_REFUSED) from None
        log.warning(
            "telegram call failed",
            action="telegram_call_failed",
            method=method,
            error=self._redacted(error),
            fix=_CONFLICT if isinstance(error, Conflict) else None,
        )
        await backoff.pause(_seconds(error) if isinstance(error, RetryAfter) else 0.0)

    def _fail(self, error: TelegramError) -> NoReturn:
        """Says to the outbox whether to try again, and to the agent why not."""
        said = self._redacted(error)
        # BadRequest is a NetworkError in this library, so the order matters.
        match error:
            case RetryAfter():
                raise TemporaryError("Telegram asks to send more slowly.", _seconds(error)) from None
            case InvalidToken():
                raise PermanentError(_REFUSED) from None
            case Forbidden() if "blocked" in said:
                raise PermanentError("The customer has blocked this bot on Telegram.") from None
            case Forbidden() if "deactivated" in said:
                raise PermanentError("The customer's Telegram account no longer exists.") from None
            case BadRequest() if "chat not found" in said.lower():
                raise PermanentError("Telegram knows no such chat: this customer never wrote to this bot.") from None
            case Forbidden() | BadRequest() | ChatMigrated():
                raise PermanentError(f"Telegram refused the message: {said}") from None
            case NetworkError() | Conflict():
                raise TemporaryError(f"Telegram could not be reached: {said}") from None
            case _:
                raise TemporaryError(_UNREADABLE) from None

    def _redacted(self, error: TelegramError) -> str:
        """What the error says, without the token that an address in it may hold."""
        return str(error).replace(self._token or "none", "<token>")[:300]


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _build(settings: TelegramSettings, surroundings: Surroundings) -> TelegramConnector:
    return TelegramConnector(settings, surroundings.secret)


plugin = Plugin(settings=TelegramSettings, build=_build, secret_variable="TELEGRAM_BOT_TOKEN")  # noqa: S106
