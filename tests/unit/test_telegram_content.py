"""What a message of Telegram holds: rich messages, forwards, links, and what is missing, new or broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import guard
from bot.domain.context import Forward, ForwardKind, Link
from bot.domain.message import Attachment, Incoming
from connectors.telegram import read_update
from connectors.telegram.content import SERVICE
from tests.support.telegram_updates import ANN, FILE, PRIVATE, incoming, message, said


@pytest.mark.parametrize(
    "strange",
    [
        {"text": 5},
        {"text": ["a"]},
        {"date": "yesterday"},
        {"date": 10**30},
        {"date": None},
        {"from": {"id": 42}},
        {"from": {**ANN, "first_name": {"a": 1}, "language_code": 5, "is_bot": None}},
        {"from": None},
        {"chat": {"id": 42}},
        {"photo": [{}]},
        {"photo": [{**FILE, "width": "wide", "height": "high"}]},
        {"document": "file"},
        {"location": {"latitude": "north", "longitude": 0}},
        {"location": {"latitude": 10**400, "longitude": 0}},
        {"entities": "bold"},
        {"entities": [{"type": "text_link", "offset": -5, "length": 10**9, "url": "https://x.example"}]},
        {"forward_origin": 5},
        {"rich_message": {"blocks": 5}},
        {"rich_message": 7},
        {"quote": [], "external_reply": 5, "media_group_id": 7, "message_thread_id": "x"},
    ],
)
def test_a_field_that_is_not_as_it_should_be_spoils_nothing_beside_it(strange: dict[str, Any]) -> None:
    result = incoming(**{"caption": "my words", **strange})
    assert result.text == "my words"
    assert (result.sender.external_id, result.external_id) == ("42", "42:7")


def test_what_has_no_words_is_kept_as_it_came() -> None:
    result = incoming(text="hi", hologram={"depth": 3}, shade=7, external_reply={"origin": {"type": "user"}})
    assert (result.text, result.attachments) == ("hi", ())
    kept = {"hologram": {"depth": 3}, "shade": 7, "external_reply": {"origin": {"type": "user"}}}
    assert json.loads(result.context.raw) == kept


def test_a_kind_that_is_not_known_keeps_its_text_and_its_files() -> None:
    strange = {
        "parts": [{"text": "it is "}, {"body": "gone"}],
        "film": {**FILE, "file_name": "a.mp4"},
        "thumbnail": FILE,
    }
    result = incoming(hologram={**strange, "thumbnail": {**FILE, "file_id": "T"}})
    assert result.text == "it is \ngone"
    assert result.attachments == (Attachment("file", "F1", "a.mp4", size=12), Attachment("unsupported", "hologram"))


RICH = {
    "blocks": [
        {"type": "heading", "size": 1, "text": "Help"},
        {
            "type": "paragraph",
            "text": [
                "My ",
                {"type": "bold", "text": ["0.5 ", {"type": "italic", "text": "BTC"}]},
                " at ",
                {"type": "url", "text": "the page", "url": "https://x.example"},
            ],
        },
        {
            "type": "list",
            "items": [
                {"label": "1.", "blocks": [{"type": "paragraph", "text": "sent"}, {"type": "pre", "text": "a\nb"}]},
                {"label": "2.", "blocks": [{"type": "list", "items": [{"has_checkbox": True, "blocks": []}]}]},
            ],
        },
        {"type": "blockquote", "blocks": [{"type": "paragraph", "text": "/human"}], "credit": "Bo"},
        {"type": "table", "cells": [[{"text": "coin"}, {"text": "BTC"}]], "caption": "Table"},
        {"type": "details", "summary": "More", "blocks": [{"type": "paragraph", "text": "txid abc"}]},
        {"type": "photo", "photo": [{**FILE, "width": 1, "height": 1}], "caption": {"text": "see", "credit": "me"}},
        {"type": "map", "location": {"latitude": 1, "longitude": 2}, "zoom": 3},
        {"type": "divider"},
        {"type": "hologram", "layers": [{"text": "deep"}]},
    ]
}


def test_a_rich_message_is_text_with_its_links_and_files() -> None:
    result = incoming(rich_message=RICH)
    assert result.text.split("\n") == [
        "Help",
        "My 0.5 BTC at the page",
        "1. sent",
        "  a",
        "  b",
        "2. ☐",
        "> /human",
        "> Bo",
        "coin | BTC",
        "Table",
        "More",
        "txid abc",
        "see — me",
        "———",
        "deep",
    ]
    assert result.context.links == (Link("the page", "https://x.example"),)
    assert [one.kind for one in result.attachments] == ["photo", "location"]
    assert json.loads(result.context.raw) == {"rich_message": [RICH["blocks"][-1]]}
    edit = said({"edited_message": message(rich_message=RICH, edit_date=1_700_000_060)})
    assert edit is not None
    assert (edit.text, edit.edits) == (result.text, "42:7")


def test_what_stands_below_a_text_with_an_address_is_read_once() -> None:
    here = {"text": "here", "url": "https://x.example", "caption": {"text": "or", "url": "https://y.example"}}
    result = incoming(rich_message={"blocks": [here]})
    assert result.text == "here — or"
    assert sorted(link.url for link in result.context.links) == ["https://x.example", "https://y.example"]


def test_a_rich_message_without_end_is_read_as_far_as_it_goes() -> None:
    deep: dict[str, Any] = {"type": "paragraph", "text": "end"}
    for _ in range(300):
        deep = {"type": "details", "summary": "s", "blocks": [deep]}
    assert incoming(rich_message={"blocks": [deep]}).text.startswith("s\ns")


def test_addresses_behind_words_and_quotes_are_context() -> None:
    entities = [
        {"type": "text_link", "offset": 3, "length": 4, "url": "https://claim.example"},
        {"type": "text_mention", "offset": 8, "length": 2, "user": {"id": 5, "is_bot": False, "first_name": "Bo"}},
        {"type": "text_link", "offset": 0, "length": 0, "url": "https://b.example"},
        {"type": "url", "offset": 11, "length": 3},
    ]
    result = incoming(text="👋 here Bo x.y", entities=entities, quote={"text": "of another", "position": 3})
    assert result.context.quote == "of another"
    assert result.context.links == (
        Link("here", "https://claim.example"),
        Link("Bo", "tg://user?id=5"),
        Link("", "https://b.example"),
    )


CHANNEL_ = {"id": -5, "type": "channel", "title": "News", "username": "news"}


def test_addresses_without_words_in_the_text_are_context() -> None:
    rows = [[{"text": "Claim", "url": "https://a.example"}, {"text": "no", "callback_data": "1"}, 7], "row"]
    rows.append([{"text": "App", "web_app": {"url": "https://b.example"}}])
    told = incoming(
        text="see https://c.example",
        reply_markup={"inline_keyboard": rows},
        link_preview_options={"url": "https://d.example"},
    )
    where = [("Claim", "https://a.example"), ("App", "https://b.example"), ("", "https://d.example")]
    assert [(link.text, link.url) for link in told.context.links] == where
    shown = incoming(text="see https://c.example", link_preview_options={"url": "https://c.example"})
    assert shown.context.links == ()


def test_text_beside_a_rich_message_is_kept_where_it_says_more() -> None:
    rich = {"blocks": [{"type": "paragraph", "text": "rich  words"}]}
    assert incoming(text="rich words", rich_message=rich).context.raw == ""
    told = incoming(text="other words", rich_message=rich)
    assert (told.text, json.loads(told.context.raw)) == ("rich  words", {"text": "other words"})


@pytest.mark.parametrize(
    ("fields", "forward"),
    [
        (
            {"forward_origin": {"type": "hidden_user", "sender_user_name": "Support", "date": 1_700_000_000}},
            Forward("Support", ForwardKind.USER, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ),
        (
            {"forward_origin": {"type": "user", "sender_user": {**ANN, "username": "ann"}}},
            Forward("Ann Ng (@ann)", ForwardKind.USER),
        ),
        (
            {"forward_origin": {"type": "channel", "chat": CHANNEL_, "author_signature": "Bo"}},
            Forward("News (@news) Bo", ForwardKind.CHANNEL),
        ),
        ({"forward_origin": {"type": "chat", "sender_chat": {"title": "Group"}}}, Forward("Group")),
        ({"forward_origin": {"type": "moon"}}, Forward()),
        ({"forward_origin": "?"}, Forward()),
        ({"forward_from": {"id": 5, "first_name": "Bo"}}, Forward("Bo", ForwardKind.USER)),
        ({"forward_from_chat": CHANNEL_}, Forward("News (@news)", ForwardKind.CHANNEL)),
        ({"forward_sender_name": "Hidden"}, Forward("Hidden", ForwardKind.USER)),
        ({"forward_date": 1}, Forward(at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))),
        ({"forward_origin": None}, None),
    ],
)
def test_a_forward_is_known_by_whatever_field(fields: dict[str, Any], forward: Forward | None) -> None:
    assert incoming(text="hi", **fields).context.forward == forward


def test_parts_of_an_album_name_it_and_topics_are_threads() -> None:
    part = incoming(photo=[{**FILE, "width": 1, "height": 1}], media_group_id="135", message_thread_id=77)
    assert (part.group, part.thread) == ("135", "77")
    direct = {"id": -9, "type": "supergroup", "is_direct_messages": True}
    where = {"topic_id": 3, "user": ANN}
    said_ = incoming(text="hi", chat=direct, direct_messages_topic=where)
    assert (said_.thread, said_.chat_id, said_.external_id) == ("direct:-9:3", "42", "-9:7")
    other = {**ANN, "id": 43}
    assert said({"message": message(text="hi", chat=direct, direct_messages_topic={**where, "user": other})}) is None


def test_an_edit_says_what_is_attached_now_unless_it_cannot_be_read() -> None:
    def edited(**content: Any) -> Incoming:
        result = said({"edited_message": message(edit_date=1_700_000_060, **content)})
        assert result is not None
        return result

    assert edited(text="only words").replaces_attachments
    assert edited(photo=[{**FILE, "width": 1, "height": 1}]).attachments == (Attachment("photo", "F1", size=12),)
    for unreadable in ({"photo": [{}]}, {"sticker": {}}, {"paid_media": {"star_count": 5}}, {"live_photo": {}}):
        assert not edited(**unreadable, caption="x").replaces_attachments


def test_a_reaction_is_said_under_its_message() -> None:
    reaction = {"chat": PRIVATE, "message_id": 9, "user": ANN, "date": 1_700_000_000, "old_reaction": []}
    result = said(
        {"message_reaction": {**reaction, "new_reaction": [{"type": "emoji", "emoji": "👍"}, {"type": "paid"}]}}
    )
    assert result is not None
    assert (result.attachments, result.replies_to) == ((Attachment("reaction", "👍 · paid"),), "9")
    assert said({"message_reaction": {**reaction, "new_reaction": []}}) is None


_NAMES = sorted(
    {*SERVICE, "text", "caption", "photo", "document", "poll", "dice", "venue", "contact", "sticker", "story", "gift"}
    | {"rich_message", "blocks", "items", "cells", "type", "url", "user", "entities", "quote", "forward_origin", "date"}
    | {
        "file_id",
        "options",
        "tasks",
        "location",
        "checklist",
        "width",
        "media_group_id",
        "message_thread_id",
        "hologram",
    }
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _ANYTHING, max_size=6), st.booleans())
def test_whatever_a_message_holds_it_is_read(content: dict[str, Any], edited: bool) -> None:
    fields = message(**{**content, "caption": "my words"})
    read = read_update({"update_id": 1, "edited_message" if edited else "message": fields}, "700")
    if read is not None:  # a live location on its way
        assert read.sender.external_id == "42"
        assert read.text or read.attachments
        json.dumps(guard.incoming(read).context.as_json)


def test_what_is_deeper_than_anybody_reads_costs_nothing_else() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    result = read_update({"update_id": 1, "message": message(caption="my words", hologram=deep)}, "700")
    assert result is not None
    assert result.text == "my words"
