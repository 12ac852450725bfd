"""The one way in: what a connector brings is cleaned, recorded and counted, or somebody is told that it cannot be."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

import structlog

from bot import guard, monotonic
from bot.domain.message import ClearedIncoming, Command, Incoming, Receipt, Sender
from bot.pipeline.clearing import clear_alone
from bot.pipeline.dead_letters import described, own_fault
from bot.runtime.channel_status import ChannelHealth
from bot.runtime.metrics import Metrics
from bot.store.errors import is_transient, safe_message

log = structlog.get_logger(__name__)

MAX_TRIES = 5
"""Tries to record an event that fails by its own fault."""
REMEMBERED = 1000
"""Events whose failures are counted at once."""
REFUSAL_COUNTS = 30.0
"""Seconds for which a desk is not ready after a message that could not be recorded, unless another could."""
STAND_IN = "[A message that this desk cannot record: ask the customer for other words. The log has the error.]"
"""In the console, where the customer's words would stand."""


class Intake:
    def __init__(
        self,
        record: Callable[[ClearedIncoming], Awaitable[Receipt]],
        prefetch: Callable[[Incoming], None] = lambda _: None,
        health: Mapping[str, ChannelHealth] | None = None,
        metrics: Metrics | None = None,
        clear: Callable[[Incoming], Awaitable[ClearedIncoming]] = clear_alone,
    ) -> None:
        """``record`` commits an event, once it was made fit for that by ``clear``. ``prefetch`` is told of each before
        it is committed. ``health`` by channel."""
        self._clear = clear
        self._record = record
        self._prefetch = prefetch
        self._health = health or {}
        self._metrics = metrics
        self._failures: dict[tuple[str, str, str], int] = {}
        self._refusal = ""
        self._refused_at = -math.inf

    async def receive(self, incoming: Incoming) -> Receipt:
        """What every connector awaits: guard, then store. What it returns for is committed; where it raises, nothing
        is, and the platform must be left to bring it again."""
        cleared = await self._cleared(incoming)
        self._prefetch(cleared)
        try:
            receipt = await self.record(cleared)
        except Exception as error:
            if is_transient(error):
                self._refusal = safe_message(error)
                self._refused_at = monotonic.seconds()
                log.error("a message is left with its platform", action="not_recorded", error=self._refusal)
            raise
        self._refused_at = -math.inf
        self._tell(cleared, receipt)
        return receipt

    async def _cleared(self, incoming: Incoming) -> ClearedIncoming:
        """What cannot be searched for secrets is not recorded: a person is told of it instead."""
        try:
            return await self._clear(incoming)
        except Exception as error:
            if not own_fault(error):
                raise
            log.error(
                "an event cannot be searched", action="unsearched", channel=incoming.channel, error=described(error)
            )
            return _stand_in(incoming)

    def refusal(self) -> str | None:
        """Why the database did not take a message lately; None while it takes them. Small writes may still find room
        where a message does not."""
        lately = monotonic.seconds() - self._refused_at < REFUSAL_COUNTS
        return self._refusal if lately else None

    async def record(self, incoming: ClearedIncoming) -> Receipt:
        """Records one event. Raises what keeps it from being recorded; the platform then brings it again.

        An event that fails by its own fault would come again for ever, and hold up all that its account brings behind
        it: after ``MAX_TRIES`` a stand-in is recorded in its place, by which a person is asked for."""
        key = (incoming.channel, incoming.account, incoming.external_id)
        if self._failures.get(key, 0) >= MAX_TRIES:
            receipt = await self._record(_stand_in(incoming))
            log.error("an event cannot be recorded; a person was told", action="unrecordable", channel=incoming.channel)
        else:
            try:
                receipt = await self._record(incoming)
            except Exception as error:
                if own_fault(error):
                    log.error("an event fails", action="not_recorded", channel=incoming.channel, error=described(error))
                    self._count(key)
                raise
        self._failures.pop(key, None)
        return receipt

    def _tell(self, incoming: Incoming, receipt: Receipt) -> None:
        if self._metrics is not None:
            self._metrics.received(incoming, receipt)
        if incoming.channel in self._health and not receipt.duplicate:
            self._health[incoming.channel].received(incoming)
        log.info(
            "received",
            action="received",
            channel=incoming.channel,
            conversation=receipt.conversation_id,
            message=receipt.message_id,
            duplicate=receipt.duplicate,
        )

    def _count(self, key: tuple[str, str, str]) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        if len(self._failures) > REMEMBERED:
            self._failures.pop(next(iter(self._failures)))


def _stand_in(incoming: Incoming) -> ClearedIncoming:
    """Only what the event cannot be without."""
    stand_in = Incoming(
        channel=incoming.channel,
        account=incoming.account,
        external_id=incoming.external_id,
        sender=Sender(incoming.sender.external_id),
        chat_id=incoming.chat_id,
        text=STAND_IN,
        thread=incoming.thread,
        command=Command.HUMAN,
        mark=incoming.mark,
    )
    return guard.incoming(stand_in)
