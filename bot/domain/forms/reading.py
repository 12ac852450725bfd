"""A text while it is read: the same text in a few forms of equal length, and what was found in it so far."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from bot.domain.forms.detail import Detail, Kind

BEGIN = r"(?:(?<![0-9a-zа-я])|(?=[\u3040-\u9fff\uac00-\ud7af]))"
"""Where a word begins: not inside another. One in Chinese, Japanese or Korean may follow anything."""

_FIRST_WITHOUT_SPACES = "\u2e80"
_WORD = r"[a-z\u00aa-\u0e00\u1e00-\u1fff]+"

MOST = 10_000
"""Characters of a text in which all is looked for; behind them, hashes and addresses alone. Nobody writes as many, and
a hostile text of ten times that would keep everybody waiting for a second."""

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


def folded(text: str) -> str:
    """The text with full-width characters, foreign digits and odd spaces as their ASCII ones, of the same length."""
    return text if text.isascii() else text.translate(_FOLDED)


def _lower(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)


class Scan:
    """A pattern that is tried only where it may begin: at words, numbers and the characters in ``others``.

    A pattern tried at each position of a text costs half a microsecond a character, and there are a dozen of them.
    """

    __slots__ = ("_gate", "_pattern")

    def __init__(self, pattern: str, others: str = "", *, words: bool = True, numbers: bool = True) -> None:
        self._pattern = re.compile(pattern)
        gates = [_WORD] if words else []
        gates += [r"\d+"] if numbers else []
        gates += [f"[{re.escape(''.join(sorted(set(others))))}]"] if others else []
        self._gate = re.compile("|".join(gates))

    def find(self, text: str) -> Iterator[re.Match[str]]:
        """What ``finditer`` gives, the first at each place."""
        match_at, done = self._pattern.match, 0
        for candidate in self._gate.finditer(text):
            start = candidate.start()
            if start >= done and (match := match_at(text, start)):
                done = match.end()
                yield match


def beginnings(pattern: str) -> str:
    """The first characters of words in ``pattern`` (words with ``|`` between) that are no letters of an alphabet."""
    return "".join({word[0] for word in pattern.split("|") if word[:1] >= _FIRST_WITHOUT_SPACES})


@dataclass(slots=True)
class Reading:
    """What finders work on. Positions are the same in ``text``, ``plain`` and ``lower``."""

    text: str
    expecting: frozenset[Kind]
    plain: str = field(init=False)
    """Full-width characters, foreign digits and odd spaces as their ASCII ones."""
    lower: str = field(init=False)
    """In small letters, the first ``MOST`` characters."""
    has_digit: bool = field(init=False)
    found: list[Detail] = field(init=False, default_factory=list)
    _taken: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.plain = folded(self.text)
        self.lower = _lower(self.plain[:MOST])
        self.has_digit = any(digit in self.lower for digit in "0123456789")
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
