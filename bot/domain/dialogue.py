"""What the bot has open with a customer: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thread:
    """What the bot has open with the customer; a new conversation begins with nothing open."""

    misses: int = 0
    """Turns in a row that were not understood."""
    last_answer: str | None = None
    """The topic that the customer was last answered, while "did it help" is open."""
    offered: tuple[str, ...] = ()
    """The topics of the last question back, nearest first."""
