"""Customers in the queue whose wait has changed by much since they were told: they are told anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.dialogue import DialogueState
from bot.domain.situation import Situation
from bot.pipeline.speech import Speech
from bot.store.waiting import Waiting
from handoff.waiting import TOLD_FOR, told_anew

EVERY = 30.0
"""Seconds between two looks."""
AT_ONCE = 1000
"""Customers who are looked at in one sweep."""


class Expectations:
    def __init__(self, waiting: Waiting, situations: Callable[[int], Awaitable[Situation]], speech: Speech) -> None:
        """``situations`` says how the desk stands for who has that place in the queue."""
        self._waiting = waiting
        self._situations = situations
        self._speech = speech

    async def sweep(self) -> int:
        """Returns how many were told anew."""
        told = 0
        for one in await self._waiting.expecting(TOLD_FOR, AT_ONCE):
            situation = await self._situations(one.place)
            decision = told_anew(one.told, situation)
            if decision is None or decision.expects is None:
                continue
            [reply] = self._speech.replies(decision, DialogueState(), one.language)
            told += await self._waiting.tell(one, reply, decision.expects)
        return told
