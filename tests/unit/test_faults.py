"""What goes wrong is told to agents in their language: every failure of the desk's own code has its phrase."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from bot.content.phrase_check import placeholders
from bot.content.words import Words
from bot.domain.said import Fault, Said, fault, fault_of
from handoff.console.speech import Speech
from tests.support.faults import TOLD, Spoken, calls, name_of, spoken
from tests.support.words import WORDS, made_up

SPOKEN = spoken()
TO_OPERATORS_ALONE = frozenset({"connectors/api/commands.py", "connectors/discord/commands.py"})
"""What ends a command: whoever typed it reads it, as all of the command line, in English."""


def test_the_failures_of_every_part_are_found() -> None:
    assert {"fault", "telegram", "discord", "terminal", "web", "channel_api"} == {
        one.key.partition(".")[0] for one in SPOKEN
    }
    assert len({one.key for one in SPOKEN}) > 70


@pytest.mark.parametrize("one", SPOKEN, ids=lambda one: one.key)
def test_a_failure_says_what_its_phrase_says(one: Spoken) -> None:
    for locale in ("en", "zh"):
        phrase = WORDS.own(locale)[one.key]
        # In a phrase with plural forms, n may be spelled out.
        assert placeholders(phrase) | (one.names & {"n"}) == one.names, locale
    english = WORDS.own("en")[one.key]
    assert (english if isinstance(english, str) else english["other"]) == one.words


def test_nothing_is_told_to_agents_in_mere_words() -> None:
    bare = [
        where
        for where, call in calls()
        if name_of(call) in TOLD and call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
    ]
    assert [where for where in bare if where.partition(":")[0] not in TO_OPERATORS_ALONE] == []
    assert bare, "the exceptions are there, or this looks at nothing"


def test_every_failure_is_told_in_a_made_up_language(tmp_path: Path) -> None:
    made_up(tmp_path, "en", "EN")
    made_up(tmp_path, "tlh", "TLH")
    speech = Speech(Words(tmp_path), "tlh")
    inner = fault("nobody is there", "fault.no_answer")
    for one in SPOKEN:
        kept = json.loads(json.dumps(one.made(**({"why": inner} if "why" in one.names else {})).kept))
        told = fault_of(kept)
        assert told is not None
        said = speech.fault(told)
        assert said.startswith("TLH ")
        assert "{" not in said
        # What it quotes is said in the same language.
        assert ("TLH the platform did not answer in time" in said) == ("why" in one.names or one.key == inner.said.key)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "one",
    [
        Fault("a connector of somebody's own said so"),
        fault("{n} of {what}: {why}", "fault.given_up", n=2, what="<b>", why=fault("{x}", "fault.tries", x=1.5)),
        fault("{n}: {why}", "fault.given_up", n=2, why=Fault("in words alone")),
    ],
)
def test_what_is_kept_is_what_was(one: Fault) -> None:
    assert fault_of(json.loads(json.dumps(one.kept))) == one


def test_without_a_phrase_the_words_are_told() -> None:
    speech = Speech(WORDS, "zh")
    assert fault_of("") is None
    assert speech.fault(Fault("written before there were phrases")) == "written before there were phrases"
    assert speech.fault(Fault("mailbox full", Said("mail.fault.full", {"n": 3}))) == "mailbox full"
    foreign = fault("given up after {n} hours: {why}", "fault.given_up", n=24, why=Fault("mailbox full"))
    assert speech.fault(foreign) == "24 小时后放弃：mailbox full"
    assert str(foreign) == "given up after 24 hours: mailbox full"


def test_no_text_in_it_grows_beyond_a_limit() -> None:
    long = fault("{what}: {why}", "fault.tries", what="x" * 900, n=3, why=Fault("y" * 900)).cut(10)
    assert long == Fault("x" * 10, Said("fault.tries", {"what": "x" * 10, "n": 3, "why": "y" * 10}))
