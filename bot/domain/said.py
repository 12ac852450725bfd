"""What is to be said, before anybody knows in which language: the key of a phrase, and what fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Size(int):
    """Bytes: told as each language tells the size of a file."""


@dataclass(frozen=True, slots=True)
class Said:
    key: str
    """Of ``data/phrases``: ``refusal.empty``."""
    values: Mapping[str, object] = field(default_factory=dict)


class Refusal(ValueError):
    """What cannot be done. Its own words are for operators and the log; whoever asked at a page is told ``said``."""

    def __init__(self, words: str, key: str, /, **values: object) -> None:
        super().__init__(words)
        self.said = Said(key, values)
