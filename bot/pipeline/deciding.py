"""What to do with one message, before anything is written: shared by turns and ``switchboard predict``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from bot.content.answers import CANCEL, HELPED, HUMAN, NOT_HELPED, TOPIC, Answers
from bot.domain.characters import shows
from bot.domain.conversation import Conversation, ConversationState, EscalationReason
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import DialogueState
from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable, Prediction
from bot.domain.heard import Heard
from bot.domain.message import Command
from bot.domain.operations import TurnInput
from bot.domain.procedure import STEP
from bot.domain.secret import Removed, TheirCopy, at_risk, without_labels
from bot.domain.situation import Situation
from bot.pipeline.listening import Listening, Read
from bot.ports import LookUp

log = structlog.get_logger(__name__)

Detect = Callable[[str, str | None], str | None]
"""The language of a text, as a two-letter code; the second argument is the answer where the text cannot tell."""
Ahead = tuple[str, Awaitable[Prediction]]
"""What the engine was asked before the turn began, and its answer."""
Patiently = Callable[[Awaitable[Prediction]], Awaitable[Prediction]]

Recall = Callable[[Sequence[int]], Awaitable[Sequence[str]]]
"""The words of messages by their numbers, in the order written; not of those taken back."""


async def _nothing(_: Sequence[int]) -> Sequence[str]:
    return ()


async def _at_once(predicting: Awaitable[Prediction]) -> Prediction:
    return await predicting


class Decide(Protocol):
    """The policy, as a turn needs it."""

    def on_text(
        self, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False
    ) -> Decision: ...
    def on_topic(
        self, name: str, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False
    ) -> Decision: ...
    def on_step(
        self, payload: str, state: DialogueState, heard: Heard, situation: Situation, *, queued: bool = False
    ) -> Decision: ...
    def on_read_together(self, state: DialogueState, heard: Heard, situation: Situation) -> Decision | None: ...
    def on_found(
        self,
        step: tuple[str, str],
        found: Mapping[str, object] | None,
        state: DialogueState,
        heard: Heard,
        situation: Situation,
    ) -> Decision: ...
    def on_helped(self, state: DialogueState, helped: bool, heard: Heard, situation: Situation) -> Decision: ...
    def on_human_asked(
        self, situation: Situation, state: DialogueState | None = None, *, queued: bool = False
    ) -> Decision: ...
    def on_cancel(self, *, queued: bool) -> Decision: ...
    def on_command(self, command: Command, situation: Situation, *, queued: bool = False) -> Decision: ...
    def on_attachment(self, state: DialogueState, situation: Situation, *, queued: bool = False) -> Decision: ...
    def on_forward(
        self, state: DialogueState, situation: Situation, *, spoke_before: bool, queued: bool = False
    ) -> Decision: ...
    def on_unknown_button(self) -> Decision: ...
    def on_removed(
        self, removed: Sequence[Removed], state: ConversationState, situation: Situation, theirs: TheirCopy
    ) -> Decision: ...
    def warned(
        self,
        decision: Decision | None,
        removed: Sequence[Removed],
        state: ConversationState,
        situation: Situation,
        theirs: TheirCopy,
    ) -> Decision: ...
    def on_engine_unavailable(self, heard: Heard, situation: Situation, *, queued: bool = False) -> Decision: ...
    def on_turn_failed(self, situation: Situation, *, queued: bool = False) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """What a turn comes to, before it is written."""

    decision: Decision
    language: str | None
    prediction: Prediction | None = None


class Deciding:
    def __init__(
        self,
        answers: Answers,
        policy: Decide,
        listening: Listening,
        detect: Detect,
        look_ups: Mapping[str, LookUp] | None = None,
        their_copy: Callable[[str], TheirCopy] = lambda _: TheirCopy.NONE,
    ) -> None:
        """``look_ups`` by what procedures name: ``ticket``. ``their_copy`` says by channel what becomes of a customer's
        own message that held a secret."""
        self._their_copy = their_copy
        self._answers = answers
        self._policy = policy
        self._listening = listening
        self._detect = detect
        self._look_ups = look_ups or {}

    async def decide(
        self,
        taken: TurnInput,
        situation: Situation,
        *,
        before: Sequence[str] = (),
        recall: Recall = _nothing,
        spoke_before: bool = False,
        ahead: Ahead | None = None,
        patiently: Patiently = _at_once,
        gives_up: bool = False,
    ) -> Decided:
        """What to do with the message. ``before`` are the words of messages that had no answer of their own,
        ``recall`` brings those of others that this one may have to be read together with. ``spoke_before``: the
        customer's own words came just before a forward, and had their answer. ``ahead`` is what the engine was asked
        already, ``patiently`` awaits it, and ``gives_up`` says that the turn failed too often."""
        if taken.message.removed and (at_risk(taken.message.removed) or gives_up):
            return self.warn(taken, situation)
        decided = await self._decide(
            taken,
            situation,
            before=[words for text in before if shows(words := without_labels(text))],
            recall=recall,
            spoke_before=spoke_before,
            ahead=ahead,
            patiently=patiently,
            gives_up=gives_up,
        )
        return self._warned(decided, taken, situation) if taken.message.removed else decided

    def warn(self, taken: TurnInput, situation: Situation) -> Decided:
        """What to do with a message that held a secret, whatever else it says: also where a person has the
        conversation, with whom the bot else does not interfere."""
        return self._warned(None, taken, situation)

    def _warned(self, decided: Decided | None, taken: TurnInput, situation: Situation) -> Decided:
        conversation, removed = taken.conversation, taken.message.removed
        theirs = self._their_copy(conversation.contact.channel)
        if decided is None and at_risk(removed):
            decision = self._policy.on_removed(removed, conversation.state, situation, theirs)
        else:
            alone = None if decided is None else decided.decision
            decision = self._policy.warned(alone, removed, conversation.state, situation, theirs)
        if decided is not None:
            return replace(decided, decision=decision)
        own = "" if taken.message.context.forward else without_labels(taken.message.text)
        return Decided(decision, self._language(taken, self._listening.read(own)))

    async def _decide(
        self,
        taken: TurnInput,
        situation: Situation,
        *,
        before: Sequence[str],
        recall: Recall,
        spoke_before: bool,
        ahead: Ahead | None,
        patiently: Patiently,
        gives_up: bool,
    ) -> Decided:
        conversation = taken.conversation
        state, queued = conversation.dialogue, conversation.state is ConversationState.QUEUED
        nothing = Heard("", known=conversation.details)
        language = self._language(taken)
        if gives_up:
            return Decided(self._policy.on_turn_failed(situation, queued=queued), language)
        is_forward = taken.message.context.forward is not None
        if taken.command is not None and not is_forward:
            return Decided(self._on_command(taken, nothing, situation, queued), language)
        button = None if is_forward else taken.button or _numbered(taken)
        if button is not None:
            decision = self._on_button(button, state, nothing, situation, queued)
            return Decided(await self._looked_up(decision, taken, nothing, situation), language)
        own = "" if is_forward else without_labels(taken.message.text)
        text = "\n".join(part for part in (*before, own) if shows(part))
        if not text:
            return Decided(self._on_no_words(taken, situation, spoke_before), language)
        read = self._listening.read(text, state.asked_kinds)
        language = self._language(taken, read)
        try:
            heard = await self._heard(taken, read, ahead, patiently)
            if before and not is_forward:
                heard = await self._with_last(taken, heard, ahead)
            decision = self._policy.on_text(state, heard, situation, queued=queued)
            if _is_lost(decision) and not queued:
                decision, heard = await self._in_context(taken, text, recall, decision, heard, situation)
        except EngineUnavailable as error:
            log.warning("engine unavailable; handed to a human", action="engine_unavailable", error=str(error))
            heard = Heard(text, details=read.details, known=conversation.details)
            return Decided(self._policy.on_engine_unavailable(heard, situation, queued=queued), language)
        return Decided(await self._looked_up(decision, taken, heard, situation), language, heard.prediction)

    def _on_no_words(self, taken: TurnInput, situation: Situation, spoke_before: bool) -> Decision:
        """The message has no words of the customer's own."""
        conversation = taken.conversation
        state, queued = conversation.dialogue, conversation.state is ConversationState.QUEUED
        if taken.message.context.forward is not None:
            return self._policy.on_forward(state, situation, spoke_before=spoke_before, queued=queued)
        if not taken.message.attachments:
            return Decision(Action.SILENT)  # there is nothing to be seen
        return self._policy.on_attachment(state, situation, queued=queued)

    async def _in_context(
        self, taken: TurnInput, text: str, recall: Recall, alone: Decision, heard: Heard, situation: Situation
    ) -> tuple[Decision, Heard]:
        """A customer who was not understood says it in other words, or says the rest: what they said until now may
        together be clear. So may what they ask about the topic that is open ("could I still call it off?"). If not, it
        stays with what the message is by itself."""
        conversation = taken.conversation
        state = conversation.dialogue
        # A message that is asked about anew was not understood itself.
        unread = await recall([number for number in state.unread if number != taken.message.id])
        if unread:
            together = await self._together((*unread, text), conversation)
            decision = self._policy.on_text(state, together, situation)
            if not _is_lost(decision):
                return decision, together
        opened = await recall([state.opened_by]) if state.is_open and state.opened_by is not None else ()
        if opened and heard.prediction is not None and heard.prediction.intent != OUT_OF_SCOPE:
            together = await self._together((*opened, text), conversation)
            elsewhere = self._policy.on_read_together(state, together, situation)
            if elsewhere is not None:
                return replace(elsewhere, details=heard.details), together
        return alone, heard

    async def _together(self, texts: Sequence[str], conversation: Conversation) -> Heard:
        read = self._listening.read("\n".join(map(without_labels, texts)), conversation.dialogue.asked_kinds)
        return await self._listening.hear(read, conversation.details)

    async def _with_last(self, taken: TurnInput, heard: Heard, ahead: Ahead | None) -> Heard:
        """The last of several messages may be another question than those before it: it is also read by itself, and of
        two topics none is dropped."""
        read = self._listening.read(without_labels(taken.message.text), taken.conversation.dialogue.asked_kinds)
        if not read.words or heard.prediction is None:
            return heard
        same = ahead is not None and ahead[0] == read.asked
        alone = await (ahead[1] if ahead is not None and same else self._listening.predict(read.asked))
        return replace(heard, parts=(alone, heard.prediction))

    async def _heard(self, taken: TurnInput, read: Read, ahead: Ahead | None, patiently: Patiently) -> Heard:
        predicting = None
        if read.words:
            # What was asked for, or an edit since, may have changed what the engine is to be asked.
            same = ahead is not None and ahead[0] == read.asked
            predicting = patiently(ahead[1] if ahead is not None and same else self._listening.predict(read.asked))
        return await self._listening.hear(read, taken.conversation.details, predicting)

    async def _looked_up(self, decision: Decision, taken: TurnInput, heard: Heard, situation: Situation) -> Decision:
        """What a look-up brings, where the decision is to ask one. One that fails has found nothing: a person looks."""
        if decision.looks_up is None or decision.procedure is None:
            return decision
        conversation = taken.conversation
        found: Mapping[str, object] | None = None
        try:
            found = await self._look_ups[decision.looks_up].look_up(conversation, heard.known)
        except Exception as error:
            log.warning("look-up failed", action="look_up_failed", what=decision.looks_up, kind=type(error).__name__)
        step = (decision.procedure, decision.steps[-1])
        state = replace(conversation.dialogue, topic=decision.about)
        return replace(self._policy.on_found(step, found, state, heard, situation), details=decision.details)

    def _on_command(self, taken: TurnInput, nothing: Heard, situation: Situation, queued: bool) -> Decision:
        """A deep link (``/start transfer_delay``) may name a topic; anything else in it is for the agents."""
        assert taken.command is not None
        if taken.command is Command.START and self._answers.variants(taken.argument):
            state = taken.conversation.dialogue
            return self._policy.on_topic(taken.argument, state, nothing, situation, queued=queued)
        return self._policy.on_command(taken.command, situation, queued=queued)

    def _on_button(
        self, payload: str, state: DialogueState, nothing: Heard, situation: Situation, queued: bool
    ) -> Decision:
        """What a button means is in its payload: a press is never classified. An unknown payload is an old
        or forged one, and says nothing."""
        if payload in (HELPED, NOT_HELPED) and not queued:
            return self._policy.on_helped(state, payload == HELPED, nothing, situation)
        topic = payload.removeprefix(TOPIC)
        if payload.startswith(TOPIC) and self._answers.variants(topic):
            return self._policy.on_topic(topic, state, nothing, situation, queued=queued)
        if payload.startswith(STEP):
            return self._policy.on_step(payload, state, nothing, situation, queued=queued)
        if payload == HUMAN or (payload == NOT_HELPED and queued):
            return self._policy.on_human_asked(situation, state, queued=queued)
        if payload == CANCEL:
            return self._policy.on_cancel(queued=queued)
        return self._policy.on_unknown_button()

    def _language(self, taken: TurnInput, read: Read | None = None) -> str | None:
        # Platforms hint with regions and scripts ("zh-hans"); content has languages.
        hint = (taken.conversation.contact.language or "").replace("_", "-").split("-")[0].lower()
        known = taken.conversation.language or hint or None
        # A hash or a mailbox alone is in no language.
        return known if read is None or not read.words else self._detect(read.words, known)


def _is_lost(decision: Decision) -> bool:
    return not decision.understood or decision.reason is EscalationReason.NOT_UNDERSTOOD


def _numbered(taken: TurnInput) -> str | None:
    """The payload behind "2", if the bot's last message had that many buttons: platforms without buttons
    show them as numbered lines."""
    text = taken.message.text.strip()
    if len(text) == 1 and text.isdecimal() and 1 <= int(text) <= len(taken.last_buttons):
        return taken.last_buttons[int(text) - 1].payload
    return None
