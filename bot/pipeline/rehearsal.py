"""A conversation with the bot without a database: what it would do, message by message. For ``switchboard predict``
and simulated customers; what is decided and said is made by the same parts as a real turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot import guard
from bot.domain.context import NO_CONTEXT, Context, Forward
from bot.domain.conversation import Contact, Conversation, ConversationState, Priority
from bot.domain.decision import Decision, transition
from bot.domain.details import merged
from bot.domain.engine import Prediction
from bot.domain.message import Attachment, Author, Button, Incoming, Message, MessageFormat, Reply, Sender, Visibility
from bot.domain.operations import TurnInput
from bot.domain.situation import Situation
from bot.pipeline.deciding import Deciding
from bot.pipeline.speech import Speech

_CONTACT = Contact(0, "rehearsal", "", "", "", "", None)
FIRST = 1
"""The place in a queue where nobody else waits."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the bot did with one message."""

    decision: Decision
    replies: tuple[Reply, ...]
    prediction: Prediction | None
    conversation: Conversation
    """As it is after it."""


@dataclass
class Rehearsal:
    """One customer's conversation. Somebody is at the desk, and nobody else waits."""

    deciding: Deciding
    speech: Speech
    language: str | None = None
    conversation: Conversation = field(init=False)
    _buttons: tuple[Button, ...] = ()
    _said: int = 0
    _texts: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.conversation = Conversation(
            0, _CONTACT, ConversationState.BOT, Priority.NORMAL, None, self.language, None, None, now, now
        )

    async def say(
        self, text: str = "", *, button: str | None = None, attachment: str | None = None, forward: bool = False
    ) -> Rehearsed:
        """The customer writes, presses or sends something; ``forward``: they pass on somebody else's words, alone."""
        now = datetime.now(UTC)
        self._said += 1
        files = () if attachment is None else (Attachment(attachment, "rehearsed"),)
        before = guard.Before(tuple(self._texts.items()), self.conversation.dialogue.asked_kinds)
        passed_on = Context(Forward()) if forward else NO_CONTEXT
        sent = Incoming("rehearsal", "", str(self._said), Sender(""), "", text, attachments=files, context=passed_on)
        cleared = guard.incoming(sent, before)
        self._texts |= {one.message_id: one.text for one in cleared.cleans}
        self._texts[self._said] = "" if forward else cleared.text
        message = Message(
            self._said,
            0,
            Author.CUSTOMER,
            Visibility.PUBLIC,
            cleared.text,
            MessageFormat.TEXT,
            now,
            attachments=files,
            context=passed_on,
            removed=cleared.removed,
        )
        taken = TurnInput(message, self.conversation, button=button, last_buttons=self._buttons)
        decided = await self.deciding.decide(taken, Situation(now), recall=self._recall)
        decision = decided.decision
        replies = tuple(
            replace(reply, text=guard.fill(reply.text, position=FIRST))
            for reply in self.speech.replies(decision, self.conversation.dialogue, decided.language)
        )
        self._carry_out(decision, decided.language)
        if replies:
            self._buttons = tuple(replies[-1].buttons)
        return Rehearsed(decision, replies, decided.prediction, self.conversation)

    async def _recall(self, numbers: Sequence[int]) -> list[str]:
        return [text for number in sorted(numbers) if (text := self._texts[number])]

    def _carry_out(self, decision: Decision, language: str | None) -> None:
        before = self.conversation
        state = before.state
        if decision.escalates:
            state = ConversationState.QUEUED
        elif decision.leaves_queue:
            state = ConversationState.BOT
        self.conversation = replace(
            before,
            state=state,
            language=language,
            topic=decision.subject or before.topic,
            dialogue=transition(before.dialogue, decision, self._said),
            details=merged(before.details, decision.details),
        )
