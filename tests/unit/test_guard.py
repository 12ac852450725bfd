"""What passes the guard can be stored and sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot import guard
from bot.domain.message import Attachment, Incoming, Sender


def test_what_no_store_can_hold_is_removed_everywhere() -> None:
    bad = "a\x00b\ud800c"
    cleaned = guard.incoming(
        Incoming(
            "web",
            "web",
            "1",
            Sender("7", bad * 100),
            "7",
            bad,
            subject=bad * 1_000,
            argument=bad,
            button=bad,
            attachments=(Attachment("file", bad, bad, bad), Attachment("file", "", media_type=bad * 100)),
        )
    )
    assert (cleaned.text, cleaned.argument, cleaned.button) == ("abc", "abc", "abc")
    assert cleaned.subject == ("abc" * 1_000)[:1_000]
    assert cleaned.attachments[0] == Attachment("file", "abc", "abc", "abc")
    assert len(cleaned.attachments[1].media_type) == 200
    assert len(cleaned.sender.name) == 200
    assert guard.outgoing(bad) == "abc"


def test_an_endless_text_is_cut() -> None:
    assert len(guard.clean("字" * 1_000_000)) == guard.MAX_TEXT


def test_ordinary_words_pass_as_they_are() -> None:
    text = "👩‍👩‍👧 <b>\u202e مرحبا\n\t忘记密码"
    assert guard.clean(text) == text


MESSAGE = Incoming("web", "web", "1", Sender("7"), "7", "hello")


@pytest.mark.parametrize("endless", ["7" * 4_000, "a\x00", "\ud800"])
def test_ids_that_no_index_holds_are_replaced_each_time_by_the_same(endless: str) -> None:
    fields = ("external_id", "chat_id", "edits", "deletes", "replies_to", "mark", "thread")
    cleaned = guard.incoming(
        replace(MESSAGE, sender=Sender(endless), **dict.fromkeys(fields, endless))  # type: ignore[arg-type]
    )
    ids = {getattr(cleaned, field) for field in fields} | {cleaned.sender.external_id}
    assert len(ids) == 1
    assert ids == {guard.identifier(endless)} != {guard.identifier(endless + "1")}
    assert all(one.isascii() and len(one) < guard.MAX_ID for one in ids)


def test_ordinary_ids_pass_as_they_are() -> None:
    assert guard.incoming(replace(MESSAGE, edits="42:7", mark="1300000000000000100")) == replace(
        MESSAGE, edits="42:7", mark="1300000000000000100"
    )


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [("zh-hans", "zh-hans"), ("en_US", "en_US"), ("x" * 5_000, None), ("", None), ("e\x00n", None), ("no, no", None)],
)
def test_a_language_is_one(claimed: str, kept: str | None) -> None:
    assert guard.incoming(replace(MESSAGE, sender=Sender("7", language=claimed))).sender.language == kept


def test_times_are_believed_within_reason() -> None:
    now = datetime.now(UTC)
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-23)))  # a year of PostgreSQL's, and not of Python's
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=23)))
    for nonsense in (first, last, datetime.fromtimestamp(0, UTC), now + timedelta(days=2)):
        cleaned = guard.incoming(replace(MESSAGE, sent_at=nonsense, edited_at=nonsense))
        assert (cleaned.sent_at, cleaned.edited_at) == (None, None)
    for sound in (now, now + timedelta(hours=1), now - timedelta(days=900)):
        assert guard.incoming(replace(MESSAGE, sent_at=sound)).sent_at == sound
