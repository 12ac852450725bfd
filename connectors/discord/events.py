"""From Discord: one raw event, or one message of a channel's history, becomes an ``Incoming``.

Both come in the same form, and pass here the same way; nothing is read that the desk does not need, so that nothing
new at Discord can spoil a message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from discord.utils import snowflake_time

from bot.domain.message import REACTION, Attachment, Command, Incoming, Sender, parse_command
from connectors.discord.content import Held, answered, held
from connectors.discord.fields import moment, snowflake, strict_snowflake
from connectors.fields import Json, each, number, strict_object, strict_text, whole, words

NAME = "discord"
SUPPORT = "support"
"""The command, and the custom id of the button, that open the chat."""
HUMAN = "human"

_NOTICES = frozenset(
    {*range(1, 13), *range(14, 19), *range(20, 30), 31, 32, *range(36, 40), 44, 46},
)
"""Kinds of messages that say that a call began, that something was pinned, what a poll came to, and the like. People
write plain ones (0), replies (19), and whatever Discord adds."""
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
    """The channel of an edit that tells only part of the message, as Discord may send them: not by whom it is, or not
    what it says. None for every other event."""
    data = whole(raw)
    if data.get("guild_id") or not data.get("edited_timestamp"):
        return None
    if "author" in data and ("content" in data or whole(data["author"]).get("bot")):
        return None
    return snowflake(data.get("channel_id"))


def opened_by(incoming: Incoming) -> int | None:
    """The id of the interaction that this is, which stands in line with the ids of messages; None for anything else."""
    kind, _, number = incoming.external_id.partition(":")
    return int(number) if kind == "interaction" else None


def read_message(raw: object, account: str) -> Incoming | None:
    """What a message says to the desk; None if it is of no concern (servers, bots, notices of Discord's own).

    Raises ``MalformedEvent``, and nothing else, whatever ``raw`` is; as do the functions below.
    """
    try:
        return _message(strict_object(raw), account)
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def read_edit(raw: object, account: str) -> Incoming | None:
    """The same for a message that was changed; None also if only its preview was."""
    try:
        data = strict_object(raw)
        if data.get("edited_timestamp") is None:
            return None
        content = held(data)
        edited = _message(data, account, content)
        if edited is None:
            return None
        if (at := edited.edited_at) is None:
            raise TypeError
        return replace(
            edited,
            external_id=f"{edited.external_id}:edit:{at.timestamp():.6f}",
            edits=edited.external_id,
            replaces_attachments=content.tells_files,
            mark=None,
            command=None,  # correcting an old message is not a new request
            argument="",
            sent_at=at,
        )
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def read_deletion(raw: object, account: str) -> Incoming | None:
    try:
        data = strict_object(raw)
        if data.get("guild_id") is not None:
            return None
        return deletion(strict_snowflake(data["id"]), strict_snowflake(data["channel_id"]), account)
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


def read_reaction(raw: object, account: str) -> Incoming | None:
    """What a customer put under a message; taking it away again is of no concern."""
    try:
        data = strict_object(raw)
        user = strict_snowflake(data["user_id"])
        if data.get("guild_id") is not None or user == account:
            return None
        return reaction(
            strict_snowflake(data["message_id"]),
            strict_snowflake(data["channel_id"]),
            Sender(user),
            strict_object(data["emoji"]),
            account,
        )
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def reaction(message: str, chat_id: str, sender: Sender, emoji: Json, account: str) -> Incoming:
    """Discord does not say when; the same emoji put anew under the same message is the same event."""
    number_, name = snowflake(emoji.get("id")), words(emoji.get("name"))
    shown = f":{name or number_}:" if number_ else name or "?"
    return Incoming(
        channel=NAME,
        account=account,
        external_id=f"reaction:{message}:{sender.external_id}:{number_ or name}",
        sender=sender,
        chat_id=chat_id,
        attachments=(Attachment(REACTION, shown),),
        replies_to=message,
    )


def reactions_under(raw: object) -> list[tuple[str, Json]]:
    """Of a message of a chat's history: its id and each emoji that somebody but the bot put under it."""
    data = whole(raw)
    found = [
        whole(one.get("emoji"))
        for one in each(data.get("reactions"))
        if (number(one.get("count")) or 0) > (1 if one.get("me") else 0)
    ]
    return [(str(message_id(data)), emoji) for emoji in found]


def read_interaction(raw: object) -> Interaction | None:
    """None for what the desk never offered (forms, autocompletion, commands of somebody else)."""
    try:
        data = strict_object(raw)
        kind, given = data.get("type"), strict_object(data.get("data") or {})
        if kind not in (_COMPONENT, _COMMAND):
            return None
        on_server = data.get("guild_id") is not None
        user = strict_object(data["member"])["user"] if data.get("user") is None else data["user"]
        locale = words(data.get("locale"))
        wish = strict_text(given["custom_id"] if kind == _COMPONENT else given["name"])
        # The desk's own buttons are only in direct messages; on a server there is but the one that opens the chat.
        command = _COMMANDS.get(wish) if kind == _COMMAND or on_server else None
        if command is None and (kind == _COMMAND or on_server):
            return None
        return Interaction(
            id=strict_snowflake(data["id"]),
            token=strict_text(data["token"]),
            application_id=strict_snowflake(data["application_id"]),
            chat_id=None if on_server else strict_snowflake(data["channel_id"]),
            sender=replace(_sender(strict_object(user)), language=locale or None),
            command=command,
            payload=wish,
            label=f"/{wish}" if command else _label(data.get("message"), wish),
            locale=locale,
        )
    except Exception as error:
        raise MalformedEvent(type(error).__name__) from None


def message_id(raw: object) -> int:
    """Of a message; 0 if it has none. Discord's ids grow with time."""
    return int(snowflake(whole(raw).get("id")) or 0)


def author_id(raw: object) -> str:
    """Of a message; empty if it has none."""
    return snowflake(whole(whole(raw).get("author")).get("id")) or ""


def _message(data: Json, account: str, content: Held | None = None) -> Incoming | None:
    author = strict_object(data["author"])
    if (
        data.get("guild_id") is not None
        or author.get("bot")
        or data.get("webhook_id") is not None
        or number(data.get("type")) in _NOTICES
    ):
        return None
    number_, chat_id = strict_snowflake(data["id"]), strict_snowflake(data["channel_id"])
    content = content or held(data)
    command, argument = parse_command(content.typed) or (None, "")
    replies_to, says = answered(data, chat_id)
    return Incoming(
        channel=NAME,
        account=account,
        external_id=number_,
        sender=_sender(author),
        chat_id=chat_id,
        text=content.text,
        command=command,
        argument=argument,
        attachments=content.attachments,
        context=content.context,
        replies_to=replies_to,
        answered=says,
        mark=number_,
        sent_at=_sent_at(number_),
        edited_at=moment(data.get("edited_timestamp")),
    )


def _sent_at(number_: str) -> datetime:
    return snowflake_time(int(number_))


def _sender(user: Json) -> Sender:
    return Sender(strict_snowflake(user["id"]), name=words(user.get("global_name")) or words(user.get("username")))


def _label(message: object, custom_id: str) -> str:
    """What the pressed button says. Discord names only its id; the message with it comes along."""
    for row in each(whole(message).get("components")):
        for button in each(row.get("components")):
            if button.get("custom_id") == custom_id:
                return words(button.get("label")) or custom_id
    return custom_id
