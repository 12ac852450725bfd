"""What comes in is recorded, or somebody is told that it cannot be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.model import Command, Incoming, Receipt, Sender
from bot.tries import described, own_fault

log = structlog.get_logger(__name__)

MOST = 5
"""Tries to record an event that fails by its own fault."""
REMEMBERED = 1000
"""Events whose failures are counted at once."""
STAND_IN = "[A message that this desk cannot record: ask the customer for other words. The log has the error.]"
"""In the console, where the customer's words would stand."""


class Intake:
    def __init__(self, record: Callable[[Incoming], Awaitable[Receipt]]) -> None:
        self._record = record
        self._failures: dict[tuple[str, str, str], int] = {}

    async def record(self, incoming: Incoming) -> Receipt:
        """Records one event. Raises what keeps it from being recorded; the platform then brings it again.

        An event that fails by its own fault would come again for ever, and hold up all that its account brings behind
        it: after ``MOST`` tries a stand-in is recorded in its place, by which a person is asked for."""
        key = (incoming.channel, incoming.account, incoming.external_id)
        if self._failures.get(key, 0) >= MOST:
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

    def _count(self, key: tuple[str, str, str]) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        if len(self._failures) > REMEMBERED:
            self._failures.pop(next(iter(self._failures)))


def _stand_in(incoming: Incoming) -> Incoming:
    """Only what the event cannot be without."""
    return Incoming(
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
