"""What is said right after an answer, a step or a question: it is read with what was asked (``DialogueState``).

How a short message is placed: a detail of the kind asked for, then a choice of the step, then a cue ("did all that",
"how long"), then what the engine is sure of. Only then is it a new topic.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.conversation import EscalationReason
from bot.domain.cues import FOLLOW_UPS, Cue
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import Ask, DialogueState
from bot.domain.engine import OUT_OF_SCOPE
from bot.domain.forms import Kind
from bot.domain.heard import Heard
from bot.domain.procedure import Procedure, Step
from bot.domain.said import Said
from bot.domain.situation import Situation
from handoff.escalation import named
from handoff.procedures import chosen
from handoff.rules import AFFIRM, DENY, NO_TOPIC, SMALL_TALK, THANKS, Rules

SHORT = 80
"""Characters: a longer message is a story of its own, whatever cues are in it."""
FEW_WORDS = 4
"""Characters of words that are worth taking where words were asked for."""
SURELY_OUTSIDE = 0.9
"""The engine's confidence in "out of scope" from which a message does not answer what the bot asked."""
LIKELY = 0.6
"""The confidence from which a message is likely to be about another topic, though not surely."""
BY_THE_WAY = frozenset({Kind.TIME, Kind.DURATION, Kind.AMOUNT})
"""Details that any sentence may have by chance ("today")."""
UNFINISHED = frozenset({Cue.GOES_ON, Cue.DONE_ALL, Cue.STILL_NOT, Cue.WHAT_NEXT})
"""A yes or thanks with one of these is none."""


def on_open(
    rules: Rules, state: DialogueState, heard: Heard, cues: frozenset[Cue], situation: Situation
) -> Decision | None:
    """What the message means for what is open; None where it is about something else."""
    intent = rules.surely(heard.prediction)
    short = len(heard.text) <= SHORT
    procedure = rules.procedures.get(state.procedure or "")
    step = None if procedure is None else procedure.steps.get(state.step or "")
    if state.offered and intent in (AFFIRM, DENY):
        return None  # to the topics offered
    asking = step is not None and step.waits and step.ends is None
    if procedure is not None and step is not None:
        placed = _at_step(rules, procedure, step, state, heard, cues, situation, intent)
        if placed is not None:
            return placed
    if gives(state, heard):
        return rules.collected(state, heard, situation)
    if Cue.CLOSES in cues and short and not cues & UNFINISHED:
        return rules.helped(state, heard, situation)
    if intent in (AFFIRM, THANKS) and cues & UNFINISHED:
        intent = None  # "yes, but …" goes on
    if short:
        placed = _by_cue(rules, state, heard, cues, situation, intent)
        if placed is not None:
            return placed
    elsewhere = intent is not None and not rules.same(intent, state.topic)
    if step is None and not elsewhere and _any_words(rules, state, heard, intent):
        return rules.collected(state, heard, situation)
    if intent == AFFIRM:
        return rules.helped(state, heard, situation)
    if intent == DENY:
        return rules.not_helped(state, heard, situation)
    if intent in SMALL_TALK:
        return rules.topic(intent or "", state, heard, situation)
    if heard.details and intent is None and not _only_by_the_way(heard):
        return rules.collected(state, heard, situation)
    if intent is not None and intent not in NO_TOPIC and rules.same(intent, state.topic):
        if asking:
            return _once_more(rules, state, heard, situation)
        return rules.not_helped(state, heard, situation)
    if intent is not None and intent not in NO_TOPIC and asking:
        return _aside(rules, state, heard, situation, intent)
    if asking and intent is None:
        return _once_more(rules, state, heard, situation)
    return None


def _at_step(
    rules: Rules,
    procedure: Procedure,
    step: Step,
    state: DialogueState,
    heard: Heard,
    cues: frozenset[Cue],
    situation: Situation,
    intent: str | None,
) -> Decision | None:
    """An answer to the step's question."""
    unfinished = bool(cues & UNFINISHED)
    yes = {AFFIRM: True, DENY: False}.get(intent or "")
    plain = None if unfinished and yes else yes
    to = None if step.ends else chosen(step, rules.cues.without_fine(heard.text), intent, plain)
    if to is None and step.asks and (gives(state, heard) or _any_words(rules, state, heard, intent)):
        if step.then is None:
            return rules.collected(state, heard, situation)
        to = step.then
    if to is None and step.asks and Cue.LACKS in cues:
        if step.lacking is None:
            return rules.not_helped(state, heard, situation)
        to = step.lacking
    if to is None:
        return None
    action = Action.COLLECT if heard.details else Action.ANSWER
    moved = rules.step(procedure, to, state.topic, state, heard, situation, action)
    if moved is None:
        return rules.not_helped(state, heard, situation)
    if heard.details and not moved.escalates:
        moved = replace(moved, opening=(Said("customer.collected", {"details": named(heard.details)}), *moved.opening))
    return moved


