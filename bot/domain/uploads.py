"""Files that a customer brings before the message that names them: what they are, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

DAY = timedelta(days=1)
"""So long an upload waits for its message, and so long it counts."""
LEAST = 64 * 1024
"""Bytes that the smallest upload counts: rows cost, too."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a customer brings, besides its content."""

    id: str
    """Made by the page, the same at every retry; of one customer."""
    kind: str
    """As of an ``Attachment``."""
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class DailyBounds:
    """Bytes that are taken within a day."""

    of_one: int
    of_all: int


class UploadsFull(Exception):
    """As many bytes as are allowed were brought within a day."""

    def __init__(self, *, by_all: bool) -> None:
        super().__init__(
            "customers together have brought too many files" if by_all else "too many files of one customer"
        )
        self.by_all = by_all
        """By all customers together, rather than by this one."""


class OtherContent(Exception):
    """The customer brought something else under that id."""
