"""Seed phrases whose words are written with letters: in a row, numbered, in columns, damaged, spread over messages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.view import Around, View
from bot.guard.secrets.words import COMMON, OLD, SIZES, Words, electrum_seed, is_word, key, lists, monero, owners

LEAST = 12
"""Words of the shortest phrase."""
_MISSPELT = 2
"""Of 12 words, so many may be one edit from a word of the list."""
_DISTINCT = 9
"""Different words among 12: 12 drawn from 2,048 have fewer once in 300,000 times."""
_COMMON_VALID = 9
"""Words of ``COMMON`` among 12 whose checksum is right: a phrase has more once in 100,000 times. Sentences made of list
words alone have more, and every sixteenth of these validates by chance."""
_COMMON_SHAPED = 8
"""The same without a checksum, where the shape (a list, one a line, numbered) or the words around say what it is."""
_COMMON_BARE = 6
"""The same without either: a phrase has more six times in 1,000, which is the price for sentences."""
_BEYOND = 3
"""Words of the list behind a word that is too misspelt to be near one, with which the phrase goes on."""
_LABEL_TIMES = 4
"""A word that stands so often before or after a number is a label ("word 1", "第 2 个"), and is left out."""

TOKEN = re.compile(
    "[A-Za-z\u00aa-\u024f\u0300-\u052f\u1e00-\u1fff]+|[\u3041-\u309f]+|[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+"
)
"""Words of Latin, Greek and Cyrillic letters, of hiragana and of Hangul; Chinese may stand right beside them."""
_GLUED = re.compile("(?<![a-z])[a-z]{36,300}(?![a-z])|[\u3041-\u309f]{36,300}|[\uac00-\ud7a3]{24,300}")
SEED_WORDS = re.compile(
    r"助记[词詞]|助記詞|备份|備份|抄(?:的|下|写|了)|导入|導入|恢复|恢復|恢复词|恢復詞|备份词|種子|种子|私钥|私鑰|注记词|助计词|記憶詞|记忆词|"
    r"\b(?:seed|mnemonic|(?:recovery|secret|backup|wallet) (?:phrase|words)|phrase|words|srp|import|restored?|"
    r"recover(?:ed|y)?)\b|"
    r"frase (?:semilla|de recuperaci)|phrase (?:de r[ée]cup|secr)|"
    r"сид[ -]?фраз|мнемон|シード|ニーモニック|リカバリー|시드|니모닉|복구"
)
_ORDINALS = frozenset(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth st nd rd th no nr number word""".split()  # noqa: SIM905
)
_SEPARATED = re.compile(r"[\n,;|/、，；\d_]")


class Token(NamedTuple):
    message: int
    start: int
    end: int
    key: str
    bits: int


def find(views: list[View]) -> Iterator[Finding]:
    """Every phrase; the same words may be found more than once."""
    rows = [_tokens(view, message) for message, view in enumerate(views)]
    total = Counter[int]()
    for row in rows:
        total.update(token.bits for token in row if token.bits)
    for message, row in enumerate(rows):
        yield from _monero(row)
        yield from _glued(views[message], message)
    if sum(total.values()) < LEAST - _MISSPELT:
        return
    found: list[Finding] = []
    for words in lists():
        if sum(times for bits, times in total.items() if bits & words.bit) < LEAST - _MISSPELT:
            continue
        for row in rows:
            hits = sum(token.bits & words.bit != 0 for token in row)
            if hits >= LEAST - _MISSPELT:
                found.extend(_however_written(row, words, views))
        if len(rows) > 1:
            found.extend(_spread(rows, words, views))
    yield from found


def _tokens(view: View, message: int) -> list[Token]:
    owner = owners().get
    row = []
    for match in TOKEN.finditer(view.plain):
        word = key(match[0])
        row.append(Token(message, *match.span(), word, owner(word, 0)))
    return row


def _however_written(row: list[Token], words: Words, views: list[View]) -> list[Finding]:
    """As it stands, else without labels, else without words for places in a row ("first") as well."""
    found = list(_in_row(row, words, views))
    if not found:
        bare = _unlabelled(row, views)
        found = list(_in_row(bare, words, views)) if len(bare) < len(row) else []
        if not found:
            plain = [token for token in bare if token.key not in _ORDINALS]
            found = list(_in_row(plain, words, views)) if len(plain) < len(row) else []
    return found


def _unlabelled(row: list[Token], views: list[View]) -> list[Token]:
    """Without labels, and what stands between the words over and over again."""
    view = views[row[0].message]
    labels = Counter(
        token.key
        for token in row
        if view.plain[token.end : token.end + 2].strip(" #.:：")[:1].isdigit()
        or view.plain[max(0, token.start - 1) : token.start].isdigit()
    )
    times = Counter(token.key for token in row)
    most = max(_LABEL_TIMES, len(row) // 12)
    return [token for token in row if labels[token.key] < _LABEL_TIMES and times[token.key] < most]


def _in_row(row: Sequence[Token], words: Words, views: list[View]) -> Iterator[Finding]:
    for part in _parts(row, words):
        certainty = _judge(part, words, views)
        if certainty is not None:
            yield _finding(part, certainty)


def _parts(row: Sequence[Token], words: Words) -> Iterator[list[Token]]:
    """Stretches in which every token is a word of the list or, two in twelve, nearly one; or eleven without a flaw, of
    which one word was lost."""
    bit = words.bit
    size = len(row)
    hits = [0]
    for token in row:
        hits.append(hits[-1] + (token.bits & bit != 0))
    dense = LEAST - _MISSPELT
    place = 0
    while place < size:
        # A phrase begins, a misspelt word aside, with a list word before ten others in twelve.
        if not row[place].bits & bit or hits[min(size, place + LEAST)] - hits[place] < dense:
            place += 1
            continue
        start = place
        wrong: list[int] = []
        while place < size:
            if not row[place].bits & bit:
                if len([gap for gap in wrong if gap > place - LEAST]) >= _MISSPELT or not words.near(row[place].key):
                    break
                wrong.append(place)
            place += 1
        end = place
        # What is nearly a word at the edges belongs to it only where the count says so.
        first = start - 1
        before = first >= 0 and not row[first].bits & bit and words.near(row[first].key)
        inner = end - start
        while wrong and wrong[-1] == end - 1 and inner not in SIZES:
            wrong.pop()
            end -= 1
            inner -= 1
        if before and (inner + 1 in SIZES or inner in (LEAST - 1, LEAST - 2)):
            start = first
            if end - start == LEAST - 1 and start and words.near(row[start - 1].key):
                start -= 1
        if end - start >= LEAST or (end - start == LEAST - 1 and not wrong):
            first, end = _stretched(row, start, end, words)
            place = max(place, end)
            yield list(row[first:end])


def _stretched(row: Sequence[Token], start: int, end: int, words: Words) -> tuple[int, int]:
    """Beyond a single strange token, where at least three words of the list follow it: too misspelt to be near one."""

    def goes_on(beyond: Sequence[Token]) -> bool:
        common = words.is_english and sum(token.key in COMMON for token in beyond) > 1
        return len(beyond) == _BEYOND and all(token.bits & words.bit for token in beyond) and not common

    while goes_on(row[end + 1 : end + 1 + _BEYOND]):
        end += 1 + _BEYOND
        while end < len(row) and row[end].bits & words.bit:
            end += 1
    while start > _BEYOND and goes_on(row[start - 1 - _BEYOND : start - 1]):
        start -= 1 + _BEYOND
        while start and row[start - 1].bits & words.bit:
            start -= 1
    return start, end


def _judge(part: Sequence[Token], words: Words, views: list[View]) -> Certainty | None:
    """Whether the words are a phrase: how sure, or None."""
    keys = [token.key for token in part]
    shaped = _is_shaped(part, views)
    common = [word in COMMON for word in keys] if words.is_english else [False] * len(keys)
    if next(_valid(keys, words), None) is not None:
        if shaped or not words.is_english:
            return Certainty.CERTAIN
        if any(sum(common[s : s + n]) * LEAST <= _COMMON_VALID * n for s, n in _valid(keys, words)):
            return Certainty.CERTAIN
    limit = _COMMON_SHAPED if shaped else _COMMON_BARE
    if words.name == OLD:
        limit += 2 if shaped else -1  # more than one in four of its words is common
    if len(keys) < LEAST:
        return Certainty.LIKELY if sum(common) <= limit // 2 and len(set(keys)) >= _DISTINCT else None
    for place in range(len(keys) - LEAST + 1):
        window = keys[place : place + LEAST]
        if sum(common[place : place + LEAST]) <= limit and len(set(window)) >= _DISTINCT:
            exact = all(token.bits & words.bit for token in part[place : place + LEAST])
            return Certainty.CERTAIN if exact else Certainty.LIKELY
    return None


def _valid(keys: Sequence[str], words: Words) -> Iterator[tuple[int, int]]:
    """Places and sizes of the windows whose checksum is right. Of a very long row, those near its beginning."""
    for size in sorted(SIZES, reverse=True):
        for start in range(min(len(keys) - size + 1, _MOST_WINDOWS)):
            window = keys[start : start + size]
            if words.valid(window) or (size in (12, 24) and words.name == "en" and electrum_seed(window)):
                yield start, size


_MOST_WINDOWS = 200


def _is_shaped(part: Sequence[Token], views: list[View]) -> bool:
    """Whether it is written as a list is, is all that its message says, or words around say that it is a phrase."""
    first, last = part[0], part[-1]
    between = sum(
        _SEPARATED.search(views[one.message].plain, one.end, other.start) is not None
        for one, other in pairwise(part)
        if one.message == other.message
    )
    if between * 3 >= len(part):
        return True
    view = views[first.message]
    if first.message == last.message and len(part) in SIZES:
        alone = not TOKEN.search(view.plain[: first.start]) and not TOKEN.search(view.plain, last.end)
        if alone:
            return True
    around = Around(views, first.message, first.start, first.end)
    return SEED_WORDS.search(around.before) is not None or (
        SEED_WORDS.search(Around(views, last.message, last.start, last.end).after) is not None
    )


def _spread(rows: list[list[Token]], words: Words, views: list[View]) -> Iterator[Finding]:
    """A phrase over several messages: the longest stretch of each that is mostly list words, joined in their order."""
    pieces = [piece for row in rows if row and (piece := _piece(row, words))]
    if len(pieces) < 2:
        return
    for count in range(len(pieces), 1, -1):
        for chosen in combinations(pieces, count):
            joined = [token for piece in chosen for token in piece]
            keys = [token.key for token in joined]
            if len(joined) in SIZES and (words.valid(keys) or electrum_seed(keys)):
                yield _finding(joined, Certainty.CERTAIN)
                return
    joined = [token for piece in pieces for token in piece]
    if len(joined) >= LEAST and _judge(joined, words, views) is not None:
        yield _finding(joined, Certainty.LIKELY)


def _piece(row: list[Token], words: Words) -> list[Token]:
    """What of a message may be a part of a phrase; nothing where other words are more."""
    start, end = _longest([token.key for token in row], [token.bits & words.bit for token in row], words)
    return row[start:end]


def is_piece(keys: Sequence[str], listed: Sequence[int], words: Words | None) -> bool:
    """Whether a message of these words may be a part of a phrase of the list; without a list, whether it may be of any
    that has the words that are ``listed``."""
    start, end = _longest(keys, listed, words)
    return end > start


def _longest(keys: Sequence[str], listed: Sequence[int], words: Words | None) -> tuple[int, int]:
    """The longest stretch of list words, with two misspelt in twelve; of no length where other words are more."""
    best, start, wrong = (0, 0), -1, 0
    for place, known in enumerate(listed):
        if start < 0:
            if known:
                start, wrong = place, 0
        elif not known:
            wrong += 1
            if (
                wrong > _MISSPELT * (1 + (place - start) // LEAST)
                or not is_word(keys[place])
                or (words and not words.near(keys[place]))
            ):
                best, start = max(best, (start, place), key=_length), -1
    if start >= 0:
        best = max(best, (start, len(keys)), key=_length)
    first, end = best
    while end > first and not listed[end - 1] and end - first < len(keys):
        end -= 1
    few = end - first < 2 and len(keys) > 1
    return (0, 0) if few or (end - first) * 2 < len(keys) else (first, end)


def _length(stretch: tuple[int, int]) -> int:
    return stretch[1] - stretch[0]


def _monero(row: Sequence[Token]) -> Iterator[Finding]:
    """25 words of four letters and more in a row, or MyMonero's 13, the last of them the checksum of the others."""
    if len(row) < 13:
        return
    length = 0
    for place, token in enumerate(row):
        length = length + 1 if 4 <= len(token.key) <= 12 else 0
        for size in (25, 13):
            if length >= size and (
                row[place].key in {row[other].key for other in range(place - size + 1, place)}
                and monero([part.key for part in row[place - size + 1 : place + 1]])
                and (size == 25 or sum(part.key in COMMON for part in row[place - 12 : place + 1]) <= 2)
            ):
                yield _finding(row[place - size + 1 : place + 1], Certainty.CERTAIN)


def _glued(view: View, message: int) -> Iterator[Finding]:
    """A phrase without any space: ``abandonability…``, in one list, and only in one way or another."""
    if len(view.plain) < 24:
        return
    for match in _GLUED.finditer(view.lower):
        word = key(match[0])
        for words in lists():
            reached: list[int | None] = [0, *[None] * len(word)]
            for place, count in enumerate(reached):
                if count is not None:
                    for length in range(2, 9):
                        if word[place : place + length] in words.index and place + length < len(reached):
                            reached[place + length] = count + 1
            if (reached[-1] or 0) >= LEAST:
                yield Finding(SecretKind.SEED_PHRASE, (Span(message, *match.span()),), Certainty.CERTAIN)
                break


def _finding(tokens: Iterable[Token], certainty: Certainty) -> Finding:
    """One span a message, from its first word to its last."""
    ends: dict[int, tuple[int, int]] = {}
    for token in tokens:
        start, _ = ends.get(token.message, (token.start, 0))
        ends[token.message] = (start, token.end)
    spans = tuple(Span(message, *places) for message, places in ends.items())
    return Finding(SecretKind.SEED_PHRASE, spans, certainty)
