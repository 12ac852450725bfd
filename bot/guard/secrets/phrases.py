"""Seed phrases whose words are written with letters: in a row, numbered, in columns, damaged, spread over messages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, combinations, pairwise

from bot.guard.secrets.finding import Budget, Certainty, Finding, SecretKind, Span
from bot.guard.secrets.rows import LEAST, MISSPELT, TOKEN, Row, Token, dense
from bot.guard.secrets.schemes import find_glued, find_monero, find_monero_spread
from bot.guard.secrets.sorts import is_of_one_sort
from bot.guard.secrets.view import Around, View
from bot.guard.secrets.words import COMMON, OLD, SIZES, Words, electrum_seed, is_word, lists

_DISTINCT = 9
"""Different words among 12: 12 drawn from 2,048 have fewer once in 300,000 times."""
_COMMON_VALID = 9
"""Words of ``COMMON`` among 12 whose checksum is right: a phrase has more once in 100,000 times. Sentences made of list
words alone have more, and every sixteenth of these validates by chance."""
_COMMON_SHAPED = 8
"""The same without a checksum, where the shape (a list, one a line, numbered) or the words around say what it is."""
_COMMON_BARE = 6
"""The same without either: a phrase has more six times in 1,000, which is the price for sentences."""
_MOST_WINDOWS = 4_000
"""Windows of a search whose checksum is counted, most of them of common English words: 0.05 s."""
_LONGEST_PIECE = 100
"""Words of a message that may have a part of a phrase."""
_BEGINNING = 100
"""Words that say whether a long row is written as a list."""
_SHORT_MESSAGE = 4
_BEYOND = 3
"""Words of the list behind a word that is too misspelt to be near one, with which the phrase goes on."""
SEED_WORDS = re.compile(
    r"助[记記忆憶]?[词詞]|备份|備份|抄(?:的|下|写|了)|导入|導入|恢复|恢復|種子|种子|私钥|私鑰|注记词|助计词|記憶詞|记忆词|单词|單詞|"
    r"(?<![a-z])(?:se[ae]d|mnemonics?|(?:recovery|secret|backup|wallet) (?:phrase|words)|phrase|words|srp|import|"
    r"restored?|recover(?:ed|y)?|cop(?:y|ied)|wrote|written|screenshot|backup|ledger|trezor)(?![a-z])|"
    r"fras[ea] (?:semilla|de recuperaci|pemulihan)|phrase (?:de r[ée]cup|secr)|"
    r"сид[ -]?фраз|мнемон|シード|ニーモニック|リカバリー|시드|니모닉|복구"
)
_SEPARATED = re.compile(r"[\n,;|/、，；\d_]")


def find(views: list[View]) -> Iterator[Finding]:
    """Every phrase; the same words may be found more than once."""
    rows = [Row(view, message) for message, view in enumerate(views)]
    budget = Budget(_MOST_WINDOWS)
    for row in rows:
        yield from find_monero(row)
        yield from find_glued(row)
        if len(row) >= LEAST - MISSPELT:
            for tokens in chain(row.dense(), row.dense_unlabelled()):
                yield from _in_row(tokens, views, budget)
    pieces = [row for row in rows if 0 < len(row) <= _LONGEST_PIECE]
    if len(pieces) > 1:
        yield from find_monero_spread(pieces)
        yield from _over_messages(pieces, views, budget)


def _in_row(row: Sequence[Token], views: list[View], budget: Budget) -> Iterator[Finding]:
    every = 0
    for token in row:
        every |= token.bits
    for words in lists():
        if not words.bit & every:
            continue
        for first, last in dense([token.bits & words.bit for token in row]):
            for part in _parts(row[first:last], words):
                certainty = _judge(part, words, views, budget)
                if certainty is not None:
                    yield _finding(part, certainty)


def _parts(row: Sequence[Token], words: Words) -> Iterator[list[Token]]:
    """Stretches in which every token is a word of the list or, two in twelve, nearly one; or eleven without a flaw, of
    which one word was lost."""
    bit = words.bit
    size = len(row)
    hits = [0, *accumulate(token.bits & bit != 0 for token in row)]
    place = 0
    while place < size:
        # A phrase begins, a misspelt word aside, with a list word before ten others in twelve.
        if not row[place].bits & bit or hits[min(size, place + LEAST)] - hits[place] < LEAST - MISSPELT:
            place += 1
            continue
        start = place
        wrong: list[int] = []
        while place < size:
            if not row[place].bits & bit:
                many = len(wrong) >= MISSPELT and wrong[-MISSPELT] > place - LEAST
                if many or not words.near(row[place].key):
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


def _judge(part: Sequence[Token], words: Words, views: list[View], budget: Budget) -> Certainty | None:
    """Whether the words are a phrase: how sure, or None."""
    keys = [token.key for token in part]
    common = [word in COMMON for word in keys] if words.is_english else [False] * len(keys)
    more = 2 if words.name == OLD else 0  # more than one in four of its words is common
    named = not words.is_english or _is_named(part, views)
    bare = _shape(part, common, words, _COMMON_BARE - more // 2, named=named)
    if bare is not None:
        return bare
    shaped = _is_shaped(part, views)
    if shaped and (found := _shape(part, common, words, _COMMON_SHAPED + more, named=named)) is not None:
        return found
    for start, size in _valid(keys, words, budget):
        few = shaped or not words.is_english or sum(common[start : start + size]) * LEAST <= _COMMON_VALID * size
        # Greetings say the same common words again ("thank you very much", "good morning", "thank you …"), and one word
        # over and over ("word1 word2 …") is no phrase; "abandon … about" is the one that all manuals have.
        different = len(set(keys[start : start + size]))
        rare = sum(common[start : start + size]) * 4 <= size
        varied = different * LEAST >= _DISTINCT * size or (rare and different > 1)
        if few and varied and (named or not is_of_one_sort(keys[start : start + size])):
            return Certainty.CERTAIN
    return None


def _shape(part: Sequence[Token], common: Sequence[bool], words: Words, limit: int, *, named: bool) -> Certainty | None:
    """By their number alone: twelve, or eleven without a flaw, mostly different and few of them common; and no things
    of one sort, unless it is named."""
    if len(part) < LEAST:
        distinct = len({token.key for token in part})
        plain = named or not is_of_one_sort([token.key for token in part])
        return Certainty.LIKELY if sum(common) <= limit // 2 and distinct >= _DISTINCT and plain else None
    inside = Counter(token.key for token in part[:LEAST])
    many = sum(common[:LEAST])
    for place in range(len(part) - LEAST + 1):
        if place:
            gone, came = part[place - 1].key, part[place + LEAST - 1].key
            inside[came] += 1
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            many += common[place + LEAST - 1] - common[place - 1]
        if many <= limit and len(inside) >= _DISTINCT and (named or not is_of_one_sort(list(inside))):
            exact = all(token.bits & words.bit for token in part[place : place + LEAST])
            return Certainty.CERTAIN if exact else Certainty.LIKELY
    return None


def _valid(keys: Sequence[str], words: Words, budget: Budget) -> Iterator[tuple[int, int]]:
    """Places and sizes of the windows whose checksum is right."""
    numbers = words.numbers(keys)
    for size in sorted(SIZES, reverse=True):
        for start in range(len(keys) - size + 1):
            if not budget.spend():
                return
            if words.valid(numbers[start : start + size]) or _electrum(keys[start : start + size], words):
                yield start, size


def _electrum(keys: Sequence[str], words: Words) -> bool:
    return len(keys) in (12, 24) and words.name == "en" and electrum_seed(keys)


def _is_shaped(part: Sequence[Token], views: list[View]) -> bool:
    """Whether it is written as a list is, is all that its message says, or words around say that it is a phrase."""
    first, last = part[0], part[-1]
    beginning = part[:_BEGINNING]
    between = sum(
        _SEPARATED.search(views[one.message].plain, one.end, other.start) is not None
        for one, other in pairwise(beginning)
        if one.message == other.message
    )
    if between * 3 >= len(beginning):
        return True
    view = views[first.message]
    if first.message == last.message and len(part) in SIZES:
        alone = not TOKEN.search(view.plain[: first.start]) and not TOKEN.search(view.plain, last.end)
        if alone:
            return True
    return _is_named(part, views)


def _is_named(part: Sequence[Token], views: list[View]) -> bool:
    """Whether words around say that it is a phrase."""
    first, last = part[0], part[-1]
    before = Around(views, first.message, first.start, first.end).before
    return SEED_WORDS.search(before) is not None or (
        SEED_WORDS.search(Around(views, last.message, last.start, last.end).after) is not None
    )


def _over_messages(rows: list[Row], views: list[View], budget: Budget) -> Iterator[Finding]:
    for words in lists():
        if sum(sum(bits & words.bit != 0 for bits in row.bits) for row in rows) >= LEAST - MISSPELT:
            yield from _spread(rows, words, views, budget)


def _spread(rows: list[Row], words: Words, views: list[View], budget: Budget) -> Iterator[Finding]:
    """A phrase over several messages: the longest stretch of each that is mostly list words, joined in their order."""
    of_rows = [(piece, len(row.keys)) for row in rows if (piece := piece_of(row, words))]
    pieces = [piece for piece, _ in of_rows]
    # Messages of nothing but list words, one behind the other, are hardly talk.
    pure = all(len(piece) == size for piece, size in of_rows) and len(pieces) == len(views)
    if len(pieces) < 2:
        return
    for count in range(len(pieces), 1, -1):
        for chosen in combinations(pieces, count):
            joined = [token for piece in chosen for token in piece]
            keys = [token.key for token in joined]
            valid = len(joined) in SIZES and (words.valid(words.numbers(keys)) or electrum_seed(keys))
            limit = _COMMON_VALID if pure and count == len(pieces) else _COMMON_BARE
            if valid and not _is_talk(joined, words, views, limit):
                yield _finding(joined, Certainty.CERTAIN)
                return
    joined = [token for piece in pieces for token in piece]
    talk = len(joined) < LEAST or _is_talk(joined, words, views, _COMMON_BARE)
    if not talk and _judge(joined, words, views, budget) is not None:
        yield _finding(joined, Certainty.LIKELY)


def _is_talk(joined: Sequence[Token], words: Words, views: list[View], limit: int) -> bool:
    """Short messages in a row ("hello again friend", "are you there", "please check again") have as many list words as
    a phrase, and some choice of them soon has a right checksum: most of their words are common, or come again."""
    if not words.is_english or _is_named(joined, views):
        return False
    keys = [token.key for token in joined]
    common = sum(key in COMMON for key in keys)
    limit += 2 if words.name == OLD else 0
    return common * LEAST > limit * len(keys) or len(set(keys)) * LEAST < _DISTINCT * len(keys)


def piece_of(row: Row, words: Words) -> list[Token]:
    """What of a message may be a part of a phrase; nothing where other words are more."""
    places = row.of_piece()
    keys = [row.keys[place] for place in places]
    start, end = _longest(keys, [row.bits[place] & words.bit for place in places], words)
    if words.is_short and end - start < max(2, len(keys)):
        return []  # beginnings are in most sentences
    return row.tokens(places[start:end])


def is_piece(keys: Sequence[str], listed: Sequence[int], words: Words | None) -> bool:
    """Whether a message of these words may be a part of a phrase of the list; without a list, whether it may be of any
    that has the words that are ``listed``."""
    start, end = _longest(keys, listed, words)
    return end > start


def _longest(keys: Sequence[str], listed: Sequence[int], words: Words | None) -> tuple[int, int]:
    """The longest stretch of list words, with two misspelt in twelve; of no length where other words are more."""

    def near(place: int) -> bool:
        return is_word(keys[place]) and (words is None or words.near(keys[place]))

    best, start, wrong = (0, 0), -1, 0
    for place, known in enumerate(listed):
        if start < 0:
            if known:
                start, wrong = place, 0
        elif not known:
            wrong += 1
            if (
                wrong > MISSPELT * (1 + (place - start) // LEAST)
                or not is_word(keys[place])
                or (words and not words.near(keys[place]))
            ):
                best, start = max(best, (start, place), key=_length), -1
    if start >= 0:
        best = max(best, (start, len(keys)), key=_length)
    first, end = best
    while end > first and not listed[end - 1] and end - first < len(keys):
        end -= 1
    if first == 1 and end > 1 and (words or len(keys) < _SHORT_MESSAGE) and near(0):
        first = 0
    few = end - first < 2 and len(keys) > 1
    return (0, 0) if few or (end - first) * 2 < len(keys) else (first, end)


def _length(stretch: tuple[int, int]) -> int:
    return stretch[1] - stretch[0]


def _finding(tokens: Iterable[Token], certainty: Certainty) -> Finding:
    """One span a message, from its first word to its last."""
    ends: dict[int, tuple[int, int]] = {}
    for token in tokens:
        start, _ = ends.get(token.message, (token.start, 0))
        ends[token.message] = (start, token.end)
    spans = tuple(Span(message, *places) for message, places in ends.items())
    return Finding(SecretKind.SEED_PHRASE, spans, certainty)
