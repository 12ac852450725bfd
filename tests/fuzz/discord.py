"""Events of Discord's gateway, and messages as a channel's history has them: a well-formed example of each kind."""

from __future__ import annotations

from typing import Any

from tests.fuzz.hostile import PERSON, WORDS

Json = dict[str, Any]

BOT = "1300000000000000001"
_CHANNEL = str(PERSON)
_USER: Json = {
    "id": str(PERSON),
    "username": "ann",
    "global_name": f"Ann {WORDS}",
    "discriminator": "0",
    "avatar": None,
}
_FILE: Json = {
    "id": "1300000000000000011",
    "filename": f"{WORDS}.png",
    "size": 70,
    "url": "http://127.0.0.1:9/attachments/1/2/bill.png?ex=1",
    "proxy_url": "http://127.0.0.1:9/attachments/1/2/bill.png",
    "content_type": "image/png",
    "width": 1,
    "height": 1,
}


def message(**content: Any) -> Json:
    return {
        "id": "1300000000000000100",
        "type": 0,
        "channel_id": _CHANNEL,
        "author": _USER,
        "content": f"{WORDS} how long does a transfer take?",
        "timestamp": "2026-10-01T10:00:00.000000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mentions": [],
        "attachments": [],
        "embeds": [],
        "flags": 0,
        "components": [],
        **content,
    }


def _interaction(kind: int, data: Json, **content: Any) -> Json:
    return {
        "id": "1300000000000000200",
        "application_id": BOT,
        "type": kind,
        "token": "aW50ZXJhY3Rpb24",
        "version": 1,
        "channel_id": _CHANNEL,
        "user": _USER,
        "locale": "en-US",
        "data": data,
        **content,
    }


_PRESS: Json = {"component_type": 2, "custom_id": "helped:yes", "id": 2}
_ROWS = [{"type": 1, "components": [{"type": 2, "style": 2, "label": "Yes", "custom_id": "helped:yes"}]}]

MESSAGES: tuple[Json, ...] = (
    message(),
    message(content="/human"),
    message(content="2"),
    message(type=19, message_reference={"message_id": "1300000000000000099", "channel_id": _CHANNEL}),
    message(content="", attachments=[_FILE]),
    message(
        content="",
        attachments=[{**_FILE, "flags": 1 << 13, "waveform": "AA", "content_type": "audio/ogg"}],
        flags=1 << 13,
    ),
    message(content="", sticker_items=[{"id": "749054660769218631", "name": "wave", "format_type": 1}]),
    message(content="", message_snapshots=[{"message": {"content": WORDS, "attachments": [_FILE]}}]),
    message(content="", poll={"question": {"text": WORDS}}),
    message(edited_timestamp="2026-10-01T10:01:00.000000+00:00"),
    message(type=3, content="", call={"participants": [str(PERSON)]}),
    message(author={**_USER, "bot": True}),
    message(author={"id": BOT, "username": "Desk", "bot": True}, components=_ROWS),
    message(webhook_id="1300000000000000300"),
    message(guild_id="1300000000000000400", member={"roles": []}),
)
"""A channel's history has no others."""

EVENTS: tuple[tuple[str, Json], ...] = (
    *(("MESSAGE_CREATE", one) for one in MESSAGES),
    ("MESSAGE_UPDATE", message(content=f"{WORDS} edited", edited_timestamp="2026-10-01T10:01:00.000000+00:00")),
    ("MESSAGE_UPDATE", {"id": "1300000000000000100", "channel_id": _CHANNEL, "embeds": [{"type": "rich"}]}),
    (
        "MESSAGE_UPDATE",
        {"id": "1300000000000000100", "channel_id": _CHANNEL, "edited_timestamp": "2026-10-01T10:02:00+00:00"},
    ),
    ("MESSAGE_DELETE", {"id": "1300000000000000100", "channel_id": _CHANNEL}),
    ("MESSAGE_DELETE", {"id": "1300000000000000100", "channel_id": _CHANNEL, "guild_id": "1300000000000000400"}),
    ("INTERACTION_CREATE", _interaction(3, _PRESS, message=message(author={"id": BOT}, components=_ROWS))),
    (
        "INTERACTION_CREATE",
        _interaction(3, {**_PRESS, "custom_id": "support"}, guild_id="1300000000000000400", member={"user": _USER}),
    ),
    ("INTERACTION_CREATE", _interaction(2, {"id": "7", "name": "support", "type": 1})),
    ("INTERACTION_CREATE", _interaction(2, {"id": "8", "name": "human", "type": 1})),
    (
        "INTERACTION_CREATE",
        _interaction(2, {"id": "8", "name": "human", "type": 1}, guild_id="1", member={"user": _USER}, user=None),
    ),
    ("INTERACTION_CREATE", _interaction(5, {"custom_id": "form", "components": []})),
)
