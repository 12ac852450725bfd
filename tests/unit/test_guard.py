"""What passes the guard can be stored and sent."""

from __future__ import annotations

from bot import guard
from bot.model import Attachment, Incoming, Sender


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
            argument=bad,
            button=bad,
            attachments=(Attachment("file", bad, bad, bad),),
        )
    )
    assert (cleaned.text, cleaned.argument, cleaned.button) == ("abc", "abc", "abc")
    assert cleaned.attachments == (Attachment("file", "abc", "abc", "abc"),)
    assert len(cleaned.sender.name) == 200
    assert guard.outgoing(bad) == "abc"


def test_an_endless_text_is_cut() -> None:
    assert len(guard.clean("字" * 1_000_000)) == guard.MAX_TEXT


def test_ordinary_words_pass_as_they_are() -> None:
    text = "👩‍👩‍👧 <b>\u202e مرحبا\n\t忘记密码"
    assert guard.clean(text) == text
