"""What the policy knows (topics, procedures, cues), and the moves that all of its parts make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.cues import Cues
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction
from bot.domain.forms import Kind
from bot.domain.heard import Heard
from bot.domain.procedure import End, Procedure
from bot.domain.said import Said
from bot.domain.situation import Situation
from handoff.escalation import escalate, named
from handoff.procedures import Case, mentioned, reached
from handoff.weighing import Act, Topic, Weighed, weigh

TALK_TO_HUMAN = "talk_to_human"
AFFIRM = "affirm"
DENY = "deny"
THANKS = "thanks"
DANGER = "person_in_danger"
SMALL_TALK = frozenset({"greet", "goodbye", THANKS, "bot_challenge"})
"""Answered, yet no topic: they neither open nor close a "did that help?", and are never offered."""
NO_PROBLEM = SMALL_TALK | {AFFIRM, DENY, TALK_TO_HUMAN}
"""Said, and it tells nothing of why the customer is here."""
NO_TOPIC = NO_PROBLEM | {OUT_OF_SCOPE, DANGER}

A_STORY = 100
"""Characters."""
LACKS = 3
"""Details that a customer is asked to add while they wait; more would read like a form."""


class Rules:
    def __init__(
        self, topics: Mapping[str, Topic], procedures: Mapping[str, Procedure] | None = None, cues: Cues | None = None
    ) -> None:
        self.topics = topics
        self.procedures = procedures or {}
        self.cues = cues or Cues()
        self.families = {topic: name for name, procedure in self.procedures.items() for topic in procedure.topics}

    def weigh(self, prediction: Prediction | None, *, may_ask_back: bool = True) -> Weighed | None:
        if prediction is None:
            return None
        return weigh(prediction, self.topics, self.families, may_ask_back=may_ask_back)

    def surely(self, prediction: Prediction | None) -> str | None:
        """The intent, where answering it is the best thing to do; None where nothing is sure enough."""
        weighed = self.weigh(prediction)
        return weighed.topic if weighed is not None and weighed.act is Act.ANSWER else None

    def same(self, topic: str, other: str | None) -> bool:
        """Whether both lead to the same words."""
        return other is not None and self.families.get(topic, topic) == self.families.get(other, other)

    # --- moves ------------------------------------------------------------------------------------

    def topic(self, name: str, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """A topic that is certain: classified surely, or picked by its button. What was said is not said again."""
        if name == TALK_TO_HUMAN:
            return self.human(situation)
        topic = self.topics.get(name)
        if topic is None:
            return escalate(EscalationReason.NOT_UNDERSTOOD, situation, phrase="customer.queued_unsure")
        if name in SMALL_TALK:
            # A "thanks" between an answer and a "but it did not help" must not close what is open.
            return Decision(Action.ANSWER, topic=name, keeps_dialogue=True)
        if topic.handoff is Handoff.ALWAYS:
            phrase = "customer.queued_urgent" if topic.priority is Priority.URGENT else "customer.queued"
            if name == DANGER:
                phrase = "customer.queued_danger"
            return escalate(
                EscalationReason.DANGER if name == DANGER else EscalationReason.TOPIC,
                situation,
                phrase=phrase,
                topic=name,
                priority=topic.priority,
            )
        procedure = self.procedures.get(self.families.get(name, ""))
        if procedure is not None:
            start = self._answered_already(procedure, name, heard, situation)
            begun = self.step(procedure, start, name, state, heard, situation)
            return begun or self.not_helped(replace(state, topic=name), heard, situation)
        if name in state.told:
            return self.again(name, topic, state, heard, situation)
        return Decision(
            Action.ANSWER, topic=name, asks=topic.asks, asks_whether_it_helped=topic.handoff is Handoff.OFFER
        )

    def _answered_already(self, procedure: Procedure, topic: str, heard: Heard, situation: Situation) -> str:
        """Where the procedure begins: behind the first question, where the message answers it in passing ("my eth is
        still pending") and hints at one choice alone. In a story anything may be said of anything."""
        if len(heard.text) > A_STORY:
            return procedure.start
        asking = reached(procedure, procedure.start, Case(heard.known, topic, situation))[-1]
        meant = set() if asking.ends else mentioned(asking, heard.text)
        return meant.pop() if len(meant) == 1 else procedure.start

    def again(self, name: str, topic: Topic, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """The same topic a second time goes on: a person with what is known, or for facts alone the offer of one."""
        if topic.handoff is Handoff.NEVER and state.misses == 0:
            return Decision(
                Action.ASK_BACK, about=name, says=(Said("customer.said_already"),), extra=("human",), understood=False
            )
        return self.not_helped(replace(state, topic=name), heard, situation)

    def step(
        self,
        procedure: Procedure,
        name: str,
        topic: str | None,
        state: DialogueState,
        heard: Heard,
        situation: Situation,
        action: Action = Action.ANSWER,
    ) -> Decision | None:
        """On to that step, and what follows it without a question. None where all of that was said before."""
        steps = reached(procedure, name, Case(heard.known, topic, situation))
        last = steps[-1]
        new = tuple(step.name for step in steps if step.say and f"{procedure.name}.{step.name}" not in state.told)
        about = topic or procedure.topics[0]
        if last.ends is End.PERSON or (not last.waits and last.ends is None):
            priority = max(procedure.priority, self._priority(topic))
            handed = escalate(
                EscalationReason.PROCEDURE, situation, about=about, priority=priority, phrase="customer.queued_case"
            )
            return replace(handed, procedure=procedure.name, steps=new, asks=last.asks)
        if not new and last.ends is not End.LOOK_UP:
            return None
        return Decision(
            action,
            procedure=procedure.name,
            steps=new if last.name in new else (*new, last.name),
            about=about,
            asks=last.asks,
            asks_whether_it_helped=last.ends is End.SOLVED,
            looks_up=last.look_up if last.ends is End.LOOK_UP else None,
        )

    def human(self, situation: Situation, about: str | None = None) -> Decision:
        """``/human``, the button, or the wish in words: never argued with."""
        return escalate(EscalationReason.ASKED, situation, topic=TALK_TO_HUMAN, about=about)

    def not_helped(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """The answer did not do: a person goes on, with what is known. What else they will want to know can be added
        meanwhile."""
        handed = escalate(
            EscalationReason.NOT_HELPED,
            situation,
            phrase="customer.queued_not_helped",
            about=state.topic,
            priority=self._priority(state.topic),
        )
        return replace(handed, asks=state.asks, lacks=self._lacks(state, heard))

    def _lacks(self, state: DialogueState, heard: Heard) -> tuple[Kind, ...]:
        """What the procedure collects and nobody has told; nothing where the customer was just asked for something."""
        procedure = self.procedures.get(state.procedure or self.families.get(state.topic or "", ""))
        if procedure is None or state.asks:
            return ()
        known = {detail.kind for detail in (*heard.known, *heard.details)}
        if Kind.DURATION in known:
            known.add(Kind.TIME)
        return tuple(kind for kind in procedure.collects if kind not in known)[:LACKS]

    def collected(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """The customer gave what they were asked for: a person gets it."""
        handed = escalate(
            EscalationReason.COLLECTED,
            situation,
            phrase="customer.queued_collected" if heard.details else "customer.queued_case",
            values={"details": named(heard.details)} if heard.details else None,
            about=state.topic,
            priority=self._priority(state.topic),
        )
        # A correction ("oops, 58871") is then taken for what it is.
        return replace(handed, asks=state.asks)

    def helped(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """It helped. What else the customer named is taken up."""
        if state.later:
            first, rest = state.later[0], state.later[1:]
            taken_up = self.topic(first, state, heard, situation)
            return replace(taken_up, opening=(Said("customer.next_topic"), *taken_up.opening), later=rest)
        return Decision(Action.ANSWER, says=(Said("customer.helped"),))

    def _priority(self, topic: str | None) -> Priority:
        known = self.topics.get(topic or "")
        return Priority.NORMAL if known is None else known.priority
