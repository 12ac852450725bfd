"""Secrets that customers must not share, once they are removed: which kinds there are, and what stands in their place.

Plain data. ``bot.guard.secrets`` finds them; nothing of a secret itself is ever in here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


OPENS_WALLETS = frozenset({SecretKind.SEED_PHRASE, SecretKind.PRIVATE_KEY, SecretKind.KEYSTORE})
"""Who has one of these has the coins."""
PUTS_FUNDS_AT_RISK = OPENS_WALLETS | {SecretKind.API_SECRET}

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
"""What stands for a secret that was removed: the same in every text that is kept. Whoever reads has it ``in_words``."""

LABEL = re.compile("|".join(map(re.escape, LABELS.values())))
"""Any of the labels."""
_KINDS = {label: kind for kind, label in LABELS.items()}


@dataclass(frozen=True, slots=True)
class Removed:
    """A message held a secret of that kind, and holds a label in its place."""

    kind: SecretKind
    doubtful: bool = False
    """It may have been something harmless of the same form, such as a transaction hash."""


@dataclass(frozen=True, slots=True)
class FoundInFile:
    """What the search of a file's content found. Of content that nobody searched there is none."""

    removed: tuple[Removed, ...] = ()
    searched: bool = True
    """False where it was kept without having been searched to its end: a picture, an archive."""
    withheld: bool = False
    """Nothing of the content is kept: out of such a document no secret can be cut."""

    @property
    def as_json(self) -> dict[str, Any]:
        return {"removed": to_json(self.removed), "searched": self.searched, "withheld": self.withheld}


def found_in_file(kept: Mapping[str, Any]) -> FoundInFile:
    """What ``as_json`` kept."""
    return FoundInFile(from_json(kept.get("removed")), kept.get("searched", True), kept.get("withheld", False))


class TheirCopy(StrEnum):
    """What becomes of the customer's own message on their platform."""

    NONE = "none"
    """The desk's own page shows the label in its place."""
    DELETED = "deleted"
    """The desk deletes it."""
    STAYS = "stays"
    """Only the customer can delete it."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """An earlier message of the customer that held a part of a secret, as it is to be from now on."""

    message_id: int
    was: str
    """Its words, with the part. Never kept, as are ``parts``."""
    text: str
    """The same with labels."""
    parts: tuple[str, ...]
    """What was cut out of it: to be looked for wherever else it was written."""
    removed: tuple[Removed, ...]


def at_risk(removed: Iterable[Removed]) -> bool:
    """Whether one of these surely opens somebody's funds."""
    return any(one.kind in PUTS_FUNDS_AT_RISK and not one.doubtful for one in removed)


def without_labels(text: str) -> str:
    """What the customer said besides their secrets."""
    return LABEL.sub(" ", text).strip()


def in_words(text: str, say: Callable[[str], str]) -> str:
    """The text with its labels in the reader's language. ``say`` says a phrase by its key, ``secret.label.<kind>``."""
    return LABEL.sub(lambda found: say(f"secret.label.{_KINDS[found[0]]}"), text)


def united(*several: Iterable[Removed]) -> tuple[Removed, ...]:
    """Each kind once, and without doubt where it was once found so; in the order of the kinds."""
    sure: dict[SecretKind, bool] = {}
    for one in (one for some in several for one in some):
        sure[one.kind] = sure.get(one.kind, False) or not one.doubtful
    return tuple(Removed(kind, not sure[kind]) for kind in SecretKind if kind in sure)


def to_json(removed: Iterable[Removed]) -> dict[str, bool] | None:
    """Whether it is sure, by kind; None for none."""
    return {one.kind.value: not one.doubtful for one in removed} or None


def from_json(kept: Mapping[str, bool] | None) -> tuple[Removed, ...]:
    """Passes over kinds that this version does not know."""
    known = set(SecretKind)
    return tuple(Removed(SecretKind(kind), not sure) for kind, sure in (kept or {}).items() if kind in known)
