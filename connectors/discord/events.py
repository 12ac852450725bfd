"""From Discord: one raw event, or one message of a channel's history, becomes an ``Incoming``.

Both come in the same form, and pass here the same way; nothing is read that the desk does not need, so that nothing
new at Discord can spoil a message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from discord.utils import parse_time, snowflake_time

from bot.domain.message import Attachment, Command, Incoming, Sender, parse_command

NAME = "discord"
SUPPORT = "support"
"""The command, and the custom id of the button, that open the chat."""
HUMAN = "human"

Json = dict[str, Any]

_TEXTS = (0, 19)
"""Kinds of messages that people write: plain ones and replies. Others say that a call began, or the like."""
_VOICE = 1 << 13
"""The flag of a voice message."""
_KINDS = {"image": "photo", "video": "video", "audio": "audio"}
_COMPONENT, _COMMAND = 3, 2
_COMMANDS = {SUPPORT: Command.START, HUMAN: Command.HUMAN}


class MalformedEvent(ValueError):
    """An event that does not have Discord's form. Its text is the kind of error, never what the event held."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """A pressed button or a slash command, to be answered within three seconds."""

    id: str
    token: str
    application_id: str
    chat_id: str | None
    """The direct-message channel; None where it was done on a server."""
    sender: Sender
    command: Command | None
    """None for a button of the desk's own messages."""
    payload: str
    """Of that button."""
    label: str
    locale: str

    def incoming(self, account: str, chat_id: str) -> Incoming:
        return Incoming(
            channel=NAME,
            account=account,
            external_id=f"interaction:{self.id}",
            sender=self.sender,
            chat_id=chat_id,
            text=self.label,
            command=self.command,
            button=None if self.command else self.payload,
            sent_at=_sent_at(self.id),
        )


def partly_edited(raw: object) -> str | None:
    """The channel of an edit that names no author, as Discord may send them; None for every other event."""
    if not isinstance(raw, dict) or "author" in raw or raw.get("guild_id") or not raw.get("edited_timestamp"):
        return None
    try:
        return _id(raw.get("channel_id"))
    except (TypeError, ValueError):
        return None


def opened_by(incoming: Incoming) -> int | None:
    """The id of the interaction that this is, which stands in line with the ids of messages; None for anything else."""
    kind, _, number = incoming.external_id.partition(":")
    return int(number) if kind == "interaction" else None


def read_message(raw: object, account: str) -> Incoming | None:
    """What a message says to the desk; None if it is of no concern (servers, bots, notices of Discord's own).

    Raises ``MalformedEvent``, and nothing else, whatever ``raw`` is; as do the functions below.
    """
    try:
        return _message(_object(raw), account)
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def read_edit(raw: object, account: str) -> Incoming | None:
    """The same for a message that was changed; None also if only its preview was."""
    try:
        data = _object(raw)
        if data.get("edited_timestamp") is None:
            return None
        edited = _message(data, account)
        if edited is None:
            return None
        at = _time(data["edited_timestamp"])
        return replace(
            edited,
            external_id=f"{edited.external_id}:edit:{at.timestamp():.6f}",
            edits=edited.external_id,
            mark=None,
            command=None,  # correcting an old message is not a new request
            argument="",
            sent_at=at,
        )
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def read_deletion(raw: object, account: str) -> Incoming | None:
    try:
        data = _object(raw)
        if data.get("guild_id") is not None:
            return None
        return deletion(_id(data["id"]), _id(data["channel_id"]), account)
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def deletion(message_id: str, chat_id: str, account: str) -> Incoming:
    """Discord says which message of which channel, and not whose."""
    return Incoming(
        channel=NAME,
        account=account,
        external_id=f"{message_id}:deletion",
        sender=Sender(""),
        chat_id=chat_id,
        deletes=message_id,
    )


