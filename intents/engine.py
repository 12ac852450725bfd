"""What the desk asks of an intent engine."""

from __future__ import annotations

from typing import Protocol

from bot.model import EngineUnavailable, Prediction

__all__ = ["EngineUnavailable", "IntentEngine", "Prediction"]


class IntentEngine(Protocol):
    async def predict(self, text: str) -> Prediction:
        """The intents that ``text`` may hold, best first.

        Raises ``ValueError`` for a text without a visible character, ``EngineUnavailable`` if there is
        no trustworthy answer in time, whatever the cause. Nothing else.
        """
        ...

    async def healthy(self) -> bool:
        """Whether ``predict`` would answer now. Never raises."""
        ...
