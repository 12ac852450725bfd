"""The content that support leads edit: answers by topic and locale. ``words`` has the desk's own phrases.

A file that cannot be used is refused when the desk starts, with its path and what is wrong. Placeholders
(``{brand}``, ``{phone}`` …) are filled from the deployment; a line whose placeholder has no value there
is left out, so one text serves deployments with and without a telephone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from frontmatter.default_handlers import YAMLHandler
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.content.problems import ContentError
from bot.content.words import PLACEHOLDER, Facts, Words
from bot.domain.conversation import Priority
from bot.domain.costs import Costs, default_costs
from bot.domain.cues import Cue
from bot.domain.decision import Handoff
from bot.domain.dialogue import Ask
from bot.domain.message import Button

__all__ = ["Answer", "Answers", "ContentError", "read_answer"]

PLACEHOLDERS = frozenset({"brand", "email", "phone", "website", "help_centre", "hours", "response_hours", "crisis"})
"""What an answer may name, and any phrase, too."""

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
CANCEL = "cancel"
"""The payloads of the desk's buttons."""


def _priority(value: Any) -> Any:
    return Priority[value.upper()] if isinstance(value, str) and value.upper() in Priority.__members__ else value


class _Costs(BaseModel):
    model_config = ConfigDict(extra="forbid")

    wrong: Annotated[float, Field(ge=0)] | None = None
    needless: Annotated[float, Field(ge=0)] | None = None
    missed: Annotated[float, Field(ge=0)] | None = None


_FollowUp = Literal["how_long", "where", "what_next", "cost", "safe"]


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]
    handoff: Handoff
    priority: Annotated[Priority, BeforeValidator(_priority)] = Priority.NORMAL
    buttons: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    costs: _Costs | None = None
    follow_ups: dict[_FollowUp, Annotated[str, Field(min_length=1)]] = {}


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
    asks: tuple[Ask, ...] = ()
    """What the text asks the customer for."""
    costs: Costs = field(default_factory=Costs)
    follow_ups: Mapping[Cue, str] = field(default_factory=dict)
    """What is said to a question asked right after this answer; Markdown with placeholders."""


class Answers:
    """All answers of a deployment, and its ``words``.

    ``facts`` fill the placeholders; what has no value there is None. A locale may have phrases and no answers: its
    customers get the answers in the default locale.
    """

    def __init__(self, folder: Path, locales: Sequence[str], facts: Facts) -> None:
        self.words = Words(folder, locales, facts)
        self._answers: dict[str, dict[str, Answer]] = {}
        for locale in self.locales:
            for path in sorted((folder / "answers" / locale).glob("*.md")):
                self._answers.setdefault(path.stem, {})[locale] = read_answer(path, locale)
        if not self._answers:
            raise ContentError(
                f"there are no answers in {folder / 'answers'} for the locales {', '.join(self.locales)}"
            )

    @property
    def locales(self) -> tuple[str, ...]:
        """The default first."""
        return self.words.locales

    @property
    def answered(self) -> tuple[str, ...]:
        """The locales that have answers."""
        spoken = {locale for variants in self._answers.values() for locale in variants}
        return tuple(locale for locale in self.locales if locale in spoken)

    @property
    def required(self) -> tuple[str, ...]:
        """The locales that are to have an answer for every topic: those that have answers and are complete. Any other
        may have some."""
        complete = tuple(locale for locale in self.answered if locale in self.words.complete)
        return complete or self.answered

    @property
    def default_locale(self) -> str:
        return self.locales[0]

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._answers)

    def locale_for(self, topic: str | None, language: str | None) -> str:
        """The locale to speak in: the customer's language if there is an answer (or any text) in it,
        else the default."""
        locale = self.words.match(language)
        if locale is not None and (topic is None or locale in self._answers.get(topic, {})):
            return locale
        return self.default_locale

    def get(self, topic: str, language: str | None) -> Answer | None:
        """The answer in the customer's language, else in the default locale, else in whichever there is."""
        by_locale = self._answers.get(topic)
        if not by_locale:
            return None
        return by_locale.get(self.locale_for(topic, language)) or next(iter(by_locale.values()))

    def titles(self, language: str | None) -> Mapping[str, str]:
        """What each topic is called in the language, else in the default locale, else in whichever there is."""
        found = ((topic, self.get(topic, language)) for topic in self.topics)
        return {topic: answer.title for topic, answer in found if answer is not None}

    def variants(self, topic: str) -> Mapping[str, Answer]:
        """The topic's answers by locale."""
        return self._answers.get(topic, {})

    def render(self, topic: str, language: str | None) -> str | None:
        """The answer as Markdown, ready to send; None for a topic without one."""
        answer = self.get(topic, language)
        return None if answer is None else self.words.fill(answer.body, answer.locale)

    def topic_button(self, topic: str, language: str | None) -> Button | None:
        """The button that leads to a topic, labelled with its title; None for a topic without answer."""
        answer = self.get(topic, language)
        return None if answer is None else Button(answer.title, TOPIC + topic)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error


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
    follow_ups = {Cue(name): text.strip() for name, text in front.follow_ups.items()}
    unknown = {name for part in (body, *follow_ups.values()) for name in PLACEHOLDER.findall(part)} - PLACEHOLDERS
    if unknown:
        allowed = ", ".join(sorted(PLACEHOLDERS))
        raise ContentError(f"{path}: unknown placeholder {{{unknown.pop()}}}; allowed are {allowed}")
    chosen = {} if front.costs is None else front.costs.model_dump(exclude_none=True)
    costs = replace(default_costs(front.handoff, front.priority), **chosen)
    return Answer(
        path.stem,
        locale,
        front.title,
        front.handoff,
        front.priority,
        front.buttons,
        body,
        path,
        front.asks,
        costs,
        follow_ups,
    )
