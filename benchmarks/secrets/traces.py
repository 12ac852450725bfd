"""Looks for what is left of secrets in files as they are on the disk: in every form in which programs write words."""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from bot.domain.secret import SecretKind

ANCHOR = 8
"""Bytes by which a place is found; the whole needle is compared there."""
_EVERY = 4
"""Places of a file that are looked at: every needle has as many anchors, of which one is at such a place."""
SHORTEST = ANCHOR + _EVERY - 1
"""Bytes of a needle."""
_CHUNK = 8 * 1024 * 1024
_LONGEST = 4096
Written = Callable[[str], bytes]
"""A form in which programs write a text."""
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0002ffff]")
_WORD = re.compile(r"[^\W\d_]+")
_RANDOM = re.compile(r"[0-9a-zA-Z+/]{16,}")
_WINDOW, _STEP = 12, 4


@dataclass(frozen=True, slots=True)
class Trace:
    """Something of a secret, in that file."""

    secret: int
    path: str
    offset: int
    needle: bytes


def parts(text: str, start: int, end: int, kind: SecretKind) -> set[str]:
    """By which ``text[start:end]`` is known again: three words of a phrase in a row, five Chinese characters, fifteen
    characters of anything else. What is too short to be told from chance counts only with what stands beside it."""
    secret = text[start:end]
    if kind is SecretKind.SEED_PHRASE:
        if len(_HAN.findall(secret)) >= 8:
            spans = [one.span() for one in _HAN.finditer(secret)]
            found = _runs(secret, spans, 4) | _runs(secret, spans, 6)  # four are too short a needle in UTF-16
        else:
            found = _runs(secret, [one.span() for one in _WORD.finditer(secret)], 3)
    elif kind is SecretKind.KEYSTORE or "-----" in secret:
        found = {part for one in _RANDOM.findall(secret) for part in _windows(one)}
    elif len(secret.encode()) >= SHORTEST:
        found = _windows(secret)
    else:
        found = {text[max(0, start - 4) : end], text[start : end + 4], json.dumps(secret, ensure_ascii=False)}
    folded = {" ".join(unicodedata.normalize("NFKC", part).lower().split()) for part in found}
    return {part for part in found | folded if len(part.encode()) >= SHORTEST}


def _runs(secret: str, spans: list[tuple[int, int]], count: int) -> set[str]:
    return {secret[spans[at][0] : spans[at + count - 1][1]] for at in range(len(spans) - count + 1)}


def _windows(secret: str) -> set[str]:
    size = 20 if secret.startswith("[") else _WINDOW
    return {secret[at : at + size] for at in {*range(0, max(1, len(secret) - size), _STEP), max(0, len(secret) - size)}}


def written(part: str) -> Iterator[bytes]:
    """The part as UTF-8, UTF-16, JSON with escapes, in JSON in JSON, base64, hexadecimal digits, and in an address."""
    plain = part.encode()
    yield plain
    yield part.encode("utf-16-le")
    yield part.encode("utf-16-be")
    escaped = json.dumps(part)[1:-1]
    yield escaped.encode()
    yield json.dumps(escaped)[1:-1].encode()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + plain)
        yield coded[(0, 2, 3)[before] : (before + len(plain)) * 8 // 6]
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield quote(part).encode()
    yield quote_plus(part).encode()


class Traces:
    """Of many secrets at once, by their numbers."""

    def __init__(self, secrets: Iterable[tuple[int, Iterable[str]]]) -> None:
        of = dict[bytes, int]()
        for number, some in secrets:
            for part in some:
                for needle in written(part):
                    if SHORTEST <= len(needle) <= _LONGEST:
                        of.setdefault(needle, number)
        self._of = of
        self._at = dict[int, list[tuple[int, bytes]]]()
        for needle in of:
            for before in range(_EVERY):
                anchor = int.from_bytes(needle[before : before + ANCHOR], sys.byteorder)
                self._at.setdefault(anchor, []).append((before, needle))
        self._anchors = frozenset(self._at)

    def __len__(self) -> int:
        return len(self._of)

    def in_file(self, path: Path, name: str) -> Iterator[Trace]:
        with path.open("rb") as file:
            at, kept = 0, b""
            while chunk := file.read(_CHUNK):
                content = kept + chunk
                for offset, needle in self._found(content):
                    # What ends within what is kept was told with the chunk before.
                    if offset + len(needle) > len(kept):
                        yield Trace(self._of[needle], name, at - len(kept) + offset, needle)
                at += len(chunk)
                kept = content[-_LONGEST:]

    def in_text(self, text: str, name: str) -> Iterator[Trace]:
        for offset, needle in self._found(text.encode("utf-8", "surrogatepass")):
            yield Trace(self._of[needle], name, offset, needle)

    def _found(self, content: bytes) -> Iterator[tuple[int, bytes]]:
        for phase in range(0, ANCHOR, _EVERY):
            whole = (len(content) - phase) // ANCHOR * ANCHOR
            places = struct.unpack(f"{whole // ANCHOR}Q", content[phase : phase + whole]) if whole > 0 else ()
            if not (seen := self._anchors.intersection(places)):
                continue
            for number, anchor in enumerate(places):
                if anchor in seen:
                    place = phase + number * ANCHOR
                    for before, needle in self._at[anchor]:
                        if place >= before and content.startswith(needle, place - before):
                            yield place - before, needle
