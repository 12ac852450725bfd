"""Passwords that somebody would guess are refused with a word why; those that nobody guesses pass."""

from __future__ import annotations

import random
import string
import sys
import time
from importlib.util import find_spec, module_from_spec

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from handoff.password_rules import HOW, refuse_guessable

NAMES = ("Mei", "BitPie")
LISTED = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 10]
SHORTER = [word for word in FREQUENCY_LISTS["passwords"] if 6 <= len(word) <= 9]
COMMON = (
    *("password123!", "Qwertyuiop1", "1234567890", "iloveyou2024", "letmeinletmein", "admin12345", "P@ssw0rd2024!"),
    *("Summer2024!", "Winter-2023!", "Berlin2024!", "January2024", "Password1!", "!QAZ2wsx#EDC", "1q2w3e4r5t"),
    *(
        "aaaaaaaaaaaa",
        "abcdefghij",
        "abc123abc123",
        "dragon dragon",
        "password password",
        "hello world",
        "qwe123!@#qwe",
    ),
    *("13800138000", "7391846205", "20240101202", "zhang19900101", "woaini1314520", "5201314abc", "a123456789"),
    *("administrator", "changeme123", "switchboard1", "Welcome-2026", "another password"),
)
OWN = (
    "Mei2024mei2024",
    "mei1234567",
    "MEI!!!!!!!!",
    "Mei-Lin-1987",
    "bitpie12345",
    "BitPie@2024!",
    "Bit-Pie-2024",
    "meimeimeimei",
)
GOOD = (
    *("correct horse", "a long enough password", "tidal copper lamp", "correcthorsebatterystaple", "x8Kq2!mZpw"),
    *(
        "mei likes tidal copper lamps",
        "кот сидит на окне",
        "猫が窓の上に座る日",
        "我爱北京天安门真的",
        "river-stone-lantern-42",
    ),
)


@pytest.mark.parametrize("password", COMMON)
async def test_a_common_password_is_refused_with_why_and_how(password: str) -> None:
    with pytest.raises(ValueError, match=r"this password is easy to guess: \w.+\. Take three or four words") as refused:
        await refuse_guessable(password, NAMES)
    assert str(refused.value).endswith(HOW)


@pytest.mark.parametrize("password", OWN)
async def test_the_own_name_and_the_desks_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="easy to guess"):
        await refuse_guessable(password, NAMES)


async def test_little_more_than_a_name_is_said_so() -> None:
    for password, names in (("Xiaoling#1987", ["Xiaoling"]), ("小美小美小美2024小美", ["小美"])):
        with pytest.raises(ValueError, match="little more than your name"):
            await refuse_guessable(password, names)
        await refuse_guessable(f"{password} tidal lamp", names)


@pytest.mark.parametrize("password", GOOD)
async def test_a_good_one_passes(password: str) -> None:
    await refuse_guessable(password, NAMES)


async def passing(passwords: list[str]) -> list[str]:
    passed = []
    for password in passwords:
        try:
            await refuse_guessable(password, ())
        except ValueError:
            continue
        passed.append(password)
    return passed


async def test_no_listed_password_passes_nor_with_a_tail() -> None:
    dice = random.Random(12)
    tails = ("1", "123", "!", "2024", "2026!", "@123", "1234", "01", "#1")
    with_tails = [word.capitalize() + dice.choice(tails) for word in dice.sample(SHORTER, 40)]
    assert await passing(dice.sample(LISTED, 30)) == []
    assert await passing([one for one in with_tails if len(one) >= 10]) == []


async def test_what_a_generator_makes_and_three_words_pass() -> None:
    dice = random.Random(12)
    words = FREQUENCY_LISTS["english_wikipedia"][:8000]
    made = ["".join(dice.choices(string.ascii_letters + string.digits, k=12)) for _ in range(15)]
    made += [" ".join(dice.sample(words, 3)) for _ in range(15)]
    made = [one for one in made if len(one) >= 10]
    assert await passing(made) == made


@pytest.mark.parametrize("password", ["a" * 1000, "1q" * 500, "pW0@" * 250, "4@8({[<36" * 100, "p@55w0rd" * 125])
async def test_long_ones_are_judged_by_their_beginning_and_quickly(password: str) -> None:
    begun = time.process_time()
    await passing([password])
    assert time.process_time() - begun < 2
    await refuse_guessable("tidal copper lamp " + password[:900], NAMES)


def test_the_desk_starts_without_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxcvbn", None)  # importing it fails
    spec = find_spec("handoff.password_rules")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module_from_spec(spec))
