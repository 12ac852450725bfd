"""The search for secrets that customers must not share: pure, without input or output.

``search`` finds seed phrases, private keys, keystores, API secrets, passwords, one-time codes, card and identity
numbers in one message or in several in a row, and gives the texts with a labelled blank in the place of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bot.guard.secrets import answered, chinese, documents, keys, numbers, phrases, pieces, tokens, told, words
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
"""What was glued to a secret shows its form only without it: so often its neighbourhood is searched again at most."""
_WHOLE = 4_000
"""Characters of messages that are searched again whole; of longer ones, what stands around the findings."""
_REACH = 1_000
"""Characters before and after a finding that are searched again: the longest phrase in columns has as many."""
_MOST_AGAIN = 200_000
"""Characters that are searched again in all. Who sends more in which there is that much is told that secrets are in it,
and what was found is gone."""
_EDGE = re.compile(r"\s")


def search(texts: Sequence[str], known: Known = _NOTHING) -> Searched:
    """What is secret in these messages of one customer, the oldest first, at most ``MOST_MESSAGES``.

    Takes time in proportion to their length, and never raises for any text. Blanks that stand in a
    text already are no words of it.
    """
    if len(texts) > MOST_MESSAGES:
        raise ValueError(f"at most {MOST_MESSAGES} messages are searched together, got {len(texts)}: give the latest")
    views = [View(text) for text in texts]
    lengths = [len(view.plain) for view in views]
    small = sum(lengths) <= _WHOLE
    found: list[Finding] = []
    areas: list[Area] = []
    left = _MOST_AGAIN
    for again in range(_ROUNDS):
        whole = small or not again
        more = _all(views, known) if whole else _in_areas(areas, views, known)
        news = chosen((finding for finding in more if finding.kind not in known.off), lengths)
        if not news:
            break
        found += news
        _fill(views, news)
        areas = [] if small else _areas(news, views, left)
        left -= sum(end - start for _, start, end in areas)
    return Searched(*_blanked(views, chosen(found, lengths)))


Area = tuple[int, int, int]
"""A message and a part of it: where it starts and ends."""


def _areas(found: list[Finding], views: list[View], most: int) -> list[Area]:
    """What stands around the findings, cut between words; of the first ``most`` characters of that."""
    areas: list[Area] = []
    for message, start, end in sorted((span.message, span.start, span.end) for one in found for span in one.spans):
        plain = views[message].plain
        if most <= 0:
            break
        most -= end - start + 2 * _REACH
        if start > _REACH:
            edge = _EDGE.search(plain, start - _REACH, start)
            start = edge.end() if edge else start - _REACH
        else:
            start = 0
        if len(plain) - end > _REACH:
            edge = _EDGE.search(plain, end + _REACH, end + 2 * _REACH)
            end = edge.start() if edge else end + _REACH
        else:
            end = len(plain)
        if areas and areas[-1][0] == message and start <= areas[-1][2]:
            areas[-1] = (message, areas[-1][1], max(end, areas[-1][2]))
        else:
            areas.append((message, start, end))
    return areas


def _in_areas(areas: list[Area], views: list[View], known: Known) -> Iterator[Finding]:
    for message, start, end in areas:
        for finding in _all([views[message].part(start, end)], known):
            spans = tuple(Span(message, span.start + start, span.end + start) for span in finding.spans)
            yield Finding(finding.kind, spans, finding.certainty)


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
    yield from answered.find(views)
    yield from numbers.find(views)
    yield from pieces.find(views, known)


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
