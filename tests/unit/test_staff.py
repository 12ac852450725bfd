"""What roles may do, and what agents may be called."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.staff import Agent, Permission, Role, as_public_name, may, public_name, sign_in_name
from bot.pipeline.rendering import as_markdown, plain
from handoff.console.pages.sign_in.browsers import MOST, browser_of

ADMIN = Agent(1, "Mei", Role.ADMIN, has_password=True)
HIDDEN = ("\u202e", "\u200b", "\u2066", "\x00", "\x07", "\ud800", "\u200f", "\ufeff", "\U000e0041")


def test_the_role_decides_and_who_is_disabled_may_nothing() -> None:
    assert may(ADMIN, Permission.MANAGE_AGENTS)
    assert may(ADMIN, "manage_agents")  # type: ignore[arg-type]  # as templates ask
    assert not may(replace(ADMIN, role=Role.AGENT), Permission.MANAGE_AGENTS)
    assert not may(replace(ADMIN, disabled_at=datetime.now(UTC)), Permission.MANAGE_AGENTS)


@pytest.mark.parametrize("name", ["Mei", "王芳", "José", "mei.chen@bitpie", "x", "a" * 80, "نور"])
def test_a_name_to_sign_in_with(name: str) -> None:
    assert sign_in_name(f"  {name} ") == name


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "\u3164", "\u0301", *(f"M{mark}ei" for mark in HIDDEN)])
def test_what_is_no_name(name: str) -> None:
    for check in (sign_in_name, public_name):
        with pytest.raises(ValueError, match="name has"):
            check(name)


def test_blanks_and_composed_letters_are_kept_one_way() -> None:
    assert sign_in_name(" Mei \t Chen ") == "Mei Chen"
    assert sign_in_name("Jose\u0301") == "José"


@pytest.mark.parametrize(
    "name",
    [
        *("admin", "Admin", "ADMIN 2", "a.d.m.i.n", "\uff21dmin", "root", "Support", "Support Team", "BitPie"),
        *("bitpie support", "Bit-Pie", "客服", "管理员", "Official BitPie Support", "operator_7"),
    ],
)
def test_what_says_what_somebody_does_is_no_public_name(name: str) -> None:
    with pytest.raises(ValueError, match="not who they are"):
        public_name(name, "BitPie")
    assert as_public_name(name, "BitPie") is None


@pytest.mark.parametrize(
    "name", ["Mei", "Mr. Wang", "Mei (BitPie)", "**x**", "[a](http://b)", "小美", "Adminah", "O’Neil"]
)
def test_a_public_name(name: str) -> None:
    assert public_name(name, "BitPie") == name
    # And it is shown as it stands, whatever it is put into.
    assert plain(f"**{as_markdown(name)}** from BitPie has joined") == f"{name} from BitPie has joined"


@pytest.mark.parametrize("name", ["a" * 41, "7", "!!!"])
def test_too_long_or_without_a_letter(name: str) -> None:
    with pytest.raises(ValueError, match="a public name has"):
        public_name(name)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
            "Safari/605.1.15",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Safari/604.1", "Chrome on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown browser"),
        ("\x00\u202e", "unknown browser"),
    ],
)
def test_a_browser_in_a_few_words(said: str, words: str) -> None:
    assert browser_of(said) == words


def test_a_browser_that_tells_a_novel_is_cut() -> None:
    assert len(browser_of("x" * 100_000)) <= MOST
