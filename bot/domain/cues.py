"""Cues: short turns of phrase ("did all that", "ok 然后呢") that no classifier can place without what went before.

The content lists them by language (``data/cues``); the policy reads them beside the intent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Generic, TypeVar

READ_AT_MOST = 4_000
"""Characters of a message that are searched."""

_WITHOUT_GAPS = ((0x0E00, 0x0E7F), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0x20000, 0x3FFFF))
"""Thai, Japanese, Chinese, and Korean, which glues particles to its words."""

_CLAUSE = re.compile(r"[,;.!?，。；！？、\n]+|\bbut\b|但是?|不过")

Name = TypeVar("Name")


class Cue(StrEnum):
    GOES_ON = "goes_on"
    """A yes or thanks with one of these is none."""
    DONE_ALL = "done_all"
    STILL_NOT = "still_not"
    WHAT_NEXT = "what_next"
    GIVEN = "given"
    """The customer gave it before."""
    LACKS = "lacks"
    """They have not got what they are asked for."""
    WHERE = "where"
    HOW_LONG = "how_long"
    COST = "cost"
    SAFE = "safe"
    NAMES = "names"
    """Names a subject: "how long does a transfer take" is about transfers, "how long does that take" about what was
    answered."""
    ALSO = "also"
    """Begins another problem."""
    CANCEL = "cancel"
    """Leaves the queue."""
    WAITING = "waiting"
    """Asks again while waiting."""
    DO_IT = "do_it"
    """The bot is to do it itself."""
    FINE = "fine"
    """Said of what is no problem: "signing in is fine"."""
    HUMAN = "human"
    DANGER = "danger"
    """Hints at ending their life."""
    CLOSES = "closes"
    """The problem is over."""
    SECRET = "secret"  # noqa: S105  (the name of a cue)
    """Names a phrase or a key."""
    GAVE = "gave"
    """Somebody else got it."""
    ENTERED = "entered"
    """It was typed, which is as it should be in one's own wallet, and not"""
    ELSEWHERE = "elsewhere"
    """on a page, behind a link, in a form."""
    NOT_DONE = "not_done"
    """Says that it did not happen, or asks what if."""


FOLLOW_UPS = (Cue.HOW_LONG, Cue.WHERE, Cue.WHAT_NEXT, Cue.COST, Cue.SAFE)
"""Questions about what was answered just before, for which an answer may have a sentence of its own."""


def fold(text: str) -> str:
    """As cues and choices are compared: without case, width, kind of apostrophe and length of gaps."""
    folded = unicodedata.normalize("NFKC", text[:READ_AT_MOST]).casefold().replace("’", "'").replace("`", "'")
    return " ".join(folded.split())


class Phrases(Generic[Name]):
    """Finds which of many phrases a text has. The longest match wins, and what it covers is no part of another.

    Letters of scripts that put gaps between words match whole words only; others match anywhere.
    """

    def __init__(self, phrases: Mapping[Name, Iterable[str]]) -> None:
        self._by_start: dict[str, list[tuple[str, Name]]] = {}
        for name, words in phrases.items():
            for phrase in {fold(word) for word in words}:
                if len(phrase) > 1:
                    self._by_start.setdefault(phrase[:2], []).append((phrase, name))
        for found in self._by_start.values():
            found.sort(key=lambda known: -len(known[0]))

    def spans(self, folded: str) -> Iterator[tuple[Name, int, int]]:
        """What a folded text has, by position: its name, and where it begins and ends."""
        at = 0
        while at < len(folded) - 1:
            match = self._at(folded, at)
            if match is None:
                at += 1
            else:
                phrase, name = match
                yield name, at, at + len(phrase)
                at += len(phrase)

    def _at(self, folded: str, at: int) -> tuple[str, Name] | None:
        for phrase, name in self._by_start.get(folded[at : at + 2], ()):
            if folded.startswith(phrase, at) and _is_whole(folded, at, at + len(phrase)):
                return phrase, name
        return None


class Cues:
    def __init__(self, phrases: Mapping[Cue, Iterable[str]] | None = None) -> None:
        self._phrases = Phrases(phrases or {})
        self._each = {cue: Phrases({cue: words}) for cue, words in (phrases or {}).items()}

    def of(self, text: str) -> frozenset[Cue]:
        return frozenset(name for name, _, _ in self._phrases.spans(fold(text)))

    def has(self, cue: Cue, text: str) -> bool:
        """Whether the text has this one, whatever longer phrase of another covers it."""
        phrases = self._each.get(cue)
        return phrases is not None and next(phrases.spans(fold(text)), None) is not None

    def clauses(self, text: str) -> list[str]:
        return [clause for clause in _CLAUSE.split(fold(text)) if clause.strip()]

    def without_fine(self, text: str) -> str:
        """The text without its clauses about what is no problem, unless there are no others."""
        clauses = self.clauses(text)
        kept = [clause for clause in clauses if Cue.FINE not in self.of(clause)]
        return ", ".join(kept or clauses)

    def split(self, text: str) -> list[str]:
        """The text in parts, each new one begun by a cue of ``ALSO``."""
        folded = fold(text)
        starts = [start for name, start, _ in self._phrases.spans(folded) if name is Cue.ALSO and start > 0]
        cuts = [0, *starts, len(folded)]
        return [part for a, b in pairwise(cuts) if (part := folded[a:b].strip())]


def has(folded: str, phrase: str) -> bool:
    """Whether a folded text has a folded phrase, as whole words where its script puts gaps between words."""
    at = folded.find(phrase)
    while at >= 0 and not _is_whole(folded, at, at + len(phrase)):
        at = folded.find(phrase, at + 1)
    return at >= 0


def _is_whole(text: str, start: int, end: int) -> bool:
    """Not a part of a longer word."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (_joins(before) and _joins(text[start])) and not (_joins(after) and _joins(text[end - 1]))


def _joins(character: str) -> bool:
    """A letter or digit of a script that puts gaps between words."""
    if not character.isalnum():
        return False
    code = ord(character)
    return not any(first <= code <= last for first, last in _WITHOUT_GAPS)
