"""Updates of Telegram: one well-formed example of each kind that a bot may be brought."""

from __future__ import annotations

from typing import Any

from tests.fuzz.hostile import PERSON, WORDS, Examples

Json = dict[str, Any]

_USER: Json = {
    "id": PERSON,
    "is_bot": False,
    "first_name": f"Ann {WORDS}",
    "last_name": "B",
    "username": "ann",
    "language_code": "en",
}
_CHAT: Json = {"id": PERSON, "type": "private", "first_name": "Ann", "username": "ann"}
_BOT: Json = {"id": 700100200, "is_bot": True, "first_name": "Desk", "username": "desk_bot"}
_GROUP: Json = {"id": -1001234567890, "type": "supergroup", "title": f"Group {WORDS}"}
_FILE: Json = {"file_id": "AgACAgIAAxkBAAIB", "file_unique_id": "AQADq7Ax", "file_size": 4321}
_SEEN: Json = {**_FILE, "width": 90, "height": 60}
_LONG: Json = {**_FILE, "duration": 3, "mime_type": "audio/ogg", "file_name": f"{WORDS}.ogg"}


def _message(**content: Any) -> Json:
    return {"message_id": 31, "from": _USER, "chat": _CHAT, "date": 1_790_000_000, **content}


def _said(**content: Any) -> Json:
    return {"update_id": 900_000_001, "message": _message(**content)}


_TEXT = _said(text=f"{WORDS} how long does a transfer take?")

WELL_FORMED = Examples(
    (
        _TEXT,
        _said(text="/start transfer_delay", entities=[{"type": "bot_command", "offset": 0, "length": 6}]),
        _said(text="/human"),
        _said(text="2"),
        _said(photo=[_SEEN, {**_SEEN, "width": 900, "height": 600}], caption=WORDS, has_media_spoiler=True),
        _said(document={**_FILE, "file_name": f"{WORDS}.pdf", "mime_type": "application/pdf", "thumbnail": _SEEN}),
        _said(voice=_LONG),
        _said(audio={**_LONG, "title": WORDS, "performer": WORDS}),
        _said(video={**_LONG, "width": 90, "height": 60}),
        _said(video_note={**_FILE, "length": 240, "duration": 3}),
        _said(animation={**_LONG, "width": 90, "height": 60}, document=_FILE),
        _said(
            sticker={
                **_SEEN,
                "type": "regular",
                "is_animated": False,
                "is_video": False,
                "emoji": "👍",
                "set_name": "x",
            }
        ),
        _said(location={"latitude": 31.2, "longitude": 121.5, "live_period": 60}),
        _said(venue={"location": {"latitude": 31.2, "longitude": 121.5}, "title": WORDS, "address": WORDS}),
        _said(contact={"phone_number": "+8613800000000", "first_name": WORDS, "last_name": "B", "user_id": PERSON}),
        _said(
            poll={
                "id": "1",
                "question": WORDS,
                "options": [{"text": WORDS, "voter_count": 0}],
                "is_closed": False,
                "total_voter_count": 0,
                "is_anonymous": True,
                "type": "regular",
                "allows_multiple_answers": False,
            }
        ),
        _said(dice={"emoji": "🎲", "value": 6}),
        _said(a_kind_from_the_future={"text": WORDS}),
        _said(new_chat_members=[_USER]),
        _said(pinned_message=_message(text=WORDS)),
        _said(text=WORDS, reply_to_message=_message(text=WORDS)),
        _said(text=WORDS, reply_to_message={**_message(text="Hello"), "from": _BOT}),
        _said(text=WORDS, forward_origin={"type": "hidden_user", "sender_user_name": WORDS, "date": 1}),
        _said(text=WORDS, reply_markup={"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]}),
        _said(text=WORDS, entities=[{"type": "text_link", "offset": 0, "length": 3, "url": "http://x.example/"}]),
        {"update_id": 900_000_002, "edited_message": _message(text=f"{WORDS} edited", edit_date=1_790_000_060)},
        {"update_id": 900_000_003, "edited_message": _message(caption=WORDS, photo=[_SEEN], edit_date=1_790_000_061)},
        {
            "update_id": 900_000_004,
            "callback_query": {
                "id": "4382bfdwdsb323b2d9",
                "from": _USER,
                "chat_instance": "-3",
                "data": "helped:yes",
                "message": {
                    **_message(text="Did it help?"),
                    "from": _BOT,
                    "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "helped:yes"}]]},
                },
            },
        },
        {
            "update_id": 900_000_005,
            "callback_query": {
                "id": "4382bfdwdsb323b2d8",
                "from": _USER,
                "chat_instance": "-3",
                "data": "topic:transfer_delay",
                "message": {"chat": _CHAT, "message_id": 3, "date": 0},
            },
        },
        {
            "update_id": 900_000_006,
            "callback_query": {
                "id": "5",
                "from": _USER,
                "chat_instance": "-3",
                "game_short_name": "x",
                "inline_message_id": "x",
            },
        },
        {
            "update_id": 900_000_007,
            "my_chat_member": {
                "chat": _CHAT,
                "from": _USER,
                "date": 1_790_000_000,
                "old_chat_member": {"user": _BOT, "status": "member"},
                "new_chat_member": {"user": _BOT, "status": "kicked", "until_date": 0},
            },
        },
        {"update_id": 900_000_008, "message": {**_message(text=f"/human {WORDS}"), "chat": _GROUP}},
        {
            "update_id": 900_000_009,
            "channel_post": {"message_id": 5, "chat": {**_GROUP, "type": "channel"}, "date": 1, "text": WORDS},
        },
        {
            "update_id": 900_000_010,
            "edited_channel_post": {"message_id": 5, "chat": {**_GROUP, "type": "channel"}, "date": 1, "text": WORDS},
        },
        {"update_id": 900_000_011, "message": {**_message(text=WORDS), "from": _BOT}},
        {"update_id": 900_000_012, "message": {**_message(text=WORDS), "sender_chat": _GROUP}},
        {"update_id": 900_000_013, "inline_query": {"id": "1", "from": _USER, "query": WORDS, "offset": ""}},
        {
            "update_id": 900_000_014,
            "message_reaction": {
                "chat": _CHAT,
                "message_id": 1,
                "user": _USER,
                "date": 1,
                "old_reaction": [],
                "new_reaction": [],
            },
        },
        {"update_id": 900_000_015, "business_message": _message(text=WORDS, business_connection_id="x")},
        {"update_id": 900_000_016},
    )
)
