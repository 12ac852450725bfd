"""Reads ``data/procedures/*.yml`` and looks for what would leave a customer nowhere (``bot.domain.procedure``).

What has no form is refused when the desk starts; what leads nowhere is named by ``switchboard check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.content.answers import MAX_TITLE, PLACEHOLDERS
from bot.content.problems import ContentError
from bot.content.words import PLACEHOLDER
from bot.domain.conversation import Priority
from bot.domain.cues import fold
from bot.domain.dialogue import Ask
from bot.domain.forms import Kind
from bot.domain.procedure import Choice, Condition, End, Procedure, Step

MAX_SAY = 700
"""Characters of a step's text: what a phone shows at once."""
MAX_CHOICES = 8
MAX_PAYLOAD = 64
"""Bytes that Telegram takes back from a button."""
LOOK_UPS = ("ticket",)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")
_SPAN = re.compile(r"(\d+) ?(m|min|h|d)")
_MINUTES = {"m": 1, "min": 1, "h": 60, "d": 1440}


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _priority(value: Any) -> Any:
    return Priority[value.upper()] if isinstance(value, str) and value.upper() in Priority.__members__ else value


def _minutes(value: Any) -> Any:
    match = _SPAN.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("must be a number and m, h or d, such as 30m, 2h or 1d")
    return int(match[1]) * _MINUTES[match[2]]


_Words = Annotated[frozenset[str], BeforeValidator(_list)]
_Kinds = Annotated[frozenset[Kind], BeforeValidator(_list)]
_Text = Annotated[str, Field(min_length=1, max_length=MAX_SAY)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Condition(_Part):
    to: str
    has: _Kinds = frozenset()
    lacks: _Kinds = frozenset()
    chain: _Words = frozenset()
    coin: _Words = frozenset()
    network: _Words = frozenset()
    older_than: Annotated[int, BeforeValidator(_minutes)] | None = None
    people: Literal["here", "away"] | None = None
    topic: _Words = frozenset()


class _Choice(_Part):
    to: str
    label: dict[str, Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]]
    words: dict[str, list[str]] = {}
    topics: _Words = frozenset()
    yes: bool | None = None
    no: bool | None = None


class _Step(_Part):
    say: dict[str, _Text] = {}
    when: list[_Condition] = []
    asks: list[Ask] = []
    then: str | None = None
    lacking: str | None = None
    choices: Annotated[list[_Choice], Field(max_length=MAX_CHOICES)] = []
    ends: End | None = None
    look_up: Literal["ticket"] | None = None
    found: str | None = None
    none: str | None = None


class _Procedure(_Part):
    title: dict[str, Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]]
    topics: Annotated[list[str], Field(min_length=1)]
    priority: Annotated[Priority, BeforeValidator(_priority)] = Priority.NORMAL
    collects: list[Kind] = []
    start: str
    notice: str | None = None
    steps: dict[str, _Step]


def read_procedures(folder: Path) -> dict[str, Procedure]:
    """By name. Raises ``ContentError`` for what cannot be used."""
    return {path.stem: read_procedure(path) for path in sorted((folder / "procedures").glob("*.yml"))}


def read_procedure(path: Path) -> Procedure:
    try:
        loaded: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    try:
        written = _Procedure.model_validate(_with_words_as_keys(loaded))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "procedure"
        raise ContentError(f"{path}: {where}: {first['msg']}") from error
    for name in (path.stem, *written.steps):
        if not _NAME.fullmatch(name):
            raise ContentError(f"{path}: {name}: names are small letters, digits and _, at most 20 characters")
    procedure = Procedure(
        path.stem,
        written.title,
        tuple(written.topics),
        written.start,
        {name: _step(name, step) for name, step in written.steps.items()},
        written.priority,
        tuple(written.collects),
        written.notice,
    )
    _refuse_dead_ends(path, procedure)
    return procedure


def _with_words_as_keys(loaded: Any) -> Any:
    """YAML takes a bare ``yes:`` or ``no:`` for a truth value; here they are names."""
    if isinstance(loaded, dict):
        names = {True: "yes", False: "no"}
        return {
            names.get(key, key) if isinstance(key, bool) else key: _with_words_as_keys(value)
            for key, value in loaded.items()
        }
    return [_with_words_as_keys(value) for value in loaded] if isinstance(loaded, list) else loaded


def _step(name: str, written: _Step) -> Step:
    return Step(
        name,
        {locale: text.strip() for locale, text in written.say.items()},
        tuple(
            Condition(
                **condition.model_dump(exclude={"people"}),
                people=None if condition.people is None else condition.people == "here",
            )
            for condition in written.when
        ),
        tuple(written.asks),
        written.then,
        written.lacking,
        tuple(
            Choice(
                choice.to,
                choice.label,
                tuple(fold(word) for words in choice.words.values() for word in words),
                choice.topics,
                True if choice.yes else False if choice.no else None,
            )
            for choice in written.choices
        ),
        written.ends,
        written.look_up,
        written.found,
        written.none,
    )


def leads_to(step: Step) -> Iterator[str]:
    """Every step that may follow this one."""
    yield from (condition.to for condition in step.when)
    yield from (choice.to for choice in step.choices)
    yield from (to for to in (step.then, step.lacking, step.found, step.none) if to is not None)


def _refuse_dead_ends(path: Path, procedure: Procedure) -> None:
    """What the desk could not step through at all."""
    begins = (procedure.start, *filter(None, (procedure.notice,)))
    for name in (*begins, *(to for step in procedure.steps.values() for to in leads_to(step))):
        if name not in procedure.steps:
            raise ContentError(f"{path}: there is no step {name}; the steps are {', '.join(procedure.steps)}")
    if procedure.notice is not None and not procedure.steps[procedure.notice].waits:
        raise ContentError(f"{path}: notice: the step {procedure.notice} asks nothing; give it choices or asks")
    for step in procedure.steps.values():
        where = f"{path}: {step.name}"
        if step.ends is End.LOOK_UP and not (step.look_up and step.found and step.none):
            raise ContentError(f"{where}: ends with a look-up: it needs look_up, found and none")
        if any(to and procedure.steps[to].ends is End.LOOK_UP for to in (step.found, step.none)):
            raise ContentError(f"{where}: a look-up must not lead to another look-up")
        if not (step.waits or step.ends or step.then):
            raise ContentError(f"{where}: leads nowhere; give it choices, asks, then or ends")
        if not step.say and step.ends is not End.LOOK_UP and not step.when:
            raise ContentError(f"{where}: says nothing")
        for choice in step.choices:
            if len(procedure.payload(step, choice).encode()) > MAX_PAYLOAD:
                raise ContentError(f"{where}: the names {procedure.name}, {step.name} and {choice.to} are too long")
        seen = {step.name}
        after: Step | None = step
        while after is not None and not after.waits and after.ends is None:
            after = procedure.steps[after.then] if after.then else None
            if after is not None and after.name in seen:
                raise ContentError(f"{where}: goes round in a circle without a question: {', '.join(seen)}")
            if after is not None:
                seen.add(after.name)


def procedure_problems(
    folder: Path, procedures: Mapping[str, Procedure], locales: Sequence[str], topics: Sequence[str]
) -> Iterator[str]:
    """What customers would stumble over, a line each, with the file where it is mended."""
    begun: dict[str, str] = {}
    for name, procedure in procedures.items():
        path = folder / "procedures" / f"{name}.yml"
        for topic in procedure.topics:
            if topic not in topics:
                yield f"{path}: the topic {topic} has no answer, so no customer can begin with it"
            if topic in begun:
                yield f"{path}: the topic {topic} begins {begun[topic]} already"
            begun[topic] = name
        reached = _reached(procedure)
        for step in procedure.steps.values():
            if step.name not in reached:
                yield f"{path}: {step.name}: no step leads here"
            yield from _text_problems(f"{path}: {step.name}", step, locales)
        for locale in locales:
            if locale not in procedure.title:
                yield f"{path}: the title is missing in {locale}"


def _reached(procedure: Procedure) -> set[str]:
    reached, ahead = set[str](), [procedure.start, *filter(None, (procedure.notice,))]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += leads_to(procedure.steps[name])
    return reached


def _text_problems(where: str, step: Step, locales: Sequence[str]) -> Iterator[str]:
    for locale in locales:
        if step.say and locale not in step.say:
            yield f"{where}: says nothing in {locale}"
        for choice in step.choices:
            if locale not in choice.label:
                yield f"{where}: the choice {choice.to} has no label in {locale}"
    for text in step.say.values():
        for name in sorted(set(PLACEHOLDER.findall(text)) - PLACEHOLDERS):
            yield f"{where}: unknown placeholder {{{name}}}; allowed are {', '.join(sorted(PLACEHOLDERS))}"
    words = [word for choice in step.choices for word in choice.words]
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"{where}: {word!r} would choose two things"