def read_interaction(raw: object) -> Interaction | None:
    """None for what the desk never offered (forms, autocompletion, commands of somebody else)."""
    try:
        data = _object(raw)
        kind, given = data.get("type"), _object(data.get("data") or {})
        if kind not in (_COMPONENT, _COMMAND):
            return None
        on_server = data.get("guild_id") is not None
        user = _object(data["member"])["user"] if data.get("user") is None else data["user"]
        locale = _text(data.get("locale"))
        wish = _text(given["custom_id"] if kind == _COMPONENT else given["name"])
        # The desk's own buttons are only in direct messages; on a server there is but the one that opens the chat.
        command = _COMMANDS.get(wish) if kind == _COMMAND or on_server else None
        if command is None and (kind == _COMMAND or on_server):
            return None
        return Interaction(
            id=_id(data["id"]),
            token=_text(data["token"]),
            application_id=_id(data["application_id"]),
            chat_id=None if on_server else _id(data["channel_id"]),
            sender=replace(_sender(_object(user)), language=locale or None),
            command=command,
            payload=wish,
            label=f"/{wish}" if command else _label(data.get("message"), wish),
            locale=locale,
        )
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def message_id(raw: object) -> int:
    """Of a message; 0 if it has none. Discord's ids grow with time."""
    value = raw.get("id") if isinstance(raw, dict) else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value)
    return 0


def author_id(raw: object) -> str:
    author = raw.get("author") if isinstance(raw, dict) else None
    return str(author.get("id", "")) if isinstance(author, dict) else ""


def _message(data: Json, account: str) -> Incoming | None:
    author = _object(data["author"])
    if (
        data.get("guild_id") is not None
        or author.get("bot")
        or data.get("webhook_id") is not None
        or data.get("type", 0) not in _TEXTS
    ):
        return None
    number, chat_id = _id(data["id"]), _id(data["channel_id"])
    contents = [data, *(_object(_object(shot)["message"]) for shot in data.get("message_snapshots") or ())]
    text = "\n\n".join(filter(None, (_text(content.get("content")) for content in contents)))
    attachments = tuple(_attachment(_object(one)) for content in contents for one in content.get("attachments") or ())
    stickers = tuple(_sticker(_object(one)) for content in contents for one in content.get("sticker_items") or ())
    command, argument = parse_command(text) or (None, "")
    answered = data.get("message_reference")
    return Incoming(
        channel=NAME,
        account=account,
        external_id=number,
        sender=_sender(author),
        chat_id=chat_id,
        text=text,
        command=command,
        argument=argument,
        attachments=attachments + stickers if text or attachments or stickers else (_unsupported(data),),
        replies_to=_id(answered["message_id"]) if data.get("type") == 19 and isinstance(answered, dict) else None,
        mark=number,
        sent_at=_sent_at(number),
        edited_at=_time(data["edited_timestamp"]) if data.get("edited_timestamp") else None,
    )


def _sent_at(number: str) -> datetime:
    return snowflake_time(int(number))


def _time(value: object) -> datetime:
    at = parse_time(_text(value))
    return at.replace(tzinfo=at.tzinfo or UTC)


def _sender(user: Json) -> Sender:
    return Sender(_id(user["id"]), name=_text(user.get("global_name")) or _text(user.get("username")))


def _attachment(data: Json) -> Attachment:
    media_type = _text(data.get("content_type"))
    is_voice = _number(data.get("flags")) & _VOICE or data.get("waveform")
    return Attachment(
        kind="voice" if is_voice else _KINDS.get(media_type.partition("/")[0], "file"),
        reference=_text(data["url"]),
        name=_text(data.get("title")) or _text(data.get("filename")),
        media_type=media_type,
        size=_number(data.get("size")),
    )


def _sticker(data: Json) -> Attachment:
    return Attachment("sticker", _id(data["id"]), name=_text(data.get("name")))


def _unsupported(data: Json) -> Attachment:
    """A message that holds nothing the desk can show."""
    return Attachment(
        "unsupported", next((kind for kind in ("poll", "embeds", "components") if data.get(kind)), "unknown")
    )


def _label(message: object, custom_id: str) -> str:
    """What the pressed button says. Discord names only its id; the message with it comes along."""
    rows = message.get("components") if isinstance(message, dict) else None
    for row in rows or ():
        for button in row.get("components") or ():
            if button.get("custom_id") == custom_id:
                return _text(button.get("label")) or custom_id
    return custom_id


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _text(value: object) -> str:
    """Text that every database and every encoder takes: without NUL and without lone surrogates."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _id(value: object) -> str:
    """A snowflake: Discord sends them as text."""
    if not isinstance(value, str | int) or isinstance(value, bool) or not 0 <= int(value) < 2**64:
        raise TypeError
    return str(int(value))


def _number(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**63 else 0
