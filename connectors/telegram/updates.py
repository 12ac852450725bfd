"""From Telegram: one raw update becomes an ``Incoming``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telegram import CallbackQuery, MaybeInaccessibleMessage, Message, Update, User
from telegram.constants import ChatType, MessageType
from telegram.ext.filters import StatusUpdate

from bot.domain.message import Attachment, Incoming, Sender, parse_command

CHANNEL = "telegram"


class MalformedUpdate(ValueError):
    """An update that does not have Telegram's form. Its text is the kind of error, never what the update held."""


def read_update(raw: object, account: str) -> Incoming | None:
    """What one update says to the desk; None if it is of no concern (groups, other bots, service messages).

    Raises ``MalformedUpdate``, and nothing else, whatever ``raw`` is.
    """
    try:
        if not isinstance(raw, dict) or update_id_of(raw) is None:
            raise TypeError
        update = Update.de_json(_pruned(raw))
        if update.callback_query is not None:
            return _press(update.callback_query, account)
        if StatusUpdate.ALL.check_update(update):
            return None
        if update.message is not None:
            said = _message(update.message, account)
            return said and replace(said, replies_to=_answered(raw["message"], said.chat_id))
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
something newer than the library would otherwise count as malformed. Of a reply only ids are read, by ``_answered``."""


def _pruned(update: dict[str, Any]) -> dict[str, Any]:
    pruned = dict(update)
    for kind in ("message", "edited_message"):
        if isinstance(pruned.get(kind), dict):
            pruned[kind] = {name: value for name, value in pruned[kind].items() if name not in _UNREAD}
    return pruned


def update_id_of(update: object) -> int | None:
    value = update.get("update_id") if isinstance(update, dict) else None
    return value if type(value) is int and 0 < value < 2**63 else None


def _press(query: CallbackQuery, account: str) -> Incoming | None:
    if query.message is None or query.message.chat.type != ChatType.PRIVATE or query.from_user.is_bot:
        return None
    if query.data is None:  # a game's button: we never send one
        return None
    payload = storable(query.data)
    return Incoming(
        channel=CHANNEL,
        account=account,
        external_id=f"callback:{storable(query.id)}",
        sender=_sender(query.from_user),
        chat_id=str(integer(query.message.chat.id)),
        text=_label(query.message, payload),
        button=payload,
    )


def _label(message: MaybeInaccessibleMessage, payload: str) -> str:
    """What the pressed button said. Telegram names only its payload, and withholds messages that are old."""
    markup = message.reply_markup if isinstance(message, Message) else None
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            if button.callback_data == payload:
                return storable(button.text)
    return payload


def _message(message: Message, account: str) -> Incoming | None:
    sender = message.from_user
    if message.chat.type != ChatType.PRIVATE or sender is None or sender.is_bot:
        return None
    chat_id = str(integer(message.chat.id))
    text = storable(message.text or message.caption)
    command, argument = parse_command(text) or (None, "")
    return Incoming(
        channel=CHANNEL,
        account=account,
        external_id=f"{chat_id}:{integer(message.message_id)}",
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
        sent_at=message.edit_date or message.date,
    )


def _answered(message: dict[str, Any], chat_id: str) -> str | None:
    """What a message replies to, by the id that the desk has of it: the customer's own messages are known by chat
    and number, what was sent to them by the number that the send returned."""
    answered = message.get("reply_to_message")
    if not isinstance(answered, dict) or type(number := answered.get("message_id")) is not int:
        return None
    match answered.get("from"):
        case {"is_bot": True}:
            return str(number)
        case {"is_bot": False}:
            return f"{chat_id}:{number}"
    return None


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
        return (Attachment("photo", storable(largest.file_id), size=_size(largest.file_size)),)
    for name, kind in _FILES.items():
        if (file := getattr(message, name)) is not None:
            return (
                Attachment(
                    kind,
                    storable(file.file_id),
                    name=storable(getattr(file, "file_name", None)),
                    media_type=storable(getattr(file, "mime_type", None)),
                    size=_size(file.file_size),
                ),
            )
    if sticker := message.sticker:
        return (
            Attachment(
                "sticker", storable(sticker.file_id), name=storable(sticker.emoji), size=_size(sticker.file_size)
            ),
        )
    if venue := message.venue:  # before location: Telegram sets both
        name = ", ".join(part for part in (storable(venue.title), storable(venue.address)) if part)
        return (Attachment("location", f"{venue.location.latitude:f},{venue.location.longitude:f}", name=name),)
    if place := message.location:
        return (Attachment("location", f"{place.latitude:f},{place.longitude:f}"),)
    if card := message.contact:
        name = f"{storable(card.first_name)} {storable(card.last_name)}".strip()
        return (Attachment("contact", storable(card.phone_number), name=name),)
    if message.text:
        return ()
    return (Attachment("unsupported", _content(message)),)


def _content(message: Message) -> str:
    """What Telegram calls content that the desk cannot show: ``poll``, ``dice``, or a name from the future."""
    known = (kind.value for kind in MessageType if getattr(message, kind.value))
    return next(known, next(iter(message.api_kwargs), "unknown"))


def _sender(user: User) -> Sender:
    name = f"{storable(user.first_name)} {storable(user.last_name)}".strip()
    return Sender(str(integer(user.id)), name=name, language=storable(user.language_code) or None)


def storable(value: object) -> str:
    """Text that every database and every encoder takes: without NUL and without lone surrogates."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _size(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None
