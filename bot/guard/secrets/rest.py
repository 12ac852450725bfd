"""What still comes of a phrase whose first messages were recognised by themselves: twelve of its twenty-four words have
a label in their place by then, and the others alone are too few to tell."""

from __future__ import annotations

from collections.abc import Iterator

from bot.guard.secrets import chinese, phrases
from bot.guard.secrets.finding import LABELS, Certainty, Finding, SecretKind, Span
from bot.guard.secrets.rows import Row
from bot.guard.secrets.view import View
from bot.guard.secrets.words import COMMON, FUNCTION, lists

_BESIDE = 20
"""Characters beside the label in a message that was a part: whoever says more has said all in one message."""
_MOST_WORDS = 24
_FEWEST, _FEWEST_LATIN = 2, 3
"""Words of a rest. Two in a row are soon said ("any news", "horrible service")."""


def find(views: list[View]) -> Iterator[Finding]:
    """Messages of nothing but words of a list, few of them usual, after one that was a part of a phrase and no more."""
    label = LABELS[SecretKind.SEED_PHRASE]
    first = next((place for place, view in enumerate(views) if _was_part(view.text, label)), len(views))
    for message in range(first + 1, len(views)):
        if span := _words(views[message], message) or chinese.rest(views[message], message):
            yield Finding(SecretKind.SEED_PHRASE, (span,), Certainty.LIKELY)


def _was_part(text: str, label: str) -> bool:
    return label in text and len(text.replace(label, "").strip()) <= _BESIDE


def _words(view: View, message: int) -> Span | None:
    row = Row(view, message)
    if not _FEWEST <= len(row) <= _MOST_WORDS:
        return None
    for words in lists():
        fewest = _FEWEST_LATIN if all(map(str.isascii, row.keys)) else _FEWEST
        piece = [] if words.is_short else phrases.piece_of(row, words)
        strange = sum(not token.bits & words.bit for token in piece)
        usual = sum(token.key in COMMON or token.key in FUNCTION for token in piece) if words.is_english else 0
        if (
            len(piece) >= max(fewest, len(row) - 1)
            and len({token.key for token in piece}) == len(piece)
            and strange <= len(piece) // 6
            and usual * 3 <= len(piece)
        ):
            span = Span(message, piece[0].start, piece[-1].end)
            return span if chinese.is_alone(view, span) else None
    return None
