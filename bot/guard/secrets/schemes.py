"""Seed phrases that no list of ours has, or that are written without any space."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from bot.guard.secrets.finding import Budget, Certainty, Finding, SecretKind, Span
from bot.guard.secrets.rows import LEAST, TOKEN, Row
from bot.guard.secrets.words import COMMON, lists, monero

_SIZES = (25, 13)
"""Words of Monero's phrases, and of MyMonero's."""
_SHORTEST, _LONGEST = 4, 12
"""Letters of the words of Monero's lists."""
_MOST_LOOKED = 10_000
"""Rows of a message whose checksum is counted; no message has as many that repeat a word at the end."""
_NUMBERED = re.compile(rf"(?<!\d)(\d{{1,2}})[.):,、\s-]{{1,3}}({TOKEN.pattern})")
_PIECE = 3
"""Words of a message that may be a part of a phrase of Monero's."""
_MOST_LEAD = 3
_MOST_OTHERS = 20
"""Other words of a message with a phrase of 13 words or with labels between: the checksum, which is right once in 12 or
24 rows of words that end with a repeated one, says too little in a longer text."""
_NUMBERED_PART, _MOST_NUMBERED = 1_000, 60
"""Characters in which numbered words are looked for together, and how many they may be."""
_GLUED = range(24, 301)


def find_monero(row: Row) -> Iterator[Finding]:
    """25 words of four letters and more in a row, or MyMonero's 13, the last of them the checksum of the others; also
    between labels, and in columns by their numbers."""
    if len(row) < min(_SIZES):
        return
    budget = Budget(_MOST_LOOKED)
    yield from _by_checksum(row, range(len(row)), budget)
    for places in row.unlabelled():
        if len(places) <= _MOST_OTHERS + max(_SIZES):
            yield from _by_checksum(row, places, budget)
    for start in range(0, len(row.plain), _NUMBERED_PART):
        numbered = list(_NUMBERED.finditer(row.plain, start, start + 2 * _NUMBERED_PART))
        if min(_SIZES) <= len(numbered) <= _MOST_NUMBERED:
            yield from _in_columns(row, numbered)


def _by_checksum(row: Row, places: Sequence[int], budget: Budget) -> Iterator[Finding]:
    keys = [row.keys[place] for place in places]
    odd = [-1, *(place for place, word in enumerate(keys) if not _SHORTEST <= len(word) <= _LONGEST), len(keys)]
    for before, after in pairwise(odd):
        if after - before <= min(_SIZES):
            continue
        seen: dict[str, int] = {}
        for place in range(before + 1, after):
            earlier = seen.get(keys[place], -1)
            seen[keys[place]] = place
            for size in _SIZES:
                start = place - size + 1
                if earlier < start or start <= before:
                    continue
                if not budget.spend():
                    return
                tokens = [row.token(places[other]) for other in range(start, place + 1)]
                common = sum(token.key in COMMON for token in tokens)
                alone = common <= 2 and len(row) <= size + _MOST_OTHERS
                if (alone or size == max(_SIZES)) and _is_monero([row.plain[one.start : one.end] for one in tokens]):
                    span = Span(row.message, tokens[0].start, tokens[-1].end)
                    yield Finding(SecretKind.SEED_PHRASE, (span,), Certainty.CERTAIN)


def find_monero_spread(rows: list[Row]) -> Iterator[Finding]:
    """The same over several messages."""
    pieces = []
    for row in rows:
        places = row.of_piece()
        if is_monero_piece([row.keys[place] for place in places]):
            pieces.append([(row, row.token(place)) for place in places])
    for count in range(len(pieces), 1, -1):
        for chosen in combinations(pieces, count):
            joined = [row.plain[token.start : token.end] for piece in chosen for row, token in piece]
            # The first words may say what follows: "recovery phrase malady behind fatal …".
            if any(size <= len(joined) <= size + _MOST_LEAD and _is_monero(joined[-size:]) for size in _SIZES):
                spans = tuple(Span(piece[0][0].message, piece[0][1].start, piece[-1][1].end) for piece in chosen)
                yield Finding(SecretKind.SEED_PHRASE, spans, Certainty.CERTAIN)
                return


def is_monero_piece(keys: Sequence[str]) -> bool:
    """Whether a message of these words may be a part of a phrase: all as long as its words, few of them common."""
    if len(keys) < _PIECE or not all(_SHORTEST <= len(word) <= _LONGEST for word in keys):
        return False
    return sum(word in COMMON for word in keys) * 3 <= len(keys)


def _in_columns(row: Row, numbered: list[re.Match[str]]) -> Iterator[Finding]:
    by_number = {int(match[1]): match for match in numbered}
    for size in _SIZES:
        if all(number in by_number for number in range(1, size + 1)):
            chosen = [by_number[number] for number in range(1, size + 1)]
            if _is_monero([match[2] for match in chosen]):
                start, end = min(match.start() for match in chosen), max(match.end() for match in chosen)
                yield Finding(SecretKind.SEED_PHRASE, (Span(row.message, start, end),), Certainty.CERTAIN)


def _is_monero(words: list[str]) -> bool:
    """As they are written, or in small letters."""
    return monero(words) or monero([word.lower() for word in words]) or monero([word.capitalize() for word in words])


def find_glued(row: Row) -> Iterator[Finding]:
    """A phrase without any space: ``abandonability…``, in one list, whichever way it is cut."""
    for place, word in enumerate(row.words):
        if len(word) in _GLUED and _is_glued(row.keys[place]):
            token = row.token(place)
            span = Span(row.message, token.start, token.end)
            yield Finding(SecretKind.SEED_PHRASE, (span,), Certainty.CERTAIN)


def _is_glued(word: str) -> bool:
    for words in lists():
        reached: list[int | None] = [0, *[None] * len(word)]
        furthest = 0
        for place, count in enumerate(reached):
            if place > furthest:
                break
            if count is not None:
                for length in range(2, 9):
                    if word[place : place + length] in words.index and place + length < len(reached):
                        reached[place + length] = count + 1
                        furthest = max(furthest, place + length)
        if (reached[-1] or 0) >= LEAST:
            return True
    return False
