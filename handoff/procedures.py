"""Stepping through a procedure: pure functions of where the customer is, what is known, and what they said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.cues import fold, has
from bot.domain.forms import Detail, Kind
from bot.domain.procedure import Condition, Procedure, Step
from bot.domain.situation import Situation

MOST = 20
"""Steps that may follow one another without a question."""


@dataclass(frozen=True, slots=True)
class Case:
    """What conditions are asked about."""

    known: tuple[Detail, ...] = ()
    topic: str | None = None
    """With which topic the procedure began."""
    situation: Situation | None = None


def reached(procedure: Procedure, name: str, case: Case) -> tuple[Step, ...]:
    """The steps that are said when the customer comes to ``name``, in order: those whose conditions do not lead on, up
    to the first that waits for an answer or ends."""
    said: list[Step] = []
    for _ in range(MOST):
        step = procedure.steps[name]
        passed = next((condition.to for condition in step.when if _holds(condition, case)), None)
        if passed is not None and passed != name:
            name = passed
            continue
        if step not in said:
            said.append(step)
        if step.waits or step.ends or step.then is None:
            break
        name = step.then
    return tuple(said)


def _holds(condition: Condition, case: Case) -> bool:
    kinds = {detail.kind for detail in case.known}
    checks = (
        not condition.has or bool(kinds & condition.has),
        not kinds & condition.lacks,
        not condition.chain or any(condition.chain & _named(detail) for detail in case.known),
        not condition.coin or _is_named(case.known, Kind.COIN, condition.coin),
        not condition.network or _is_named(case.known, Kind.NETWORK, condition.network),
        condition.older_than is None or _oldest(case.known) > condition.older_than,
        condition.people is None or (case.situation is not None and case.situation.people is condition.people),
        not condition.topic or case.topic in condition.topic,
    )
    return all(checks)


def _named(detail: Detail) -> set[str]:
    if detail.kind is Kind.NETWORK:
        return {*detail.chains, fold(detail.value)}
    # A form that fits several chains tells nothing of which one it is.
    return set(detail.chains) if len(detail.chains) == 1 else set()


def _is_named(known: Sequence[Detail], kind: Kind, names: frozenset[str]) -> bool:
    wanted = {fold(name) for name in names}
    return any(detail.kind is kind and fold(detail.value) in wanted for detail in known)


def _oldest(known: Sequence[Detail]) -> int:
    return max((detail.minutes for detail in known if detail.minutes is not None), default=-1)


def chosen(step: Step, text: str, intent: str | None, yes: bool | None) -> str | None:
    """Where the customer's answer to the step's question leads; None where it is no answer to it.

    ``intent`` is what they surely mean, ``yes`` whether it was a plain yes (True) or no (False). The longest of the
    choices' words that the text has decides.
    """
    folded = fold(text)
    best, length = None, 0
    for choice in step.choices:
        for word in choice.words:
            if len(word) > length and has(folded, word):
                best, length = choice.to, len(word)
        label = next((len(fold(label)) for label in choice.label.values() if fold(label) == folded), 0)
        if label > length:
            best, length = choice.to, label
    if best is not None:
        return best
    if yes is not None:
        by_yes = next((choice.to for choice in step.choices if choice.yes is yes), None)
        if by_yes is not None:
            return by_yes
    return next((choice.to for choice in step.choices if intent is not None and intent in choice.topics), None)


def mentioned(step: Step, text: str) -> set[str]:
    """Where all the choices lead of which the text has a word."""
    folded = fold(text)
    return {choice.to for choice in step.choices if any(has(folded, word) for word in choice.words)}
