"""Discord's raw events become the desk's."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from discord.utils import time_snowflake

from bot.domain.message import Attachment, Command, Incoming, Sender
from connectors.discord.events import (
    MalformedEvent,
    author_id,
    deletion,
    message_id,
    partly_edited,
    read_deletion,
    read_edit,
    read_interaction,
    read_message,
)

ACCOUNT = "900"
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ID = str(time_snowflake(AT))
ANN = {"id": "11", "username": "ann_1", "global_name": "Ann", "discriminator": "0", "avatar": None, "public_flags": 0}


def message(**changes: Any) -> dict[str, Any]:
    """A direct message as the gateway brings it."""
    return {
        "id": ID,
        "type": 0,
        "channel_id": "22",
        "author": dict(ANN),
        "content": "where is my money",
        "timestamp": "2026-11-22T12:00:00.000000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "pinned": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "flags": 0,
        "channel_type": 1,
        **changes,
    }


def attachment(**changes: Any) -> dict[str, Any]:
    return {
        "id": "33",
        "filename": "bill.pdf",
        "size": 6,
        "url": "https://cdn.discordapp.com/attachments/22/33/bill.pdf?ex=1",
        "proxy_url": "https://media.discordapp.net/attachments/22/33/bill.pdf",
        "content_type": "application/pdf",
        **changes,
    }


def press(**changes: Any) -> dict[str, Any]:
    """A button of the desk's, pressed in direct messages."""
    buttons = [
        {"type": 2, "style": 2, "label": "是", "custom_id": "helped:yes"},
        {"type": 2, "style": 2, "label": "否", "custom_id": "helped:no"},
    ]
    return {
        "id": ID,
        "application_id": "900",
        "type": 3,
        "token": "secret-token",
        "version": 1,
        "data": {"component_type": 2, "custom_id": "helped:no", "id": 2},
        "channel_id": "22",
        "channel": {"id": "22", "type": 1},
        "user": dict(ANN),
        "locale": "zh-CN",
        "message": message(author={"id": "900", "bot": True}, components=[{"type": 1, "components": buttons}]),
        **changes,
    }


def command(name: str = "human", **changes: Any) -> dict[str, Any]:
    return {**press(), "type": 2, "data": {"id": "44", "name": name, "type": 1}, "message": None, **changes}


def on_server(event: dict[str, Any]) -> dict[str, Any]:
    event = dict(event)
    event["member"] = {"user": event.pop("user"), "roles": [], "permissions": "1"}
    return {**event, "guild_id": "55", "guild_locale": "en-US"}


def read(raw: Any) -> Incoming:
    incoming = read_message(raw, ACCOUNT)
    assert incoming is not None
    return incoming


# --- messages


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
    assert read(message(message_reference=reference)).replies_to is None
    assert read(message(type=19)).replies_to is None


@pytest.mark.parametrize(
    ("given", "kind", "name", "size"),
    [
        ({}, "file", "bill.pdf", 6),
        ({"content_type": "image/png", "filename": "a.png"}, "photo", "a.png", 6),
        ({"content_type": "video/mp4", "filename": "a.mp4"}, "video", "a.mp4", 6),
        ({"content_type": "audio/mpeg", "filename": "a.mp3"}, "audio", "a.mp3", 6),
        ({"content_type": "audio/ogg", "waveform": "AAA=", "duration_secs": 1.2}, "voice", "bill.pdf", 6),
        ({"content_type": "audio/ogg", "flags": 1 << 13}, "voice", "bill.pdf", 6),
        ({"title": "账单 2026", "filename": "_2026.pdf"}, "file", "账单 2026", 6),
        ({"content_type": None, "size": -1}, "file", "bill.pdf", 0),
    ],
)
def test_attachments(given: dict[str, Any], kind: str, name: str, size: int) -> None:
    raw = attachment(**given)
    assert read(message(content="", attachments=[raw])).attachments == (
        Attachment(kind, raw["url"], name=name, media_type=raw["content_type"] or "", size=size),
    )


def test_a_sticker() -> None:
    sticker = {"id": "749054660769218631", "name": "wave", "format_type": 1}
    incoming = read(message(content="", sticker_items=[sticker]))
    assert incoming.attachments == (Attachment("sticker", "749054660769218631", name="wave"),)


def test_a_forwarded_message_is_read_with_its_files() -> None:
    shots = [
        {"message": {"content": "what they told me", "attachments": [attachment()], "timestamp": "x"}},
        {"message": {"content": "", "sticker_items": [{"id": "5", "name": "s"}]}},
    ]
    incoming = read(message(content="look", message_snapshots=shots, message_reference={"type": 1, "message_id": "7"}))
    assert incoming.text == "look\n\nwhat they told me"
    assert [one.kind for one in incoming.attachments] == ["file", "sticker"]
    assert incoming.replies_to is None


@pytest.mark.parametrize(
    ("given", "reference"),
    [
        ({"poll": {"question": {"text": "?"}}}, "poll"),
        ({"embeds": [{"type": "rich"}]}, "embeds"),
        ({"components": [{"type": 1}]}, "components"),
        ({}, "unknown"),
    ],
)
def test_what_the_desk_cannot_show_is_named(given: dict[str, Any], reference: str) -> None:
    assert read(message(content="", **given)).attachments == (Attachment("unsupported", reference),)


