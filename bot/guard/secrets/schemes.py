"""Seed phrases that no list of ours has, or that are written without any space."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.rows import LEAST, Row
from bot.guard.secrets.words import COMMON, lists, monero

_SIZES = (25, 13)
"""Words of Monero's phrases, and of MyMonero's."""
_SHORTEST, _LONGEST = 4, 12
"""Letters of the words of Monero's lists."""
_MOST_LOOKED = 10_000
"""Rows of a message whose checksum is counted; no message has as many that repeat a word at the end."""
_GLUED = range(24, 301)


def find_monero(row: Row) -> Iterator[Finding]:
    """25 words of four letters and more in a row, or MyMonero's 13, the last of them the checksum of the others."""
    keys, looked = row.keys, 0
    if len(keys) < min(_SIZES):
        return
    odd = [-1, *(place for place, word in enumerate(keys) if not _SHORTEST <= len(word) <= _LONGEST), len(keys)]
    for before, after in pairwise(odd):
        if after - before <= min(_SIZES):
            continue
        seen: dict[str, int] = {}
        for place in range(before + 1, after):
            word = keys[place]
            earlier = seen.get(word, -1)
            seen[word] = place
            for size in _SIZES:
                start = place - size + 1
                if earlier < start or start <= before:
                    continue
                looked += 1
                if looked > _MOST_LOOKED:
                    return
                if monero(keys[start : place + 1]) and (
                    size == _SIZES[0] or sum(part in COMMON for part in keys[start : place + 1]) <= 2
                ):
                    span = Span(row.message, row.token(start).start, row.token(place).end)
                    yield Finding(SecretKind.SEED_PHRASE, (span,), Certainty.CERTAIN)


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
