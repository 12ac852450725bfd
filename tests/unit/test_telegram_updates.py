"""What the desk makes of Telegram's updates, well-formed and hostile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.message import Attachment, Command, Incoming, Sender
from connectors.telegram import MalformedUpdate, read_update
from tests.support.telegram_updates import ANN, FILE, PRIVATE, incoming, message, said


def test_a_text_message() -> None:
    assert incoming(text="你好 👋") == Incoming(
        channel="telegram",
        account="700",
        external_id="42:7",
        sender=Sender("42", name="Ann Ng", language="zh-hans"),
        chat_id="42",
        text="你好 👋",
        sent_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "command", "argument"),
    [
        ("/start", Command.START, ""),
        ("/start order_77", Command.START, "order_77"),
        ("/help", Command.HELP, ""),
        ("/human", Command.HUMAN, ""),
        ("/human@desk_bot", Command.HUMAN, ""),
        ("/human@desk_bot  my bill\nis wrong ", Command.HUMAN, "my bill\nis wrong"),
        ("/humanity", None, ""),
        ("/unknown thing", None, ""),
        ("please /human", None, ""),
        ("/", None, ""),
    ],
)
def test_commands(text: str, command: Command | None, argument: str) -> None:
    result = incoming(text=text)
    assert (result.command, result.argument, result.text) == (command, argument, text)


@pytest.mark.parametrize(
    ("content", "attachment"),
    [
        (
            {
                "photo": [
                    {**FILE, "file_id": "small", "width": 90, "height": 60},
                    {**FILE, "file_id": "large", "width": 1280, "height": 853},
                    {**FILE, "file_id": "middle", "width": 320, "height": 213},
                ]
            },
            Attachment("photo", "large", size=12),
        ),
        (
            {"document": {**FILE, "file_name": "账单.pdf", "mime_type": "application/pdf"}},
            Attachment("file", "F1", "账单.pdf", "application/pdf", 12),
        ),
        ({"voice": {**FILE, "duration": 3, "mime_type": "audio/ogg"}}, Attachment("voice", "F1", "", "audio/ogg", 12)),
        ({"audio": {**FILE, "duration": 3, "file_name": "a.mp3"}}, Attachment("audio", "F1", "a.mp3", "", 12)),
        ({"video": {**FILE, "width": 1, "height": 1, "duration": 3}}, Attachment("video", "F1", size=12)),
        ({"video_note": {**FILE, "length": 1, "duration": 3}}, Attachment("video", "F1", size=12)),
        (
            {"animation": {**FILE, "width": 1, "height": 1, "duration": 3}, "document": FILE},
            Attachment("video", "F1", size=12),
        ),
        (
            {
                "sticker": {
                    **FILE,
                    "type": "regular",
                    "width": 1,
                    "height": 1,
                    "is_animated": False,
                    "is_video": False,
                    "emoji": "👍",
                }
            },
            Attachment("sticker", "F1", "👍", size=12),
        ),
        ({"location": {"latitude": 52.5, "longitude": -0.000001}}, Attachment("location", "52.500000,-0.000001")),
        (
            {
                "location": {"latitude": 1, "longitude": 2},
                "venue": {"location": {"latitude": 1, "longitude": 2}, "title": "Café", "address": "Main St 1"},
            },
            Attachment("location", "1.000000,2.000000", "Café, Main St 1"),
        ),
        (
            {"contact": {"phone_number": "+491701234567", "first_name": "Bo"}},
            Attachment("contact", "+491701234567", "Bo"),
        ),
        ({"dice": {"emoji": "🎲", "value": 3}}, Attachment("dice", "🎲 3")),
        ({"story": {"chat": PRIVATE, "id": 1}}, Attachment("story", "Ann")),
        (
            {"checklist": {"title": "To do", "tasks": [{"id": 1, "text": "a", "completion_date": 5}, {"text": "b"}]}},
            Attachment("checklist", "To do — ☑ a · ☐ b"),
        ),
        (
            {"gift": {"gift": {"sticker": {"emoji": "🎁"}, "star_count": 15}, "text": "for you"}},
            Attachment("gift", "🎁 · ★ 15 · for you"),
        ),
        ({"game": {"title": "Chess", "description": "two play"}}, Attachment("game", "Chess · two play")),
        (
            {"invoice": {"title": "VIP", "description": "", "total_amount": 500, "currency": "XTR"}},
            Attachment("invoice", "VIP · 500 XTR"),
        ),
        (
            {"poll": {"id": "1", "question": "Which?", "options": [{"text": "A"}, {"text": "B"}]}},
            Attachment("poll", "Which? — A · B"),
        ),
        ({"hologram": {"depth": 3}}, Attachment("unsupported", "hologram")),
        ({}, Attachment("unsupported", "unknown")),
    ],
)
def test_attachments(content: dict[str, Any], attachment: Attachment) -> None:
    result = incoming(**content)
    assert result.attachments == (attachment,)
    assert result.text == ""


def test_a_caption_is_text() -> None:
    result = incoming(document=FILE, caption="here is my bill")
    assert result.text == "here is my bill"
    assert result.attachments[0].kind == "file"


def test_a_caption_of_something_unsupported_keeps_both() -> None:
    result = incoming(hologram={}, caption="look")
    assert (result.text, result.attachments) == ("look", (Attachment("unsupported", "hologram"),))


def test_an_edit_names_the_message_it_replaces() -> None:
    result = said({"update_id": 9, "edited_message": message(text="/human please", edit_date=1_700_000_060)})
    assert result is not None
    assert result.external_id == "42:7:edit:1700000060:9"
    assert result.edits == "42:7"
    assert result.text == "/human please"
    assert result.command is None
    assert result.sent_at == datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC), "when it was edited"


@pytest.mark.parametrize(
    ("answered", "replies_to"),
    [
        ({"message_id": 5, "from": {"id": 42, "is_bot": False}}, "42:5"),
        ({"message_id": 5, "from": {"id": 700, "is_bot": True}, "newer": ["than", "the library"]}, "5"),
        ({"message_id": 5}, None),
        ({"message_id": 5, "from": None}, None),
        ({"message_id": "5", "from": {"id": 42, "is_bot": False}}, None),
        ({"message_id": 5, "from": {"id": 42, "is_bot": "no"}}, None),
        ({}, None),
        ([5], None),
        (None, None),
    ],
)
def test_a_reply_names_what_it_answers_as_the_desk_knows_it(answered: Any, replies_to: str | None) -> None:
    assert incoming(text="this one", reply_to_message=answered).replies_to == replies_to


def test_a_live_location_on_its_way_says_nothing() -> None:
    assert said({"edited_message": message(location={"latitude": 1, "longitude": 2}, edit_date=1_700_000_060)}) is None


def press(**changes: Any) -> Incoming | None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "helped:yes"}], [{"text": "Site", "url": "x"}]]}
    under = message(text="Did it help?", reply_markup=keyboard)
    query = {"id": "555", "from": ANN, "chat_instance": "1", "data": "helped:yes", "message": under, **changes}
    return said({"callback_query": query})


def test_a_pressed_button() -> None:
    assert press() == Incoming(
        channel="telegram",
        account="700",
        external_id="callback:555",
        sender=Sender("42", name="Ann Ng", language="zh-hans"),
        chat_id="42",
        text="Yes",
        button="helped:yes",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "human"},  # a button that the message no longer has
        {"data": "human", "message": {"message_id": 7, "date": 0, "chat": PRIVATE}},  # a message too old to show
    ],
)
def test_a_button_without_label_is_named_by_its_payload(changes: dict[str, Any]) -> None:
    result = press(**changes)
    assert result is not None
    assert (result.text, result.button) == ("human", "human")


GROUP = {"id": -100, "type": "supergroup", "title": "Group"}
ROBOT = {"id": 43, "is_bot": True, "first_name": "Robot"}
MEMBERSHIP = {
    "date": 1_700_000_000,
    "from": ANN,
    "old_chat_member": {"user": ROBOT, "status": "left"},
    "new_chat_member": {"user": ROBOT, "status": "member"},
}


@pytest.mark.parametrize(
    "update",
    [
        {"message": message(text="hi", chat=GROUP)},
        {"message": message(text="/human@desk_bot", chat={**GROUP, "type": "group"})},
        {"message": message(new_chat_members=[ROBOT], chat=GROUP)},
        {"edited_message": message(text="hi", chat=GROUP, edit_date=1_700_000_060)},
        {"channel_post": {"message_id": 1, "date": 1, "chat": {"id": -5, "type": "channel"}, "text": "news"}},
        {"message": message(text="hi", **{"from": ROBOT})},
        {"message": message(pinned_message=message(text="old"))},
        {"message": message(message_auto_delete_timer_changed={"message_auto_delete_time": 5})},
        {"message": message(write_access_allowed={})},
        {"my_chat_member": {**MEMBERSHIP, "chat": PRIVATE}},
        {"my_chat_member": {**MEMBERSHIP, "chat": GROUP}},
        {"callback_query": {"id": "1", "from": ANN, "chat_instance": "1", "data": "x"}},
        {"callback_query": {"id": "1", "from": ANN, "chat_instance": "1", "data": "x", "message": message(chat=GROUP)}},
        {
            "callback_query": {
                "id": "1",
                "from": ANN,
                "chat_instance": "1",
                "game_short_name": "x",
                "message": message(),
            }
        },
        {"message": None},
        {"something_new": {"id": 1}},
        {},
    ],
)
def test_what_is_of_no_concern(update: dict[str, Any]) -> None:
    assert said(update) is None


def test_what_the_desk_does_not_read_cannot_spoil_a_message() -> None:
    result = incoming(text="still here", reply_to_message={"broken": True}, quote=7, external_reply="?", via_bot=[])
    assert result.text == "still here"


@pytest.mark.parametrize(
    "update",
    [
        None,
        [],
        "text",
        7,
        {"message": message(text="hi"), "update_id": None},
        {"message": message(text="hi"), "update_id": "1"},
        {"message": message(text="hi"), "update_id": True},
        {"message": message(text="hi"), "update_id": 10**400},
        {"message": []},
        {"message": "hi"},
        {"message": {}},
        {"message": {"message_id": 1}},
        {"message": message(chat=None)},
        {"message": message(chat={"id": "42", "type": "private"})},
        {"message": message(chat={"id": None, "type": "private"})},
        {"message": message(chat={"type": "private"})},
        {"message": message(message_id="7")},
        {"message": message(message_id=1.5)},
        {"message": message(**{"from": {**ANN, "id": [1]}})},
        {"callback_query": {"id": "1"}},
        {"callback_query": {"id": 1, "from": ANN, "chat_instance": "1", "data": "x", "message": message()}},
        {"callback_query": {"id": "1", "from": ANN, "chat_instance": "1", "data": 5, "message": message()}},
    ],
)
def test_malformed_updates_are_told_apart_without_quoting_them(update: Any) -> None:
    raw = {"update_id": 1, **update} if isinstance(update, dict) else update
    with pytest.raises(MalformedUpdate) as raised:
        read_update(raw, "700")
    assert str(raised.value).isidentifier()
    assert raised.value.__suppress_context__


def test_hostile_text_is_made_storable() -> None:
    result = incoming(
        text="a\0b \ud83d and \U0001f600", **{"from": {**ANN, "first_name": "\0\udc00", "last_name": None}}
    )
    assert result.text == "ab \ufffd and \U0001f600"
    assert result.sender.name == "\ufffd"
    result.text.encode()


def test_a_megabyte_of_text_is_text() -> None:
    assert len(incoming(text="字" * 1_000_000).text) == 1_000_000


def test_enormous_numbers() -> None:
    result = incoming(document={**FILE, "file_size": 10**40}, chat={**PRIVATE, "id": 2**70})
    assert result.attachments[0].size is None
    assert result.chat_id == str(2**70)


def test_null_where_something_may_be_missing() -> None:
    result = incoming(
        text=None, caption=None, photo=None, document=None, sticker=None, **{"from": {**ANN, "last_name": None}}
    )
    assert result.attachments == (Attachment("unsupported", "unknown"),)
    assert result.sender.name == "Ann"
