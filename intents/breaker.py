"""A circuit breaker before the engine: what keeps failing is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bot.domain.engine import EngineUnavailable, Prediction
from bot.ports import IntentEngine

log = structlog.get_logger(__name__)

FAILURES = 5
"""Failures in a row that open the circuit."""
PAUSE = 5.0
"""Seconds for which it is then open."""


class Breaker:
    """An ``IntentEngine`` over another. While the circuit is open, ``predict`` fails at once: customers are handed to
    people without first waiting for a timeout each, and the engine gets the quiet it needs to recover. After ``pause``
    seconds one text is let through as a trial; its success closes the circuit, its failure leaves it open."""

    def __init__(
        self,
        engine: IntentEngine,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    async def predict(self, text: str) -> Prediction:
        trial = self._open_until is not None
        if self._open_until is not None and (self._trying or self._clock() < self._open_until):
            raise EngineUnavailable(f"The engine failed {self._failures} times in a row and is left alone for now.")
        self._trying = trial
        try:
            prediction = await self._engine.predict(text)
        except EngineUnavailable:
            self._failed()
            raise
        finally:
            if trial:
                self._trying = False
        if self._open_until is not None:
            log.info("engine answers again", action="breaker_closed")
        self._failures, self._open_until = 0, None
        return prediction

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._most:
            if self._open_until is None:
                log.warning("engine keeps failing; customers go to people", action="breaker_open", pause=self._pause)
            self._open_until = self._clock() + self._pause

    async def healthy(self) -> bool:
        return await self._engine.healthy()
