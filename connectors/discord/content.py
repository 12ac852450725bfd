"""What one message of Discord holds: its text, what is attached, and its context. Whatever of it is missing, new or
malformed, the rest is read."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bot.domain.context import Context, Forward, ForwardKind, Link
from bot.domain.message import Attachment
from bot.web.media import kind_of
from connectors.discord.blocks import Told, is_preview, poll_words, read_components, read_embed
from connectors.discord.fields import moment, snowflake
from connectors.fields import Json, as_it_came, each, line, number, whole, words

FORWARD = 1
"""The type of a reference to a message that is passed on, not answered."""
_HAS_SNAPSHOT, _IS_VOICE = 1 << 14, 1 << 13
"""Flags of a message."""
_SIGNATURE = frozenset({"ex", "is", "hm"})
"""What expires of a link to a file; each time that Discord tells of the file, it has another."""
_CDN, _MEDIA = "https://cdn.discordapp.com", "https://media.discordapp.net"
_STICKERS = {
    1: (_CDN, "png", "image/png"),
    2: (_CDN, "png", "image/apng"),
    3: (_CDN, "json", "application/json"),
    4: (_MEDIA, "gif", "image/gif"),
}
"""By their format, where Discord has them and as what: PNG, APNG, Lottie, GIF."""
_ABOUT = frozenset(
    {
        *("id", "type", "channel_id", "channel_type", "guild_id", "author", "member", "webhook_id", "application_id"),
        *("timestamp", "edited_timestamp", "nonce", "tts", "pinned", "position", "flags", "reactions", "resolved"),
        *("mention_everyone", "mentions", "mention_roles", "mention_channels", "interaction", "interaction_metadata"),
        *("message_reference", "message_snapshots", "referenced_message"),
        *("content", "attachments", "embeds", "components", "sticker_items", "stickers", "poll"),
    }
)
"""Of a message, not in it; or read in its own place. All else has no words."""


@dataclass(frozen=True, slots=True)
class Held:
    text: str
    """The customer's own words; where they have none, those that they pass on (``context.forward``)."""
    attachments: tuple[Attachment, ...]
    context: Context
    typed: str
    """What the customer typed: a command may be in it."""
    tells_files: bool
    """``attachments`` are all that the message has now."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A message, or one that it passes on."""

    text: str
    attachments: tuple[Attachment, ...]
    links: tuple[Link, ...]
    rest: Json
    whole: bool
    """Whether all of its files are told, and could be read."""


def held(message: Json) -> Held:
    """Raises nothing."""
    own = _read(message, own=True)
    reference = whole(message.get("message_reference"))
    shots = list(_snapshots(message))
    passed = [_read(shot, own=False) for shot in shots]
    foreign = "\n\n".join(part.text for part in passed if part.text)
    is_forward = bool(shots) or _is_forward(message)
    rest = dict(own.rest)
    if strange := [part.rest for part in passed if part.rest]:
        rest["message_snapshots"] = strange
    parts = (own, *passed)
    attachments = tuple(dict.fromkeys(one for part in parts for one in part.attachments))
    if not own.text and not foreign and not attachments:
        # Which part says what it is; a forward whose content Discord keeps to itself is one, too.
        attachments = (Attachment("unsupported", _kind(rest, "forward" if is_forward else "unknown")),)
    links = tuple(dict.fromkeys(link for part in parts for link in part.links))
    # Beside words of their own, what a customer passes on is a quotation: the words are theirs, and are answered.
    forward = _forward(reference, shots) if is_forward and not own.text else None
    context = Context(forward, foreign if own.text else "", links, as_it_came(rest))
    return Held(
        own.text or foreign, attachments, context, words(message.get("content")), all(part.whole for part in parts)
    )


def answered(message: Json, chat_id: str) -> tuple[str | None, str]:
    """The message of this chat that this one answers, and what that says, where Discord tells."""
    reference = whole(message.get("message_reference"))
    number_ = snowflake(reference.get("message_id"))
    there = reference.get("channel_id")
    if number_ is None or (there is not None and snowflake(there) != chat_id):
        return None, ""
    if _is_forward(message):
        return number_, ""
    said = whole(message.get("referenced_message"))
    if not said:
        return number_, ""
    quoted = held(said)
    return number_, quoted.text or line(*(one.name for one in quoted.attachments), by=", ")


def _snapshots(message: Json, depth: int = 0) -> Iterator[Json]:
    for one in each(message.get("message_snapshots")):
        shot = whole(one.get("message"))
        yield shot
        if depth < 3:
            yield from _snapshots(shot, depth + 1)


