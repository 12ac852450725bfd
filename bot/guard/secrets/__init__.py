"""The search for secrets that customers must not share: pure, without input or output.

``search`` finds seed phrases, private keys, keystores, API secrets, passwords, one-time codes, card and identity
numbers in one message or in several in a row, and gives the texts with a labelled blank in the place of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.guard.secrets import chinese, documents, keys, numbers, phrases, tokens, told, words
from bot.guard.secrets.choosing import chosen
from bot.guard.secrets.continuing import continues
from bot.guard.secrets.finding import (
    LABELS,
    MOST_MESSAGES,
    Certainty,
    Finding,
    Kind,
    Known,
    Searched,
    SecretKind,
    Span,
)
from bot.guard.secrets.view import View

__all__ = [
    "LABELS",
    "MOST_MESSAGES",
    "Certainty",
    "Finding",
    "Kind",
    "Known",
    "Searched",
    "SecretKind",
    "Span",
    "continues",
    "search",
    "warm",
]

_NOTHING = Known()
_ROUNDS = 3
"""What was glued to a secret shows its form only without it: so often a message is searched again at most."""


def search(texts: Sequence[str], known: Known = _NOTHING) -> Searched:
    """What is secret in these messages of one customer, the oldest first, at most ``MOST_MESSAGES``.

    Takes time in proportion to their length, and never raises for any text. Blanks that stand in a
    text already are no words of it.
    """
    if len(texts) > MOST_MESSAGES:
        raise ValueError(f"at most {MOST_MESSAGES} messages are searched together, got {len(texts)}: give the latest")
    views = [View(text) for text in texts]
    lengths = [len(view.plain) for view in views]
    found: list[Finding] = []
    for _ in range(_ROUNDS):
        more = chosen((finding for finding in _all(views, known) if finding.kind not in known.off), lengths)
        if not more:
            break
        found += more
        _fill(views, more)
    return Searched(*_blanked(views, chosen(found, lengths)))


def _fill(views: list[View], found: list[Finding]) -> None:
    places: dict[int, list[tuple[int, int]]] = {}
    for finding in found:
        for span in finding.spans:
            places.setdefault(span.message, []).append((span.start, span.end))
    for message, spans in places.items():
        views[message].fill(spans)


def warm() -> None:
    """Reads what the first search would read: 0.3 s."""
    words.owners()
    words.chinese()
    chinese.model()


def _all(views: list[View], known: Known) -> Iterator[Finding]:
    """In the order of what they are worth: of two at one place the first is kept."""
    yield from documents.find(views)
    yield from keys.find(views, known)
    yield from phrases.find(views)
    yield from chinese.find(views)
    yield from tokens.find(views)
    yield from told.find(views)
    yield from numbers.find(views)


def _blanked(views: list[View], kept: list[Finding]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    blanks: list[list[tuple[int, int, str]]] = [[] for _ in views]
    found = []
    for finding in kept:
        spans = []
        for span in finding.spans:
            start, end = views[span.message].original(span.start, span.end)
            spans.append(Span(span.message, start, end))
            blanks[span.message].append((start, end, LABELS[finding.kind]))
        found.append(Finding(finding.kind, tuple(spans), finding.certainty))
    redacted = []
    for view, places in zip(views, blanks, strict=True):
        parts: list[str] = []
        done = 0
        for start, end, label in sorted(places):
            parts += (view.text[done:start], label)
            done = end
        redacted.append("".join((*parts, view.text[done:])))
    return tuple(found), tuple(redacted)
