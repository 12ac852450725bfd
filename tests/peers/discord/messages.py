"""Forms of messages, checked as Discord checks them, and what they become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.peers.discord.entities import Attachment, Channel, Message
from tests.peers.discord.errors import FormErrors, Json, Refusal, invalid, snowflake
from tests.peers.discord.world import World

MAX_CONTENT = 2000
_MAX_NONCE = 25
_COMPONENTS_V2 = 1 << 15
_SETTABLE_FLAGS = (1 << 2) | (1 << 6) | (1 << 12)
"""Suppress embeds, ephemeral (answers to interactions only), suppress notifications."""
_DEFAULT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "pdf": "application/pdf", "txt": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Upload:
    """A ``files[n]`` part of a multipart body."""

    name: str
    content: bytes
    content_type: str | None


Uploads = dict[int, Upload]


def check_size(files: Uploads, limit: int) -> None:
    if sum(len(file.content) for file in files.values()) > limit:
        raise Refusal(413, 40005, "Request entity too large")


def new_message(world: World, channel: Channel, body: Json, files: Uploads, *, interaction: bool = False) -> Message:
    """The bot's message that this form makes, neither stored nor told yet."""
    errors = FormErrors()
    content = _content(body, errors)
    nonce = _nonce(body, errors)
    flags = _flags(body, errors, interaction=interaction)
    components = _components(body.get("components"), errors)
    allowed = _allowed_mentions(body.get("allowed_mentions"), errors)
    embeds = _embeds(body, errors)
    described = _described(body, files, errors)
    reply_to = _reference(world, channel, body.get("message_reference"), errors)
    errors.check()
    attachments = [_attach(world, files[index], described.get(index, {})) for index in sorted(files)]
    if not content and not attachments and not embeds:
        raise Refusal(400, 50006, "Cannot send an empty message")
    message = Message(world.new_id(), channel, world.bot)
    message.content, message.nonce, message.flags, message.components = content, nonce, flags, components
    message.embeds, message.attachments, message.tts = embeds, attachments, body.get("tts") is True
    if reply_to is not None:
        message.kind, message.reply_to = 19, reply_to
    _mention(world, message, allowed)
    return message


def change_message(world: World, message: Message, body: Json, files: Uploads) -> None:
    """Changes the bot's message as the form says; what the form leaves out stays as it is."""
    errors = FormErrors()
    content = _content(body, errors) if "content" in body else message.content
    components = _components(body["components"], errors) if "components" in body else message.components
    allowed = _allowed_mentions(body.get("allowed_mentions"), errors)
    embeds = _embeds(body, errors) if "embeds" in body else message.embeds
    flags = (body["flags"] or 0) if "flags" in body else message.flags
    described = _described(body, files, errors, {attachment.id for attachment in message.attachments})
    errors.check()
    kept = message.attachments
    if body.get("attachments") is not None:
        named = {int(entry["id"]) for entry in body["attachments"]}
        kept = [attachment for attachment in kept if attachment.id in named]
    new = [_attach(world, files[index], described.get(index, {})) for index in sorted(files)]
    if not content and not kept and not new and not embeds:
        raise Refusal(400, 50006, "Cannot send an empty message")
    for attachment in message.attachments:
        attachment.gone = attachment not in kept
    message.content, message.components, message.embeds = content, components, embeds
    message.attachments = kept + new
    message.flags = (message.flags & ~4) | (flags & 4)  # only the suppression of embeds can be edited
    pinged = message.pinged
    _mention(world, message, allowed)
    message.pinged = pinged  # an edit pings nobody


