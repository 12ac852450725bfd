"""Discord's events as the desk reads them: messages, edits, deletions, interactions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.message import Attachment, Command, Incoming, Sender
from connectors.discord.content import lasting
from connectors.discord.events import (
    deletion,
    partly_edited,
    read_deletion,
    read_edit,
    read_interaction,
    read_message,
)
from tests.support.discord_events import ACCOUNT, ANN, AT, ID, attachment, command, message, on_server, press


def read(raw: Any) -> Incoming:
    incoming = read_message(raw, ACCOUNT)
    assert incoming is not None
    return incoming


def test_a_plain_message() -> None:
    assert read_message(message(), ACCOUNT) == Incoming(
        channel="discord",
        account=ACCOUNT,
        external_id=ID,
        sender=Sender("11", name="Ann"),
        chat_id="22",
        text="where is my money",
        mark=ID,
        sent_at=AT,
    )


@pytest.mark.parametrize(
    ("author", "name"),
    [({"global_name": None}, "ann_1"), ({"global_name": "安 👋"}, "安 👋"), ({"global_name": "", "username": ""}, "")],
)
def test_the_name_that_people_see(author: dict[str, Any], name: str) -> None:
    assert read(message(author={**ANN, **author})).sender == Sender("11", name=name)


@pytest.mark.parametrize(
    "changes",
    [
        {"guild_id": "55"},
        {"author": {**ANN, "bot": True}},
        {"author": {"id": ACCOUNT, "username": "desk", "bot": True}},
        {"webhook_id": "66"},
        {"type": 3, "call": {"participants": ["11"]}},
        {"type": 6},
        {"type": 7},
        {"type": 20},
        {"type": 23},
        {"type": 46},
        {"type": 44},
    ],
    ids=str,
)
def test_of_no_concern(changes: dict[str, Any]) -> None:
    assert read_message(message(**changes), ACCOUNT) is None
    assert read_edit(message(edited_timestamp="2026-11-22T12:01:00+00:00", **changes), ACCOUNT) is None


@pytest.mark.parametrize(
    ("text", "expected", "argument"),
    [
        ("/human", Command.HUMAN, ""),
        ("/start transfer_delay", Command.START, "transfer_delay"),
        ("/HELP", Command.HELP, ""),
        ("/unknown", None, ""),
        ("say /human", None, ""),
    ],
)
def test_commands_that_are_typed(text: str, expected: Command | None, argument: str) -> None:
    incoming = read(message(content=text))
    assert (incoming.text, incoming.command, incoming.argument) == (text, expected, argument)


def test_a_reply_names_what_it_answers() -> None:
    reference = {"type": 0, "message_id": "77", "channel_id": "22"}
    quoted = message(type=19, message_reference=reference, referenced_message=None)
    assert read(quoted).replies_to == "77"
    assert read(quoted).answered == ""  # it was deleted
    said = message(id="77", content="", attachments=[attachment()])
    assert read({**quoted, "referenced_message": said}).answered == "bill.pdf"
    assert read({**quoted, "referenced_message": message(content="as I said")}).answered == "as I said"
    assert read(message(message_reference={**reference, "channel_id": "23"})).replies_to is None
    assert read(message(type=19)).replies_to is None


@pytest.mark.parametrize(
    ("given", "kind", "name", "size"),
    [
        ({}, "file", "bill.pdf", 6),
        ({"content_type": "image/png", "filename": "a.png"}, "photo", "a.png", 6),
        ({"content_type": "video/mp4", "filename": "a.mp4"}, "video", "a.mp4", 6),
        ({"content_type": "audio/mpeg", "filename": "a.mp3"}, "audio", "a.mp3", 6),
        ({"content_type": "audio/ogg", "waveform": "AAA=", "duration_secs": 1.2}, "voice", "bill.pdf", 6),
        ({"title": "账单 2026", "filename": "_2026.pdf"}, "file", "账单 2026", 6),
        ({"content_type": None, "filename": "a.png", "size": -1}, "photo", "a.png", None),
    ],
)
def test_attachments(given: dict[str, Any], kind: str, name: str, size: int | None) -> None:
    raw = attachment(**given)
    address = raw["url"].partition("?")[0]
    assert read(message(content="", attachments=[raw])).attachments == (
        Attachment(kind, address, name=name, media_type=raw["content_type"] or "", size=size),
    )


def test_a_voice_message() -> None:
    raw = attachment(content_type="audio/ogg", filename="voice-message.ogg")
    (voice,) = read(message(content="", flags=1 << 13, attachments=[raw])).attachments
    assert (voice.kind, voice.media_type) == ("voice", "audio/ogg")


def test_a_file_is_known_again_by_what_lasts_of_its_link() -> None:
    links = ("https://a.example/b.png?ex=1&is=2&hm=3&", "https://a.example/b.png?hm=4", "https://a.example/b.png")
    assert {lasting(link) for link in links} == {links[2]}
    assert lasting("https://a.example/b?id=7&ex=1") == "https://a.example/b?id=7"
    assert lasting("https://a.example/b?id=7") == "https://a.example/b?id=7"


@pytest.mark.parametrize(
    ("format_type", "address", "media_type"),
    [
        (1, "https://cdn.discordapp.com/stickers/5.png", "image/png"),
        (2, "https://cdn.discordapp.com/stickers/5.png", "image/apng"),
        (3, "https://cdn.discordapp.com/stickers/5.json", "application/json"),
        (4, "https://media.discordapp.net/stickers/5.gif", "image/gif"),
        (99, "https://cdn.discordapp.com/stickers/5.png", "image/png"),
        (None, "https://cdn.discordapp.com/stickers/5.png", "image/png"),
    ],
)
@pytest.mark.parametrize("place", ["sticker_items", "stickers"])
def test_a_sticker_in_its_real_format(place: str, format_type: int | None, address: str, media_type: str) -> None:
    incoming = read(message(content="", **{place: [{"id": "5", "name": "wave", "format_type": format_type}]}))
    name = f"wave.{address.rpartition('.')[2]}"
    assert incoming.attachments == (Attachment("sticker", address, name, media_type),)


def test_what_the_desk_cannot_show_is_named_and_kept() -> None:
    for given, kind in (
        ({"poll": {"question": {}}}, "poll"),
        ({"embeds": [{"type": "rich"}]}, "embeds"),
        ({"components": [{"type": 99, "spin": 7}]}, "components"),
        ({"activity": {"type": 3, "party_id": "spotify:1"}}, "activity"),
        ({}, "unknown"),
        ({"type": 60, "hologram": {"hue": 7}}, "hologram"),
    ):
        incoming = read(message(content="", **given))
        assert incoming.attachments == (Attachment("unsupported", kind),)
        assert all(json.dumps(value) in incoming.context.raw for name, value in given.items() if name != "type")


def test_what_is_new_or_malformed_spoils_nothing_beside_it() -> None:
    raw = message(
        content="my words",
        attachments=[attachment(), {"id": "34", "filename": "no address"}, None, 7],
        embeds=[None, {"type": "rich", "title": "a title", "fields": [{"name": 7}, None], "image": 9}],
        components=[{"type": 99, "components": [{"type": 10, "content": "inside"}]}, {"type": 10}],
        sticker_items={"id": "5"},
        message_reference="none",
        poll=[],
        flags="many",
        author={**ANN, "global_name": 5, "clan": {"new": 1}},
        edited_timestamp=7,
        hologram={"hue": 7},
    )
    incoming = read(raw)
    assert incoming.text == "my words\n\na title\ninside"
    assert [one.name for one in incoming.attachments] == ["bill.pdf"]
    assert (incoming.sender.name, incoming.replies_to) == ("ann_1", None)
    for kept in ("no address", '"hue": 7', '"type": 99'):
        assert kept in incoming.context.raw


def test_text_is_made_fit_for_every_database() -> None:
    incoming = read(message(content="a\0b\ud83dc😀", author={**ANN, "global_name": "A\0\udc00"}))
    assert incoming.text == "ab�c😀"
    assert incoming.sender.name == "A�"


def test_an_edit() -> None:
    edited = read_edit(message(content="/human", edited_timestamp="2026-11-22T12:00:01.500000+00:00"), ACCOUNT)
    at = AT + timedelta(seconds=1.5)
    assert edited == Incoming(
        channel="discord",
        account=ACCOUNT,
        external_id=f"{ID}:edit:{at.timestamp():.6f}",
        sender=Sender("11", name="Ann"),
        chat_id="22",
        text="/human",
        edits=ID,
        replaces_attachments=True,
        sent_at=at,
        edited_at=at,
    )


def test_the_same_edit_from_gateway_and_history_is_the_same_event() -> None:
    raw = message(edited_timestamp="2026-11-22T12:00:01.000001+00:00")
    from_gateway = read_edit({**raw, "channel_type": 1}, ACCOUNT)
    from_history = read_edit({key: value for key, value in raw.items() if key != "channel_type"}, ACCOUNT)
    later = read_edit({**raw, "edited_timestamp": "2026-11-22T12:00:01.000002+00:00"}, ACCOUNT)
    assert from_gateway == from_history
    assert later is not None
    assert from_gateway is not None
    assert later.external_id != from_gateway.external_id


def test_a_message_that_is_read_changed_already() -> None:
    incoming = read(message(edited_timestamp="2026-11-22T12:00:01"))  # without an offset, which Discord always gives
    assert (incoming.sent_at, incoming.edited_at) == (AT, AT + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("raw", "chat_id"),
    [
        ({"id": "7", "channel_id": "22", "edited_timestamp": "x"}, "22"),
        ({"id": "7", "channel_id": "22", "edited_timestamp": "x", "author": ANN, "flags": 4}, "22"),
        ({"id": "7", "channel_id": "22", "edited_timestamp": "x", "author": {"id": ACCOUNT, "bot": True}}, None),
        ({"id": "7", "channel_id": "22", "edited_timestamp": None, "embeds": []}, None),
        ({"id": "7", "channel_id": "22", "edited_timestamp": "x", "guild_id": "5"}, None),
        ({"id": "7", "channel_id": [], "edited_timestamp": "x"}, None),
        ({"id": "7", "edited_timestamp": "x"}, None),
        ({**message(), "edited_timestamp": "x"}, None),
        (None, None),
    ],
)
def test_an_edit_that_names_no_author(raw: Any, chat_id: str | None) -> None:
    assert partly_edited(raw) == chat_id


def test_a_preview_is_no_edit() -> None:
    assert read_edit(message(embeds=[{"type": "link"}]), ACCOUNT) is None
    assert read_edit({"id": ID, "channel_id": "22", "embeds": []}, ACCOUNT) is None


def test_a_deletion() -> None:
    deleted = read_deletion({"id": "7", "channel_id": "22"}, ACCOUNT)
    assert deleted == deletion("7", "22", ACCOUNT)
    assert deleted.deletes == "7"
    assert deleted.external_id == "7:deletion"
    assert read_deletion({"id": "7", "channel_id": "22", "guild_id": "55"}, ACCOUNT) is None


def test_a_pressed_button() -> None:
    interaction = read_interaction(press())
    assert interaction is not None
    assert (interaction.chat_id, interaction.command, interaction.locale) == ("22", None, "zh-CN")
    assert interaction.incoming(ACCOUNT, "22") == Incoming(
        channel="discord",
        account=ACCOUNT,
        external_id=f"interaction:{ID}",
        sender=Sender("11", name="Ann", language="zh-CN"),
        chat_id="22",
        text="否",
        button="helped:no",
        sent_at=AT,
    )


@pytest.mark.parametrize("given", [None, {}, {"components": []}, {"components": [{"type": 1, "components": []}]}, 5])
def test_a_button_without_its_message_says_its_id(given: Any) -> None:
    interaction = read_interaction(press(message=given))
    assert interaction is not None
    assert interaction.label == "helped:no"


def test_what_is_malformed_beside_a_button_costs_not_its_press() -> None:
    button = {"custom_id": "helped:no", "label": "否"}
    interaction = read_interaction(press(message={"components": [7, {"components": 7}, {"components": ["x", button]}]}))
    assert interaction is not None
    assert interaction.label == "否"


@pytest.mark.parametrize(("name", "expected"), [("human", Command.HUMAN), ("support", Command.START)])
def test_slash_commands(name: str, expected: Command) -> None:
    here, there = read_interaction(command(name)), read_interaction(on_server(command(name)))
    assert here is not None
    assert there is not None
    assert (here.chat_id, there.chat_id) == ("22", None)
    for interaction in (here, there):
        incoming = interaction.incoming(ACCOUNT, "22")
        assert (incoming.command, incoming.text, incoming.button) == (expected, f"/{name}", None)


def test_the_button_that_opens_the_chat() -> None:
    interaction = read_interaction(on_server(press(data={"component_type": 2, "custom_id": "support"})))
    assert interaction is not None
    assert (interaction.chat_id, interaction.command) == (None, Command.START)


@pytest.mark.parametrize(
    "raw",
    [
        press(type=1),
        press(type=4),
        press(type=5),
        command("ban"),
        on_server(command("ban")),
        on_server(press()),
        on_server(press(data={"component_type": 2, "custom_id": "of:another:bot"})),
    ],
)
def test_what_the_desk_never_offered(raw: dict[str, Any]) -> None:
    assert read_interaction(raw) is None
