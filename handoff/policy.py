"""What the bot does with a customer's message: pure functions, one decision table.

The desk answers what the engine is sure of, asks back once, and hands over everything else. It never
guesses, and every way that leads nowhere leads to a human.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction
from bot.domain.message import Command

TALK_TO_HUMAN = "talk_to_human"
AFFIRM = "affirm"
DENY = "deny"
SMALL_TALK = frozenset({"greet", "goodbye", "thanks", "bot_challenge"})
"""Answered, yet no topic: they neither open nor close a "did that help?", and are never offered."""

NOT_OFFERED = SMALL_TALK | {AFFIRM, DENY, TALK_TO_HUMAN, OUT_OF_SCOPE}
OFFERS = 3
NEAR = 0.02
"""The confidence from which a topic is offered. Measured: of what is not answered, the right topic is among such
offers as often as among the first three whatever their confidence (96 %), and nine in ten messages out of scope are
offered nothing."""
MISSES_BEFORE_HANDOFF = 2


@dataclass(frozen=True, slots=True)
class Topic:
    """What the policy must know of a topic: whether its answer leads to a human, and how urgently."""

    handoff: Handoff
    priority: Priority


class Policy:
    """Decides from the topics that have an answer. Holds no state of its own."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics

    def on_text(self, dialogue: DialogueState, prediction: Prediction) -> Decision:
        """A message in the customer's own words, classified."""
        intent = prediction.intent
        if not prediction.sure or intent == OUT_OF_SCOPE:
            return self._not_understood(dialogue, prediction)
        if intent == TALK_TO_HUMAN:
            return self.on_human_asked()
        if intent == DENY:
            return self._on_deny(dialogue)
        if intent == AFFIRM:
            return self._on_affirm(dialogue)
        return self.on_topic(intent)

    def on_topic(self, name: str) -> Decision:
        """A topic that is certain: classified surely, or picked by its button."""
        if name == TALK_TO_HUMAN:
            return self.on_human_asked()
        topic = self._topics.get(name)
        if topic is None:
            return self._escalate(EscalationReason.NOT_UNDERSTOOD, phrase="customer.queued_unsure")
        if name in SMALL_TALK:
            # A "thanks" between an answer and a "but it did not help" must not close what is open.
            return Decision(Action.ANSWER, topic=name, keeps_dialogue=True)
        if topic.handoff is Handoff.ALWAYS:
            phrase = "customer.queued_urgent" if topic.priority is Priority.URGENT else "customer.queued"
            return self._escalate(EscalationReason.TOPIC, phrase=phrase, topic=name, priority=topic.priority)
        return Decision(Action.ANSWER, topic=name)

    def on_human_asked(self) -> Decision:
        """``/human``, the button, or the wish in words."""
        return self._escalate(EscalationReason.ASKED, phrase="customer.queued", topic=TALK_TO_HUMAN)

    def on_helped(self, dialogue: DialogueState, helped: bool) -> Decision:
        """The answer to "did that help?"."""
        if helped:
            return Decision(Action.ANSWER, phrase="customer.helped")
        return self._not_helped(dialogue)

    def on_command(self, command: Command) -> Decision:
        """``/start`` and ``/help`` say what the desk is; ``/human`` asks for a person."""
        if command is Command.HUMAN:
            return self.on_human_asked()
        return Decision(Action.ANSWER, phrase="customer.welcome" if command is Command.START else "customer.help")

    def on_attachment(self) -> Decision:
        """A file, a picture, a place without a word: the bot cannot read it, and offers a human."""
        return Decision(Action.ASK_BACK, phrase="customer.attachment_received", keeps_dialogue=True)

    def on_engine_unavailable(self) -> Decision:
        return self._escalate(EscalationReason.ENGINE_UNAVAILABLE, phrase="customer.queued_engine")

    def on_turn_failed(self) -> Decision:
        return self._escalate(EscalationReason.TURN_FAILED, phrase="customer.queued_unsure")

    def _on_deny(self, dialogue: DialogueState) -> Decision:
        if dialogue.last_answer is not None:
            return self._not_helped(dialogue)
        if dialogue.offered:
            return self._escalate(EscalationReason.NOT_UNDERSTOOD, phrase="customer.queued_unsure")
        return Decision(Action.ANSWER, phrase="customer.what_else")

    def _on_affirm(self, dialogue: DialogueState) -> Decision:
        if dialogue.last_answer is not None:
            return Decision(Action.ANSWER, phrase="customer.helped")
        if len(dialogue.offered) == 1:
            return self.on_topic(dialogue.offered[0])
        return Decision(Action.ANSWER, phrase="customer.what_else")

    def _not_helped(self, dialogue: DialogueState) -> Decision:
        topic = self._topics.get(dialogue.last_answer or "")
        return self._escalate(
            EscalationReason.NOT_HELPED, phrase="customer.queued", priority=topic.priority if topic else Priority.NORMAL
        )

    def _not_understood(self, dialogue: DialogueState, prediction: Prediction) -> Decision:
        if dialogue.misses + 1 >= MISSES_BEFORE_HANDOFF:
            return self._escalate(EscalationReason.NOT_UNDERSTOOD, phrase="customer.queued_unsure")
        nearest = [
            ranked.name
            for ranked in prediction.ranking
            if ranked.confidence >= NEAR and ranked.name in self._topics and ranked.name not in NOT_OFFERED
        ]
        outside = prediction.intent == OUT_OF_SCOPE
        with_offers, without = (
            ("customer.not_understood", "customer.outside") if outside else ("customer.ask_back", "customer.ask_again")
        )
        phrase = with_offers if nearest else without
        return Decision(Action.ASK_BACK, phrase=phrase, offers=tuple(nearest[:OFFERS]), understood=False)

    def _escalate(
        self,
        reason: EscalationReason,
        *,
        phrase: str,
        topic: str | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Decision:
        return Decision(Action.ESCALATE, topic=topic, phrase=phrase, reason=reason, priority=priority)
