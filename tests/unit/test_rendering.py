"""Content made to fit a platform."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.channel import Capabilities
from bot.domain.message import Author, Button, Message, MessageFormat, Visibility
from bot.pipeline.rendering import fit, plain, split


def message(text: str, *labels: str) -> Message:
    return Message(
        id=1,
        conversation_id=1,
        author=Author.BOT,
        visibility=Visibility.PUBLIC,
        text=text,
        format=MessageFormat.MARKDOWN,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        buttons=tuple(Button(label, f"topic:{label}") for label in labels),
    )


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_rich_platforms_get_it_as_it_is() -> None:
    (part,) = fit(message("**a** b", "x"), Capabilities(buttons=True, markdown=True))
    assert (part.text, part.format, [b.label for b in part.buttons]) == ("**a** b", MessageFormat.MARKDOWN, ["x"])


def test_plain_platforms_get_numbered_lines() -> None:
    (part,) = fit(message("1. **a**\n2. b", "yes", "no"), Capabilities())
    assert part.text == "1. a\n2. b\n\n[1] yes\n[2] no"
    assert (part.format, part.buttons) == (MessageFormat.TEXT, ())


def test_buttons_stand_under_the_last_part() -> None:
    parts = fit(message("word " * 100, "x"), Capabilities(buttons=True, markdown=True, max_length=120))
    assert len(parts) > 3
    assert [len(part.buttons) for part in parts] == [0] * (len(parts) - 1) + [1]


@pytest.mark.parametrize(
    "text",
    [
        "one two three. " * 50,
        "没有空格的中文句子。" * 50,
        "👩‍👩‍👧‍👦🇨🇳" * 80,
        "x" * 999,
        "para one\n\n" * 40,
        " lead and trail ",
        "\u202eright to left" * 30,
    ],
)
@pytest.mark.parametrize("limit", [10, 64, 4096])
def test_pieces_fit_and_lose_nothing_but_blanks(text: str, limit: int) -> None:
    pieces = list(split(text, limit, units))
    assert all(0 < units(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_split_is_made_at_the_best_place() -> None:
    assert list(split("first sentence. second one", 20, units)) == ["first sentence.", "second one"]
    assert list(split("aaaa bbbb\n\ncccc dddd", 12, units)) == ["aaaa bbbb", "cccc dddd"]


def test_nothing_comes_of_nothing() -> None:
    assert list(split("", 10, units)) == []


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**bold** and *slanted* `code`", "bold and slanted code"),
        ("- a\n- b\n\nafter", "• a\n• b\n\nafter"),
        ("3. c\n4. d", "3. c\n4. d"),
        ("- a\n  - b", "• a\n  • b"),
        ("one\ntwo", "one\ntwo"),
        ("<b>x</b>", "<b>x</b>"),
        ("```\ncode\n```", "code"),
    ],
)
def test_plain(markdown: str, text: str) -> None:
    assert plain(markdown) == text
