"""Looks for mistakes in the content before customers find them: ``switchboard check``."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.content.answers import UNWRITTEN, Answer, Answers
from bot.content.asks import undeclared
from bot.content.coins import read_vocabulary
from bot.content.phrase_check import phrase_problems, untranslated
from bot.content.problems import ContentError
from bot.content.procedures import procedure_problems, read_procedures
from bot.domain.decision import Handoff
from bot.domain.engine import OUT_OF_SCOPE

MIN_EXAMPLES = 25
"""Per intent and locale. Fewer, and the engine guesses."""

GOOD_EXAMPLES = 60
"""Per intent and locale: what it takes to be told apart from neighbours."""

WITHOUT_ANSWER = frozenset({OUT_OF_SCOPE, "affirm", "deny"})
"""Intents whose meaning depends on what went before; code answers them."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml, as its wheels are."""

_EXAMPLE = re.compile(r"-[ \t]+(.*\S)\s*")


@dataclass(frozen=True, slots=True)
class Example:
    intent: str
    language: str
    text: str
    path: Path


def problems(folder: Path, answers: Answers) -> Iterator[str]:
    """Every mistake found, a line each, with the file where it is mended."""
    try:
        read_vocabulary(folder)
    except ContentError as error:
        yield str(error)
    try:
        examples = list(read_examples(folder / "nlu"))
    except ContentError as error:
        yield str(error)
        return
    yield from _topic_problems(folder, answers, {example.intent for example in examples})
    yield from phrase_problems(answers.words)
    procedures = read_procedures(folder)
    yield from procedure_problems(folder, procedures, answers.required, answers.topics)
    for name, procedure in procedures.items():
        for step in procedure.steps.values():
            for locale, text in step.say.items():
                for ask in undeclared(text, locale, step.asks):
                    where = f"{folder / 'procedures' / name}.yml: {step.name}"
                    yield f"{where}: the {locale} text asks for the {ask}, and nothing takes it; add it to asks"
    yield from example_problems(answers.required, examples)


def partial_languages(answers: Answers) -> Iterator[str]:
    """What the languages lack that need not have everything, a line each."""
    words = answers.words
    for locale in words.locales:
        if locale in words.complete:
            continue
        phrases, of = untranslated(words, locale)
        topics = [answers.variants(topic) for topic in answers.topics]
        unanswered = sum(locale not in variants for variants in topics)
        counts = f"{phrases} of {of} phrases and {unanswered} of {len(topics)} answers missing"
        instead = f"those of the default language ({words.default}) are shown"
        yield f"{words.folder / f'{locale}.yml'}: {locale} is partial: {counts}; {instead}"


def read_examples(folder: Path) -> Iterator[Example]:
    """All training examples. Raises ``ContentError`` for a file that Rasa could not read."""
    for path in sorted(folder.glob("*.yml")):
        yield from read_example_file(path)


def read_example_file(path: Path) -> Iterator[Example]:
    """The examples of one file. Raises ``ContentError`` for what Rasa could not read, or would pass over."""
    try:
        loaded: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (either is safe)
        for block in loaded["nlu"]:
            if "lookup" in block:
                continue  # a list of names
            language = block["metadata"]["language"]
            for line in block["examples"].splitlines():
                match = _EXAMPLE.fullmatch(line)
                if match is not None:
                    yield Example(block["intent"], language, match[1], path)
                elif line.strip():
                    raise ContentError(f"{path}: each line under 'examples' begins with '- ', not: {line}")
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ContentError(
            f"{path}: each block under 'nlu' needs intent, metadata.language and examples ({error})"
        ) from error


def answer_problems(variants: Iterable[Answer], answers: Answers) -> Iterator[str]:
    """The mistakes in one topic's answers, ``variants``, beside all ``answers`` that customers can get."""
    first: Answer | None = None
    for answer in variants:
        first = first or answer
        for button in answer.buttons:
            if button == answer.topic:
                yield f"{answer.path}: dead button: {button} leads to this same answer"
            elif not answers.variants(button) or answer.locale in set(answers.required) - set(answers.variants(button)):
                yield f"{answer.path}: dead button: {button} has no answer in {answer.locale}"
        for topic in answers.topics:
            other = answers.variants(topic).get(answer.locale)
            if other is not None and topic != answer.topic and other.title == answer.title:
                yield f"{answer.path}: the title is also that of {topic}; customers see it on buttons"
        if (answer.handoff, answer.priority) != (first.handoff, first.priority):
            yield f"{answer.path}: handoff or priority differs from {first.path}"
        if (set(answer.asks), answer.costs) != (set(first.asks), first.costs):
            yield f"{answer.path}: asks or costs differ from {first.path}"
        for ask in undeclared(answer.body, answer.locale, answer.asks):
            yield f"{answer.path}: the text asks for the {ask}, and nothing takes it; add it to asks, or do not ask"
        if answer.asks and answer.handoff is Handoff.NEVER:
            yield f"{answer.path}: it asks for something, and nobody gets it: handoff must be offer or always"


def example_problems(
    locales: Sequence[str], examples: Sequence[Example], others: Iterable[Example] = ()
) -> Iterator[str]:
    """The mistakes in ``examples``, also where they repeat one of the ``others``."""
    seen = {_normal(example.text): example for example in others}
    written = [example for example in examples if not UNWRITTEN.search(example.text)]
    for example in written:
        known = seen.setdefault(_normal(example.text), example)
        if known is not example:
            where = "twice" if known.intent == example.intent else f"also in {known.intent}"
            yield f"{example.path}: duplicate example, {where}: {example.text}"
    counts = Counter((example.intent, example.language) for example in written)
    begun = {(example.intent, example.language): example for example in examples if UNWRITTEN.search(example.text)}
    for (intent, language), example in begun.items():
        count = f"{counts[intent, language]} of {MIN_EXAMPLES}"
        yield f"{example.path}: not written yet: examples in {language}, {count} ({example.text} still stands there)"
    for intent in sorted({example.intent for example in examples}):
        for locale in locales:
            if counts[intent, locale] < MIN_EXAMPLES and (intent, locale) not in begun:
                path = next(example.path for example in examples if example.intent == intent)
                yield f"{path}: too few examples: {counts[intent, locale]} in {locale}, not {MIN_EXAMPLES}"


def _topic_problems(folder: Path, answers: Answers, intents: set[str]) -> Iterator[str]:
    for intent in sorted(intents - WITHOUT_ANSWER):
        for locale in answers.required:
            if locale not in answers.variants(intent):
                yield f"{folder / 'answers' / locale / intent}.md: missing answer for the intent {intent}"
    for topic in answers.topics:
        variants = answers.variants(topic)
        if topic not in intents:
            path = next(iter(variants.values())).path
            yield f"{path}: no training examples lead to this answer; add {folder / 'nlu' / topic}.yml"
        yield from answer_problems(variants.values(), answers)


def _normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded
