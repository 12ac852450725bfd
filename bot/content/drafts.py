"""Topics as a support lead makes them: a draft first, live once it is finished.

A draft's files lie in ``drafts/`` of the content folder as they will lie in the folder itself. Whatever
trains, evaluates or answers does not look there, so a half-written topic can neither reach a customer nor
stop the desk.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.content.answers import MAX_TITLE, UNWRITTEN, Answer, Answers, ContentError, read_answer
from bot.content.check import Example, answer_problems, example_problems, read_example_file, read_examples
from bot.domain.conversation import Priority
from bot.domain.decision import Handoff
from bot.domain.engine import OUT_OF_SCOPE

DRAFTS = "drafts"
"""The folder of drafts in the content folder."""

RESERVED = frozenset(
    # What the policy treats in its own way …
    {OUT_OF_SCOPE, "affirm", "bot_challenge", "deny", "goodbye", "greet", "person_in_danger", "talk_to_human", "thanks"}
    # … and what means something to Rasa.
    | {"back", "nlu_fallback", "restart", "session_start"}
)
"""Intents that code knows by name; no topic may be called so."""

MAX_NAME = 58
"""With ``topic:`` before it, what a button carries: 64 bytes."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class TopicError(Exception):
    """A topic cannot be added or go live; the message says why."""


class Unfinished(TopicError):
    """A draft that cannot go live yet."""

    def __init__(self, name: str, problems: Sequence[str]) -> None:
        super().__init__(f"{name} stays a draft: {len(problems)} thing(s) to do")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Topic:
    """One line of ``switchboard topic list``."""

    name: str
    draft: bool
    examples: Mapping[str, int] | None
    """By language; None if the file cannot be read."""
    answers: tuple[str, ...]
    """The locales in which the answer is written."""


def check_title(title: str) -> str:
    """The title in one line. Raises ``TopicError`` for one that no button can carry."""
    title = " ".join(title.split())
    if not title or len(title) > MAX_TITLE:
        raise TopicError(f"a title has 1 to {MAX_TITLE} characters, not {len(title)}: {title!r}")
    return title


def check_name(folder: Path, name: str) -> None:
    """Raises ``TopicError`` if no new topic may have this name."""
    if problem := _name_problem(name):
        raise TopicError(problem)
    for path in (*_files(folder / DRAFTS, name), *_files(folder, name)):
        raise TopicError(f"there is a topic {name} already: {path}")
    for example in read_examples(folder / "nlu"):
        if example.intent == name:
            raise TopicError(f"there are examples of {name} already, in {example.path}")


def add(folder: Path, locales: Sequence[str], name: str, titles: Mapping[str, str]) -> list[Path]:
    """Makes the files of a draft: examples, and an answer for each locale; all of them or none.

    A locale without a title gets one that has still to be written. Raises ``TopicError``.
    """
    check_name(folder, name)
    drafts = folder / DRAFTS
    texts = {drafts / "nlu" / f"{name}.yml": _examples_text(name, locales)}
    for locale in locales:
        texts[drafts / "answers" / locale / f"{name}.md"] = _answer_text(titles.get(locale))
    made: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": never over a file that came into being since the name was checked.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for unfinished in made:
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TopicError(f"{path}: cannot be made: {error.strerror}") from error
        raise
    return made


def drafts(folder: Path) -> list[str]:
    """The names of the topics that are drafts."""
    paths = [*(folder / DRAFTS / "nlu").glob("*.yml"), *(folder / DRAFTS / "answers").glob("*/*.md")]
    return sorted({path.stem for path in paths})


def missing(folder: Path, answers: Answers, name: str) -> Iterator[str]:
    """What keeps a draft from going live, a line each, with the file."""
    if problem := _name_problem(name):
        yield problem
    live = _live_examples(folder)
    for path in _files(folder, name):
        yield f"{path}: there is a topic of this name already; rename the draft, or edit the topic itself"
    examples, problems = _draft_examples(folder, name)
    yield from problems
    yield from example_problems(answers.required, examples, live)
    written, problems = _draft_answers(folder, name, answers.required)
    yield from problems
    # Only of the deployment's locales is it known which topics a button can lead to.
    yield from answer_problems((answer for answer in written if answer.locale in answers.answered), answers)


def make_live(folder: Path, answers: Answers, name: str) -> list[Path]:
    """Moves a finished draft's files to where they are used; all of them or none.

    Raises ``Unfinished`` with what is missing, or ``TopicError``.
    """
    drafts_of_topic = list(_files(folder / DRAFTS, name))
    if not drafts_of_topic:
        raise TopicError(f"there is no draft of a topic {name}" + _known_drafts(folder))
    if problems := list(missing(folder, answers, name)):
        raise Unfinished(name, problems)
    moved: list[tuple[Path, Path]] = []
    try:
        # The examples last: answers alone are never reached, examples alone would lead to none.
        for source in reversed(drafts_of_topic):
            target = folder / source.relative_to(folder / DRAFTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            moved.append((source, target))
    except BaseException as error:
        for back, target in moved:
            target.rename(back)
        if isinstance(error, OSError):
            raise TopicError(f"{source}: cannot be moved: {error.strerror}") from error
        raise
    return [target for _, target in reversed(moved)]


def overview(folder: Path, answers: Answers) -> list[Topic]:
    """All topics, live ones before drafts. Raises ``ContentError`` if the live ones cannot be read."""
    counts = Counter((example.intent, example.language) for example in read_examples(folder / "nlu"))
    live = sorted({intent for intent, _ in counts} | set(answers.topics))
    topics = [
        Topic(
            name,
            draft=False,
            examples={language: count for (intent, language), count in counts.items() if intent == name},
            answers=tuple(answers.variants(name)),
        )
        for name in live
    ]
    for name in drafts(folder):
        examples, problems = _draft_examples(folder, name)
        written, _ = _draft_answers(folder, name, answers.answered)
        languages = Counter(example.language for example in examples if not UNWRITTEN.search(example.text))
        topics.append(
            Topic(
                name,
                draft=True,
                examples=None if problems else dict(languages),
                answers=tuple(answer.locale for answer in written),
            )
        )
    return topics


def _name_problem(name: str) -> str | None:
    if name in RESERVED:
        return f"{name} is reserved: the desk gives it a meaning of its own; choose another name"
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name for a topic: small letters a–z and digits, words joined by _, as in password_reset"
    if not isinstance(yaml.safe_load(name), str):
        return (
            f"{name} is no name for a topic: YAML, in which the content is written, reads it as {yaml.safe_load(name)}"
        )
    if len(name) > MAX_NAME:
        return f"{name} is too long: {len(name)} characters, at most {MAX_NAME}"
    return None


def _known_drafts(folder: Path) -> str:
    names = drafts(folder)
    return f"; drafts are {', '.join(names)}" if names else "; there are no drafts at all"


def _files(root: Path, name: str) -> Iterator[Path]:
    """The files of a topic below ``root`` that exist, examples first."""
    examples = root / "nlu" / f"{name}.yml"
    if examples.exists():
        yield examples
    yield from sorted((root / "answers").glob(f"*/{name}.md"))


def _live_examples(folder: Path) -> list[Example]:
    try:
        return list(read_examples(folder / "nlu"))
    except ContentError:
        # A mistake elsewhere, which the check names: no reason to say nothing about the draft.
        return []


def _draft_examples(folder: Path, name: str) -> tuple[list[Example], list[str]]:
    path = folder / DRAFTS / "nlu" / f"{name}.yml"
    if not path.exists():
        return [], [f"{path}: is missing"]
    try:
        examples = list(read_example_file(path))
    except ContentError as error:
        return [], [str(error)]
    if not examples:
        return [], [f"{path}: there are no examples in it"]
    strangers = sorted({example.intent for example in examples} - {name})
    return examples, [f"{path}: the intent is {intent}, not {name} as the file says" for intent in strangers]


def _draft_answers(folder: Path, name: str, locales: Sequence[str]) -> tuple[list[Answer], list[str]]:
    """The answers that are written, and what is wrong with the others. A locale beyond the deployment's is
    read too: it would go live with them."""
    root = folder / DRAFTS / "answers"
    found = (path.parent.name for path in root.glob(f"*/{name}.md"))
    written = []
    problems = []
    for locale in dict.fromkeys((*locales, *sorted(found))):
        path = root / locale / f"{name}.md"
        if not path.exists():
            problems.append(f"{path}: is missing")
            continue
        try:
            written.append(read_answer(path, locale))
        except ContentError as error:
            problems.append(str(error))
    return written, problems


def _examples_text(name: str, locales: Sequence[str]) -> str:
    blocks = (
        f"- intent: {name}\n  metadata:\n    language: {_scalar(locale)}\n"
        "  examples: |\n    - {write_an_example_here}\n"
        for locale in locales
    )
    return 'version: "3.1"\nnlu:\n' + "".join(blocks)


def _answer_text(title: str | None) -> str:
    front = yaml.safe_dump(
        {
            "title": title or "{write_the_title_here}",
            "handoff": Handoff.OFFER.value,
            "priority": Priority.NORMAL.label,
            "buttons": [],
        },
        allow_unicode=True,
        sort_keys=False,
        width=200,
    )
    return f"---\n{front}---\n{{write_the_answer_here}}\n"


def _scalar(text: str) -> str:
    """The text as YAML reads it back: ``no`` needs quotes, ``en`` none."""
    return yaml.safe_dump([text], allow_unicode=True).removeprefix("- ").rstrip("\n")
