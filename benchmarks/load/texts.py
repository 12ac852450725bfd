"""What customers say in the benchmark: small talk, no two alike. It is answered however often it is said, while a topic
that comes a second time goes to a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from bot.domain.decision import Handoff
from handoff.rules import SMALL_TALK
from intents.datasets import read_dataset
from intents.offline import parse_all
from intents.paths import EnginePaths
from intents.training import ensure_model
from switchboard.plugins import load_settings
from switchboard.wiring import load_answers

NUMBERS = ("", " 2", " 17", " 99", " 142", " 250", " 333")
"""What may stand behind a text (``endless``) and must not make the model doubt."""


def answered_by_the_bot() -> dict[str, str]:
    """By topic, the words of the answer that leads to no human."""
    answers = load_answers(load_settings())
    found = {topic: answers.get(topic, None) for topic in answers.topics}
    return {
        topic: answers.words.fill(answer.body, answer.locale)
        for topic, answer in found.items()
        if answer is not None and answer.handoff is not Handoff.ALWAYS
    }


async def questions(paths: EnginePaths, keep: Path) -> list[str]:
    """Training examples of small talk that the shipped model is sure of, also with a number behind them, intents mixed;
    found once, and kept in the file ``keep``."""
    if keep.exists():
        return list(json.loads(keep.read_text(encoding="utf-8")))
    examples = [example for example in read_dataset(paths.data / "nlu").examples if example.label in SMALL_TALK]
    asked = [(example, f"{example.text}{number}") for example in examples for number in NUMBERS]
    parses = await parse_all(paths, await ensure_model(paths), [text for _, text in asked])
    doubtful = {
        example.text
        for (example, _), parse in zip(asked, parses.rows, strict=True)
        if not (parse.prediction.sure and parse.prediction.intent == example.label)
    }
    sure: dict[str, list[str]] = {}
    for example in examples:
        if example.text not in doubtful and not example.text.startswith("/"):
            sure.setdefault(example.label, []).append(example.text)
    rounds = zip_longest(*sure.values())
    chosen = [text for round_ in rounds for text in round_ if text is not None]
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.write_text(json.dumps(chosen, ensure_ascii=False), encoding="utf-8")
    return chosen


def endless(texts: list[str]) -> Iterator[str]:
    """Each once, then each again with a number behind it: a text that was said before costs Rasa less."""
    for number in range(1_000_000):
        for text in texts:
            yield text if number == 0 else f"{text} {number}"
