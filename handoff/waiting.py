"""While a customer waits for a person: the bot goes on serving what it is sure of, and says how they stand.

Nobody who waits is met with silence, and nothing they say is lost: what the bot cannot answer is kept for the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.conversation import Priority
from bot.domain.cues import Cue
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.heard import Heard
from bot.domain.said import Said
from bot.domain.situation import Expectation, Situation
from handoff.escalation import expectation, named
from handoff.rules import DANGER, NO_TOPIC, SMALL_TALK, TALK_TO_HUMAN, THANKS, Rules

SHORT = 40
"""Characters: in a longer message "never mind" or "anyone there?" is not what it is about."""
NOTED_FOR = timedelta(minutes=2)
"""So long after being told how they stand a customer goes on writing without being told again."""
TOLD_FOR = timedelta(minutes=20)
"""After a customer was told how long it takes, the desk waits this long before it tells them anew."""
BY_MUCH = timedelta(minutes=10)
"""The wait may change by this much, or by half of what was said if that is more, before the customer is told."""
BY_MUCH_ALWAYS = timedelta(hours=1)
"""A larger change is always told, however long the wait was that was said."""
COMPLAINT = "complaint"
CANCEL = "cancel"
"""The payload of the button that leaves the queue."""


def on_words(rules: Rules, state: DialogueState, heard: Heard, cues: frozenset[Cue], situation: Situation) -> Decision:
    """A message in the customer's own words."""
    short = len(heard.text) <= SHORT
    intent = rules.surely(heard.prediction)
    if Cue.CANCEL in cues and short:
        return left_queue()
    if Cue.CLOSES in cues and short:
        return _told(situation, "customer.waiting_solved", extra=(CANCEL,))
    if heard.details:
        return replace(
            _told(situation, "customer.waiting_collected", {"details": named(heard.details)}), action=Action.COLLECT
        )
    if Cue.GIVEN in cues and short and heard.known:
        return _told(situation, "customer.waiting_given", {"details": named(heard.known)})
    if intent == TALK_TO_HUMAN or (short and cues & {Cue.WAITING, Cue.HUMAN, Cue.HOW_LONG}):
        return status(situation)
    if intent == THANKS:
        return _told(situation, "customer.waiting_thanks")
    if intent == COMPLAINT:
        return _told(situation, "customer.waiting_sorry")
    topic = rules.topics.get(intent or "")
    if topic is None or intent is None or intent in NO_TOPIC - SMALL_TALK:
        return noted(state, situation)
    if topic.handoff is Handoff.ALWAYS:
        return urged(intent, topic.priority, state, situation)
    if intent in SMALL_TALK or intent == "response_time":
        return status(situation)
    if intent in state.told or rules.same(intent, state.topic) or intent in rules.families:
        return noted(state, situation)
    return Decision(
        Action.ANSWER,
        topic=intent,
        says=(Said("customer.still_waiting"),),
        resumes=True,
        noted=_at(situation),
    )


def urged(topic: str, priority: Priority, state: DialogueState, situation: Situation) -> Decision:
    """What cannot wait: first aid once, and forward in the queue."""
    phrase = "customer.waiting_danger" if topic == DANGER else "customer.waiting_urgent"
    said = topic in state.told
    return Decision(
        Action.ANSWER,
        topic=None if said else topic,
        about=topic,
        says=(Said(phrase), *expectation(situation)),
        priority=priority,
        urges=True,
        resumes=True,
        noted=_at(situation),
        expects=situation.expectation,
    )


def status(situation: Situation) -> Decision:
    """Asked again, in whatever words: how the customer stands."""
    return _told(situation, "customer.already_queued", extra=(CANCEL,))


def left_queue() -> Decision:
    return Decision(Action.ANSWER, says=(Said("customer.left_queue"),), leaves_queue=True)


def noted(state: DialogueState, situation: Situation) -> Decision:
    """What the bot does not answer is kept for the agent; said in full once in a while, and else in two words."""
    last = datetime.fromisoformat(state.noted) if state.noted else None
    if last is not None and situation.now - last < NOTED_FOR:
        return Decision(Action.ANSWER, says=(Said("customer.waiting_noted_more"),), keeps_dialogue=True, may_wait=True)
    return replace(_told(situation, "customer.waiting_noted", extra=(CANCEL,)), may_wait=True)


def told_anew(told: Expectation, situation: Situation) -> Decision | None:
    """What a waiting customer is told whose wait is no longer the one that they were told; None where it still is, by
    and large, and for ``TOLD_FOR`` after the last time."""
    now = situation.now
    if now - told.told_at < TOLD_FOR or told.until is None:
        return None
    expects = situation.expectation
    margin = min(max(BY_MUCH, (told.until - told.told_at) / 2), BY_MUCH_ALWAYS)
    # Where no time is known any more, the one that was said may still come true until it is over.
    until = expects.until or now
    if abs(until - told.until) <= margin:
        return None
    if expects.until is None and until < told.until:
        return None
    phrase = "customer.wait_longer" if until > told.until else "customer.wait_shorter"
    return replace(_told(situation, phrase, extra=(CANCEL,)), noted=None)


def _told(
    situation: Situation, phrase: str, values: dict[str, object] | None = None, extra: Sequence[str] = ()
) -> Decision:
    return Decision(
        Action.ANSWER,
        says=(Said(phrase, values or {}), *expectation(situation)),
        extra=tuple(extra),
        keeps_dialogue=True,
        noted=_at(situation),
        expects=situation.expectation,
    )


def _at(situation: Situation) -> str:
    return situation.now.isoformat()
