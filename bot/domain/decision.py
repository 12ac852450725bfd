"""What the bot does with a customer's message: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.dialogue import DialogueState
from bot.domain.engine import Ranked


class Handoff(StrEnum):
    """Whether an answer leads to a human."""

    NEVER = "never"
    OFFER = "offer"
    ALWAYS = "always"


class Action(StrEnum):
    ANSWER = "answer"
    ASK_BACK = "ask_back"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bot does with one customer message. Made by the policy, carried out by the turn."""

    action: Action
    topic: str | None = None
    """The topic answered; with an escalation, the first aid given before it."""
    phrase: str | None = None
    """A sentence of the desk's own to say (a key of ``data/phrases``: ``customer.queued``)."""
    offers: tuple[str, ...] = ()
    """Topics offered as buttons, nearest first."""
    reason: EscalationReason | None = None
    priority: Priority = Priority.NORMAL
    understood: bool = True
    """False counts as a miss; two in a row escalate."""
    keeps_dialogue: bool = False
    """True leaves open what was open: "did that help?", or the topics offered."""

    @property
    def escalates(self) -> bool:
        return self.action is Action.ESCALATE


@dataclass(frozen=True, slots=True)
class Turn:
    """What the bot did with one customer message; ``action`` is None where a human had the conversation."""

    message_id: int
    action: Action | None
    reason: EscalationReason | None
    topic: str | None
    ranking: tuple[Ranked, ...] = ()


def transition(state: DialogueState, decision: Decision) -> DialogueState:
    """The state once the decision is carried out."""
    if decision.escalates:
        return DialogueState()
    misses = 0 if decision.understood else state.misses + 1
    if decision.keeps_dialogue:
        return replace(state, misses=misses)
    return DialogueState(misses, decision.topic, decision.offers)
