"""What the bot has open with a customer: plain data. ``bot.domain.decision.transition`` is what changes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DialogueState:
    """The bot's memory of a conversation. A new conversation begins with nothing open, and so does one that a person
    was asked for or had."""

    misses: int = 0
    """Turns in a row that were not understood."""
    last_answer: str | None = None
    """The topic that the customer was last answered, while "did it help" is open."""
    offered: tuple[str, ...] = ()
    """The topics of the last question back, nearest first."""
