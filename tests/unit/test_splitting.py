"""Long messages in pieces: nothing lost, nothing cut in two that is shown as one, however a platform counts."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from bot.domain.channel import Capabilities, utf16_length
from bot.domain.message import Attachment, Author, Button, Message, MessageFormat, Visibility
from bot.pipeline.rendering import fit, split

FAMILY = "👩‍👩‍👧‍👦"
ACCENTED = "e\u0301"
FLAG = "🇨🇳"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
WHOLES = [FAMILY, ACCENTED, FLAG, ENGLAND, "👍🏽", "1\ufe0f\u20e3", "नी", "❤️‍🔥", "o\u0308\u0304"]


def units(text: str) -> int:
    return utf16_length(text, MessageFormat.TEXT)


def escaped(text: str) -> int:
    """Markdown's own characters take a backslash before them."""
    return units(text) + sum(text.count(character) for character in "*_~`|>\\")


def encoded(text: str) -> int:
    return len(text.encode())


def without_blanks(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("length", [units, escaped, encoded])
@pytest.mark.parametrize("limit", [1, 2, 7, 40, 1000])
@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_and_everything_fits(length, limit: int, seed: int) -> None:
    dice = random.Random(f"{seed} {limit}")
    pool = ["*", "**bold**", "_", "word", " ", "  ", "\n", "\n\n", ". ", "。", "文", *WHOLES, "x" * 30, "\u3000"]
    text = "".join(dice.choice(pool) for _ in range(dice.randint(0, 120)))
    pieces = list(split(text, limit, length))
    assert without_blanks("".join(pieces)) == without_blanks(text)
    # One character alone may be more than a limit that no platform has.
    assert all(length(piece) <= limit or len(piece) == 1 for piece in pieces)
    if text.strip():
        assert all(piece.strip() for piece in pieces)


@pytest.mark.parametrize("whole", WHOLES)
@pytest.mark.parametrize("length", [units, encoded])
def test_what_is_shown_as_one_stays_one(whole: str, length) -> None:
    for before in range(12):
        text = "a" * before + whole * 20 + "b"
        pieces = list(split(text, length(whole) + 5, length))
        assert "".join(pieces) == text
        for piece in pieces:
            assert piece.replace(whole, "").strip("ab") == "", f"cut in two: {piece!r}"


def test_a_single_character_before_something_whole_is_a_piece_of_its_own() -> None:
    assert list(split("a" + FAMILY, units(FAMILY), units)) == ["a", FAMILY]


def test_what_is_too_long_as_a_whole_is_cut_rather_than_lost() -> None:
    assert "".join(split(FAMILY, 4, units)) == FAMILY
    assert "".join(split("e" + "\u0301" * 50, 10, units)) == "e" + "\u0301" * 50


def test_escaping_counts() -> None:
    assert list(split("*" * 10, 10, escaped)) == ["*" * 5] * 2
    assert list(split("*" * 10, 10, units)) == ["*" * 10]


def test_blanks_at_the_beginning_are_no_piece() -> None:
    assert list(split("      " + "word" * 3, 4, units)) == ["word"] * 3


def test_a_long_text_takes_no_long_time() -> None:
    calls = 0

    def counted(text: str) -> int:
        nonlocal calls
        calls += 1
        return units(text)

    assert len(list(split("x" * 100_000, 2000, counted))) == 50
    assert calls < 50 * 15


# --- fitting ------------------------------------------------------------------------------------


def message(
    text: str, *files: str, buttons: tuple[str, ...] = (), format: MessageFormat = MessageFormat.TEXT
) -> Message:
    return Message(
        id=1,
        conversation_id=1,
        author=Author.AGENT,
        visibility=Visibility.PUBLIC,
        text=text,
        format=format,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        buttons=tuple(Button(label, label) for label in buttons),
        attachments=tuple(Attachment("file", name, name=name, sha256="00") for name in files),
    )


def test_files_come_first_whatever_becomes_of_the_text() -> None:
    can = Capabilities(attachments=True, buttons=True, max_length=10)
    for text in ("", "short", "first part second part"):
        parts = fit(message(text, "a.pdf", "b.pdf"), can)
        assert [part.file and part.file.name for part in parts[:2]] == ["a.pdf", "b.pdf"]
        assert [part.text for part in parts[:2]] == ["", ""]
        assert all(part.file is None and part.text for part in parts[2:])
        assert len(parts) == 2 + len(list(split(text, 10, units)))


def test_files_are_names_where_there_are_none() -> None:
    (part,) = fit(message("see", "a.pdf", "b.pdf"), Capabilities())
    assert (part.text, part.file) == ("see\n[a.pdf]\n[b.pdf]", None)
    (part,) = fit(message("", "a.pdf"), Capabilities())
    assert part.text == "[a.pdf]"


def test_buttons_stand_under_the_words_not_under_a_file() -> None:
    parts = fit(message("choose", "a.pdf", buttons=("x",)), Capabilities(attachments=True, buttons=True))
    assert [len(part.buttons) for part in parts] == [0, 1]


def test_length_is_counted_in_the_format_that_is_sent() -> None:
    counted: set[MessageFormat] = set()

    def length(text: str, format: MessageFormat) -> int:
        counted.add(format)
        return len(text)

    fit(message("**x**", format=MessageFormat.MARKDOWN), Capabilities(markdown=True, length=length))
    assert counted == {MessageFormat.MARKDOWN}
    counted.clear()
    fit(message("**x**", format=MessageFormat.MARKDOWN), Capabilities(length=length))
    assert counted == {MessageFormat.TEXT}


def test_the_same_message_gives_the_same_parts() -> None:
    can = Capabilities(max_length=12, length=lambda text, _: escaped(text))
    said = message("*a* word, " * 30)
    assert fit(said, can) == fit(said, can)
