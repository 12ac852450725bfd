"""What a search for secrets is told and what it finds: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.forms import Kind
from bot.domain.secret import LABELS, SecretKind

__all__ = ["LABELS", "MOST_MESSAGES", "Certainty", "Finding", "Kind", "Known", "Searched", "SecretKind", "Span"]

MOST_MESSAGES = 5
"""Messages in a row that are searched together: over more, people do not spread a phrase."""


class Certainty(StrEnum):
    """How sure a finding is."""

    CERTAIN = "certain"
    """A checksum is right, or nothing else has this form."""
    LIKELY = "likely"
    """The form and what stands around it say so."""
    DOUBTFUL = "doubtful"
    """It may be something harmless of the same form, such as a transaction hash: hide it, and ask."""


class Budget:
    """How often a search may still do something that takes long; no message of anybody's comes near."""

    __slots__ = ("_left",)

    def __init__(self, most: int) -> None:
        self._left = most

    def spend(self) -> bool:
        """Whether it may be done once more."""
        self._left -= 1
        return self._left >= 0


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one message: ``texts[message][start:end]``."""

    message: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret; it has several spans where it is spread over messages."""

    kind: SecretKind
    spans: tuple[Span, ...]
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beforehand: the kinds of detail that the customer was asked for, and the kinds of secret that this
    deployment lets pass."""

    asked: frozenset[Kind] = field(default_factory=frozenset)
    off: frozenset[SecretKind] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Searched:
    """The findings by position, not overlapping, and each text with ``LABELS`` in the place of its secrets."""

    findings: tuple[Finding, ...]
    redacted: tuple[str, ...]