def gives(state: DialogueState, heard: Heard) -> bool:
    """Whether the message has a detail of a kind that was asked for. Small words that anybody says of anything
    ("today") give nothing in a message that is surely about something else."""
    wanted = state.asked_kinds
    return any(detail.kind in wanted for detail in heard.details) and not _only_by_the_way(heard)


def _only_by_the_way(heard: Heard) -> bool:
    found = heard.prediction
    outside = found is not None and found.intent == OUT_OF_SCOPE and found.confidence >= SURELY_OUTSIDE
    return outside and all(detail.kind in BY_THE_WAY for detail in heard.details)


def _any_words(rules: Rules, state: DialogueState, heard: Heard, intent: str | None) -> bool:
    """Words were asked for, and these are some: no greeting, thanks, yes or no, and not likely about another topic."""
    asked = Ask.WORDS in state.asks and not _likely_elsewhere(rules, state, heard)
    return asked and len(heard.text.strip()) >= FEW_WORDS and (intent is None or intent not in NO_TOPIC)


def _likely_elsewhere(rules: Rules, state: DialogueState, heard: Heard) -> bool:
    found = heard.prediction
    if found is None or found.confidence < LIKELY or found.intent not in rules.topics or found.intent in NO_TOPIC:
        return False
    return not rules.same(found.intent, state.topic)


def _by_cue(
    rules: Rules,
    state: DialogueState,
    heard: Heard,
    cues: frozenset[Cue],
    situation: Situation,
    intent: str | None,
) -> Decision | None:
    if Cue.GIVEN in cues:
        known = [detail for detail in heard.known if not state.asks or detail.kind in state.asked_kinds]
        if known:
            return rules.collected(state, replace(heard, details=tuple(known)), situation)
        return _once(rules, "customer.not_seen", state, heard, situation)
    if Cue.LACKS in cues and state.asks:
        return rules.not_helped(state, heard, situation)
    asked = next((cue for cue in FOLLOW_UPS if cue in cues), None)
    # "Where is that?" is about what was just said, whatever the engine takes it for, and so is a "how long" that names
    # no other subject.
    about_it = asked in (Cue.WHERE, Cue.WHAT_NEXT) or Cue.NAMES not in cues
    about_it = about_it or intent in (None, "response_time", THANKS, AFFIRM, state.topic)
    if asked is not None and about_it:
        topic = rules.topics.get(state.topic or "")
        key = f"{state.topic}+{asked.value}"
        if topic is not None and asked in topic.follow_ups and key not in state.told:
            return Decision(Action.ANSWER, about=state.topic, follow_up=asked, resumes=True)
    if Cue.DO_IT in cues and intent in (None, state.topic):
        handed = rules.not_helped(state, heard, situation)
        return replace(handed, opening=(Said("customer.cannot_do"),))
    if cues & {Cue.DONE_ALL, Cue.STILL_NOT}:
        return rules.not_helped(state, heard, situation)
    if Cue.WHAT_NEXT in cues or (Cue.GOES_ON in cues and intent is None):
        return _once(rules, "customer.which_step", state, heard, situation)
    return None


def _once(rules: Rules, phrase: str, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
    """Asks what the customer means; the second time a person does."""
    if state.misses:
        return rules.not_helped(state, heard, situation)
    return Decision(
        Action.ASK_BACK,
        about=state.topic,
        says=(Said(phrase),),
        extra=("human",),
        understood=False,
        keeps_dialogue=True,
    )


def _once_more(rules: Rules, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
    """The step's choices again, shortly; the second time a person."""
    if state.misses:
        handed = rules.not_helped(state, heard, situation)
        return replace(handed, reason=EscalationReason.NOT_UNDERSTOOD)
    return Decision(
        Action.ASK_BACK,
        says=(Said("customer.pick_or_person"),),
        extra=("choices", "human"),
        understood=False,
        keeps_dialogue=True,
    )


def _aside(rules: Rules, state: DialogueState, heard: Heard, situation: Situation, intent: str) -> Decision | None:
    """Another question in the middle of a procedure: answered, and the procedure is taken up again. What begins a
    procedure of its own takes over; the first is kept for later."""
    other = rules.topic(intent, state, heard, situation)
    if other.escalates:
        return other
    if other.procedure is not None:
        later = (*state.later, state.topic) if state.topic else state.later
        return replace(other, later=tuple(dict.fromkeys(later)))
    return replace(other, resumes=True, asks_whether_it_helped=False)
