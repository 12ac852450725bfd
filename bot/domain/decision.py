"""What the bot does with a customer's message: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.cues import Cue
from bot.domain.dialogue import TOLD_AT_MOST, Ask, DialogueState
from bot.domain.engine import Ranked
from bot.domain.forms import Detail, Kind
from bot.domain.said import Said
from bot.domain.situation import Expectation

UNREAD_AT_MOST = 3
"""Messages that were not understood and are read again with the next."""


class Handoff(StrEnum):
    """Whether an answer leads to a human."""

    NEVER = "never"
    OFFER = "offer"
    ALWAYS = "always"


class Action(StrEnum):
    ANSWER = "answer"
    ASK_BACK = "ask_back"
    COLLECT = "collect"
    """Takes what was asked for, and goes on."""
    ESCALATE = "escalate"
    SILENT = "silent"
    """Says nothing: the message is read with the next, or was answered already."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bot does with one customer message. Made by the policy, carried out by the turn."""

    action: Action
    topic: str | None = None
    """The topic whose answer is said; with an escalation, the first aid given before it."""
    steps: tuple[str, ...] = ()
    """The steps of ``procedure`` that are said, in order; the customer is then at the last."""
    procedure: str | None = None
    opening: tuple[Said, ...] = ()
    """Sentences of the desk's own before the answer."""
    says: tuple[Said, ...] = ()
    """And those behind it."""
    offers: tuple[str, ...] = ()
    """Topics offered as buttons, nearest first."""
    extra: tuple[str, ...] = ()
    """Other buttons, by payload: ``human``, ``cancel``."""
    asks: tuple[Ask, ...] = ()
    """What the customer is asked for."""
    asks_too: tuple[Ask, ...] = ()
    """And besides that, whatever is open."""
    about: str | None = None
    """The topic that the conversation is about now, where that is more than what is answered."""
    reason: EscalationReason | None = None
    priority: Priority = Priority.NORMAL
    understood: bool = True
    """False counts as a miss; two in a row escalate."""
    keeps_dialogue: bool = False
    """True leaves open what was open: "did that help?", the topics offered, what was asked for."""
    asks_whether_it_helped: bool = False
    details: tuple[Detail, ...] = ()
    """What the message told in a form of its own: for the conversation's details."""
    lacks: tuple[Kind, ...] = ()
    """What the customer is asked to add while they wait for a person."""
    later: tuple[str, ...] | None = None
    """The other topics to be taken up; None leaves them as they are."""
    names: tuple[str, ...] = ()
    """Topics that are named to the customer as kept for the person."""
    follow_up: Cue | None = None
    """A question about the topic in ``about``, for which its answer has a sentence."""
    resumes: bool = False
    """The answer is an aside: the procedure's question is said again behind it."""
    looks_up: str | None = None
    """What a ``LookUp`` is to be asked before anything is said: ``ticket``."""
    leaves_queue: bool = False
    """The waiting customer goes back to the bot."""
    urges: bool = False
    """The waiting customer's ``priority`` is raised."""
    noted: str | None = None
    """When a waiting customer is told how they stand (``DialogueState.noted``)."""
    expects: Expectation | None = None
    """What the customer is told about when a person comes (``DialogueState.told_until``)."""
    remembers: str | None = None
    """What is said and is no topic, as ``DialogueState.told`` has it."""
    may_wait: bool = False
    """The message could not be answered alone: the bot waits a moment for the rest of it."""
    gathers: bool = False
    """The message waits to be read with the next."""

    @property
    def escalates(self) -> bool:
        return self.action is Action.ESCALATE

    @property
    def subject(self) -> str | None:
        """What the conversation is about now; None where the message does not say."""
        if self.about is not None:
            return self.about
        return None if self.keeps_dialogue else self.topic


@dataclass(frozen=True, slots=True)
class Turn:
    """What the bot did with one customer message; ``action`` is None where a human had the conversation."""

    message_id: int
    action: Action | None
    reason: EscalationReason | None
    topic: str | None
    ranking: tuple[Ranked, ...] = ()


def transition(state: DialogueState, decision: Decision, message_id: int = 0) -> DialogueState:
    """The state once the decision is carried out. ``message_id`` is the customer's message, for what is gathered."""
    if decision.gathers:
        return replace(state, gathered=(*state.gathered, message_id))
    state = replace(state, gathered=()).expecting(decision.expects)
    if decision.action is Action.SILENT:
        return state
    unread = () if decision.understood else (*state.unread, message_id)[-UNREAD_AT_MOST:]
    state = replace(state, unread=unread)
    said: tuple[str, ...] = () if decision.topic is None or decision.keeps_dialogue else (decision.topic,)
    if decision.follow_up is not None:
        said += (f"{decision.about}+{decision.follow_up.value}",)
    said += tuple(f"{decision.procedure}.{step}" for step in decision.steps)
    if decision.remembers is not None:
        said += (decision.remembers,)
    told = tuple(dict.fromkeys((*state.told, *said)))[-TOLD_AT_MOST:]
    later = state.later if decision.later is None else decision.later
    misses = 0 if decision.understood else state.misses + 1
    noted = state.noted if decision.noted is None else decision.noted
    if decision.escalates or decision.leaves_queue:
        about = decision.subject or state.topic
        after = DialogueState(topic=about if decision.escalates else None, asks=decision.asks, told=told, later=later)
        return after.expecting(decision.expects)
    asks_what_is_meant = decision.action is Action.ASK_BACK and not decision.understood and decision.about is None
    if asks_what_is_meant and not decision.keeps_dialogue:
        # What is open stays open: the question back is about this message alone.
        return replace(state, misses=misses, offered=decision.offers, told=told, later=later, noted=noted)
    if decision.keeps_dialogue or decision.resumes:
        asks = tuple(dict.fromkeys((*state.asks, *decision.asks_too)))
        return replace(state, misses=misses, asks=asks, told=told, later=later, noted=noted)
    return DialogueState(
        misses=misses,
        topic=(topic := decision.about or decision.topic),
        opened_by=state.opened_by if topic == state.topic else message_id,
        offered=decision.offers if decision.action is Action.ASK_BACK else (),
        asks=tuple(dict.fromkeys((*decision.asks, *decision.asks_too))),
        procedure=decision.procedure,
        step=decision.steps[-1] if decision.steps else None,
        told=told,
        later=later,
        unread=unread,
        noted=noted,
        told_at=state.told_at,
        told_until=state.told_until,
    )
