"""How large a picture is once it is decoded, read from its beginning: a few kilobytes may hold a billion pixels, and
the browser that shows them stands still."""

from __future__ import annotations

from typing import Literal

_Order = Literal["big", "little"]

MOST_PIXELS = 64_000_000
"""Of a picture that is shown; today's phones make 12 to 50 million."""
_MOST_SEGMENTS = 1000
"""Of a JPEG, before its frame."""


def pixels(content: bytes) -> int | None:
    """How many; None for what is no PNG, JPEG, GIF or WebP, or does not say."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _area(content[16:20], content[20:24], "big") if content[12:16] == b"IHDR" else None
    if content.startswith(b"GIF8"):
        return _area(content[6:8], content[8:10], "little")
    if content.startswith(b"\xff\xd8\xff"):
        return _of_jpeg(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _of_webp(content)
    return None


def is_shown(content: bytes) -> bool:
    """Whether a picture may be shown: it says how large it is, and is not too large."""
    found = pixels(content)
    return found is not None and found <= MOST_PIXELS


def _area(width: bytes, height: bytes, order: _Order) -> int | None:
    if not width or len(width) != len(height):
        return None
    return _number(width, order) * _number(height, order)


def _number(digits: bytes, order: _Order) -> int:
    return int.from_bytes(digits, order)


def _of_jpeg(content: bytes) -> int | None:
    """By its frame, which segments of any number stand before: what the camera wrote, colours, a thumbnail."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        marker, length = content[at : at + 2], _number(content[at + 2 : at + 4], "big")
        if len(marker) < 2 or marker[0] != 0xFF or length < 2:
            return None
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            return _area(content[at + 7 : at + 9], content[at + 5 : at + 7], "big")
        at += 2 + length
    return None


def _of_webp(content: bytes) -> int | None:
    chunk = content[12:16]
    if chunk == b"VP8X" and len(content) >= 30:
        return (1 + _number(content[24:27], "little")) * (1 + _number(content[27:30], "little"))
    if chunk == b"VP8L" and len(content) >= 25:
        bits = _number(content[21:25], "little")
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    if chunk == b"VP8 " and len(content) >= 30:
        return (_number(content[26:28], "little") & 0x3FFF) * (_number(content[28:30], "little") & 0x3FFF)
    return None
