"""What the bot does with a customer's message: pure functions, one decision table.

The bot does what is expected to cost least (``weighing``), reads each message with what it asked before
(``follow_ups``), goes through procedures step by step, says nothing twice, and goes on serving who waits
(``waiting``). It never guesses, and every way that leads nowhere leads to a human.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.cues import Cue, Cues
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, Prediction
from bot.domain.forms import Kind
from bot.domain.heard import Heard
from bot.domain.message import Command
from bot.domain.procedure import Procedure, pressed
from bot.domain.said import Said
from bot.domain.secret import Removed, TheirCopy
from bot.domain.situation import Situation
from handoff import follow_ups, shared_secrets, waiting
from handoff.escalation import escalate, named
from handoff.rules import AFFIRM, DANGER, DENY, NO_TOPIC, TALK_TO_HUMAN, Rules
from handoff.weighing import Act, Topic

__all__ = ["Policy", "Topic"]

OFFERS = 3
NEAR = 0.02
"""The confidence from which a topic is offered. Measured: of what is not answered, the right topic is among such
offers as often as among the first three whatever their confidence (96 %), and nine in ten messages out of scope are
offered nothing."""
MISSES_BEFORE_HANDOFF = 2
IN_DANGER = 0.25
"""From this probability on somebody is taken to be in danger."""
SHORT = 40
"""Characters: in a longer message a word for a person ("your agents do not answer") is not a wish for one."""
OF_FORM = {Kind.HASH: "transaction_status", Kind.TICKET: "ticket_status"}
"""What a bare detail is about when nothing else is open."""
ABOUT_PEOPLE = frozenset({"bot_challenge", "verify_agent"})
"""Questions about people, which are no wish for one: "am I talking to a human?"."""

IS_IT_YOU = "verify_agent"
"""What forwards are most often about: is this message really from support?"""


class Policy:
    """Decides from the topics that have an answer, the procedures and the cues. Holds no state of its own."""

    def __init__(
        self, topics: Mapping[str, Topic], procedures: Mapping[str, Procedure] | None = None, cues: Cues | None = None
    ) -> None:
        self._rules = Rules(topics, procedures, cues)

    @property
    def families(self) -> Mapping[str, str]:
        """The procedure that a topic begins, by topic."""
        return self._rules.families

    def parts(self, text: str) -> list[str]:
        """The text cut where another problem begins ("also …"); one part for most messages."""
        return self._rules.cues.split(text)

    # --- what the customer did ------------------------------------------------------------------------

    def on_text(self, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False) -> Decision:
        """A message in the customer's own words; ``queued``: while they wait for a person."""
        cues = self._rules.cues.of(heard.text)
        if Cue.DANGER in cues or _probability(heard.prediction, DANGER) >= IN_DANGER:
            decision = self._in_danger(state, heard, situation, queued=queued)
        elif shared_secrets.told_in_words(self._rules.cues, heard.text):
            decision = self._on_told_of_secret(state, heard, cues, situation, queued=queued)
        elif queued:
            decision = waiting.on_words(self._rules, state, heard, cues, situation)
            if state.topic == DANGER:
                decision = replace(decision, extra=(), asks_whether_it_helped=False)  # never a menu
        else:
            decision = self._with_bot(state, heard, cues, situation)
        return replace(decision, details=heard.details)

    def on_topic(
        self, name: str, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False
    ) -> Decision:
        """A topic picked by its button or a deep link."""
        if queued:
            if name == TALK_TO_HUMAN or name in state.told:
                return waiting.status(situation)
            topic = self._rules.topics[name]
            if topic.handoff is Handoff.ALWAYS:
                return waiting.urged(name, topic.priority, state, situation)
            # What a procedure asks would come between the customer and the person: the topic's own words do.
            return Decision(Action.ANSWER, topic=name, says=(Said("customer.still_waiting"),), resumes=True)
        if self._rules.same(name, state.topic) and name not in NO_TOPIC and state.misses == 0 and not state.offered:
            return Decision(Action.SILENT)  # the same button twice
        return self._rules.topic(name, state, heard, situation)

    def on_step(
        self, payload: str, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False
    ) -> Decision:
        """A choice of a step, pressed. One of an earlier step is taken as well; one that was pressed before is not
        answered again."""
        found = pressed(payload)
        procedure = None if found is None else self._rules.procedures.get(found[0])
        if found is None or procedure is None or found[2] not in procedure.steps:
            return self.on_unknown_button()
        if queued:
            return waiting.status(situation)
        topic = state.topic if state.procedure == procedure.name else procedure.topics[0]
        if state.procedure == procedure.name and state.step == found[2]:
            return Decision(Action.SILENT)
        moved = self._rules.step(procedure, found[2], topic, state, heard, situation)
        return moved or self._rules.not_helped(replace(state, topic=topic), heard, situation)

    def on_read_together(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision | None:
        """A message that says nothing by itself, read together with the one that the open topic began with: another
        topic than that one, if the two together surely mean it. None if not."""
        name = self._rules.surely(heard.prediction)
        if name is None or name not in self._rules.topics or name in NO_TOPIC or name in state.told:
            return None
        return None if self._rules.same(name, state.topic) else self._rules.topic(name, state, heard, situation)

    def on_found(
        self,
        step: tuple[str, str],
        found: Mapping[str, object] | None,
        state: DialogueState,
        heard: Heard,
        situation: Situation,
    ) -> Decision:
        """What a look-up brought: ``step`` is the procedure and the step that asked, None where there is nothing."""
        procedure = self._rules.procedures[step[0]]
        asked = procedure.steps[step[1]]
        to = asked.none if found is None else asked.found
        assert to is not None, "content is checked: a look-up leads somewhere either way"
        moved = self._rules.step(procedure, to, state.topic or procedure.topics[0], state, heard, situation)
        moved = moved or self._rules.not_helped(state, heard, situation)
        if found is None:
            return moved
        return replace(moved, opening=(Said(str(found["say"]), dict(found)), *moved.opening))

    def on_helped(self, state: DialogueState, helped: bool, heard: Heard, situation: Situation) -> Decision:
        """The answer to "did that help?"."""
        if not state.is_open:
            return Decision(Action.SILENT)  # pressed a second time
        return (
            self._rules.helped(state, heard, situation) if helped else self._rules.not_helped(state, heard, situation)
        )

    def on_human_asked(
        self, situation: Situation, state: DialogueState | None = None, *, queued: bool = False
    ) -> Decision:
        """``/human``, the button, or the wish in words."""
        return (
            waiting.status(situation)
            if queued
            else self._rules.human(situation, None if state is None else state.topic)
        )

    def on_cancel(self, *, queued: bool) -> Decision:
        """The button or command that leaves the queue."""
        return waiting.left_queue() if queued else Decision(Action.ANSWER, says=(Said("customer.what_else"),))

    def on_command(self, command: Command, situation: Situation, *, queued: bool = False) -> Decision:
        """``/start`` and ``/help`` say what the desk is; ``/human`` asks for a person."""
        if command is Command.HUMAN:
            return self.on_human_asked(situation, queued=queued)
        if queued:
            return waiting.status(situation)
        key = "customer.welcome" if command is Command.START else "customer.help"
        return Decision(Action.ANSWER, says=(Said(key),))

    def on_attachment(self, state: DialogueState, situation: Situation, *, queued: bool = False) -> Decision:
        """A file, a picture, a place without a word: the bot cannot read it, and an agent can."""
        if queued:
            return waiting.noted(state, situation)  # the agent will look at it
        if state.asks or state.misses:
            # A picture of what was asked for is an answer that only a person can read.
            return self._rules.collected(state, Heard(""), situation)
        return Decision(
            Action.ASK_BACK,
            says=(Said("customer.attachment_received"),),
            extra=("human",),
            keeps_dialogue=True,
            may_wait=True,
        )

    def on_forward(
        self, state: DialogueState, situation: Situation, *, spoke_before: bool, queued: bool = False
    ) -> Decision:
        """Somebody else's words, with none of the customer's own: nothing in them is done, taken or believed. Where the
        customer's own came just before (``spoke_before``) and had an answer, they said what about it; a greeting does
        not."""
        if spoke_before and state.is_open and not queued:
            return Decision(Action.SILENT)
        if queued:
            return waiting.noted(state, situation)  # for the agent
        return Decision(
            Action.ASK_BACK,
            says=(Said("customer.forward_received"),),
            offers=(IS_IT_YOU,) if IS_IT_YOU in self._rules.topics else (),
            extra=("human",),
            keeps_dialogue=True,
            may_wait=True,
        )

    def on_unknown_button(self) -> Decision:
        return Decision(Action.ANSWER, says=(Said("customer.what_else"),), keeps_dialogue=True)

    def on_removed(
        self, removed: Sequence[Removed], state: ConversationState, situation: Situation, theirs: TheirCopy
    ) -> Decision:
        """A secret that opens somebody's funds was removed from the message: what to do now comes before all else."""
        return shared_secrets.on_removed(removed, state, situation, theirs)

    def warned(
        self,
        decision: Decision | None,
        removed: Sequence[Removed],
        state: ConversationState,
        situation: Situation,
        theirs: TheirCopy,
    ) -> Decision:
        """A secret of another sort was removed: a word about it before what the rest of the message comes to (None: a
        person has the conversation)."""
        return shared_secrets.warned(decision, removed, state, situation, theirs)

    def on_engine_unavailable(self, heard: Heard, situation: Situation, *, queued: bool = False) -> Decision:
        if queued:
            return replace(waiting.noted(DialogueState(), situation), details=heard.details)
        unavailable = escalate(EscalationReason.ENGINE_UNAVAILABLE, situation, phrase="customer.queued_engine")
        return replace(unavailable, details=heard.details)

    def on_turn_failed(self, situation: Situation, *, queued: bool = False) -> Decision:
        if queued:
            return waiting.noted(DialogueState(), situation)
        return escalate(EscalationReason.TURN_FAILED, situation, phrase="customer.queued_unsure")

    # --- a message in words, with the bot -------------------------------------------------------------

    def _with_bot(self, state: DialogueState, heard: Heard, cues: frozenset[Cue], situation: Situation) -> Decision:
        weighed = self._rules.weigh(heard.prediction)
        if weighed is not None and weighed.act is Act.ANSWER and weighed.topic is not None:
            topic = self._rules.topics.get(weighed.topic)
            given = follow_ups.gives(state, heard) and topic is not None and topic.priority is not Priority.URGENT
            if topic is not None and topic.handoff is Handoff.ALWAYS and not given:
                return self._rules.topic(weighed.topic, state, heard, situation)
        if self._asks_for_person(heard, cues, None if weighed is None else weighed.topic):
            return self._rules.human(situation, state.topic)
        if state.is_open:
            placed = follow_ups.on_open(self._rules, state, heard, cues, situation)
            if placed is not None:
                return placed
        return self._on_new(state, heard, situation)

    def _on_told_of_secret(
        self, state: DialogueState, heard: Heard, cues: frozenset[Cue], situation: Situation, *, queued: bool
    ) -> Decision:
        """Somebody else has their phrase or key. Where the funds are gone already, the first aid for that says more."""
        name = self._rules.surely(heard.prediction)
        topic = self._rules.topics.get(name or "")
        if topic is None or topic.priority is not Priority.URGENT or queued:
            return shared_secrets.on_told(state, situation, queued=queued)
        decision = self._with_bot(state, heard, cues, situation)
        return replace(decision, reason=EscalationReason.FUNDS_AT_RISK) if decision.escalates else decision

    def _asks_for_person(self, heard: Heard, cues: frozenset[Cue], best: str | None) -> bool:
        return best == TALK_TO_HUMAN or (Cue.HUMAN in cues and len(heard.text) <= SHORT and best not in ABOUT_PEOPLE)

    def _on_new(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """A message that is about nothing open."""
        if heard.prediction is None:
            return self._bare_details(state, heard, situation)
        topics = self._several(heard)
        if len(topics) > 1:
            first, *rest = topics
            taken = self._rules.topic(first, state, heard, situation)
            if taken.escalates:
                return replace(taken, later=tuple(rest), names=tuple(rest))
            return replace(taken, says=(*taken.says, Said("customer.later")), offers=tuple(rest), later=tuple(rest))
        weighed = self._rules.weigh(heard.prediction, may_ask_back=state.misses + 1 < MISSES_BEFORE_HANDOFF)
        assert weighed is not None
        if topics and weighed.act is not Act.ANSWER:
            return self._rules.topic(topics[0], state, heard, situation)
        if weighed.act is Act.HAND_OVER:
            return self._handed_over(weighed.topic, situation)
        if weighed.act is Act.ASK_BACK or weighed.topic is None:
            return self._not_understood(state, heard.prediction, situation)
        if weighed.topic == DENY:
            return self._on_deny(state, situation)
        if weighed.topic == AFFIRM:
            return self._on_affirm(state, heard, situation)
        return self._rules.topic(weighed.topic, state, heard, situation)

    def _several(self, heard: Heard) -> list[str]:
        """The topics of a message with several problems, the gravest first."""
        sure = (self._rules.surely(part) for part in heard.parts)
        topics = dict.fromkeys(name for name in sure if name is not None and name not in NO_TOPIC)
        known = [name for name in topics if name in self._rules.topics]
        return sorted(known, key=lambda name: -self._rules.topics[name].priority)

    def _bare_details(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        """A hash, a number, without a word: what they are usually sent for, else the question what it is about."""
        for detail in heard.details:
            topic = OF_FORM.get(detail.kind)
            if topic in self._rules.topics:
                taken = self._rules.topic(topic or "", state, heard, situation)
                return replace(taken, action=taken.action if taken.escalates else Action.COLLECT)
        if state.misses:
            return self._rules.collected(state, heard, situation)
        return Decision(
            Action.ASK_BACK,
            says=(Said("customer.what_about", {"details": named(heard.details)}),),
            extra=("human",),
            understood=False,
            may_wait=True,
        )

    def _handed_over(self, topic: str | None, situation: Situation) -> Decision:
        """Not sure, and too costly to be wrong about: a person at once. Its likeliest topic says how urgent it is."""
        known = self._rules.topics.get(topic or "")
        always = known is not None and known.handoff is Handoff.ALWAYS
        if known is None or (topic in NO_TOPIC and not always):
            return escalate(EscalationReason.NOT_UNDERSTOOD, situation, phrase="customer.queued_unsure")
        return escalate(
            EscalationReason.TOPIC if always else EscalationReason.NOT_UNDERSTOOD,
            situation,
            phrase="customer.queued_unsure",
            about=topic,
            priority=known.priority,
        )

    def _in_danger(self, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool) -> Decision:
        if DANGER not in self._rules.topics:
            return self._rules.human(situation)
        if queued:
            return waiting.urged(DANGER, self._rules.topics[DANGER].priority, state, situation)
        return self._rules.topic(DANGER, state, heard, situation)

    def _on_deny(self, state: DialogueState, situation: Situation) -> Decision:
        if state.offered:
            return escalate(EscalationReason.NOT_UNDERSTOOD, situation, phrase="customer.queued_unsure")
        return Decision(Action.ANSWER, says=(Said("customer.what_else"),))

    def _on_affirm(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision:
        if len(state.offered) == 1:
            return self._rules.topic(state.offered[0], state, heard, situation)
        return Decision(Action.ANSWER, says=(Said("customer.what_else"),))

    def _not_understood(self, state: DialogueState, prediction: Prediction, situation: Situation) -> Decision:
        if state.misses + 1 >= MISSES_BEFORE_HANDOFF:
            return escalate(EscalationReason.NOT_UNDERSTOOD, situation, phrase="customer.queued_unsure")
        nearest = [
            ranked.name
            for ranked in prediction.ranking
            if ranked.confidence >= NEAR and ranked.name in self._rules.topics and ranked.name not in NO_TOPIC
        ]
        outside = prediction.intent == OUT_OF_SCOPE
        with_offers, without = (
            ("customer.not_understood", "customer.outside") if outside else ("customer.ask_back", "customer.ask_again")
        )
        return Decision(
            Action.ASK_BACK,
            says=(Said(with_offers if nearest else without),),
            offers=tuple(nearest[:OFFERS]),
            extra=("human",),
            understood=False,
            may_wait=True,
        )


def _probability(prediction: Prediction | None, intent: str) -> float:
    if prediction is None:
        return 0.0
    return next((ranked.confidence for ranked in prediction.ranking if ranked.name == intent), 0.0)
