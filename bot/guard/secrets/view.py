"""A message as the searches read it, and what stands around a place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from bot.domain.forms.reading import SEPARATOR, folded
from bot.guard.secrets.finding import LABELS

FILL = "\ufffc"
"""Stands for each character of a secret that was found, and of a blank: no letter, no digit, no space."""

AROUND = 80
"""Characters before and after a place that may say what it is: about one sentence."""

_BLOCK = 512
_OVERLAP = 40
"""Characters of the longest match of a pattern that is looked for around a place."""
_WORDY = re.compile("[g-z\u0080-\ufffb]")
"""What hexadecimal digits, numbers and filled places have not: among these alone there is no word."""
_BLANK = re.compile("|".join(map(re.escape, LABELS.values())))
_VOID = re.compile(f"{SEPARATOR}+")


class View:
    """One text, folded: full-width characters as ASCII, characters of no width left out.

    Searches work on ``plain`` and its ``lower``, which are of equal length; ``original`` says where a place of theirs
    is in the text as it was written.
    """

    __slots__ = ("_at", "_matches", "lower", "plain", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        plain = folded(text)
        self._at: list[int] | None = None
        self._matches: dict[tuple[re.Pattern[str], int], list[tuple[int, int]]] = {}
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
        self._matches.clear()

    def matches(self, pattern: re.Pattern[str], start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where the pattern is in a part of ``lower``. Each part of the text is looked through once, however often it
        is asked for. The pattern has a letter behind f in each of its words, or one that is not Latin."""
        for block in range(max(0, start) // _BLOCK, -(-end // _BLOCK)):
            known = self._matches.get((pattern, block))
            if known is None:
                first, last = block * _BLOCK, (block + 1) * _BLOCK
                known = []
                if _WORDY.search(self.lower, first, last):
                    found = pattern.finditer(self.lower, first, last + _OVERLAP)
                    known = [match.span() for match in found if match.start() < last]
                self._matches[pattern, block] = known
            for one, other in known:
                if one >= start and other <= end:
                    yield one, other

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

    __slots__ = ("_end", "_message", "_start", "_views")

    def __init__(self, views: list[View], message: int, start: int, end: int) -> None:
        self._views, self._message, self._start, self._end = views, message, start, end

    @property
    def before(self) -> str:
        texts = [view.lower[start:end] for view, start, end, _ in self._stretches_behind()]
        return "\n".join(texts)

    @property
    def after(self) -> str:
        lower = self._views[self._message].lower
        text = lower[self._end : self._end + AROUND]
        if self._message + 1 < len(self._views) and self._end + AROUND > len(lower):
            return f"{text}\n{self._views[self._message + 1].lower[:AROUND]}"
        return text

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern stands around, and nothing in its clause denies it."""
        return any(
            not denied(view.lower, start) for view, start, _ in chain(self._behind(pattern), self._ahead(pattern))
        )

    def last(self, pattern: re.Pattern[str]) -> int | None:
        """How many characters before the place the pattern ends, where it stands nearest; None where it is denied."""
        behind = list(self._behind(pattern))
        if not behind or denied(behind[-1][0].lower, behind[-1][1]):
            return None
        return behind[-1][2]

    def names(self, pattern: re.Pattern[str], gap: int) -> bool:
        """Whether the pattern stands right before, with at most ``gap`` characters between and no denial, or right
        after, with nothing but a bracket or a "that is" between."""
        distance = self.last(pattern)
        if distance is not None and distance <= gap:
            return True
        after = self.after
        lead = _LEAD.match(after)
        assert lead is not None  # it matches nothing, too
        return pattern.match(after, lead.end()) is not None

    def _stretches_behind(self) -> list[tuple[View, int, int, int]]:
        """Views with a part of each that is near enough, and how far the end of the part is from the place; the nearest
        last. Between two messages there is the end of a line."""
        found: list[tuple[View, int, int, int]] = []
        message, end, far = self._message, self._start, 0
        while True:
            view = self._views[message]
            start = max(0, end - (AROUND - far))
            found.append((view, start, end, far))
            far += end - start + 1
            if not message or start or far >= AROUND:
                return found[::-1]
            message -= 1
            end = len(self._views[message].lower)

    def _behind(self, pattern: re.Pattern[str]) -> Iterator[tuple[View, int, int]]:
        """View, start, and distance of the end from the place; the nearest last."""
        for view, first, last, far in self._stretches_behind():
            for start, end in view.matches(pattern, first, last):
                yield view, start, last - end + far

    def _ahead(self, pattern: re.Pattern[str]) -> Iterator[tuple[View, int, int]]:
        view = self._views[self._message]
        size = len(view.lower)
        for start, end in view.matches(pattern, self._end, min(size, self._end + AROUND)):
            yield view, start, end
        if self._message + 1 < len(self._views) and self._end + AROUND > size:
            view = self._views[self._message + 1]
            for start, end in view.matches(pattern, 0, min(len(view.lower), AROUND)):
                yield view, start, end


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
