"""Malformed events of Discord: read as nothing, or refused in one known way."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.domain.message import Incoming
from connectors.discord.events import (
    MalformedEvent,
    author_id,
    message_id,
    read_deletion,
    read_edit,
    read_interaction,
    read_message,
    read_reaction,
)
from tests.support.discord_events import ACCOUNT, attachment, command, message, on_server, press

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
    poll={"question": {"text": "?"}, "answers": [{"answer_id": 1, "poll_media": {"text": "!"}}]},
    embeds=[{"type": "rich", "title": "t", "fields": [{"name": "n", "value": "v"}], "image": {"url": "u"}}],
    components=[{"type": 9, "components": [{"type": 10, "content": "c"}], "accessory": {"type": 2, "url": "u"}}],
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


def reacted(raw: Any) -> Any:
    return read_reaction(raw, ACCOUNT)


READERS: list[tuple[str, Any, Callable[[Any], Any]]] = [
    ("message", FULL, lambda raw: read_message(raw, ACCOUNT)),
    ("edit", FULL, lambda raw: read_edit(raw, ACCOUNT)),
    ("deletion", {"id": "7", "channel_id": "22"}, lambda raw: read_deletion(raw, ACCOUNT)),
    ("reaction", {"user_id": "11", "message_id": "7", "channel_id": "22", "emoji": {"id": "5", "name": "a"}}, reacted),
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
    texts += [incoming.context.raw, incoming.context.quote, incoming.answered]
    texts += [part for link in incoming.context.links for part in (link.text, link.url)]
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


def test_only_whose_and_which_message_it_is_must_be_told() -> None:
    needed = [("id",), ("channel_id",), ("author",), ("author", "id")]
    for path in paths(FULL):
        if path and path not in needed:
            for wrong in (..., *WRONG):
                read_message(mutated(FULL, path, wrong), ACCOUNT)


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
    [({"id": "12"}, 12), ({"id": 12}, 12), ({"id": "-1"}, 0), ({"id": "１"}, 0), ({"id": "9" * 5000}, 0), ({}, 0)],
)
def test_the_number_of_a_message(raw: Any, number: int) -> None:
    assert message_id(raw) == number
