"""The shipped content, for tests that are not about its words."""

from __future__ import annotations

from bot.content.answers import Answers
from bot.settings import ROOT


def headline(topic: str, locale: str) -> str:
    """The first line of the topic's answer, without marks of emphasis."""
    answer = Answers(ROOT / "data", ("en", "zh"), {}).get(topic, locale)
    assert answer is not None
    return answer.body.splitlines()[0].replace("**", "")
