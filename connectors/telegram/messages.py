"""Messages to customers: sent, changed, taken back; and the files that customers sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, ReplyParameters
from telegram.constants import FileSizeLimit
from telegram.error import BadRequest, TelegramError

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment, Button, File, MessageFormat
from bot.domain.said import fault
from bot.web.media import picture_type
from connectors.fields import storable, strict_integer, strict_text
from connectors.telegram import places
from connectors.telegram.api import Api, too_large
from connectors.telegram.markdown import render_markdown
from connectors.telegram.request import UNREADABLE

MAX_FILE = 25 * 1024 * 1024
"""Bytes of one file to a customer. Telegram takes 50 MB of a bot; the desk keeps no larger files than these."""

_EMPTY = fault("The message is empty: Telegram sends none without text.", "telegram.fault.empty")
_GONE_THERE = fault(
    "The message is no longer in the customer's chat: it cannot be changed.", "telegram.fault.message_gone"
)
_UNCHANGEABLE = fault(
    "Telegram does not let this message be changed any more: it keeps its earlier words.",
    "telegram.fault.unchangeable",
)
_STAYS = fault(
    "Telegram lets a message be taken back for 48 hours only: the customer still has it.", "telegram.fault.stays"
)
_TOO_BIG = fault(
    "Telegram gives bots no files of more than 20 MB. Ask the customer to send it in parts or otherwise.",
    "telegram.fault.too_big_for_bots",
)
_NOT_NOW = fault("Telegram does not have the file at the moment, or no longer.", "telegram.fault.file_not_now")
_ON_ITS_DISK = fault(
    "The Bot API server keeps its files on its own disk: run it without --local, or fetch the file there.",
    "telegram.fault.local_server",
)
_NO_CHAT = fault("This is not a Telegram chat.", "telegram.fault.not_a_chat")
_NO_MESSAGE = fault("This is not a Telegram message.", "telegram.fault.not_a_message")

_WITH_CONTENT = frozenset({"photo", "file", "voice", "audio", "video", "sticker"})
_GONE = ("message to edit not found", "message to delete not found", "message_id_invalid")


async def send(api: Api, message: Outgoing) -> str:
    """The id of the sent message. Raises as ``Connector.send`` does."""
    if message.file is not None:
        return await _send_file(api, message, message.file)
    content = {**_content(message), "reply_parameters": _quote(message)}
    return await _put(api, message, lambda to: api.call("sendMessage", **to, **content))


async def _put(api: Api, message: Outgoing, call: Callable[[dict[str, Any]], Awaitable[Any]]) -> str:
    """Into the topic that the message goes to; into the chat where the customer has deleted that topic."""
    to = places.parameters(_chat(message.chat_id), message.thread)
    try:
        try:
            sent = await call(to)
        except BadRequest as error:
            if to.get("message_thread_id") is None or "thread not found" not in str(error).lower():
                raise
            sent = await call({**to, "message_thread_id": None})
    except TelegramError as error:
        raise api.failure(error) from None
    number = _id_of(sent)
    # A channel's direct messages are in a chat of their own, by which it is edited and taken back.
    return f"{to['chat_id']}:{number}" if "direct_messages_topic_id" in to else number


async def _send_file(api: Api, message: Outgoing, file: File) -> str:
    """Pictures as such, which Telegram shows in the chat and makes smaller, unless they shall arrive as files; all else
    as it is."""
    if not file.content:
        raise PermanentError(
            fault("{name} is empty: Telegram sends no empty files.", "telegram.fault.file_empty", name=file.name)
        )
    if len(file.content) > MAX_FILE:
        raise PermanentError(
            fault(
                "{name} is too large: at most {mb} MB can be sent.",
                "telegram.fault.file_unsendable",
                name=file.name,
                mb=MAX_FILE // 2**20,
            )
        )
    # What it is tells its content; a name or a claimed type may be wrong.
    pictured = picture_type(file.content) in ("image/png", "image/jpeg") and not file.as_file
    upload = InputFile(file.content, filename=storable(file.name) or "file")
    quote = _quote(message)

    async def call(to: dict[str, Any]) -> Any:
        if pictured and len(file.content) <= FileSizeLimit.PHOTOSIZE_UPLOAD:
            try:
                return await api.upload("sendPhoto", photo=upload, reply_parameters=quote, **to)
            except BadRequest as error:
                # Too long a strip, broken inside, …: as a file it passes.
                if not re.search("photo|image", str(error), re.IGNORECASE):
                    raise
        return await api.upload("sendDocument", document=upload, reply_parameters=quote, **to)

    return await _put(api, message, call)


async def edit(api: Api, message: Outgoing, external_id: str) -> None:
    """Raises as ``Editing.edit`` does."""
    content = {**_sent(message.chat_id, external_id), **_content(message)}
    try:
        await api.call("editMessageText", **content)
    except TelegramError as error:
        said = str(error).lower()
        if isinstance(error, BadRequest) and "message is not modified" in said:
            return
        if isinstance(error, BadRequest) and any(words in said for words in _GONE):
            raise PermanentError(_GONE_THERE) from None
        if isinstance(error, BadRequest) and "can't be edited" in said:
            raise PermanentError(_UNCHANGEABLE) from None
        raise api.failure(error) from None


async def delete(api: Api, chat_id: str, external_id: str) -> None:
    """Raises as ``Editing.delete`` does."""
    try:
        await api.call("deleteMessage", **_sent(chat_id, external_id))
    except TelegramError as error:
        said = str(error).lower()
        if isinstance(error, BadRequest) and any(words in said for words in _GONE):
            return
        if isinstance(error, BadRequest) and "can't be deleted" in said:
            raise PermanentError(_STAYS) from None
        raise api.failure(error) from None


async def fetch(api: Api, attachment: Attachment, limit: int) -> bytes:
    """Raises as ``Fetching.fetch`` does."""
    if attachment.kind not in _WITH_CONTENT:
        raise PermanentError(
            fault("A {kind} on Telegram has no content to fetch.", "telegram.fault.no_content", kind=attachment.kind)
        )
    if attachment.size is not None and attachment.size > limit:
        raise too_large(limit)
    try:
        path = strict_text((await api.call("getFile", file_id=attachment.reference))["file_path"])
    except BadRequest as error:
        said = str(error).lower()
        if "file is too big" in said:
            raise PermanentError(_TOO_BIG) from None
        if "temporarily" in said:  # as it answers for files that are gone as well: it cannot tell
            raise TemporaryError(_NOT_NOW) from None
        why = api.words(error)
        raise PermanentError(
            fault("Telegram did not give the file: {why}", "telegram.fault.file_not_given", why=why)
        ) from None
    except TelegramError as error:
        raise api.failure(error) from None
    except (KeyError, TypeError):
        raise TemporaryError(UNREADABLE) from None
    if path.startswith("/"):
        raise PermanentError(_ON_ITS_DISK)
    return await api.download(path, limit)


# --- parts of a call ------------------------------------------------------------------------------


def _content(message: Outgoing) -> dict[str, Any]:
    """What a text message says and how."""
    text = storable(message.text)
    entities = None
    if message.format is MessageFormat.MARKDOWN:
        text, entities = render_markdown(text)
    if not text.strip():
        raise PermanentError(_EMPTY)
    return {
        "text": text,
        "entities": entities or None,
        "reply_markup": _keyboard(message.buttons),
        "link_preview_options": LinkPreviewOptions(is_disabled=True),
    }


def _keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(storable(button.label), callback_data=button.payload)] for button in buttons]
    )


def _quote(message: Outgoing) -> ReplyParameters | None:
    """The customer's message that this one answers; None where it was none in the chat, as a pressed button."""
    known = re.match(r"(-?\d+):(\d{1,18})(?::|$)", message.reply_to or "")
    if known is None or known[1] != places.chat_of(message.chat_id, message.thread):
        return None
    return ReplyParameters(int(known[2]), allow_sending_without_reply=True)


def _chat(chat_id: str) -> int:
    try:
        return int(chat_id)
    except ValueError:
        raise PermanentError(_NO_CHAT) from None


def _sent(chat_id: str, external_id: str) -> dict[str, int]:
    """Which message it is, by what ``send`` returned."""
    chat, _, number = external_id.rpartition(":")
    try:
        return {"chat_id": _chat(chat or chat_id), "message_id": int(number)}
    except ValueError:
        raise PermanentError(_NO_MESSAGE) from None


def _id_of(sent: Any) -> str:
    try:
        return str(strict_integer(sent["message_id"]))
    except (KeyError, TypeError):
        raise TemporaryError(UNREADABLE) from None
