"""How many pixels a picture has, by its beginning; what cannot be told is not shown."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from bot.web.files import file_answer
from bot.web.pictures import MOST_PIXELS, pixels

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
WEBP = b"RIFF\0\0\0\0WEBP"
SEGMENT = b"\xff\xe1\xff\xff" + bytes(65_533)
FRAME = b"\xff\xc2\0\x11\x08\x0b\xb8\x0f\xa0\x03"
"""Of a progressive JPEG, 4000 by 3000."""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PNG + b"\0\0\x7d\0\0\0\x7d\0", 32_000 * 32_000),
        (b"GIF89a\x40\x01\xf0\0", 320 * 240),
        (b"\xff\xd8\xff\xff\xff" + SEGMENT[1:] + SEGMENT + b"\xff\xc4\0\x02" + FRAME, 4000 * 3000),
        (WEBP + b"VP8X" + bytes(8) + b"\xff\x3f\0\xff\x3f\0", 16_384 * 16_384),
        (WEBP + b"VP8L" + bytes(4) + b"\x2f\xff\xff\xff\x0f", 16_384 * 16_384),
        (WEBP + b"VP8 " + bytes(10) + b"\x40\x41\xf0\0", 320 * 240),
        # Not to be told: cut off, empty, out of step, without a frame, with more segments than any camera writes.
        (PNG, None),
        (PNG.replace(b"IHDR", b"IDAT") + bytes(8), None),
        (b"GIF89a\x40", None),
        (b"\xff\xd8\xff\xe0\0\0" + FRAME, None),
        (b"\xff\xd8" + SEGMENT + b"\0" + FRAME, None),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8" + b"\xff\xfe\0\x02" * 5_000 + FRAME, None),
        (WEBP + b"ALPH" + bytes(30), None),
        (WEBP + b"VP8L", None),
        (b"<svg width='9'>", None),
    ],
)
def test_pixels_are_read_from_the_beginning(content: bytes, expected: int | None) -> None:
    assert pixels(content) == expected


@pytest.mark.parametrize(("side", "shown"), [(8_000, True), (8_001, False)])
def test_a_picture_that_would_stop_a_browser_is_a_download(side: int, shown: bool) -> None:
    def asked(query: bytes) -> Request:
        return Request({"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []})

    content = PNG + side.to_bytes(4, "big") * 2
    # A page would show its bytes all the same: it asks for a picture, and gets one or nothing.
    picture = file_answer(asked(b"as=picture"), content, sha256="ab", name="a.png")
    assert (picture.status_code, picture.body) == ((200, content) if shown else (415, b""))
    answer = file_answer(asked(b""), content, sha256="ab", name="a.png")
    assert answer.headers["content-type"] == ("image/png" if shown else "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("inline" if shown else "attachment")
    assert MOST_PIXELS == 8_000 * 8_000
