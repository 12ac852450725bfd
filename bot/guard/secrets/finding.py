"""What a search for secrets is told and what it finds: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.forms import Kind

__all__ = ["LABELS", "MOST_MESSAGES", "Certainty", "Finding", "Kind", "Known", "Searched", "SecretKind", "Span"]

MOST_MESSAGES = 5
"""Messages in a row that are searched together: over more, people do not spread a phrase."""


class SecretKind(StrEnum):
    """What a secret is."""

    SEED_PHRASE = "seed_phrase"
    PRIVATE_KEY = "private_key"
    KEYSTORE = "keystore"
    API_SECRET = "api_secret"  # noqa: S105  (the name of a kind)
    PASSWORD = "password"  # noqa: S105
    ONE_TIME_CODE = "one_time_code"
    CARD_NUMBER = "card_number"
    IDENTITY_NUMBER = "identity_number"


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


LABELS: Mapping[SecretKind, str] = {
    SecretKind.SEED_PHRASE: "[seed phrase removed]",
    SecretKind.PRIVATE_KEY: "[private key removed]",
    SecretKind.KEYSTORE: "[keystore removed]",
    SecretKind.API_SECRET: "[API secret removed]",
    SecretKind.PASSWORD: "[password removed]",
    SecretKind.ONE_TIME_CODE: "[code removed]",
    SecretKind.CARD_NUMBER: "[card number removed]",
    SecretKind.IDENTITY_NUMBER: "[identity number removed]",
}
"""What stands for a secret that was removed. The same in all languages: a page may put its own words in its place."""
