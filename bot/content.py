"""Looks for mistakes in the content before customers find them: ``switchboard check``."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.answers import PHRASES, Answers, ContentError
from bot.model import OUT_OF_SCOPE

MIN_EXAMPLES = 25
"""Per intent and locale. Fewer, and the engine guesses."""

WITHOUT_ANSWER = frozenset({OUT_OF_SCOPE, "affirm", "deny"})
"""Intents whose meaning depends on what went before; code answers them."""

_EXAMPLE = re.compile(r"^\s*-\s+(.*\S)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    intent: str
    language: str
    text: str
    path: Path


def problems(folder: Path, answers: Answers) -> Iterator[str]:
    """Every mistake found, a line each, with the file where it is mended."""
    try:
        examples = list(read_examples(folder / "nlu"))
    except ContentError as error:
        yield str(error)
        return
    yield from _answer_problems(folder, answers, {example.intent for example in examples})
    yield from _phrase_problems(folder, answers)
    yield from _example_problems(answers, examples)


def read_examples(folder: Path) -> Iterator[Example]:
    """All training examples. Raises ``ContentError`` for a file that Rasa could not read."""
    for path in sorted(folder.glob("*.yml")):
        try:
            loaded: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
            for block in loaded["nlu"]:
                language = block["metadata"]["language"]
                for text in _EXAMPLE.findall(block["examples"]):
                    yield Example(block["intent"], language, text, path)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ContentError(f"{path}: cannot be read: {error}") from error
        except (KeyError, TypeError) as error:
            raise ContentError(
                f"{path}: each block under 'nlu' needs intent, metadata.language and examples ({error})"
            ) from error


def _answer_problems(folder: Path, answers: Answers, intents: set[str]) -> Iterator[str]:
    for intent in sorted(intents - WITHOUT_ANSWER):
        for locale in answers.locales:
            if locale not in answers.variants(intent):
                yield f"{folder / 'answers' / locale / intent}.md: missing answer for the intent {intent}"
    for topic in answers.topics:
        variants = answers.variants(topic)
        first = next(iter(variants.values()))
        if topic not in intents:
            yield f"{first.path}: no training examples lead to this answer; add {folder / 'nlu' / topic}.yml"
        for answer in variants.values():
            for button in answer.buttons:
                if button == topic:
                    yield f"{answer.path}: dead button: {button} leads to this same answer"
                elif answer.locale not in answers.variants(button):
                    yield f"{answer.path}: dead button: {button} has no answer in {answer.locale}"
            if (answer.handoff, answer.priority) != (first.handoff, first.priority):
                yield f"{answer.path}: handoff or priority differs from {first.path}"


def _phrase_problems(folder: Path, answers: Answers) -> Iterator[str]:
    for locale in answers.locales:
        path = folder / "phrases" / f"{locale}.yml"
        keys = answers.phrase_keys(locale)
        for key in sorted(PHRASES - keys):
            yield f"{path}: missing phrase {key}"
        for key in sorted(keys - PHRASES):
            yield f"{path}: nothing says the phrase {key}"


def _example_problems(answers: Answers, examples: list[Example]) -> Iterator[str]:
    seen: dict[str, Example] = {}
    for example in examples:
        known = seen.setdefault(_normal(example.text), example)
        if known is not example:
            where = "twice" if known.intent == example.intent else f"also in {known.intent}"
            yield f"{example.path}: duplicate example, {where}: {example.text}"
    counts = Counter((example.intent, example.language) for example in examples)
    for intent in sorted({example.intent for example in examples}):
        for locale in answers.locales:
            if counts[intent, locale] < MIN_EXAMPLES:
                path = next(example.path for example in examples if example.intent == intent)
                yield f"{path}: too few examples: {counts[intent, locale]} in {locale}, not {MIN_EXAMPLES}"


def _normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded
