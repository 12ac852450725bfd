"""The words of a message, and where in it so many are list words that a phrase may stand there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from operator import not_, sub
from typing import NamedTuple

from bot.guard.secrets.view import View
from bot.guard.secrets.words import key, owners

LEAST = 12
"""Words of the shortest phrase."""
MISSPELT = 2
"""Of 12 words, so many may be one edit from a word of the list."""

TOKEN = re.compile(
    "[A-Za-z\u00aa-\u024f\u0300-\u052f\u1e00-\u1fff]+|[\u3041-\u309f]+|[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+"
)
"""Words of Latin, Greek and Cyrillic letters, of hiragana and of Hangul; Chinese may stand right beside them."""

_MARGIN = 16
"""Words before and after a dense place that may belong to it: misspelt ones, and what follows a strange one."""
_WINDOW = 400
"""Words that are looked at together for labels: those of the longest phrase with three labels each, four times."""
_LABEL_TIMES = 4
"""A word that stands so often before or after a number is a label ("word 1", "第 2 个"), and is left out."""
_DIGIT = re.compile(r"\d")
FILLERS = frozenset(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth st nd rd th no nr number word and then um uh uhm er erm hm
    hmm comma dot period dash hyphen li br td tr div span""".split()  # noqa: SIM905
)
"""Said or written between the words of a list, and of none of them."""
_LEAD = re.compile(
    r"(?:[^:：\n]{0,60}?(?<![a-z])(?:seed|words|phrase|frase|mnemonic|one by one|part|half|continued?)(?![a-z])"
    r"(?:\s(?:coming|is|are|below|here|now|of|my|the|it|in|order|for|you|from|words?|phrase|part|half))*\s?[:：\n\d-]|"
    r"[a-z ]{0,30}?(?:one by one|(?:first|second|third|last|next|other) (?:part|half)|"
    r"(?:seed|recovery|backup|secret|my|the) (?:phrase|words)(?: coming| is)?)[\s:-]|"
    r"(?:and|then|next|(?:the )?rest|more)(?: is)?\s?[:：\n-])"
)
"""What a message says before its part of a phrase."""


class Token(NamedTuple):
    message: int
    start: int
    end: int
    key: str
    bits: int


class Row:
    """The words of one message: their keys, and the bits of the lists that have each."""

    __slots__ = ("_starts", "bits", "keys", "lower", "message", "plain", "words")

    def __init__(self, view: View, message: int) -> None:
        self.message = message
        self.plain, self.lower = view.plain, view.lower
        self.words: list[str] = TOKEN.findall(self.lower)
        self.keys = self.words if self.lower.isascii() else [w if w.isascii() else key(w) for w in self.words]
        self.bits = list(map(owners().get, self.keys, repeat(0)))
        self._starts: list[int] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def token(self, place: int) -> Token:
        if self._starts is None:
            self._starts = [match.start() for match in TOKEN.finditer(self.lower)]
        start = self._starts[place]
        return Token(self.message, start, start + len(self.words[place]), self.keys[place], self.bits[place])

    def tokens(self, places: Sequence[int] | None = None) -> list[Token]:
        return [self.token(place) for place in (range(len(self)) if places is None else places)]

    def dense(self) -> Iterator[list[Token]]:
        """Every part of the row in which of some twelve words ten are of lists."""
        for start, end in dense(self.bits):
            yield self.tokens(range(start, end))

    def dense_unlabelled(self) -> Iterator[list[Token]]:
        """The same of what ``unlabelled`` gives."""
        for places in self.unlabelled():
            for start, end in dense([self.bits[place] for place in places]):
                yield self.tokens(places[start:end])

    def unlabelled(self) -> Iterator[list[int]]:
        """Places of its words without labels and what stands between them over and over again, and then without words
        for places in a row ("first") and the like as well; of a long row, in parts that overlap."""
        for first in range(0, max(1, len(self) - _WINDOW // 2), _WINDOW // 2):
            window = range(first, min(first + _WINDOW, len(self)))
            drop = self._labels(window)
            before = len(window)
            for left_out in (drop, drop | FILLERS):
                places = [place for place in window if self.keys[place] not in left_out]
                if LEAST - MISSPELT <= len(places) < before:
                    yield places
                before = len(places)

    def of_piece(self) -> list[int]:
        """Places of the words that may be a part of a phrase: without what is said before it, and what is between."""
        lead = _LEAD.match(self.lower)
        first = len(TOKEN.findall(self.lower, 0, lead.end())) if lead else 0
        if first == len(self):
            first = 0
        while first < len(self) - 1 and self.keys[first] in FILLERS:
            first += 1
        times = Counter(self.keys)
        return [
            place
            for place in range(first, len(self))
            if (word := self.keys[place]) not in FILLERS or (self.bits[place] and times[word] == 1)
        ]

    def _labels(self, window: range) -> set[str]:
        most = max(_LABEL_TIMES, len(window) // LEAST)
        counts = Counter(self.keys[window.start : window.stop])
        drop = {word for word, times in counts.items() if times >= most}
        often = {word for word, times in counts.items() if _LABEL_TIMES <= times < most}
        if often and self._has_digits(window):
            numbered = Counter(
                self.keys[place] for place in window if self.keys[place] in often and self._is_numbered(place)
            )
            drop |= {word for word, times in numbered.items() if times >= _LABEL_TIMES}
        return drop

    def _has_digits(self, window: range) -> bool:
        start, end = self.token(window.start).start, self.token(window.stop - 1).end
        return _DIGIT.search(self.lower, max(0, start - 1), end + 3) is not None

    def _is_numbered(self, place: int) -> bool:
        """Whether a number stands right before or after the word."""
        token = self.token(place)
        if self.lower[max(0, token.start - 1) : token.start].isdigit():
            return True
        return self.lower[token.end : token.end + 3].lstrip(" #.:：")[:1].isdigit()


def dense(bits: Sequence[int]) -> list[tuple[int, int]]:
    """Places in a row, with a margin, between which some twelve words in a row have ten of lists, or all are that."""
    size = len(bits)
    others = [-1, *compress(range(size), map(not_, bits)), *[size] * (MISSPELT + 1)]
    last = len(others) - 2 - MISSPELT
    wide = [place for place, width in enumerate(map(sub, others[MISSPELT + 1 :], others)) if width > LEAST]
    for place in range(max(0, last - MISSPELT), last + 1):
        if LEAST - MISSPELT < others[place + MISSPELT + 1] - others[place] <= LEAST:
            wide.append(place)
    found: list[tuple[int, int]] = []
    for place in wide:
        start, end = max(0, others[place] + 1 - _MARGIN), min(size, others[place + MISSPELT + 1] + _MARGIN)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
