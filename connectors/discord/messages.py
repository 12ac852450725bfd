"""Messages to customers: sent, changed, taken back; and the files that customers sent."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import discord
import structlog

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment
from bot.domain.said import fault
from connectors.discord import interactions
from connectors.discord.api import UNKNOWN_MESSAGE, UNREADABLE, Api, explain
from connectors.discord.content import lasting, links
from connectors.discord.events import author_id, message_id
from connectors.discord.intake import PAGE
from connectors.discord.markdown import render

log = structlog.get_logger(__name__)

_MESSAGES = "/channels/{channel_id}/messages"
_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
_SUPPRESS_PREVIEWS = 1 << 2
_NO_MENTIONS: dict[str, Any] = {"parse": [], "replied_user": False}
_EMPTY = fault("The message is empty: Discord sends none without text.", "discord.fault.empty")
_FILE_GONE = fault("The file is gone at Discord.", "discord.fault.file_gone")
_NO_CHANNEL = fault("This is not a Discord channel.", "discord.fault.not_a_channel")
_NO_ADDRESS = fault("Discord named no address for the file.", "discord.fault.no_address")
_STICKERS = "https://media.discordapp.net/stickers/{}.png"


async def send(api: Api, message: Outgoing) -> str:
    """The id of the sent message. Raises as ``Connector.send`` does."""
    try:
        return await _send(api, message)
    except Exception as error:
        explain(error)


async def _send(api: Api, message: Outgoing) -> str:
    body = _body(message)
    if message.repeated and (earlier := await _sent_earlier(api, message, body)) is not None:
        return earlier
    # A nonce has at most 25 characters.
    body["nonce"] = hashlib.blake2b(message.key.encode(), digest_size=12).hexdigest()
    body["enforce_nonce"] = True
    if message.reply_to is not None and message.reply_to.isdecimal():
        body["message_reference"] = {"message_id": message.reply_to, "fail_if_not_exists": False}
    sent = await _call(api, "POST", _MESSAGES, message.chat_id, json=body, file=message.file)
    number = str(message_id(sent))
    if number == "0":
        raise TemporaryError(UNREADABLE)
    if message.repeated and message.file is None and sent.get("content", "").strip() != body["content"].strip():
        # The nonce found a try from before the message was edited.
        await edit(api, message, number)
    return number


async def edit(api: Api, message: Outgoing, external_id: str) -> None:
    """Raises as ``Editing.edit`` does."""
    try:
        await _call(api, "PATCH", _MESSAGE, message.chat_id, json=_body(message), message_id=external_id)
    except Exception as error:
        explain(error)


async def delete(api: Api, chat_id: str, external_id: str) -> None:
    """Raises as ``Editing.delete`` does."""
    try:
        await _call(api, "DELETE", _MESSAGE, chat_id, message_id=external_id)
    except discord.NotFound as error:
        if error.code != UNKNOWN_MESSAGE:
            explain(error)
    except Exception as error:
        explain(error)


async def typing(api: Api, chat_id: str) -> None:
    """Never raises."""
    try:
        await _call(api, "POST", "/channels/{channel_id}/typing", chat_id)
    except Exception as error:
        log.debug("typing not shown", action="discord_typing_failed", error=type(error).__name__)


async def fetch(api: Api, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
    """Raises as ``Fetching.fetch`` does."""
    try:
        if attachment.kind == "sticker":
            reference = attachment.reference
            # As it was kept before stickers had addresses.
            address = _STICKERS.format(reference) if reference.isdecimal() else _checked(reference)
            return await api.download(address, limit)
        return await api.download(await _link(api, attachment, chat_id, external_id), limit)
    except FileNotFoundError:
        raise PermanentError(_FILE_GONE) from None
    except Exception as error:
        explain(error)


# --- parts of a call ------------------------------------------------------------------------------


async def _call(api: Api, method: str, path: str, chat_id: str, **more: Any) -> Any:
    if not chat_id.isascii() or not chat_id.isdecimal():
        raise PermanentError(_NO_CHANNEL)
    return await api.call(method, path, channel_id=chat_id, **more)


def _body(message: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = {"allowed_mentions": _NO_MENTIONS, "flags": _SUPPRESS_PREVIEWS}
    if message.file is None:
        body["content"] = render(message.text, message.format)
        if not body["content"].strip():
            raise PermanentError(_EMPTY)
        body["components"] = interactions.components(message.buttons)
    return body


# --- what is there already ------------------------------------------------------------------------


async def _sent_earlier(api: Api, message: Outgoing, body: dict[str, Any]) -> str | None:
    """The id of the message, if an earlier try reached the customer: Discord forgets a nonce within minutes."""
    answered = re.fullmatch(r"(?:interaction:)?(\d+)", message.reply_to or "")
    since = max(int(message.after or 0), int(answered[1]) if answered else 0)
    if not since:
        return None  # nothing tells this try's message from an older one
    me = await api.me()
    while True:
        page = await _call(api, "GET", _MESSAGES, message.chat_id, query={"after": str(since), "limit": PAGE})
        if not isinstance(page, list):
            raise TemporaryError(UNREADABLE)
        for raw in sorted(page, key=message_id):
            if author_id(raw) == me and _shows(raw, message, body):
                return str(message_id(raw))
        latest = max(map(message_id, page), default=0)
        if latest <= since:
            return None
        since = latest


def _shows(raw: Any, message: Outgoing, body: dict[str, Any]) -> bool:
    """Whether a message of the chat's history is what ``body`` would make."""
    if message.file is not None:
        return [file.get("size") for file in raw.get("attachments") or ()] == [len(message.file.content)]
    return bool(raw.get("content", "").strip() == body["content"].strip())


async def _link(api: Api, attachment: Attachment, chat_id: str, external_id: str) -> str:
    """Discord's links to a file expire within a day; the message has one of now. Where it does not tell of the file,
    what the file is known by may still lead to it."""
    wanted = lasting(attachment.reference)
    try:
        message = await _call(api, "GET", _MESSAGE, chat_id, message_id=external_id)
    except discord.NotFound:
        message = None
    # It ends before the file's name where the desk must not know that.
    begins = wanted.endswith("/")
    found = (url for url in links(message) if (lasting(url).startswith(wanted) if begins else lasting(url) == wanted))
    return _checked(next(found, attachment.reference))


def _checked(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise PermanentError(_NO_ADDRESS)
    return url
