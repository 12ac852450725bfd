"""A message as the searches read it, and what stands around a place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.domain.forms.reading import SEPARATOR, folded
from bot.guard.secrets.finding import LABELS

FILL = "\ufffc"
"""Stands for each character of a secret that was found, and of a blank: no letter, no digit, no space."""

AROUND = 80
"""Characters before and after a place that may say what it is: about one sentence."""

_BLANK = re.compile("|".join(map(re.escape, LABELS.values())))
_VOID = re.compile(f"{SEPARATOR}+")


class View:
    """One text, folded: full-width characters as ASCII, characters of no width left out.

    Searches work on ``plain`` and its ``lower``, which are of equal length; ``original`` says where a place of theirs
    is in the text as it was written.
    """

    __slots__ = ("_at", "lower", "plain", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        plain = folded(text)
        self._at: list[int] | None = None
        if SEPARATOR in plain:
            kept = [place for place, character in enumerate(plain) if character != SEPARATOR]
            self._at = kept
            plain = _VOID.sub("", plain)
        if " removed]" in plain:
            plain = _BLANK.sub(lambda match: FILL * len(match[0]), plain)
        self.plain = plain
        lower = plain.lower()
        # A few letters become two when they are made small (İ); places would shift.
        self.lower = lower if len(lower) == len(plain) else "".join(map(_small, plain))

    def fill(self, places: Iterable[tuple[int, int]]) -> None:
        """Makes places say nothing: what was found there is no neighbour of what is searched for next."""
        for name in ("plain", "lower"):
            text: str = getattr(self, name)
            parts: list[str] = []
            done = 0
            for start, end in sorted(places):
                parts += (text[done:start], FILL * (end - start))
                done = end
            setattr(self, name, "".join((*parts, text[done:])))

    def part(self, start: int, end: int) -> View:
        """A part of it as it is now, for searching: its places begin at 0."""
        part = View("")
        part.plain, part.lower = self.plain[start:end], self.lower[start:end]
        return part

    def original(self, start: int, end: int) -> tuple[int, int]:
        if self._at is None or start >= end:
            return start, end
        return self._at[start], self._at[end - 1] + 1


def _small(character: str) -> str:
    small = character.lower()
    return small if len(small) == 1 else character


class Around:
    """What stands before and after a place, with the messages beside it where they are near enough."""

    def __init__(self, views: list[View], message: int, start: int, end: int) -> None:
        view = views[message]
        before = view.lower[max(0, start - AROUND) : start]
        after = view.lower[end : end + AROUND]
        if message and start < AROUND:
            before = f"{views[message - 1].lower[-AROUND:]}\n{before}"
        if message + 1 < len(views) and end + AROUND > len(view.lower):
            after = f"{after}\n{views[message + 1].lower[:AROUND]}"
        self.before = before
        self.after = after

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern stands around, and nothing in its clause denies it."""
        return any(not denied(text, match.start()) for text, match in self._matches(pattern))

    def names(self, pattern: re.Pattern[str], gap: int) -> bool:
        """Whether the pattern stands right before, with at most ``gap`` characters between and no denial, or right
        after, with nothing but a bracket or a "that is" between."""
        last = None
        for match in pattern.finditer(self.before):
            last = match
        if last is not None and len(self.before) - last.end() <= gap and not denied(self.before, last.start()):
            return True
        lead = _LEAD.match(self.after)
        assert lead is not None  # it matches nothing, too
        return pattern.match(self.after, lead.end()) is not None

    def _matches(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
        for text in (self.before, self.after):
            for match in pattern.finditer(text):
                yield text, match


_LEAD = re.compile(
    r"[\s(（\[,，:：-]{0,4}(?:(?:是|这是|就是|is|are|=|this is)\s{0,2}(?:我的?|那笔的?|the|my|a)?\s{0,2})?"
)
_CLAUSE = re.compile(r"[.。,，;；!！?？\n]")
_DENIALS = re.compile(
    r"不是|不要|不能|不会|不敢|没有?(?!法)|沒有?|并非|并不|绝不|别|勿|非|无需|不用|无须|不给|从未|从来没|"
    r"\b(?:not|no|never|without|isn'?t|wasn'?t|don'?t|didn'?t|haven'?t|hasn'?t|won'?t|nor|neither|nunca|sin|pas|kein|nicht|не)\b"
)
_REACH = 24
"""Characters before a word in which a denial is looked for, within its clause."""


def denied(text: str, place: int) -> bool:
    """Whether what begins at ``place`` is denied by the words before it in its clause: "this is not my private key"."""
    before = text[max(0, place - _REACH) : place]
    clause = _CLAUSE.split(before)[-1]
    return _DENIALS.search(clause) is not None
