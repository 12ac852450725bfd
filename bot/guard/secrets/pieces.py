"""Keys, PEM blocks and API secrets over several messages: no part says what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.guard.secrets import documents, keys, tokens
from bot.guard.secrets.finding import Certainty, Finding, Known, SecretKind, Span
from bot.guard.secrets.view import View

_PART = re.compile(r"(?<![0-9A-Za-z])(?:0x)?([0-9A-Za-z]{8,128})(?![0-9A-Za-z])")
_LONGEST = 200
"""Characters of a message that may have a part of a key."""
_HEX = re.compile(r"[0-9a-fA-F]+")
_DIGIT = re.compile(r"\d")
_NAMED = re.compile(
    rf"(?:{tokens.LABEL.pattern}|api|(?<![a-z])(?:keys?|secrets?|sec)(?![a-z])|апи|секрет|密[钥鑰])"
    r"[^0-9a-z\n]{0,12}(?:(?:is|are|and|below|here|是|如下)[^0-9a-z\n]{0,6})*\Z"
)
_VALUE = re.compile(r"\s*[\"'`]?([0-9A-Za-z+/][0-9A-Za-z+/=_.-]{14,199})[\"'`]?\s*")


class _Part(NamedTuple):
    message: int
    start: int
    end: int
    text: str


def find(views: list[View], known: Known) -> Iterator[Finding]:
    """Every secret that only several messages together have."""
    if len(views) < 2:
        return
    yield from _keys([part for message, view in enumerate(views) if (part := _part(view, message))], views, known)
    yield from _pem(views)
    yield from _api(views)


def _part(view: View, message: int) -> _Part | None:
    """The longest run of letters and digits, where it has a digit and is at the end of what the message says."""
    if len(view.plain) > _LONGEST:
        return None
    found = max(_PART.finditer(view.plain), key=lambda match: match.end() - match.start(), default=None)
    if found is None or not _DIGIT.search(found[1]):
        return None
    return _Part(message, *found.span(1), found[1])


def _keys(parts: Sequence[_Part], views: list[View], known: Known) -> Iterator[Finding]:
    """Parts in a row that make 64 hexadecimal digits, or a key with a right checksum."""
    for first in range(len(parts)):
        text = parts[first].text
        for last in range(first + 1, len(parts)):
            text += parts[last].text
            certainty = None
            if len(text) == keys.HEX_LENGTH and _HEX.fullmatch(text) and keys.is_random(text):
                part = parts[first]
                certainty = keys.judge_hex(
                    views, part.message, part.start, part.end, known, keys.HEX_LENGTH, prefixed=False
                )
            elif keys.is_key(text):
                certainty = Certainty.CERTAIN
            if certainty is not None:
                spans = tuple(Span(part.message, part.start, part.end) for part in parts[first : last + 1])
                yield Finding(SecretKind.PRIVATE_KEY, spans, certainty)


def _pem(views: list[View]) -> Iterator[Finding]:
    """From a message that begins one to the one that ends it."""
    for first, view in enumerate(views):
        begin = documents.PEM.search(view.plain)
        if begin is None or documents.PEM_END.search(view.plain, begin.end()):
            continue
        spans = [Span(first, begin.start(), len(view.plain))]
        for message in range(first + 1, len(views)):
            plain = views[message].plain
            end = documents.PEM_END.search(plain)
            spans.append(Span(message, 0, end.end() if end else len(plain)))
            if end:
                yield Finding(SecretKind.PRIVATE_KEY, tuple(span for span in spans if span.end), Certainty.CERTAIN)
                break
            if documents.PEM_BODY.fullmatch(plain) is None:
                spans.pop()


def _api(views: list[View]) -> Iterator[Finding]:
    """A message that is a value alone, after one that ends by naming an API secret, or before one that does."""
    said = [_NAMED.search(view.lower[-60:]) is not None for view in views]
    for message, view in enumerate(views):
        value = _VALUE.fullmatch(view.plain)
        near = said[max(0, message - 2) : message + 3]
        if value and any(near) and tokens.is_random(value[1]):
            yield Finding(SecretKind.API_SECRET, (Span(message, *value.span(1)),), Certainty.LIKELY)
