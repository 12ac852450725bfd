"""What is to be said, before anybody knows in which language: the key of a phrase, and what fills it; and how that is
kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Size(int):
    """Bytes: told as each language tells the size of a file."""


@dataclass(frozen=True, slots=True)
class Said:
    key: str
    """Of ``data/phrases``: ``refusal.empty``."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Numbers, texts, and what is said in the same language within it: a ``Fault``."""

    @property
    def kept(self) -> dict[str, Any]:
        """As JSON, from which ``said_of`` makes it again."""
        return {"say": self.key, "values": {name: _kept(value) for name, value in self.values.items()}}


def said_of(kept: Mapping[str, Any] | None) -> Said | None:
    """The phrase that was kept so; None for anything else."""
    if not kept or "say" not in kept:
        return None
    values = kept.get("values", {})
    return Said(kept["say"], {name: fault_of(one) if isinstance(one, dict) else one for name, one in values.items()})


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with a channel, a message or an attachment."""

    words: str
    """For operators and the log, without secrets and without customers' words."""
    said: Said | None = None
    """What agents read of it, each in their language. Without it, or where no language has the phrase: ``words``."""

    def __str__(self) -> str:
        return self.words

    @property
    def kept(self) -> str | dict[str, Any]:
        """As JSON, from which ``fault_of`` makes it again."""
        return self.words if self.said is None else {"words": self.words, **self.said.kept}

    def cut(self, length: int) -> Fault:
        """With no text in it that is longer."""
        if self.said is None:
            return Fault(self.words[:length])
        values = {name: _cut(value, length) for name, value in self.said.values.items()}
        return Fault(self.words[:length], Said(self.said.key, values))


def fault(words: str, key: str, /, **values: object) -> Fault:
    """``words`` is the phrase ``key`` in plain English; both are filled with ``values``. A fault among them is said in
    the language of the whole."""
    told = {name: one.words if isinstance(one, Fault) and one.said is None else one for name, one in values.items()}
    return Fault(words.format(**values), Said(key, told))


def as_fault(error: Fault | str) -> Fault:
    return Fault(error) if isinstance(error, str) else error


def fault_of(kept: Any) -> Fault | None:
    """The fault that was kept so; None for nothing."""
    if isinstance(kept, dict):
        return Fault(kept.get("words", ""), said_of(kept))
    return Fault(kept) if kept else None


def _kept(value: object) -> object:
    if isinstance(value, Fault):
        return value.kept
    return value if isinstance(value, int | float | str) else str(value)


def _cut(value: object, length: int) -> object:
    if isinstance(value, Fault):
        return value.cut(length)
    return value if isinstance(value, int | float) else str(value)[:length]


class Refusal(ValueError):
    """What cannot be done. Its own words are for operators and the log; whoever asked at a page is told ``said``."""

    def __init__(self, words: str, key: str, /, **values: object) -> None:
        super().__init__(words)
        self.said = Said(key, values)