def test_text_is_made_fit_for_every_database() -> None:
    incoming = read(message(content="a\0b\ud83dc😀", author={**ANN, "global_name": "A\0\udc00"}))
    assert incoming.text == "ab�c😀"
    assert incoming.sender.name == "A�"


# --- edits and deletions


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


# --- interactions


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


# --- anything else

WRONG: list[Any] = [
    None, 0, -1, 1.5, True, "", "x", "\0", "\ud800", "９" * 5, "9" * 5000, -(2**70), 2**70, [], [None], [[]], {},
    {"a": 1}, "a" * 100_000, [{}], {"id": None}, float("nan"), float("inf"), "1" * 21, "２２", " 7 ",
    b"bytes", ["x"] * 1000,
]  # fmt: skip

FULL = message(
    type=19,
    message_reference={"type": 0, "message_id": "77", "channel_id": "22"},
    referenced_message=None,
    attachments=[attachment(), attachment(content_type="audio/ogg", waveform="AA==", flags=8192)],
    sticker_items=[{"id": "5", "name": "s", "format_type": 1}],
    message_snapshots=[{"message": {"content": "c", "attachments": [attachment()], "sticker_items": []}}],
    edited_timestamp="2026-11-22T12:00:01.500000+00:00",
    poll={"question": {"text": "?"}},
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from paths(one, (*here, key))


def mutated(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """``value`` with something else at ``path``; ``...`` takes it away."""
    if not path:
        return None if new is ... else new
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return changed


READERS: list[tuple[str, Any, Callable[[Any], Any]]] = [
    ("message", FULL, lambda raw: read_message(raw, ACCOUNT)),
    ("edit", FULL, lambda raw: read_edit(raw, ACCOUNT)),
    ("deletion", {"id": "7", "channel_id": "22"}, lambda raw: read_deletion(raw, ACCOUNT)),
    ("press", press(), read_interaction),
    ("press on a server", on_server(press(data={"custom_id": "support"})), read_interaction),
    ("command", command(), read_interaction),
]


def check(reader: Callable[[Any], Any], raw: Any) -> None:
    """Only ``MalformedEvent`` is raised, which quotes nothing; what is read is fit to be recorded."""
    try:
        result = reader(raw)
    except MalformedEvent as error:
        if not str(error).isidentifier():
            raise
        return
    if result is None:
        return
    incoming = result if isinstance(result, Incoming) else result.incoming(ACCOUNT, result.chat_id or "22")
    assert incoming.external_id
    assert incoming.chat_id.isascii()
    assert incoming.chat_id.isdecimal()
    assert int(incoming.mark or 0) < 2**64
    for at in (incoming.sent_at, incoming.edited_at):
        assert at is None or at.tzinfo is not None
    texts = [incoming.text, incoming.argument, incoming.button or "", incoming.sender.name, incoming.external_id]
    texts += [incoming.sender.language or "", incoming.sender.external_id]
    for one in incoming.attachments:
        texts += [one.kind, one.reference, one.name, one.media_type]
        assert one.size is None or 0 <= one.size < 2**63
    for text in texts:
        assert isinstance(text, str)
        assert "\0" not in text
        text.encode()  # no lone surrogate


@pytest.mark.parametrize(("name", "whole", "reader"), READERS, ids=[name for name, _, _ in READERS])
def test_every_field_malformed(name: str, whole: Any, reader: Callable[[Any], Any]) -> None:
    check(reader, whole)
    for path in paths(whole):
        for wrong in (..., *WRONG):
            check(reader, mutated(whole, path, wrong))


@pytest.mark.parametrize(("name", "whole", "reader"), READERS, ids=[name for name, _, _ in READERS])
def test_many_fields_malformed(name: str, whole: Any, reader: Callable[[Any], Any]) -> None:
    random.seed(name)
    for _ in range(1500):
        raw = whole
        for _ in range(random.randint(1, 4)):
            raw = mutated(raw, random.choice(list(paths(raw))), random.choice([..., *WRONG]))
        check(reader, raw)


@pytest.mark.parametrize("raw", [*WRONG, lambda: None, object()], ids=lambda raw: str(raw)[:10])
def test_whatever_comes(raw: Any) -> None:
    for _, _, reader in READERS:
        check(reader, raw)
    assert message_id(raw) == 0
    assert author_id(raw) == ""


def test_deeply_nested_json_is_malformed_and_no_more() -> None:
    deep: Any = {}
    for _ in range(900):
        deep = {"message": deep}
    check(lambda raw: read_message(raw, ACCOUNT), message(message_snapshots=[deep]))
    check(lambda raw: read_message(raw, ACCOUNT), json.loads('{"author":' * 900 + "1" + "}" * 900))


@pytest.mark.parametrize(
    ("raw", "number"),
    [({"id": "12"}, 12), ({"id": 12}, 0), ({"id": "-1"}, 0), ({"id": "１"}, 0), ({"id": "9" * 5000}, 0), ({}, 0)],
)
def test_the_number_of_a_message(raw: Any, number: int) -> None:
    assert message_id(raw) == number
