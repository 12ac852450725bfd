"""A text while it is read: the same text in a few forms of equal length, and what was found in it so far."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from bot.domain.forms.detail import Detail, Kind

SEPARATOR = "\u200b"
"""What every invisible character is read as."""


def _table() -> dict[int, str]:
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    del table[0xFF0C]  # the comma between clauses: no part of a number
    table |= dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
    table |= dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)), SEPARATOR)
    table |= dict.fromkeys((0xFEFF, 0xFE0E, 0xFE0F), SEPARATOR)
    table |= dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212), "-") | {0x2018: "'", 0x2019: "'"}
    table |= {0x22EF: "…", 0x2025: "…"}
    for zero in (0x0660, 0x06F0):
        table |= {zero + digit: str(digit) for digit in range(10)}
    return table


_FOLDED = _table()


def _lower(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)


@dataclass(slots=True)
class Reading:
    """What finders work on. Positions are the same in ``text``, ``plain`` and ``lower``."""

    text: str
    expecting: frozenset[Kind]
    plain: str = field(init=False)
    """Full-width characters, foreign digits and odd spaces as their ASCII ones."""
    lower: str = field(init=False)
    has_digit: bool = field(init=False)
    found: list[Detail] = field(init=False, default_factory=list)
    _taken: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.plain = self.text if self.text.isascii() else self.text.translate(_FOLDED)
        self.lower = _lower(self.plain)
        self.has_digit = any(digit in self.plain for digit in "0123456789")
        self._taken = bytearray(len(self.text))

    def expects(self, kinds: Collection[Kind]) -> bool:
        return not self.expecting.isdisjoint(kinds)

    def free(self, start: int, end: int) -> bool:
        """Whether nothing was found there yet."""
        return self._taken.find(1, start, end) < 0

    def take(self, detail: Detail) -> bool:
        """Keeps the detail, unless something was found in its place before."""
        if detail.start >= detail.end or not self.free(detail.start, detail.end):
            return False
        self._taken[detail.start : detail.end] = b"\x01" * (detail.end - detail.start)
        self.found.append(detail)
        return True

    def words(self, start: int, end: int) -> str:
        """The customer's own words there, on one line."""
        return " ".join(self.plain[start:end].replace(SEPARATOR, "").split())