def _is_forward(message: Json) -> bool:
    return (
        whole(message.get("message_reference")).get("type") == FORWARD
        or bool((number(message.get("flags")) or 0) & _HAS_SNAPSHOT)
        or bool(message.get("message_snapshots"))
    )


def _forward(reference: Json, shots: list[Json]) -> Forward:
    """Discord tells the place and the time, and not whose words they are."""
    place, guild = snowflake(reference.get("channel_id")), snowflake(reference.get("guild_id"))
    under = snowflake(reference.get("message_id"))
    # An address that opens it for whoever may see it: nothing else can be made of the numbers.
    name = line("discord.com/channels", guild or "@me", place, under or "", by="/") if place else ""
    at = next((at for shot in shots if (at := moment(shot.get("timestamp"))) is not None), None)
    return Forward(name, ForwardKind.CHANNEL if guild else ForwardKind.UNKNOWN, at)


# --- one part -------------------------------------------------------------------------------------


def _read(message: Json, *, own: bool) -> _Part:
    content = words(message.get("content"))
    rest: Json = {name: value for name, value in message.items() if name not in _ABOUT and value}
    if message.get("content") and not content:
        rest["content"] = message["content"]
    told = Told()
    for one in each(message.get("embeds")):
        if not is_preview(one, content, own=own):
            read_embed(one, told)
    if told.unknown:
        rest["embeds"], told.unknown = told.unknown, []
    read_components(message.get("components"), told)
    if told.unknown:
        rest["components"] = told.unknown
    found: list[Attachment] = []
    is_voice = bool((number(message.get("flags")) or 0) & _IS_VOICE)
    files = message.get("attachments")
    is_whole = isinstance(message.get("content"), str) and isinstance(files, list)
    for name, made in (("attachments", list(_files(files, is_voice))), ("files", list(_files(told.files, False)))):
        found += [one for one, _ in made if one is not None]
        if strange := [raw for one, raw in made if one is None]:
            rest[name] = strange
            is_whole = False
    stickers = message.get("sticker_items") or message.get("stickers")
    for raw in each(stickers):
        if (sticker := _sticker(raw)) is not None:
            found.append(sticker)
        else:
            rest.setdefault("sticker_items", []).append(raw)
    if isinstance(message.get("poll"), dict):
        if said := poll_words(message["poll"]):
            found.append(Attachment("poll", said))
        else:
            rest["poll"] = message["poll"]
    blocks = "\n".join(told.lines)
    text = "\n\n".join(filter(None, (content, blocks)))
    return _Part(text, tuple(found), tuple(told.links), rest, is_whole)


def _files(files: object, is_voice: bool) -> list[tuple[Attachment | None, Any]]:
    return [(_file(whole(raw), is_voice), raw) for raw in files] if isinstance(files, list) else []


def _file(data: Json, is_voice: bool) -> Attachment | None:
    url = words(data.get("url"))
    if not url:
        return None
    filename = words(data.get("filename"))
    media_type = words(data.get("content_type"))
    return Attachment(
        kind="voice"
        if is_voice or data.get("waveform")
        else kind_of(media_type or mimetypes.guess_type(filename)[0] or ""),
        reference=lasting(url),
        name=words(data.get("title")) or filename,
        media_type=media_type,
        size=number(data.get("size")),
    )


def lasting(url: str) -> str:
    """The address of a file without what changes of it, so that it is known again when the message is edited."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not _SIGNATURE & {name for name, _ in query}:
        return url
    return urlunsplit(parts._replace(query=urlencode([pair for pair in query if pair[0] not in _SIGNATURE])))


def links(message: object, depth: int = 0) -> Iterator[str]:
    """Every address in a message, wherever it stands."""
    if depth > 20:
        return
    if isinstance(message, list):
        for one in message:
            yield from links(one, depth + 1)
    elif isinstance(message, dict):
        for name, one in message.items():
            if name == "url" and isinstance(one, str):
                yield one
            else:
                yield from links(one, depth + 1)


def _sticker(data: Json) -> Attachment | None:
    number_ = snowflake(data.get("id"))
    if number_ is None:
        return None
    given = data.get("format_type")
    base, extension, media_type = _STICKERS.get(given if isinstance(given, int) else 1, _STICKERS[1])
    name = words(data.get("name"))
    address = f"{base}/stickers/{number_}.{extension}"
    return Attachment("sticker", address, f"{name}.{extension}" if name else "", media_type)


def _kind(rest: Json, otherwise: str) -> str:
    return words(next(iter(rest), otherwise))[:100]
