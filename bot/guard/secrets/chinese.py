"""Seed phrases in Chinese: single characters, with something between them or nothing at all.

Nearly every common character is a word of the lists, and one row of 12 in 16 has a right checksum by chance. What tells
a phrase from a sentence is its pairs of characters: the score of a pair says how much likelier ordinary Chinese is to
have it than a draw from the list (natural logarithm). Sentences have 3 on average, phrases -2.6. ``chinese.txt`` has
the scores; ``benchmarks/secrets/learn.py`` says how they were counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, combinations, pairwise, repeat
from operator import add, and_, not_, sub
from pathlib import Path
from typing import NamedTuple

from bot.guard.secrets.finding import Budget, Certainty, Finding, SecretKind, Span
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
_MOST_LOOKED = 2_000
"""Windows of a search that are looked at closely; no message has as many. Behind them the score alone decides."""
_HOSTILE = -1.0

_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")
_SOFT = "[\\W\\d_\u2460-\u24ff\u2776-\u2793]"
_STRETCH = re.compile(f"{_CHINESE.pattern}(?:{_SOFT}{{1,12}}{_CHINESE.pattern})*")
_LABEL = re.compile(
    "第 ?(?:\\d{1,2}|[一二三四五六七八九十]{1,3}) ?[个個]?(?:[单單]?[字词詞])?(?:是|为|為|叫)?(?=[\u3400-\u9fff])"
)
"""Before a character: "第3个字是". """
_LEAST_LABELS = 4
_WRAPPED = re.compile(r" *\n[ >]*")
_WRAP = 2
"""A gap that is the end of a line and no more."""
_NEW = 99.0
"""Of a pair that the table does not have."""
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
        found = [0.0, *map(self.pairs.get, map(add, characters, characters[1:]), repeat(_NEW))]
        single, rest = self.single.get, self.rest.get
        for place, score in enumerate(found):
            if score == _NEW:
                one, other = rest(characters[place - 1]), single(characters[place])
                found[place] = 0.0 if one is None or other is None else one + other
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

    def __init__(self, message: int, start: int, text: str) -> None:
        self.message = message
        self.characters = "".join(_CHINESE.findall(text))
        size = len(self.characters)
        self.places: Sequence[int] = range(start, start + size)
        self.gaps = bytearray(size + 1)  # before each character, and behind the last
        self.gaps[0] = self.gaps[size] = 1
        if size < len(text):
            self.places = [place + start for block in _CHINESE.finditer(text) for place in range(*block.span())]
            for place, (one, other) in enumerate(pairwise(self.places), 1):
                if other - one > 1:
                    between = text[one - start + 1 : other - start]
                    self.gaps[place] = _WRAP if _WRAPPED.fullmatch(between) else 1
        learnt = model()
        folded = self.characters.translate(learnt.fold)
        self.sums = list(accumulate(learnt.scores(folded), initial=0.0))
        self.listed = list(map(learnt.single.__contains__, folded))
        self.scored: list[int] | None = None  # pairs of two listed characters before a place, where some are not
        if not all(self.listed):
            self.scored = [0, *accumulate(map(and_, self.listed, self.listed[1:]), initial=0)]

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
    budget = Budget(_MOST_LOOKED)
    for message, row in enumerate(rows):
        named = None
        for stretch in row:
            if len(stretch.characters) >= _SPACED:
                if named is None:
                    named = any(SEED_WORDS.search(view.lower) for view in views[max(0, message - 1) : message + 1])
                yield from _spaced(stretch)
                yield from _windows(stretch, named, budget)
    if len(views) > 1:
        yield from _spread(rows)


def _stretches(view: View, message: int) -> list[_Stretch]:
    if view.plain.isascii():
        return []
    plain = view.plain
    if plain.count("第") >= _LEAST_LABELS and len(_LABEL.findall(plain)) >= _LEAST_LABELS:
        plain = _LABEL.sub(lambda match: " " * len(match[0]), plain)
    return [_Stretch(message, match.start(), match[0]) for match in _STRETCH.finditer(plain)]


def _spaced(stretch: _Stretch) -> Iterator[Finding]:
    """Ten and more single characters in a row."""
    gaps, size = stretch.gaps, len(stretch.characters)
    if len(gaps) - gaps.count(0) <= _SPACED:
        return
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


def _windows(stretch: _Stretch, named: bool, budget: Budget) -> Iterator[Finding]:
    sums, size = stretch.sums, len(stretch.characters)
    ceiling = _CEILING * (LEAST - 1)
    low = [place for place, score in enumerate(map(sub, sums[LEAST:], sums[1:])) if score < ceiling]
    if not low:
        return
    strange = [0, *accumulate(map(not_, stretch.listed))]
    done = 0
    for start in low:
        if start < done:
            continue
        if not budget.spend():
            if sums[start + LEAST] - sums[start + 1] < _HOSTILE * (LEAST - 1):
                done = start + LEAST
                yield stretch.finding(start, done, Certainty.LIKELY)
            continue
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
    if (not bounded or not named) and any(gaps[start + 1 : end]) and not _is_regular(gaps, start, end):
        begins = ends = False  # commas in a sentence
        if not named and not (gaps[start] and gaps[end]):
            return None
    elif mean < _INVALID[bounded, named] and (bounded or end - start == LEAST):
        return Certainty.CERTAIN if valid_chinese(characters[start:end]) else Certainty.LIKELY
    if mean < _VALID[bool(begins and ends), named] and valid_chinese(characters[start:end]):
        return Certainty.CERTAIN
    return None


def _is_regular(gaps: Sequence[int], start: int, end: int) -> bool:
    """In one piece, or in groups of one size, the last perhaps shorter: as a list is written, not a sentence. Or in
    lines, wherever they end."""
    cuts = [place for place in range(start + 1, end) if gaps[place]]
    if not cuts or all(gaps[cut] == _WRAP for cut in cuts):
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
_CHATTER = 1.0
"""The lowest mean score of a message that reads as words."""
_WORDS = 2.0
"""The lowest mean score of a short message that is no part: of pairs drawn from the list one in 80 has more."""
_LEAD = re.compile(
    "(?:我的|我|这是|這是|以下是|下面是|下面|就是|先发|先發|分开发|分開發|分段发|一个一个发|前面的?|前半|后面的?|後面的?|后半|後半|还有的?|還有的?|"
    "然后|然後|接着|接著|剩下的?|最后|最後|继续|繼續|助[记記憶忆]?[词詞]|单词|單詞|备份|備份|第[一二三四五1-5]部分|是)+的?"
)
"""What people say before a part of a phrase."""
_PIECES_VALID = 0.4
_PIECES_INVALID = -1.2


class _Piece(NamedTuple):
    """What of one message may be a part of a phrase."""

    stretch: _Stretch
    start: int
    end: int

    @property
    def characters(self) -> str:
        return self.stretch.characters[self.start : self.end]

    def is_apart(self) -> bool:
        """Whether it is single characters with something between."""
        return all(self.stretch.gaps[self.start : self.end + 1])

    def is_chatter(self) -> bool:
        """Whether it reads as words: "等一下"."""
        return self.end - self.start > 1 and not self.is_apart() and self.stretch.mean(self.start, self.end) > _CHATTER


def _spread(rows: list[list[_Stretch]]) -> Iterator[Finding]:
    """A phrase over several messages: of each the part that is least a sentence, joined in their order."""
    pieces = [piece for row in rows if (piece := _piece(row))]
    likely = [piece for piece in pieces if not piece.is_chatter()]
    for some in (likely, pieces):
        for count in range(len(some), 1, -1):
            for chosen in combinations(some, count):
                joined = "".join(piece.characters for piece in chosen)
                if len(joined) in SIZES and _score_of(joined) < _PIECES_VALID and valid_chinese(joined):
                    yield _joined(chosen, Certainty.CERTAIN)
                    return
    joined = "".join(piece.characters for piece in likely)
    if len(likely) > 1 and len(joined) <= 2 * _PIECE and len(set(joined)) >= _DISTINCT:
        score = _score_of(joined)
        apart = all(piece.is_apart() for piece in likely) and len(joined) >= _SPACED
        if (len(joined) >= LEAST and score < _PIECES_INVALID) or (apart and score < _SENTENCE):
            yield _joined(likely, Certainty.LIKELY)


def _score_of(characters: str) -> float:
    return sum(model().scores(characters.translate(model().fold))) / (len(characters) - 1)


def _joined(pieces: Sequence[_Piece], certainty: Certainty) -> Finding:
    spans = tuple(piece.stretch.span(piece.start, piece.end) for piece in pieces)
    return Finding(SecretKind.SEED_PHRASE, spans, certainty)


def has_piece(view: View) -> bool:
    """Whether the message may be a part of a phrase."""
    return _piece(_stretches(view, 0)) is not None


def _piece(row: list[_Stretch]) -> _Piece | None:
    """What of a message may be a part of a phrase; None where most of it is a sentence."""
    total = sum(len(stretch.characters) for stretch in row)
    if not 1 <= total <= 2 * _PIECE:
        return None
    if total == 1:
        return _Piece(row[0], 0, 1) if row[0].listed[0] else None
    best: tuple[float, _Piece] | None = None
    for stretch in row:
        size = len(stretch.characters)
        lead = _lead(stretch)
        starts = [
            place
            for place in range(lead, size)
            if stretch.gaps[place] or place == lead or stretch.characters[place - 1] in _BEFORE
        ]
        for start in starts:
            for end in (place for place in range(start + 1, size + 1) if stretch.gaps[place]):
                piece = _Piece(stretch, start, end)
                apart = piece.is_apart()
                if end - start < 2 and not (apart and lead == start):
                    continue
                fits = (end - start) * 2 >= total - lead and sum(stretch.listed[start:end]) >= end - start - 1
                mean = stretch.mean(start, end)
                short = end - start == total - lead <= _SHORT and mean < _WORDS
                worth = (mean if not apart else min(mean, 0.0)) - 2 * (end - start)
                if fits and (apart or short or mean < _SENTENCE) and (best is None or worth < best[0]):
                    best = (worth, piece)
    return best and best[1]


def _lead(stretch: _Stretch) -> int:
    """How many of its characters say that a part of a phrase comes, and are none of it."""
    match = _LEAD.match(stretch.characters)
    end = match.end() if match else 0
    return end if end < len(stretch.characters) else 0
