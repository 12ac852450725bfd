"""A turn: one customer message → what the bot does.

The message is read (``listening``), the policy decides, ``speech`` gives the words, the store writes them. The bot is
silent where a human has the conversation; while the customer waits for one it goes on serving them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from bot import monotonic
from bot.domain.characters import shows
from bot.domain.conversation import Conversation, ConversationState, contact_key
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction
from bot.domain.message import Incoming, Message
from bot.domain.operations import TurnEnd, TurnInput
from bot.domain.secret import at_risk, without_labels
from bot.domain.situation import Situation
from bot.pipeline.deciding import Decided, Deciding
from bot.pipeline.listening import Listening
from bot.pipeline.prefetch import Prefetch, Recent
from bot.pipeline.speech import Speech
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
GATHERING = timedelta(seconds=1.5)
"""So long after a message that could not be answered alone the bot waits for the rest of it."""
GATHERED_AT_MOST = 4
"""Messages that are read with the next; the one after them has its answer, whatever comes behind it."""
GATHERING_AT_ONCE = 4
"""Turns that wait so at the same time: they hold workers, which others need."""

ShowTyping = Callable[[Conversation], None]
Situations = Callable[[int | None], Awaitable[Situation]]
"""How the desk stands now towards who has that place in the queue, or (None) would join it."""


class Placing(Protocol):
    """The outbox, as a turn needs it."""

    def immediate(self, channel: str) -> bool:
        """Whether what is recorded there is with its customer."""
        ...

    def placed(self, channel: str, seconds: float) -> None:
        """A reply was with its customer so long after it was written, without having been sent."""
        ...


async def always_there(_place: int | None) -> Situation:
    """Of a desk without working hours, where somebody is."""
    return Situation(datetime.now(UTC))


async def _is_clear(_: Message) -> bool:
    """Nothing is spread over messages."""
    return False


class Turns:
    def __init__(
        self,
        turns: StoredTurns,
        deciding: Deciding,
        listening: Listening,
        speech: Speech,
        *,
        situations: Situations = always_there,
        show_typing: ShowTyping = lambda _: None,
        metrics: NullMetrics | None = None,
        outbox: Placing | None = None,
        clears_again: Callable[[Message], Awaitable[bool]] = _is_clear,
    ) -> None:
        """``clears_again``: whether secrets were cut out of the message just now, which is then read anew."""
        self._clears_again = clears_again
        self._turns = turns
        self._deciding = deciding
        self._listening = listening
        self._speech = speech
        self._situations = situations
        self._show_typing = show_typing
        self._metrics = metrics or NullMetrics()
        self._outbox = outbox
        self._prefetched = Prefetch(listening.predict)
        self._with_people = Recent(WITH_PEOPLE_KNOWN)
        self._gathering = 0

    def prefetch(self, incoming: Incoming) -> None:
        """Has the engine asked already while the message is being recorded: neither needs the other."""
        sender = contact_key(incoming.channel, incoming.account, incoming.sender.external_id)
        if (
            incoming.command is None
            and incoming.button is None
            and incoming.edits is None
            and incoming.deletes is None
            and incoming.context.forward is None
            and shows(incoming.text)
            and not at_risk(incoming.removed)
            and sender not in self._with_people
        ):
            read = self._listening.read(without_labels(incoming.text))
            if read.words:
                self._prefetched.begin((incoming.channel, incoming.account, incoming.external_id), read.asked)

    async def take(self, message_id: int, job: JobLease) -> None:
        """Takes the turn of one message, once, however often it is called."""
        known = job.known if isinstance(job.known, TurnInput) else None
        taken = known or await self._turns.begin(message_id)
        while taken is not None:
            taken = await self._take(taken, job)

    async def _take(self, taken: TurnInput, job: JobLease) -> TurnInput | None:
        """None when the turn is over; where the customer corrected the message while the bot waited for more, the
        message as it is now."""
        if await self._clears_again(taken.message):
            return await self._turns.begin(taken.message.id)
        conversation = taken.conversation
        if taken.message.deleted_at is not None:
            await self._skip(taken)  # who takes a question back wants no answer
            return None
        contact = conversation.contact
        prefetched = self._prefetched.take((contact.channel, contact.account, taken.message.external_id or ""))
        sender = contact_key(contact.channel, contact.account, contact.external_id)
        if conversation.state not in (ConversationState.BOT, ConversationState.QUEUED):
            self._with_people.add(sender)
            # Whoever has it, or had it: a secret may be found in what is long resolved.
            if taken.message.removed:
                await self._finish(taken, self._deciding.warn(taken, await self._situations(None)), job)
            else:
                await self._skip(taken)
            return None
        self._with_people.discard(sender)
        is_forward = taken.message.context.forward is not None
        gathered = conversation.dialogue.gathered
        queued = conversation.state is ConversationState.QUEUED
        place = await self._turns.place(conversation.id) if queued else None
        gives_up = job.failures >= MAX_TRIES
        if gives_up:
            log.error("turn failed too often; handed to a human", action="turn_failed", message=taken.message.id)
        decided = await self._deciding.decide(
            taken,
            await self._situations(place),
            before=await self._turns.texts(gathered) if gathered else (),
            recall=self._turns.texts,
            spoke_before=is_forward and await self._turns.spoke_before(taken.message, GATHERING),
            ahead=prefetched,
            patiently=partial(self._patiently, conversation),
            gives_up=gives_up,
        )
        if decided.decision.may_wait and len(gathered) < GATHERED_AT_MOST:
            if await self._waits_for_more(taken):
                decided = replace(
                    decided, decision=Decision(Action.SILENT, gathers=True, details=decided.decision.details)
                )
            else:
                now = await self._turns.begin(taken.message.id)
                if now is None or _is_changed(now, taken):
                    return now
        await self._finish(taken, decided, job)
        return None

    async def _waits_for_more(self, taken: TurnInput) -> bool:
        """Whether the customer goes on writing: several short messages in a row, or a picture and then words, are read
        as one. Only what could not be answered alone waits; what could costs nothing."""
        left = (taken.message.created_at + GATHERING - datetime.now(UTC)).total_seconds()
        if left > 0 and self._gathering < GATHERING_AT_ONCE:
            self._gathering += 1
            try:
                await asyncio.sleep(left)
            finally:
                self._gathering -= 1
        return await self._turns.has_next(taken.message)

    # --- writing ----------------------------------------------------------------------------------

    async def _finish(self, taken: TurnInput, decided: Decided, job: JobLease | None) -> None:
        conversation, decision = taken.conversation, decided.decision
        channel = conversation.contact.channel
        began = monotonic.seconds()
        end: TurnEnd = await self._turns.finish(
            taken,
            decision,
            self._speech.replies(decision, conversation.dialogue, decided.language),
            language=decided.language,
            prediction=decided.prediction,
            job=job,
            immediate=self._outbox is not None and self._outbox.immediate(channel),
        )
        if end.shown and self._outbox is not None:
            self._outbox.placed(channel, monotonic.seconds() - began)
        self._metrics.turned(channel, decision.action, taken.message.created_at)
        # Or a human was faster, and nothing is queued.
        if decision.escalates and decision.reason is not None and end.position is not None:
            self._metrics.escalated(channel, decision.reason)
        log.info(
            "turn",
            action=decision.action.value,
            conversation=conversation.id,
            message=taken.message.id,
            topic=decision.topic or decision.about,
            reason=decision.reason,
        )

    async def _skip(self, taken: TurnInput) -> None:
        """Without a word; what the customer told in a form of its own is kept all the same."""
        own = taken.message.context.forward is None
        await self._turns.skip(taken, self._listening.read(without_labels(taken.message.text)).details if own else ())
        self._metrics.turned(taken.conversation.contact.channel, None, taken.message.created_at)

    # --- the engine -------------------------------------------------------------------------------

    async def _patiently(self, conversation: Conversation, predicting: Awaitable[Prediction]) -> Prediction:
        """Shows the customer that an answer is being made, if it is not there in a moment."""
        waiting = asyncio.ensure_future(predicting)
        done, _ = await asyncio.wait({waiting}, timeout=A_MOMENT)
        if not done and conversation.state is ConversationState.BOT:
            self._show_typing(conversation)
        return await waiting


def _is_changed(now: TurnInput, before: TurnInput) -> bool:
    """The customer wrote it anew, or took it back."""
    return now.message.text != before.message.text or now.message.deleted_at is not None
