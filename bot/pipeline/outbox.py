"""Delivery: the only caller of a connector's ``send``, ``edit`` and ``delete``.

A delivery is pending until the customer's side is as the desk wants it, and then sent; or failed, which the agent is
shown. A long message goes out in parts, each recorded, so a retry never repeats what the customer has. An edit or a
deletion makes the delivery pending again: parts are changed, added or taken back until they fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import File, MessageFormat
from bot.domain.operations import DeliveryInput
from bot.domain.said import Fault
from bot.pipeline import faults
from bot.pipeline.rendering import Part, fit
from bot.ports import Connector, Editing, ManyAccounts
from bot.queue import JobLease, JobLeaseLost, TryAgain
from bot.runtime.channel_status import ChannelHealth
from bot.runtime.metrics import NullMetrics
from bot.store.deliveries import Deliveries
from bot.store.files import Files

log = structlog.get_logger(__name__)

SEND_TIMEOUT = 60.0
FIRST_PAUSE = timedelta(seconds=1)
MAX_PAUSE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
"""After this long the words are stale; the agent is told that they never arrived."""


class Outbox:
    def __init__(
        self,
        deliveries: Deliveries,
        files: Files,
        senders: Mapping[str, Connector],
        health: Mapping[str, ChannelHealth],
        metrics: NullMetrics | None = None,
    ) -> None:
        """``senders`` and ``health`` by channel; looked up at each delivery, so a channel may come later."""
        self._deliveries = deliveries
        self._files = files
        self._senders = senders
        self._health = health
        self._metrics = metrics or NullMetrics()

    def immediate(self, channel: str) -> bool:
        """Whether what is recorded there is with its customer."""
        sender = self._senders.get(channel)
        return sender is not None and sender.capabilities.immediate

    def placed(self, channel: str, seconds: float) -> None:
        """A reply was with its customer so long after it was written, without having been sent."""
        if channel in self._health:
            self._health[channel].sent()
        self._metrics.delivered(channel, datetime.now(UTC) - timedelta(seconds=seconds))

    async def deliver(self, message_id: int, job: JobLease) -> None:
        """Brings one message, in its current text, to the customer, or takes it back if it was deleted.

        Confirms its job before every call of the platform: of two workers, one of which was frozen, one acts.
        Raises ``TryAgain`` when the platform could not take it now."""
        try:
            await job.confirm()
            begun = job.known if isinstance(job.known, DeliveryInput) else None
            delivery = begun or await self._deliveries.begin(message_id)
            if delivery is not None:
                await self._try(delivery, job)
        except JobLeaseLost as lost:
            log.warning("delivery left to another worker", action="claim_lost", message=message_id, error=str(lost))

    async def _try(self, delivery: DeliveryInput, job: JobLease) -> None:
        try:
            await self._settle(delivery, job)
        except PermanentError as error:
            log.warning(
                "not delivered",
                action="delivery_failed",
                channel=delivery.contact.channel,
                message=delivery.message.id,
                error=str(error),
            )
            self._trouble(delivery, error.fault)
            await self._deliveries.fail(delivery, error.fault)
            self._metrics.delivery_failed(delivery.contact.channel)
        except TemporaryError as error:
            await self._postpone(delivery, error.fault, error.retry_after)
        except TimeoutError:
            await self._postpone(delivery, faults.NO_ANSWER, None)

    async def _settle(self, delivery: DeliveryInput, job: JobLease) -> None:
        contact = delivery.contact
        sender = self._senders.get(contact.channel)
        if sender is None:
            raise TemporaryError(faults.channel_off(contact.channel), retry_after=60)
        accounts = sender.accounts if isinstance(sender, ManyAccounts) else {sender.account}
        if sender.account and contact.account not in accounts:
            raise PermanentError(faults.other_account(contact.channel, contact.account, sender.account))
        parts = [] if delivery.message.deleted_at else fit(delivery.message, sender.capabilities)
        if delivery.in_doubt and delivery.version and sender.capabilities.idempotent and isinstance(sender, Editing):
            delivery = await self._find(delivery, sender, parts, job)
        delivery = await self._remove(delivery, sender, job, kept=len(parts))
        if delivery.placed >= len(parts):
            await self._deliveries.record_sent(delivery)
        for index in range(delivery.placed, len(parts)):
            outgoing = await self._outgoing(delivery, parts[index], index)
            external_id: str | None = None
            if index == len(delivery.external_ids) and delivery.version and not delivery.in_doubt:
                await self._deliveries.begin_send(delivery)
            await job.confirm()
            async with asyncio.timeout(SEND_TIMEOUT):
                if index >= len(delivery.external_ids):
                    external_id = await sender.send(outgoing)
                    if outgoing.repeated and not sender.capabilities.idempotent:
                        self._metrics.perhaps_doubled(contact.channel)
                elif outgoing.file is None:  # a file is never changed
                    await _editor(sender, contact.channel).edit(outgoing, delivery.external_ids[index])
            if index == len(parts) - 1:
                await self._deliveries.record_sent(delivery, index, external_id, job)
            else:
                await self._deliveries.record_part(delivery, index, external_id)
        if contact.channel in self._health:
            self._health[contact.channel].sent()
        self._metrics.delivered(contact.channel, _last_changed(delivery))

    async def _find(
        self, delivery: DeliveryInput, sender: Connector, parts: Sequence[Part], job: JobLease
    ) -> DeliveryInput:
        """Learns the id of the part that an earlier try may have left there, by sending it again under its key. It
        may show the words of that time: whoever calls changes it, or takes it back."""
        index = len(delivery.external_ids)
        # Words that were taken back are not shown again, should nothing have arrived.
        part = parts[index] if index < len(parts) else Part("…", MessageFormat.TEXT)
        outgoing = await self._outgoing(delivery, part, index)
        await job.confirm()
        async with asyncio.timeout(SEND_TIMEOUT):
            external_id = await sender.send(outgoing)
        await self._deliveries.record_found(delivery, external_id)
        return replace(
            delivery,
            external_ids=(*delivery.external_ids, external_id),
            sends=delivery.sends + 1,
            in_doubt=False,
        )

    async def _remove(self, delivery: DeliveryInput, sender: Connector, job: JobLease, *, kept: int) -> DeliveryInput:
        """Takes back the parts that the message no longer has, from the last one on."""
        if not delivery.leftover and len(delivery.external_ids) <= kept:
            return delivery
        editor = _editor(sender, delivery.contact.channel)
        if len(delivery.external_ids) > kept:
            # Said first: a part that may be gone is never edited, whatever the message becomes meanwhile.
            await self._deliveries.begin_removal(delivery, kept)
            delivery = replace(
                delivery,
                external_ids=delivery.external_ids[:kept],
                leftover=(*delivery.leftover, *delivery.external_ids[kept:]),
            )
        for external_id in reversed(delivery.leftover):
            await job.confirm()
            async with asyncio.timeout(SEND_TIMEOUT):
                await editor.delete(delivery.contact.chat_id, external_id)
            await self._deliveries.record_removed(delivery, external_id)
        return delivery

    async def _outgoing(self, delivery: DeliveryInput, part: Part, index: int) -> Outgoing:
        contact, message = delivery.contact, delivery.message
        file = None
        if part.file is not None:
            content = await self._files.get(part.file.sha256)
            file = File(part.file.name, part.file.media_type, content, as_file=part.file.kind == "file")
        return Outgoing(
            channel=contact.channel,
            account=contact.account,
            chat_id=contact.chat_id,
            text=part.text,
            format=part.format,
            buttons=part.buttons,
            file=file,
            reply_to=delivery.reply_to if index == 0 else None,
            # The id alone would return with an emptied database, and the index with a part that is taken back and
            # added again, both within the memory of a platform.
            key=f"{message.id}:{message.created_at.timestamp()}:{delivery.sends + index - len(delivery.external_ids)}",
            after=delivery.after,
            thread=delivery.thread,
            repeated=delivery.in_doubt and index == len(delivery.external_ids),
        )

    async def _postpone(self, delivery: DeliveryInput, reason: Fault, retry_after: float | None) -> None:
        now = datetime.now(UTC)
        message = delivery.message
        self._trouble(delivery, reason)
        if now - _last_changed(delivery) > GIVE_UP_AFTER:
            given_up = faults.given_up(GIVE_UP_AFTER, reason)
            await self._deliveries.fail(delivery, given_up, refused=retry_after is not None)
            self._metrics.delivery_failed(delivery.contact.channel)
            return
        if retry_after is not None:
            pause = timedelta(seconds=retry_after)
        else:
            pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 10), MAX_PAUSE)
        log.info(
            "delivery postponed",
            action="delivery_postponed",
            message=message.id,
            seconds=pause.total_seconds(),
            error=reason.words,
        )
        # Who says when to come again has not taken it; of any other trouble nobody knows.
        await self._deliveries.postpone(delivery, now + pause, reason, refused=retry_after is not None)
        self._metrics.delivery_postponed(delivery.contact.channel)
        raise TryAgain(now + pause)

    def _trouble(self, delivery: DeliveryInput, reason: Fault) -> None:
        if (health := self._health.get(delivery.contact.channel)) is not None:
            health.trouble(reason)


def _last_changed(delivery: DeliveryInput) -> datetime:
    message = delivery.message
    return max(filter(None, (message.created_at, message.edited_at, message.deleted_at, delivery.retried_at)))


def _editor(sender: Connector, channel: str) -> Editing:
    if not isinstance(sender, Editing):
        raise PermanentError(faults.unchangeable(channel))
    return sender
