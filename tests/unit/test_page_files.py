"""What strangers send and what the desk writes, on their way into a browser: neither may do anything there."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from bot.web.files import file_answer, unchanged
from bot.web.markdown import to_html
from bot.web.media import EXTENSIONS, PICTURES, media_type_of, named, picture_type, playable, safe_name

OGG = b"OggS\0\2" + bytes(20)
ELSEWHERE = 'target="_blank" rel="noopener noreferrer nofollow"'
FOR_ALL = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
    "etag": '"ab"',
}


def asked(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw})


def test_a_page_shows_what_it_names_and_saves_the_rest() -> None:
    everywhere = file_answer(asked(), OGG, sha256="ab", name="发 票.ogg")
    assert everywhere.headers["content-type"] == "audio/ogg"
    assert everywhere.headers["content-disposition"] == "inline; filename*=UTF-8''%E5%8F%91%20%E7%A5%A8.ogg"
    pictures_only = file_answer(asked(), OGG, sha256="ab", name="发 票.ogg", shown=PICTURES)
    assert pictures_only.headers["content-type"] == "application/octet-stream"
    assert pictures_only.headers["content-disposition"] == "attachment; filename*=UTF-8''%E5%8F%91%20%E7%A5%A8.ogg"
    known = unchanged(asked(if_none_match='W/"xy", "ab"'), "ab")
    assert known is not None
    assert (known.status_code, known.body) == (304, b"")
    for answer in (everywhere, pictures_only, known):
        assert FOR_ALL.items() <= dict(answer.headers).items()
    assert unchanged(asked(if_none_match='"abc"'), "ab") is None
    assert unchanged(asked(), "ab") is None


def test_a_part_of_a_file_is_what_the_whole_is() -> None:
    part = file_answer(asked(range="bytes=6-9"), OGG, sha256="ab", name="a.html")
    assert (part.status_code, part.body) == (206, OGG[6:10])
    assert part.headers["content-type"] == "audio/ogg"
    assert part.headers["content-range"] == f"bytes 6-9/{len(OGG)}"


def test_what_is_played_is_nothing_that_a_browser_runs() -> None:
    assert EXTENSIONS.keys() >= PICTURES
    assert {media_type.partition("/")[0] for media_type in EXTENSIONS} == {"image", "audio", "video"}
    assert "image/svg+xml" not in EXTENSIONS


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Fees\n\n- one\n- two", "<h1>Fees</h1>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>\n'),
        ("`<b>`", "<p><code>&lt;b&gt;</code></p>\n"),
        ("```sh\nls\n```", '<pre><code class="language-sh">ls\n</code></pre>\n'),
        ("> quoted\n\n---", "<blockquote>\n<p>quoted</p>\n</blockquote>\n<hr>\n"),
        ("<b onclick=x>bold</b>", "<p>&lt;b onclick=x&gt;bold&lt;/b&gt;</p>\n"),
        ("[x](JaVaScRiPt:alert(1))", "<p>[x](JaVaScRiPt:alert(1))</p>\n"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>\n"),
        (
            "![x](https://evil.example/a.png)",
            f'<p>!<a href="https://evil.example/a.png" {ELSEWHERE}>x</a></p>\n',
        ),
        (
            '[x](https://ok.example "a \\" onclick=x")',
            f'<p><a href="https://ok.example" title="a &quot; onclick=x" {ELSEWHERE}>x</a></p>\n',
        ),
    ],
)
def test_markdown_becomes_html_that_can_only_be_read(markdown: str, html: str) -> None:
    assert to_html(markdown) == html


def test_long_names_keep_what_they_end_in() -> None:
    assert safe_name("x" * 500 + ".jpeg") == "x" * 145 + ".jpeg"
    assert named("", "voice", "audio/ogg") == "voice.ogg"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b" \x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"OggS\0\2", "audio/ogg"),
        (b"ID3\4", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypheic", None),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x42\x82\x88matroska", None),
        ("text in UTF-16".encode("utf-16"), None),
        (b"<svg>", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, media_type: str | None) -> None:
    assert playable(head) == media_type
    assert picture_type(head) == (media_type if media_type in PICTURES else None)


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [
        ("application/pdf", "application/pdf"),
        ("Text/Plain; charset=utf-8", "text/plain"),
        ("image/png", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("text/html\r\nx: y", "application/octet-stream"),
    ],
)
def test_a_claim_is_good_for_what_bytes_cannot_tell(claimed: str, believed: str) -> None:
    assert media_type_of(b"anything", claimed) == believed
