"""From Telegram: one raw update becomes an ``Incoming``.

It is read field by field, not by the library's types: those refuse a whole message of a server that is older or newer
than they are, for one field.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.message import REACTION, Attachment, Incoming, Sender, parse_command
from connectors.fields import Json, each, line, number, strict_integer, strict_object, strict_text, whole, words
from connectors.telegram.content import held, is_service
from connectors.telegram.fields import moment, name_of
from connectors.telegram.places import is_direct, place_of

CHANNEL = "telegram"


class MalformedUpdate(ValueError):
    """An update that does not say who wrote what where. Its text is the kind of error, never what the update held."""


def read_update(raw: object, account: str) -> Incoming | None:
    """What one update says to the desk; None if it is of no concern (groups, other bots, service messages).

    Raises ``MalformedUpdate``, and nothing else, whatever ``raw`` is.
    """
    try:
        update_id = update_id_of(raw)
        if not isinstance(raw, dict) or update_id is None:
            raise TypeError
        for kind, read in (
            ("callback_query", _press),
            ("message", _message),
            ("edited_message", _edit),
            ("message_reaction", _reaction),
        ):
            if raw.get(kind) is not None:
                return read(strict_object(raw[kind]), account, update_id)
        return None
    except Exception as error:
        # Whatever a stranger's server sends: nothing of it may end the fetching.
        raise MalformedUpdate(type(error).__name__) from None


def update_id_of(update: object) -> int | None:
    value = update.get("update_id") if isinstance(update, dict) else None
    return value if type(value) is int and 0 < value < 2**63 else None


def _press(query: Json, account: str, _: int) -> Incoming | None:
    under = whole(query.get("message"))
    chat = whole(under.get("chat"))
    sender = strict_object(query.get("from"))
    if query.get("data") is None or not _is_private(chat) or sender.get("is_bot") is True:
        return None  # a game's button: we never send one; or of no concern
    payload = strict_text(query["data"])
    return Incoming(
        channel=CHANNEL,
        account=account,
        external_id=f"callback:{strict_text(query.get('id'))}",
        sender=_sender(sender),
        chat_id=str(strict_integer(chat.get("id"))),
        thread=place_of(under),
        text=_label(under, payload),
        button=payload,
    )


def _label(message: Json, payload: str) -> str:
    """What the pressed button said. Telegram names only its payload, and withholds messages that are old."""
    rows = whole(message.get("reply_markup")).get("inline_keyboard")
    for row in rows if isinstance(rows, list) else ():
        for button in each(row):
            if button.get("callback_data") == payload and words(button.get("text")):
                return words(button["text"])
    return payload


def _message(message: Json, account: str, _: int) -> Incoming | None:
    said = _said(message, account)
    if said is None:
        return None
    command, argument = parse_command(said.text) or (None, "")
    return replace(said, command=command, argument=argument, replies_to=_answered(message))


def _said(message: Json, account: str, *, edit: bool = False) -> Incoming | None:
    chat = strict_object(message.get("chat"))
    direct = is_direct(message)
    if not (_is_private(chat) or direct) or is_service(message):
        return None
    # A private chat has the id of the person.
    sender = strict_object(chat if message.get("from") is None else message["from"])
    if sender.get("is_bot") is True or (direct and _is_from_channel(message, sender)):
        return None
    content = held(message)
    chat_id = strict_integer(chat.get("id"))
    person = _sender(sender)
    return Incoming(
        channel=CHANNEL,
        account=account,
        external_id=f"{chat_id}:{strict_integer(message.get('message_id'))}",
        sender=person,
        chat_id=person.external_id if direct else str(chat_id),
        thread=place_of(message),
        text=content.text,
        attachments=content.attachments,
        replaces_attachments=edit and content.whole,
        context=content.context,
        group=_group(message),
        sent_at=moment(message.get("date")),
    )


def _edit(message: Json, account: str, update_id: int) -> Incoming | None:
    if message.get("location") is not None:  # a live location on its way: many a minute, and none says anything
        return None
    edited = _said(message, account, edit=True)
    if edited is None:
        return None
    # Correcting an old message is not a new request: its command is none.
    return replace(
        edited,
        external_id=f"{edited.external_id}:edit:{number(message.get('edit_date')) or 0}:{update_id}",
        edits=edited.external_id,
        sent_at=moment(message.get("edit_date")) or edited.sent_at,
    )


def _reaction(reaction: Json, account: str, update_id: int) -> Incoming | None:
    """What was put under a message; None where it was taken away."""
    chat, sender = whole(reaction.get("chat")), whole(reaction.get("user"))
    signs = line(*(words(one.get("emoji")) or words(one.get("type")) for one in each(reaction.get("new_reaction"))))
    if not signs or not _is_private(chat) or not sender or sender.get("is_bot") is True:
        return None
    chat_id, under = strict_integer(chat.get("id")), strict_integer(reaction.get("message_id"))
    return Incoming(
        channel=CHANNEL,
        account=account,
        external_id=f"{chat_id}:{under}:reaction:{update_id}",
        sender=_sender(sender),
        chat_id=str(chat_id),
        attachments=(Attachment(REACTION, signs),),
        # Hardly anybody reacts to their own words; the desk's are known by their number alone.
        replies_to=str(under),
        sent_at=moment(reaction.get("date")),
    )


def _answered(message: Json) -> str | None:
    """What a message replies to, by the id that the desk has of it: the customer's own messages are known by chat
    and number, what was sent to them by what the send returned."""
    answered = whole(message.get("reply_to_message"))
    if type(under := answered.get("message_id")) is not int:
        return None
    chat_id = strict_integer(strict_object(message.get("chat")).get("id"))
    match answered.get("from"):
        case {"is_bot": True}:
            return f"{chat_id}:{under}" if is_direct(message) else str(under)
        case {"is_bot": False}:
            return f"{chat_id}:{under}"
    return None


def _group(message: Json) -> str:
    group = message.get("media_group_id")
    return words(group) if isinstance(group, str) else str(group) if type(group) is int else ""


def _is_private(chat: Json) -> bool:
    kind = chat.get("type")
    return kind == "private" or (kind is None and type(chat.get("id")) is int and chat["id"] > 0)


def _is_from_channel(message: Json, sender: Json) -> bool:
    """Of a channel's direct messages: the channel's own people answer there, too."""
    customer = whole(whole(message.get("direct_messages_topic")).get("user")).get("id")
    return message.get("sender_chat") is not None or (customer is not None and customer != sender.get("id"))


def _sender(user: Json) -> Sender:
    return Sender(
        str(strict_integer(user.get("id"))), name=name_of(user), language=words(user.get("language_code")) or None
    )
