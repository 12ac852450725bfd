"""Seed phrases in Chinese: single characters, with something between them or nothing at all.

Nearly every common character is a word of the lists, and one row of 12 in 16 has a right checksum by chance. What tells
a phrase from a sentence is its pairs of characters: the score of a pair says how much likelier ordinary Chinese is to
have it than a draw from the list (natural logarithm). Sentences have 3 on average, phrases -2.6. ``chinese.txt`` has
the scores; ``benchmarks/secrets/learn.py`` says how they were counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.phrases import SEED_WORDS
from bot.guard.secrets.view import View
from bot.guard.secrets.words import SIZES, chinese, valid_chinese

LEAST = 12
_SPACED = 10
"""So many single characters with something between them are hidden, unless they make a sentence."""
_SENTENCE = 1.0
"""A mean score above this is a sentence: no phrase of 100,000 had more than 0.3."""
_CEILING = 0.7
"""The highest of all thresholds below: windows above it are looked at no further."""
_VALID = {(False, False): -0.8, (False, True): 0.2, (True, False): 0.4, (True, True): 0.7}
"""Highest mean score of a row with a right checksum; by (bounded on both sides, words for it around). In the middle of
a sentence a phrase has more once in 1,000 times, and 3 of 17,500 reviews have less somewhere, checksum aside."""
_INVALID = {(False, False): -1.8, (False, True): -0.8, (True, False): -0.9, (True, True): -0.3}
"""The same of a row without one: with misspelt characters."""
_STRANGE = 2
"""Characters of 12 to 24 that are in no list, where it has misspelt ones."""
_DISTINCT = 9
_GROUP = 6
"""Characters of the longest group in which people write a phrase."""
_MOST_LOOKED = 1000
"""Windows of one stretch that are looked at closely; no message has as many. Behind them the score alone decides."""
_HOSTILE = -1.0

_BLOCK = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")
_SOFT = re.compile(r"[\W\d_]{1,8}")
_BEFORE = frozenset("是为為词詞叫下：:")
_AFTER = frozenset("请帮这我你怎谢对是能吗,，。")
_FIRST_LETTER = ord("A")


class _Model:
    def __init__(self, table: str) -> None:
        singles, *lines = table.splitlines()
        self.single = {singles[place + 1]: _score(singles[place]) for place in range(0, len(singles), 2)}
        self.rest: dict[str, float] = {}
        self.pairs: dict[str, float] = {}
        for line in lines:
            first = line[0]
            self.rest[first] = _score(line[1])
            score = 0.0
            for character in line[2:]:
                if character.isascii():
                    score = _score(character)
                else:
                    self.pairs[first + character] = score
        simplified, traditional = chinese()
        listed = list(simplified)
        self.fold = {
            ord(character): listed[place] for character, place in traditional.items() if character not in simplified
        }

    def scores(self, characters: str) -> list[float]:
        """Of each character with the one before it; the first has none."""
        known, single, rest = self.pairs.get, self.single.get, self.rest.get
        found = [0.0]
        for place in range(1, len(characters)):
            score = known(characters[place - 1 : place + 1])
            if score is None:
                one, other = rest(characters[place - 1]), single(characters[place])
                score = 0.0 if one is None or other is None else one + other
            found.append(score)
        return found


def _score(letter: str) -> float:
    return (ord(letter) - _FIRST_LETTER) * 0.5 - 4.0


@cache
def model() -> _Model:
    """Read once, 0.1 s."""
    return _Model((Path(__file__).parent / "chinese.txt").read_text("utf-8"))


class _Stretch:
    """Characters of one message with nothing but soft separators between them."""

    __slots__ = ("characters", "gaps", "listed", "message", "places", "scored", "sums")

    def __init__(self, message: int, blocks: list[re.Match[str]]) -> None:
        self.message = message
        self.characters = "".join(block[0] for block in blocks)
        self.places = [place for block in blocks for place in range(block.start(), block.end())]
        self.gaps = [0] * (len(self.characters) + 1)
        place = 0
        for block in blocks:
            self.gaps[place] = 1
            place += len(block[0])
        self.gaps[place] = 1
        learnt = model()
        folded = self.characters.translate(learnt.fold)
        self.sums = [0.0]
        for score in learnt.scores(folded):
            self.sums.append(self.sums[-1] + score)
        self.listed = [character in learnt.single for character in folded]
        self.scored: list[int] | None = None  # pairs of two listed characters before a place, where some are not
        if not all(self.listed):
            self.scored = [0, 0]
            for one, other in zip(self.listed, self.listed[1:], strict=False):
                self.scored.append(self.scored[-1] + (one and other))

    def mean(self, start: int, end: int) -> float:
        """Of the pairs of listed characters."""
        count = end - start - 1 if self.scored is None else self.scored[end] - self.scored[start + 1]
        return (self.sums[end] - self.sums[start + 1]) / max(1, count)

    def finding(self, start: int, end: int, certainty: Certainty) -> Finding:
        return Finding(SecretKind.SEED_PHRASE, (self.span(start, end),), certainty)

    def span(self, start: int, end: int) -> Span:
        return Span(self.message, self.places[start], self.places[end - 1] + 1)


def find(views: list[View]) -> Iterator[Finding]:
    """Every phrase of the Chinese lists."""
    rows = [_stretches(view, message) for message, view in enumerate(views)]
    for message, row in enumerate(rows):
        named = None
        for stretch in row:
            if len(stretch.characters) >= _SPACED:
                if named is None:
                    named = any(SEED_WORDS.search(view.lower) for view in views[max(0, message - 1) : message + 1])
                yield from _spaced(stretch)
                yield from _windows(stretch, named)
    if len(views) > 1:
        yield from _spread(rows)


def _stretches(view: View, message: int) -> list[_Stretch]:
    if view.plain.isascii():
        return []
    found: list[_Stretch] = []
    blocks: list[re.Match[str]] = []
    for block in _BLOCK.finditer(view.plain):
        if blocks and not _SOFT.fullmatch(view.plain, blocks[-1].end(), block.start()):
            found.append(_Stretch(message, blocks))
            blocks = []
        blocks.append(block)
    if blocks:
        found.append(_Stretch(message, blocks))
    return found


def _spaced(stretch: _Stretch) -> Iterator[Finding]:
    """Ten and more single characters in a row."""
    gaps, size = stretch.gaps, len(stretch.characters)
    start = 0
    for end in range(1, size + 1):
        alone = gaps[end - 1] and gaps[end]
        if alone and end < size:
            continue
        stop = end if alone else end - 1
        listed = sum(stretch.listed[start:stop])
        if stop - start >= _SPACED and listed * 5 >= (stop - start) * 4 and stretch.mean(start, stop) < _SENTENCE:
            valid = valid_chinese(stretch.characters[start:stop])
            yield stretch.finding(start, stop, Certainty.CERTAIN if valid else Certainty.LIKELY)
        start = end


def _windows(stretch: _Stretch, named: bool) -> Iterator[Finding]:
    sums, size = stretch.sums, len(stretch.characters)
    ceiling = _CEILING * (LEAST - 1)
    strange: list[int] | None = None
    looked, done = 0, 0
    for start in range(size - LEAST + 1):
        score = sums[start + LEAST] - sums[start + 1]
        if score >= ceiling or start < done:
            continue
        looked += 1
        if looked > _MOST_LOOKED:
            if score < _HOSTILE * (LEAST - 1):
                done = start + LEAST
                yield stretch.finding(start, done, Certainty.LIKELY)
            continue
        if strange is None:
            strange = [0]
            for listed in stretch.listed:
                strange.append(strange[-1] + (not listed))
        for length in SIZES:
            end = start + length
            if end > size:
                break
            mean = stretch.mean(start, end)
            if mean >= _CEILING or strange[end] - strange[start] > _STRANGE:
                continue
            certainty = _judge(stretch, start, end, mean, named)
            if certainty is not None:
                yield _widened(stretch, start, end, certainty)


def _judge(stretch: _Stretch, start: int, end: int, mean: float, named: bool) -> Certainty | None:
    characters = stretch.characters
    if len(set(characters[start:end])) < _DISTINCT:
        return None
    gaps = stretch.gaps
    bounded = bool(gaps[start] and gaps[end]) and _is_regular(gaps, start, end)
    begins = gaps[start] or characters[start - 1] in _BEFORE
    ends = gaps[end] or characters[end] in _AFTER or not stretch.listed[end]
    if (not bounded or not named) and 1 in gaps[start + 1 : end] and not _is_regular(gaps, start, end):
        begins = ends = False  # commas in a sentence
        if not named and not (gaps[start] and gaps[end]):
            return None
    elif mean < _INVALID[bounded, named] and (bounded or end - start == LEAST):
        return Certainty.CERTAIN if valid_chinese(characters[start:end]) else Certainty.LIKELY
    if mean < _VALID[bool(begins and ends), named] and valid_chinese(characters[start:end]):
        return Certainty.CERTAIN
    return None


def _is_regular(gaps: list[int], start: int, end: int) -> bool:
    """In one piece, or in groups of one size, the last perhaps shorter: as a list is written, not a sentence."""
    cuts = [place for place in range(start + 1, end) if gaps[place]]
    if not cuts:
        return True
    first = cuts[0] - start
    return first <= _GROUP and all(later - cut == first for cut, later in pairwise(cuts)) and end - cuts[-1] <= first


def _widened(stretch: _Stretch, start: int, end: int, certainty: Certainty) -> Finding:
    """A window without a checksum may be a part of a longer phrase: with the pairs beside it that make no sentence."""
    if certainty is Certainty.LIKELY:
        sums = stretch.sums
        least, most = max(0, start - LEAST), min(len(stretch.characters), end + LEAST)
        while start > least and not stretch.gaps[start] and sums[start + 1] < max(sums[start], sums[max(1, start - 3)]):
            start -= 1
        while end < most and not stretch.gaps[end] and min(sums[end + 1], sums[min(most, end + 4)]) < sums[end]:
            end += 1
    return stretch.finding(start, end, certainty)


_PIECE = 24
_SHORT = 4
"""Characters of a message that may be a part, whatever their score: too few to tell. Without a right checksum of all
chosen parts it counts for nothing."""
_PIECES_VALID = 0.4
_PIECES_INVALID = -1.2


def _spread(rows: list[list[_Stretch]]) -> Iterator[Finding]:
    """A phrase over several messages: of each the part that is least a sentence, joined in their order."""
    pieces = [piece for row in rows if (piece := _piece(row))]
    for count in range(len(pieces), 1, -1):
        for chosen in combinations(pieces, count):
            joined = "".join(stretch.characters[start:end] for stretch, start, end in chosen)
            if not LEAST <= len(joined) <= 2 * _PIECE or len(set(joined)) < _DISTINCT:
                continue
            score = sum(model().scores(joined.translate(model().fold))) / (len(joined) - 1)
            valid = score < _PIECES_VALID and valid_chinese(joined)
            if valid or (count == len(pieces) and score < _PIECES_INVALID):
                spans = tuple(stretch.span(start, end) for stretch, start, end in chosen)
                yield Finding(SecretKind.SEED_PHRASE, spans, Certainty.CERTAIN if valid else Certainty.LIKELY)
                return


def has_piece(view: View) -> bool:
    """Whether the message may be a part of a phrase."""
    return _piece(_stretches(view, 0)) is not None


def _piece(row: list[_Stretch]) -> tuple[_Stretch, int, int] | None:
    """What of a message may be a part of a phrase; None where most of it is a sentence."""
    total = sum(len(stretch.characters) for stretch in row)
    if not 1 <= total <= 2 * _PIECE:
        return None
    if total == 1:
        return (row[0], 0, 1) if row[0].listed[0] else None
    best: tuple[float, _Stretch, int, int] | None = None
    for stretch in row:
        size = len(stretch.characters)
        starts = [place for place in range(size) if stretch.gaps[place] or stretch.characters[place - 1] in _BEFORE]
        for start in starts:
            for end in (place for place in range(start + 2, size + 1) if stretch.gaps[place]):
                mean = stretch.mean(start, end)
                fits = (end - start) * 2 >= total and sum(stretch.listed[start:end]) >= end - start - 1
                short = end - start == total <= _SHORT
                if fits and (short or mean < _SENTENCE) and (best is None or (mean - end + start) < best[0]):
                    best = (mean - end + start, stretch, start, end)
    return best and best[1:]
