"""What a list says of a conversation: what it is about, and what a nameless customer is called."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from bot.domain.context import Context, Forward
from bot.domain.message import Attachment, Author, Message, MessageFormat, Visibility
from bot.domain.problem import Telling, problem_of
from bot.domain.visitors import ALPHABET, contact_of_code, visitor_code
from handoff.rules import NO_PROBLEM


def telling(text: str, intent: str | None = None, forwarded: bool = False, file: bool = False) -> Telling:
    message = Message(
        1,
        1,
        Author.CUSTOMER,
        Visibility.PUBLIC,
        text,
        MessageFormat.TEXT,
        datetime.now(UTC),
        attachments=(Attachment("photo", "p"),) if file else (),
        context=Context(Forward("somebody")) if forwarded else Context(),
    )
    return Telling(message, intent)


HELLO = telling("hello", "greet")
PERSON = telling("a person please", "talk_to_human")
MONEY = telling("my money is gone", "transfer_delay")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([HELLO, PERSON, MONEY, telling("are you there?")], MONEY),
        ([HELLO, outside := telling("the weather", "out_of_scope")], outside),
        ([hurry := telling("hello, " + "I sent three ETH to the wrong address and now " * 2, "greet"), MONEY], hurry),
        ([HELLO, PERSON], HELLO),
        ([telling("Send us 1 BTC", "refund", forwarded=True), MONEY], MONEY),
        ([passed := telling("Send us 1 BTC", forwarded=True)], passed),
        ([telling("\u200b"), picture := telling("", file=True)], picture),
        ([telling("\u200b", file=False), HELLO], HELLO),
        ([], None),
    ],
)
def test_the_first_words_that_tell_something_are_the_problem(said: list[Telling], problem: Telling | None) -> None:
    assert problem_of(said, NO_PROBLEM) == problem


def test_every_visitor_has_a_code_of_their_own_that_leads_back() -> None:
    many, drawn = len(ALPHABET), random.Random(7)
    some = [*range(3000), many**4 - 1, many**4, many**4 + many**5 - 1, many**4 + many**5, 2**63 - 1]
    some += [drawn.randrange(2**63) for _ in range(2000)]
    codes = {visitor_code(one): one for one in some}
    assert len(codes) == len(set(some))
    assert all(contact_of_code(code) == one for code, one in codes.items())
    assert all(set(code) <= set(ALPHABET) for code in codes)
    assert (len(visitor_code(1)), len(visitor_code(many**4)), len(visitor_code(2**63 - 1))) == (4, 5, 15)
    near = [visitor_code(one) for one in range(1, 50)]
    assert len({code[0] for code in near}) > 10, "neighbours look different"


def test_no_two_signs_of_a_code_look_alike() -> None:
    for alike in ("0OQDC", "1ILJ", "2Z", "5S", "8B", "UVY", "6G"):
        assert len(set(alike) & set(ALPHABET)) <= (2 if alike == "0OQDC" else 1), alike
    assert not set("AEIOUY") & set(ALPHABET), "and no words are made"


@pytest.mark.parametrize("words", ["", "7K4", "7K4O", "Ann", "7K4P'--", "X" * 40, "７Ｋ４Ｐ"])
def test_what_is_no_code_is_nobodys(words: str) -> None:
    assert contact_of_code(words) is None
    assert contact_of_code(f" {visitor_code(12).lower()} ") == 12


def test_a_negative_id_has_no_code() -> None:
    with pytest.raises(ValueError, match="no contact's id"):
        visitor_code(-1)
