"""A turn: one customer message → what the bot does.

The engine classifies, the policy decides, the answers give the words, the store writes them. The bot is
silent only where a human has the conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from bot import guard, monotonic
from bot.content.answers import HELPED, HUMAN, NOT_HELPED, TOPIC, Answers
from bot.domain.conversation import Conversation, ConversationState, contact_key
from bot.domain.decision import Action, Decision, Handoff
from bot.domain.dialogue import DialogueState
from bot.domain.engine import EngineUnavailable, Prediction
from bot.domain.message import Button, Command, Incoming, Reply
from bot.domain.operations import TurnEnd, TurnInput
from bot.pipeline.prefetch import Prefetch, Recent
from bot.queue import JobLease
from bot.runtime.metrics import NullMetrics
from bot.store.turns import Turns as StoredTurns

log = structlog.get_logger(__name__)

MAX_TRIES = 3
"""A turn that fails this often goes to a human instead."""
A_MOMENT = 0.3
"""Seconds that nobody need be told of: a call of the platform for an answer that is there already."""
WITH_PEOPLE_KNOWN = 10_000
"""Contacts remembered whom a person talks with, and whose words the engine is not asked about beforehand."""

Predict = Callable[[str], Awaitable[Prediction]]
Detect = Callable[[str, str | None], str | None]
"""The language of a text, as a two-letter code; the second argument is the answer where the text cannot tell."""
ShowTyping = Callable[[Conversation], None]


class Decide(Protocol):
    """The policy, as a turn needs it."""

    def on_text(self, dialogue: DialogueState, prediction: Prediction) -> Decision: ...
    def on_topic(self, name: str) -> Decision: ...
    def on_human_asked(self) -> Decision: ...
    def on_helped(self, dialogue: DialogueState, helped: bool) -> Decision: ...
    def on_command(self, command: Command) -> Decision: ...
    def on_attachment(self) -> Decision: ...
    def on_engine_unavailable(self) -> Decision: ...
    def on_turn_failed(self) -> Decision: ...


class Placing(Protocol):
    """The outbox, as a turn needs it."""

    def immediate(self, channel: str) -> bool:
        """Whether what is recorded there is with its customer."""
        ...

    def placed(self, channel: str, seconds: float) -> None:
        """A reply was with its customer so long after it was written, without having been sent."""
        ...


class Turns:
    def __init__(
        self,
        turns: StoredTurns,
        answers: Answers,
        policy: Decide,
        predict: Predict,
        detect: Detect,
        show_typing: ShowTyping = lambda _: None,
        metrics: NullMetrics | None = None,
        outbox: Placing | None = None,
    ) -> None:
        self._turns = turns
        self._answers = answers
        self._policy = policy
        self._predict = predict
        self._detect = detect
        self._show_typing = show_typing
        self._metrics = metrics or NullMetrics()
        self._outbox = outbox
        self._prefetched = Prefetch(self._parse)
        self._with_people = Recent(WITH_PEOPLE_KNOWN)

    def prefetch(self, incoming: Incoming) -> None:
        """Has the engine asked already while the message is being recorded: neither needs the other."""
        sender = contact_key(incoming.channel, incoming.account, incoming.sender.external_id)
        if (
            incoming.command is None
            and incoming.button is None
            and incoming.edits is None
            and incoming.deletes is None
            and incoming.text.strip()
            and sender not in self._with_people
        ):
            self._prefetched.begin((incoming.channel, incoming.account, incoming.external_id), incoming.text)

    async def take(self, message_id: int, job: JobLease) -> None:
        """Takes the turn of one message, once, however often it is called."""
        known = job.known if isinstance(job.known, TurnInput) else None
        taken = known or await self._turns.begin(message_id)
        if taken is None:
            return
        conversation = taken.conversation
        if taken.message.deleted_at is not None:
            await self._skip(taken)  # who takes a question back wants no answer
            return
        contact = conversation.contact
        prefetched = self._prefetched.take((contact.channel, contact.account, taken.message.external_id or ""))
        sender = contact_key(contact.channel, contact.account, contact.external_id)
        button = taken.button or _numbered(taken)
        if conversation.state is not ConversationState.BOT:
            self._with_people.add(sender)
            await self._with_human(taken, button)
            return
        self._with_people.discard(sender)
        language = self._language(taken)
        prediction: Prediction | None = None
        if job.failures >= MAX_TRIES:
            log.error("turn failed too often; handed to a human", action="turn_failed", message=message_id)
            decision = self._policy.on_turn_failed()
        elif taken.command is not None:
            decision = self._on_command(taken.command, taken.argument)
        elif button is not None:
            decision = self._on_button(conversation.dialogue, button)
        elif not taken.message.text.strip():
            decision = self._policy.on_attachment()
        else:
            try:
                prediction = await self._patiently(conversation, prefetched or self._parse(taken.message.text))
                decision = self._policy.on_text(conversation.dialogue, prediction)
            except EngineUnavailable as error:
                log.warning("engine unavailable; handed to a human", action="engine_unavailable", error=str(error))
                decision = self._policy.on_engine_unavailable()
        channel = conversation.contact.channel
        end = await self._finish(taken, decision, self.replies(decision, language), language, prediction, job)
        self._metrics.turned(channel, decision.action, taken.message.created_at)
        if decision.reason is not None and end.position is not None:  # or a human was faster, and nothing is queued
            self._metrics.escalated(channel, decision.reason)
        log.info(
            "turn",
            action=decision.action.value,
            conversation=conversation.id,
            message=message_id,
            topic=decision.topic,
            reason=decision.reason,
        )

    async def _finish(
        self,
        taken: TurnInput,
        decision: Decision,
        replies: Sequence[Reply],
        language: str | None,
        prediction: Prediction | None = None,
        job: JobLease | None = None,
    ) -> TurnEnd:
        channel = taken.conversation.contact.channel
        began = monotonic.seconds()
        end = await self._turns.finish(
            taken,
            decision,
            replies,
            language=language,
            prediction=prediction,
            job=job,
            immediate=self._outbox is not None and self._outbox.immediate(channel),
        )
        if end.shown and self._outbox is not None:
            self._outbox.placed(channel, monotonic.seconds() - began)
        return end

    async def _with_human(self, taken: TurnInput, button: str | None) -> None:
        """The bot is silent, but who asks for a person while waiting for one is told where they stand."""
        asks = taken.command is Command.HUMAN or button == HUMAN
        if asks and taken.conversation.state is ConversationState.QUEUED:
            language = taken.conversation.language
            reply = Reply(guard.outgoing(self._answers.words.say("customer.already_queued", language)))
            decision = Decision(Action.ANSWER, phrase="customer.already_queued", keeps_dialogue=True)
            await self._finish(taken, decision, [reply], language)
            self._metrics.turned(taken.conversation.contact.channel, None, taken.message.created_at)
        else:
            await self._skip(taken)

    async def _skip(self, taken: TurnInput) -> None:
        await self._turns.skip(taken)
        self._metrics.turned(taken.conversation.contact.channel, None, taken.message.created_at)

    async def _patiently(self, conversation: Conversation, predicting: Awaitable[Prediction]) -> Prediction:
        """Shows the customer that an answer is being made, if it is not there in a moment."""
        waiting = asyncio.ensure_future(predicting)
        done, _ = await asyncio.wait({waiting}, timeout=A_MOMENT)
        if not done:
            self._show_typing(conversation)
        return await waiting

    async def _parse(self, text: str) -> Prediction:
        asked = monotonic.seconds()
        try:
            prediction = await self._predict(text)
        except Exception:
            self._metrics.parse_failed()
            raise
        self._metrics.parsed(monotonic.seconds() - asked)
        return prediction

    def _language(self, taken: TurnInput) -> str | None:
        # Platforms hint with regions and scripts ("zh-hans"); content has languages.
        hint = (taken.conversation.contact.language or "").replace("_", "-").split("-")[0].lower()
        known = taken.conversation.language or hint or None
        if taken.command is not None or taken.button is not None:
            return known
        return self._detect(taken.message.text, known)

    def _on_command(self, command: Command, argument: str) -> Decision:
        """A deep link (``/start transfer_delay``) may name a topic; anything else in it is for the agents."""
        if command is Command.START and self._answers.variants(argument):
            return self._policy.on_topic(argument)
        return self._policy.on_command(command)

    def _on_button(self, dialogue: DialogueState, payload: str) -> Decision:
        """What a button means is in its payload: a press is never classified. An unknown payload is an old
        or forged one, and says nothing."""
        if payload in (HELPED, NOT_HELPED):
            return self._policy.on_helped(dialogue, payload == HELPED)
        topic = payload.removeprefix(TOPIC)
        if payload.startswith(TOPIC) and self._answers.variants(topic):
            return self._policy.on_topic(topic)
        if payload == HUMAN:
            return self._policy.on_human_asked()
        return Decision(Action.ANSWER, phrase="customer.what_else", keeps_dialogue=True)

    def replies(self, decision: Decision, language: str | None) -> list[Reply]:
        """The decision in words: one message, the answer first, the desk's own sentence behind it."""
        answers = self._answers
        texts: list[str] = []
        buttons: list[Button | None] = []
        answer = None if decision.topic is None else answers.get(decision.topic, language)
        if answer is not None:
            texts.append(answers.words.fill(answer.body, answer.locale))
            if decision.action is Action.ANSWER:
                buttons += [answers.topic_button(topic, language) for topic in answer.buttons]
        if decision.phrase is not None:
            texts.append(answers.words.say(decision.phrase, language))
        if answer is not None and decision.action is Action.ANSWER and answer.handoff is Handoff.OFFER:
            texts.append(answers.words.say("customer.did_it_help", language))
            buttons.append(Button(answers.words.say("customer.button_helped", language), HELPED))
            buttons.append(Button(answers.words.say("customer.button_not_helped", language), NOT_HELPED))
        if decision.action is Action.ASK_BACK:
            buttons += [answers.topic_button(topic, language) for topic in decision.offers]
            buttons.append(Button(answers.words.say("customer.button_human", language), HUMAN))
        offered = tuple(button for button in buttons if button is not None)
        return [Reply(guard.outgoing("\n\n".join(texts)), buttons=offered)]


def _numbered(taken: TurnInput) -> str | None:
    """The payload behind "2", if the bot's last message had that many buttons: platforms without buttons
    show them as numbered lines."""
    text = taken.message.text.strip()
    if len(text) == 1 and text.isdecimal() and 1 <= int(text) <= len(taken.last_buttons):
        return taken.last_buttons[int(text) - 1].payload
    return None