def _content(body: Json, errors: FormErrors) -> str:
    value = body.get("content")
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        errors.add("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        return ""
    text = str(value)
    if len(text) > MAX_CONTENT:
        errors.add("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
    # Discord trims both ends: what is stored may differ from what was sent.
    return text.strip()


def _nonce(body: Json, errors: FormErrors) -> str | int | None:
    value = body.get("nonce")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        errors.add("nonce", "NONCE_TYPE_INVALID", "Nonce must be an integer or a string.")
        return None
    if len(str(value)) > _MAX_NONCE:
        errors.add("nonce", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_NONCE} or fewer in length.")
    return value


def _flags(body: Json, errors: FormErrors, *, interaction: bool) -> int:
    flags = body.get("flags") or 0
    if type(flags) is not int:
        errors.add("flags", "NUMBER_TYPE_COERCE", f'Value "{flags}" is not int.')
        return 0
    if flags & _COMPONENTS_V2:
        # Not a rule of Discord: nothing here would check such components.
        errors.add("flags", "NOT_IN_STAND_IN", "Components V2 are not known to this stand-in.")
    # Flags that a bot may not set are ignored, as is the wish to be ephemeral outside of an interaction.
    return flags & (_SETTABLE_FLAGS if interaction else _SETTABLE_FLAGS & ~(1 << 6))


def _embeds(body: Json, errors: FormErrors) -> list[Json]:
    embeds = body.get("embeds") or []
    if not isinstance(embeds, list) or not all(isinstance(embed, dict) for embed in embeds):
        errors.add("embeds", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return []
    if len(embeds) > 10:
        errors.add("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    return [{"type": "rich", **embed} for embed in embeds]


def _described(body: Json, files: Uploads, errors: FormErrors, existing: set[int] | None = None) -> dict[int, Json]:
    """What the form says of each file, by the file's index."""
    described: dict[int, Json] = {}
    entries = body.get("attachments") or []
    if not isinstance(entries, list) or len(entries) > 10 or len(files) > 10:
        errors.add("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
        return {}
    for place, entry in enumerate(entries):
        given = str(entry.get("id", "")) if isinstance(entry, dict) else ""
        if not given.isdigit():
            errors.add(f"attachments.{place}.id", "NUMBER_TYPE_COERCE", f'Value "{given}" is not snowflake.')
        elif int(given) in files:
            described[int(given)] = entry
        elif existing is None or int(given) not in existing:
            errors.add(f"attachments.{place}", "ATTACHMENT_NOT_FOUND", f"Attachment data not found for id: {given}")
    return described


def _attach(world: World, file: Upload, entry: Json) -> Attachment:
    name = str(entry.get("filename") or file.name)
    # The type that the bot names is not believed: discord.py calls everything application/octet-stream.
    content_type = _DEFAULT_TYPES.get(name.rpartition(".")[2].lower())
    return world.attach(name, file.content, content_type, entry.get("description"))


# --- replies


def _reference(world: World, channel: Channel, given: Any, errors: FormErrors) -> int | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("message_id") is None:
        errors.add("message_reference.message_id", "BASE_TYPE_REQUIRED", "This field is required")
        return None
    message_id = snowflake(given["message_id"], "message_reference.message_id")
    if given.get("channel_id") is not None:
        named = snowflake(given["channel_id"], "message_reference.channel_id")
        if named != channel.id:
            errors.add("message_reference", "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", "Cannot reply to other channels")
            return None
    quoted = channel.messages.get(message_id)
    if quoted is None:
        if given.get("fail_if_not_exists", True):
            errors.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None  # becomes an ordinary message, without a word
    if quoted.kind not in (0, 19, 20, 23):
        errors.add("message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message")
        return None
    return message_id


# --- mentions


@dataclass(frozen=True)
class _Allowed:
    users: bool
    everyone: bool
    replied: bool
    named: frozenset[int] = frozenset()


def _allowed_mentions(given: Any, errors: FormErrors) -> _Allowed:
    if given is None:
        return _Allowed(users=True, everyone=True, replied=True)
    if not isinstance(given, dict):
        errors.add("allowed_mentions", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return _Allowed(False, False, False)
    # Without "parse" everything is parsed, unlike with an empty one.
    parse = given.get("parse")
    kinds = ["users", "roles", "everyone"] if parse is None and not given.get("users") else (parse or [])
    if not isinstance(kinds, list) or not set(kinds) <= {"users", "roles", "everyone"}:
        errors.add(
            "allowed_mentions.parse.0", "BASE_TYPE_CHOICES", "Value must be one of {'everyone', 'roles', 'users'}."
        )
        return _Allowed(False, False, False)
    named = given.get("users") or []
    if not isinstance(named, list) or len(named) > 100:
        errors.add("allowed_mentions.users", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
        named = []
    if named and "users" in kinds:
        errors.add(
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
            'parse:["users"] and users: [ids...] are mutually exclusive.',
        )
    ids = frozenset(snowflake(user, "allowed_mentions.users") for user in named)
    # Once there is an allowed_mentions object, the quoted author is pinged only on request.
    return _Allowed("users" in kinds, "everyone" in kinds, given.get("replied_user") is True, ids)


def _mention(world: World, message: Message, allowed: _Allowed) -> None:
    """Works out whom a message mentions. Code and backslashes do not protect here, so that nobody relies on them."""
    pinged: list[str] = []
    mentioned: list[int] = []
    if allowed.everyone:
        pinged += [word for word in ("@everyone", "@here") if word in message.content]
    for found in re.findall(r"<@!?(\d+)>", message.content):
        user = int(found)
        known = user in world.users or user == world.bot_id
        if known and user not in mentioned and (allowed.users or user in allowed.named):
            mentioned.append(user)
    if message.reply_to is not None and allowed.replied:
        quoted = message.channel.messages.get(message.reply_to)
        author = int(quoted.author["id"]) if quoted else None
        if author is not None and author != world.bot_id and author not in mentioned:
            mentioned.append(author)
    message.mentions_everyone = bool(pinged)
    message.mentions = mentioned
    message.pinged = pinged + [f"<@{user}>" for user in mentioned]


# --- components


def _components(given: Any, errors: FormErrors) -> list[Json]:
    """Rows of buttons or of one select. Discord numbers every component that it stores."""
    if given is None:
        return []
    if not isinstance(given, list):
        errors.add("components", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return []
    if len(given) > 5:
        errors.add("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    seen: set[str] = set()
    number = 0
    rows: list[Json] = []
    for place, row in enumerate(given):
        path = f"components.{place}"
        if not isinstance(row, dict) or row.get("type") != 1:
            errors.add(f"{path}.type", "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of ('1',).")
            continue
        inner = row.get("components")
        if not isinstance(inner, list) or not 1 <= len(inner) <= 5:
            errors.add(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
            continue
        number += 1
        shown: Json = {"type": 1, "id": number, "components": []}
        for index, component in enumerate(inner):
            _component(component, f"{path}.components.{index}", seen, errors, alone=len(inner) == 1)
            if isinstance(component, dict):
                number += 1
                shown["components"].append({"id": number, **component})
        rows.append(shown)
    return rows


def _component(component: Any, path: str, seen: set[str], errors: FormErrors, *, alone: bool) -> None:
    kind = component.get("type") if isinstance(component, dict) else None
    if kind not in (2, 3, 5, 6, 7, 8):
        errors.add(f"{path}.type", "UNION_TYPE_CHOICES", 'Value of field "type" is not a component of a row.')
        return
    custom_id = component.get("custom_id")
    if kind == 2:
        style, label = component.get("style"), component.get("label")
        if style not in (1, 2, 3, 4, 5):
            errors.add(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
        if label is not None and (not isinstance(label, str) or len(label) > 80):
            errors.add(f"{path}.label", "BASE_TYPE_MAX_LENGTH", "Must be 80 or fewer in length.")
        if not label and not component.get("emoji"):
            errors.add(path, "BUTTON_COMPONENT_MISSING_LABEL_AND_EMOJI", "A button must have a label or an emoji")
        if style == 5:
            if custom_id is not None:
                errors.add(path, "BUTTON_COMPONENT_CUSTOM_ID_AND_URL", "A custom id and url cannot both be specified")
            if not isinstance(component.get("url"), str):
                errors.add(f"{path}.url", "BASE_TYPE_REQUIRED", "This field is required")
            return
    elif not alone:
        errors.add(path, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
    if custom_id is None:
        errors.add(f"{path}.custom_id", "BASE_TYPE_REQUIRED", "This field is required")
    elif not isinstance(custom_id, str) or not 1 <= len(custom_id) <= 100:
        errors.add(f"{path}.custom_id", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    elif custom_id in seen:
        errors.add(f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    else:
        seen.add(custom_id)


def check_object(body: Any) -> Json:
    if not isinstance(body, dict):
        invalid("_", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    return body
