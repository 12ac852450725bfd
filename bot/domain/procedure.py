"""Procedures: what a support lead would do step by step, as plain data. ``bot.content.procedures`` reads them,
``handoff.procedures`` steps through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.conversation import Priority
from bot.domain.dialogue import Ask
from bot.domain.forms import Kind

STEP = "step:"
"""The payload of a choice: ``step:<procedure>.<step>.<where it leads>``."""


class End(StrEnum):
    """Where a procedure ends."""

    SOLVED = "solved"
    """Asks whether it helped; a no leads to a person."""
    PERSON = "person"
    LOOK_UP = "look_up"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a step's question, by button or in words."""

    to: str
    label: Mapping[str, str]
    words: tuple[str, ...] = ()
    """In all languages, folded (``cues.fold``): any of them in the customer's words chooses it."""
    topics: frozenset[str] = frozenset()
    """Intents that mean it."""
    yes: bool | None = None
    """Whether a plain yes, or a plain no, chooses it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds if everything that it names holds; then the step leads ``to`` another before it is said."""

    to: str
    has: frozenset[Kind] = frozenset()
    """Any of these details is known."""
    lacks: frozenset[Kind] = frozenset()
    """None of these is known."""
    chain: frozenset[str] = frozenset()
    coin: frozenset[str] = frozenset()
    network: frozenset[str] = frozenset()
    older_than: int | None = None
    """Minutes: a time or duration that the customer gave is longer ago."""
    people: bool | None = None
    """Whether somebody is there now."""
    topic: frozenset[str] = frozenset()
    """With which of the topics it began."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    say: Mapping[str, str]
    """Markdown by locale, with placeholders."""
    when: tuple[Condition, ...] = ()
    asks: tuple[Ask, ...] = ()
    then: str | None = None
    """The step that follows: at once, or with ``asks`` when what is asked for is there; None: a person."""
    lacking: str | None = None
    """Where it goes when the customer has not got what is asked for; None: a person."""
    choices: tuple[Choice, ...] = ()
    ends: End | None = None
    look_up: str | None = None
    found: str | None = None
    none: str | None = None
    """Where a look-up leads."""

    @property
    def waits(self) -> bool:
        """Whether the customer is to answer before it goes on. A step that ends may ask as well ("if it is still
        broken, send me …"): what is sent is taken, and nothing waits for it."""
        return bool(self.choices or self.asks) and self.ends is None


@dataclass(frozen=True, slots=True)
class Procedure:
    name: str
    title: Mapping[str, str]
    topics: tuple[str, ...]
    """Any of them begins it; their probabilities count together."""
    start: str
    steps: Mapping[str, Step]
    priority: Priority = Priority.NORMAL
    collects: tuple[Kind, ...] = field(default=())
    """What a person will want to know."""
    notice: str | None = None
    """The step whose question stands under a notice about one of the topics: there the customer's answer is read."""

    def payload(self, step: Step, choice: Choice) -> str:
        return f"{STEP}{self.name}.{step.name}.{choice.to}"


def pressed(payload: str) -> tuple[str, str, str] | None:
    """Procedure, step and where the choice leads, of the payload of a choice; None for any other."""
    parts = payload.removeprefix(STEP).split(".")
    return (parts[0], parts[1], parts[2]) if payload.startswith(STEP) and len(parts) == 3 else None
