"""The content that support leads edit: answers by topic and locale, and the desk's own phrases.

A file that cannot be used is refused when the desk starts, with its path and what is wrong. Placeholders
(``{brand}``, ``{phone}`` …) are filled from the deployment; a line whose placeholder has no value there
is left out, so one text serves deployments with and without a telephone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from frontmatter.default_handlers import YAMLHandler
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.domain.conversation import Priority
from bot.domain.decision import Handoff
from bot.domain.message import Button

PLACEHOLDERS = frozenset({"brand", "email", "phone", "website", "help_centre", "hours", "response_hours"})
"""What an answer may name. A phrase may also use what its situation fills (``{position}``, ``{agent}`` …)."""

PHRASES = frozenset(
    {
        "agent_joined",
        "agent_nameless",
        "already_queued",
        "ask_again",
        "ask_back",
        "attachment_received",
        "button_helped",
        "button_human",
        "button_not_helped",
        "did_it_help",
        "handed_back",
        "help",
        "helped",
        "not_understood",
        "outside",
        "queued",
        "queued_engine",
        "queued_unsure",
        "queued_urgent",
        "put_back",
        "reopened",
        "reopened_queued",
        "resolved",
        "welcome",
        "what_else",
    }
)
"""The sentences of its own that the desk says."""

UNWRITTEN = re.compile(r"\{write_\w+_here\}")
"""What stands in a new topic's files until somebody has written the text. Never sent, never trained."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_YAML = YAMLHandler()

MAX_TITLE = 40
"""Characters: titles are the labels of buttons."""

TOPIC = "topic:"
HUMAN = "human"
HELPED = "helped:yes"
NOT_HELPED = "helped:no"
"""The payloads of the desk's buttons."""


class ContentError(Exception):
    """A content file cannot be used; the message names the file and the fix."""


def _priority(value: Any) -> Any:
    return Priority[value.upper()] if isinstance(value, str) and value.upper() in Priority.__members__ else value


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]
    handoff: Handoff
    priority: Annotated[Priority, BeforeValidator(_priority)] = Priority.NORMAL
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One topic's answer in one locale."""

    topic: str
    locale: str
    title: str
    handoff: Handoff
    priority: Priority
    buttons: tuple[str, ...]
    body: str
    """Markdown with placeholders."""
    path: Path


class Answers:
    """All answers and phrases of a deployment.

    ``facts`` fill the placeholders; what has no value there is None. The default locale has every phrase.
    """

    def __init__(self, folder: Path, locales: tuple[str, ...], facts: Mapping[str, str | None]) -> None:
        self.locales = locales
        self._facts = facts
        self._answers: dict[str, dict[str, Answer]] = {}
        self._phrases: dict[str, dict[str, str]] = {}
        for locale in locales:
            self._phrases[locale] = _phrases(folder / "phrases" / f"{locale}.yml")
            for path in sorted((folder / "answers" / locale).glob("*.md")):
                self._answers.setdefault(path.stem, {})[locale] = read_answer(path, locale)
        if missing := sorted(PHRASES - self._phrases[locales[0]].keys()):
            path = folder / "phrases" / f"{locales[0]}.yml"
            raise ContentError(f"{path}: missing {', '.join(missing)}; the default locale has every phrase")
        if not self._answers:
            raise ContentError(f"there are no answers in {folder / 'answers'} for the locales {', '.join(locales)}")

    @property
    def default_locale(self) -> str:
        return self.locales[0]

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._answers)

    def locale_for(self, topic: str | None, language: str | None) -> str:
        """The locale to speak in: the customer's language if there is an answer (or any text) in it,
        else the default."""
        if language in self.locales and (topic is None or language in self._answers.get(topic, {})):
            return language
        return self.default_locale

    def get(self, topic: str, language: str | None) -> Answer | None:
        """The answer in the customer's language, else in the default locale, else in whichever there is."""
        by_locale = self._answers.get(topic)
        if not by_locale:
            return None
        return by_locale.get(self.locale_for(topic, language)) or next(iter(by_locale.values()))

    def variants(self, topic: str) -> Mapping[str, Answer]:
        """The topic's answers by locale."""
        return self._answers.get(topic, {})

    def fill(self, template: str, **more: object) -> str:
        """The template with its placeholders filled; lines that name something this deployment has not
        are left out."""
        values = {**self._facts, **more}
        kept = []
        for line in template.splitlines():
            names = set(_PLACEHOLDER.findall(line))
            if all(values.get(name) is not None or name not in values for name in names):
                kept.append(_PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), line))
        return "\n".join(kept).strip()

    def render(self, topic: str, language: str | None) -> str | None:
        """The answer as Markdown, ready to send; None for a topic without one."""
        answer = self.get(topic, language)
        return None if answer is None else self.fill(answer.body)

    def phrase(self, key: str, language: str | None, **values: object) -> str:
        """One of the desk's own sentences. ``values`` fill its placeholders; those not given stay."""
        phrases = self._phrases[self.locale_for(None, language)]
        return self.fill(phrases.get(key) or self._phrases[self.default_locale][key], **values)

    def phrase_by_locale(self, key: str, **values: object) -> Mapping[str, str]:
        """The sentence in every locale, the default also under ``""``."""
        texts = {locale: self.phrase(key, locale, **values) for locale in self.locales}
        return {**texts, "": texts[self.default_locale]}

    def phrase_keys(self, locale: str) -> frozenset[str]:
        return frozenset(self._phrases[locale])

    def topic_button(self, topic: str, language: str | None) -> Button | None:
        """The button that leads to a topic, labelled with its title; None for a topic without answer."""
        answer = self.get(topic, language)
        return None if answer is None else Button(answer.title, TOPIC + topic)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error


def _phrases(path: Path) -> dict[str, str]:
    try:
        loaded = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(text, str) for text in loaded.values()):
        raise ContentError(f"{path}: must be a map from phrase to text")
    return loaded


def read_answer(path: Path, locale: str) -> Answer:
    """One answer file. Raises ``ContentError`` for what cannot be used."""
    text = _read(path)
    try:
        # Asked part by part: what is no front matter, the library would take for an answer without any.
        if not _YAML.detect(text):
            raise ValueError
        written, body = _YAML.split(text)
    except ValueError:
        raise ContentError(f"{path}: must begin with front matter between two lines of '---'") from None
    try:
        front = _FrontMatter.model_validate(_YAML.load(written))
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: the front matter is not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "front matter"
        raise ContentError(f"{path}: {where}: {first['msg']}") from error
    body = body.strip()
    if not body:
        raise ContentError(f"{path}: the answer is empty")
    unwritten = [part for part, text in (("title", front.title), ("answer", body)) if UNWRITTEN.search(text)]
    if unwritten:
        raise ContentError(f"{path}: not written yet: {' and '.join(unwritten)}")
    unknown = set(_PLACEHOLDER.findall(body)) - PLACEHOLDERS
    if unknown:
        allowed = ", ".join(sorted(PLACEHOLDERS))
        raise ContentError(f"{path}: unknown placeholder {{{unknown.pop()}}}; allowed are {allowed}")
    return Answer(path.stem, locale, front.title, front.handoff, front.priority, front.buttons, body, path)
