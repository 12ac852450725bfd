"""What the bot has open with a customer, and how a decision changes it. Plain data and one pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.domain.decision import Decision


@dataclass(frozen=True, slots=True)
class DialogueState:
    """The bot's memory of a conversation. A new conversation begins with nothing open, and so does one that a person
    was asked for or had."""

    misses: int = 0
    """Turns in a row that were not understood."""
    last_answer: str | None = None
    """The topic that the customer was last answered, while "did it help" is open."""
    offered: tuple[str, ...] = ()
    """The topics of the last question back, nearest first."""


def transition(state: DialogueState, decision: Decision) -> DialogueState:
    """The state once the decision is carried out."""
    if decision.escalates:
        return DialogueState()
    misses = 0 if decision.understood else state.misses + 1
    if decision.keeps_dialogue:
        return replace(state, misses=misses)
    return DialogueState(misses, decision.topic, decision.offers)
