"""What one message of Telegram holds: its text, what is attached, and its context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.domain.context import Context, Forward, ForwardKind, Link
from bot.domain.message import Attachment
from connectors.fields import Json, as_it_came, each, line, number, whole, words
from connectors.telegram import rich
from connectors.telegram.fields import coordinate, moment, name_of

_FILES = {
    "animation": "video",  # before document: Telegram sets both
    "document": "file",
    "voice": "voice",
    "voice_note": "voice",
    "audio": "audio",
    "video": "video",
    "video_note": "video",
}
_MEDIA = frozenset({"photo", "sticker", "paid_media", "live_photo"})
_ABOUT = frozenset(
    {
        *("message_id", "date", "edit_date", "chat", "from", "sender_chat", "author_signature", "via_bot"),
        *("entities", "caption_entities", "media_group_id", "reply_markup", "reply_to_message"),
        *("message_thread_id", "is_topic_message", "direct_messages_topic", "quote", "link_preview_options"),
        *("effect_id", "has_protected_content", "has_media_spoiler", "show_caption_above_media", "is_from_offline"),
        *("is_automatic_forward", "sender_boost_count", "sender_business_bot", "business_connection_id"),
        *("reply_to_checklist_task_id", "reply_to_poll_option_id", "suggested_post_info"),
        *("is_paid_post", "paid_star_count", "sender_tag"),
    }
)
"""Of a message, not in it; and what is read in its own place. A reply's message comes whole: only its id is of use."""
_BESIDE = frozenset({"external_reply", "reply_to_story"})
"""What a message answers: not what it holds."""
_FORWARD = "forward_"
SERVICE = frozenset(
    {
        *("new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo"),
        *("group_chat_created", "supergroup_chat_created", "channel_chat_created", "migrate_to_chat_id"),
        *("message_auto_delete_timer_changed", "migrate_from_chat_id", "pinned_message", "connected_website"),
        *("write_access_allowed", "users_shared", "chat_shared", "passport_data", "proximity_alert_triggered"),
        *("boost_added", "chat_background_set", "checklist_tasks_done", "checklist_tasks_added", "web_app_data"),
        *("direct_message_price_changed", "paid_message_price_changed", "forum_topic_created", "forum_topic_edited"),
        *("forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden"),
        *("giveaway_created", "giveaway_completed", "video_chat_scheduled", "video_chat_started", "video_chat_ended"),
        *("video_chat_participants_invited", "suggested_post_approved", "suggested_post_approval_failed"),
        *("suggested_post_declined", "suggested_post_paid", "suggested_post_refunded", "chat_owner_left"),
        *("chat_owner_changed", "managed_bot_created", "user_shared"),
    }
)
"""What happened in a chat, of which nobody said anything."""


@dataclass(frozen=True, slots=True)
class Held:
    text: str
    attachments: tuple[Attachment, ...]
    context: Context
    whole: bool
    """Whether all that is attached could be read."""


def held(message: Json) -> Held:
    """What the message holds, whatever of it is missing or unknown; raises nothing."""
    text, links = _text(message)
    attachments: list[Attachment] = []
    rest: Json = {}
    names = [name for name in message if name not in _ABOUT and not name.startswith(_FORWARD)]
    for name in sorted((name for name in names if message[name] is not None), key=_place):
        found = _content(name, message[name])
        if found is None:
            rest[name] = message[name]
            continue
        attachments += [one for one in found.attachments if not _is_known(one, attachments)]
        if found.text and text and "".join(text.split()) not in "".join(found.text.split()):
            rest["text"] = text  # said beside what takes its place
        text = found.text or text
        links += found.links
        if found.unknown:
            rest[name] = found.unknown
    is_whole = not any(name in _READ or name in _FILES or name in _MEDIA for name in rest)
    foreign = [name for name in rest if name not in _BESIDE]
    strange = [name for name in foreign if name != "rich_message" and isinstance(message[name], dict | list)]
    for name in strange:
        told = rich.read(message[name], _files)
        attachments += told.files
        links += told.links
        text = text or told.text
    if strange and not isinstance(message.get("text"), str):
        attachments.append(Attachment("unsupported", _word(strange[0])))
    elif not text and not attachments:
        attachments.append(Attachment("unsupported", _word(next(iter(foreign), "unknown"))))
    links += _beside(message, text, links)
    quote = whole(message.get("quote"))
    links += _links(words(quote.get("text")), quote.get("entities"))
    context = Context(_forward(message), words(quote.get("text")), tuple(dict.fromkeys(links)), as_it_came(rest))
    return Held(text, tuple(attachments), context, is_whole)


def is_service(message: Json) -> bool:
    """Whether it only tells what happened."""
    said = any(message.get(name) for name in ("text", "caption", "rich_message"))
    return not said and any(message.get(name) is not None for name in SERVICE)


# --- text -----------------------------------------------------------------------------------------


def _text(message: Json) -> tuple[str, list[Link]]:
    for name, entities in (("text", "entities"), ("caption", "caption_entities")):
        if isinstance(message.get(name), str) and message[name]:
            return words(message[name]), list(_links(message[name], message.get(entities)))
    return "", []


def _links(text: str, entities: object) -> Iterator[Link]:
    """The addresses that a text hides behind its words. Places are counted in UTF-16."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    for entity in each(entities):
        address = rich.address_of(entity)
        if not address:
            continue
        start, length = number(entity.get("offset")) or 0, number(entity.get("length")) or 0
        shown = encoded[2 * start : 2 * (start + length)].decode("utf-16-le", "replace")
        if shown.strip() != address:
            yield Link(words(shown), address)


def _beside(message: Json, text: str, links: list[Link]) -> Iterator[Link]:
    """The addresses that a message leads to without its text: behind its buttons, and that of its preview."""
    rows = whole(message.get("reply_markup")).get("inline_keyboard")
    for button in (one for row in rows for one in each(row)) if isinstance(rows, list) else ():
        for where in (button, whole(button.get("web_app")), whole(button.get("login_url"))):
            if address := words(where.get("url")):
                yield Link(words(button.get("text")), address)
    preview = words(whole(message.get("link_preview_options")).get("url"))
    if preview and preview not in text and all(link.url != preview for link in links):
        yield Link("", preview)


# --- what is attached -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    attachments: tuple[Attachment, ...] = ()
    text: str = ""
    links: tuple[Link, ...] = ()
    unknown: tuple[Json, ...] = ()


def _content(name: str, value: Any) -> _Found | None:
    """What stands under that name; None where it is not known, or not as it is known."""
    if name in ("text", "caption") and isinstance(value, str):
        return _Found()  # read before
    if files := _files(name, value):
        return _Found(files)
    if name == "rich_message" and isinstance(value, dict):
        told = rich.read(value, _files)
        return _Found(tuple(told.files), told.text, tuple(told.links), tuple(told.unknown))
    if name in _READ and isinstance(value, dict):
        found = _READ[name](value)
        return None if found is None else _Found((found,))
    if name in ("paid_media", "live_photo") and isinstance(value, dict):
        told = rich.read(value, _files)
        return _Found(tuple(told.files)) if told.files else None
    return None


def _files(name: str, value: Any) -> tuple[Attachment, ...]:
    """The file under that name, also of a kind that is not known: it has the id of one."""
    if name in ("photo", "new_chat_photo") or isinstance(value, list):
        sizes = [one for one in each(value) if words(one.get("file_id"))]
        if not sizes or not all("width" in one or name == "photo" for one in sizes):
            return ()
        largest = max(sizes, key=lambda one: (number(one.get("width")) or 0) * (number(one.get("height")) or 0))
        return (Attachment("photo", words(largest["file_id"]), size=number(largest.get("file_size"))),)
    if name in ("thumbnail", "thumb", "cover") or not isinstance(value, dict):
        return ()
    if name == "location" and (place := _location(value)) is not None:
        return (place,)
    reference = words(value.get("file_id"))
    if not reference:
        return ()
    if name == "sticker":
        return (Attachment("sticker", reference, name=words(value.get("emoji")), size=number(value.get("file_size"))),)
    return (
        Attachment(
            _FILES.get(name, "file"),
            reference,
            name=words(value.get("file_name")),
            media_type=words(value.get("mime_type")),
            size=number(value.get("file_size")),
        ),
    )


def _place(name: str) -> int:
    """Where two say the same, the one that says more comes first."""
    return 0 if name in ("animation", "venue", "rich_message") else 1


def _is_known(one: Attachment, known: list[Attachment]) -> bool:
    """An animation is also a document, a venue also a location."""
    return any(
        (other.reference == one.reference and one.kind in ("file", "location"))
        or (one.kind == "file" and other.kind == "video")
        for other in known
    )


def _location(value: Json, name: str = "") -> Attachment | None:
    latitude, longitude = coordinate(value.get("latitude")), coordinate(value.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return Attachment("location", f"{latitude},{longitude}", name=name)


def _venue(value: Json) -> Attachment | None:
    return _location(
        whole(value.get("location")), line(words(value.get("title")), words(value.get("address")), by=", ")
    )


def _contact(value: Json) -> Attachment | None:
    phone, name = words(value.get("phone_number")), name_of(value)
    return Attachment("contact", phone, name=name) if phone or name else None


def _poll(value: Json) -> Attachment | None:
    options = line(*(words(one.get("text")) for one in each(value.get("options"))))
    return _said("poll", line(words(value.get("question")), options, by=" — "))


def _checklist(value: Json) -> Attachment | None:
    done = ("completion_date", "completed_by_user", "completed_by_chat")
    tasks = (
        f"{'☑' if any(one.get(name) for name in done) else '☐'} {words(one.get('text'))}"
        for one in each(value.get("tasks"))
    )
    return _said("checklist", line(words(value.get("title")), line(*tasks), by=" — "))


def _dice(value: Json) -> Attachment | None:
    rolled = number(value.get("value"))
    return _said("dice", line(words(value.get("emoji")), "" if rolled is None else str(rolled), by=" "))


def _gift(value: Json) -> Attachment | None:
    given = whole(value.get("gift"))
    stars = number(given.get("star_count"))
    name = line(words(given.get("base_name")), words(whole(given.get("sticker")).get("emoji")), by=" ")
    price = "" if stars is None else f"★ {stars}"
    return _said("gift", line(name, price, words(value.get("text"))) or "?")


def _invoice(value: Json) -> Attachment | None:
    amount = number(value.get("total_amount"))
    price = "" if amount is None else f"{amount} {words(value.get('currency'))}"
    return _said("invoice", line(words(value.get("title")), words(value.get("description")), price))


def _giveaway(value: Json) -> Attachment | None:
    chats = line(*(name_of(one) for one in each(value.get("chats"))), name_of(whole(value.get("chat"))), by=", ")
    return _said("giveaway", line(chats, words(value.get("prize_description"))) or "?")


def _said(kind: str, words_: str) -> Attachment | None:
    return Attachment(kind, words_) if words_ else None


_READ: dict[str, Callable[[Json], Attachment | None]] = {
    "venue": _venue,
    "location": _location,
    "contact": _contact,
    "poll": _poll,
    "checklist": _checklist,
    "dice": _dice,
    "game": lambda value: _said("game", line(words(value.get("title")), words(value.get("description")))),
    "story": lambda value: Attachment("story", name_of(whole(value.get("chat"))) or "?"),
    "gift": _gift,
    "unique_gift": _gift,
    "invoice": _invoice,
    "giveaway": _giveaway,
    "giveaway_winners": _giveaway,
}
"""Content that is all said in words."""


# --- context --------------------------------------------------------------------------------------


def _forward(message: Json) -> Forward | None:
    """From where it was forwarded, by today's fields or those of older servers; whatever is in them, it was."""
    if not any(name.startswith(_FORWARD) and value is not None for name, value in message.items()):
        return None
    origin = whole(message.get("forward_origin"))
    person = whole(origin.get("sender_user")) or whole(message.get("forward_from"))
    chat = whole(origin.get("chat")) or whole(origin.get("sender_chat")) or whole(message.get("forward_from_chat"))
    hidden = words(origin.get("sender_user_name")) or words(message.get("forward_sender_name"))
    at = moment(origin.get("date")) or moment(message.get("forward_date"))
    if person or hidden:
        username = words(person.get("username"))
        name = line(name_of(person) or hidden, f"(@{username})" if username else "", by=" ")
        return Forward(name, ForwardKind.USER, at)
    signature = words(origin.get("author_signature")) or words(message.get("forward_signature"))
    is_channel = origin.get("type") == "channel" or chat.get("type") == "channel"
    username = words(chat.get("username"))
    name = line(name_of(chat), f"(@{username})" if username and username != name_of(chat) else "", signature, by=" ")
    return Forward(name, ForwardKind.CHANNEL if is_channel else ForwardKind.UNKNOWN, at)


def _word(name: str) -> str:
    return words(name)[:100]
