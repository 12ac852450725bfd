"""Requests to the desk's HTTP server: the web chat's, and the agents' console's."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st

from tests.fuzz.hostile import PERSON, TEXTS, WORDS, Examples, mutated, of, on_the_wire

SAID = Examples(
    (
        {"id": f"5b0e8f0e-0000-4000-8000-00{PERSON}", "text": f"{WORDS} how long does a transfer take?"},
        {"id": f"6b0e8f0e-0000-4000-8000-00{PERSON}", "text": "/human"},
        {"id": f"7b0e8f0e-0000-4000-8000-00{PERSON}", "button": {"payload": "helped:yes", "label": "Yes"}},
        {"id": f"8b0e8f0e-0000-4000-8000-00{PERSON}", "button": {"payload": "topic:transfer_delay", "label": WORDS}},
    )
)
VISITOR = f"{PERSON}{'v' * 33}"
"""The token in a visitor's cookie."""

SESSION = f"session-{PERSON}".encode()
"""The token in an agent's cookie."""

_COOKIE = f"switchboard_visitor={VISITOR}".encode()


@dataclass(frozen=True)
class Request:
    """As it goes over the wire; the path is raw, and the headers are whatever bytes."""

    method: str
    path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def of(self, person: int) -> Request:
        """The same of a customer."""
        headers = tuple((name, of(person, value)) for name, value in self.headers)
        return Request(self.method, self.path, self.query, headers, of(person, self.body))


_LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
_VALUE = st.one_of(
    st.sampled_from(
        tuple(
            text.encode("utf-8", "surrogatepass").translate(None, b"\x00\r\n")[:4_000]
            for text in TEXTS
            if text.strip("\x00")
        )
    ),
    _LATIN.map(lambda text: text.encode("latin-1")),
)
_HEADERS = (
    (b"cookie", _COOKIE),
    (b"cookie", b'switchboard_visitor="x"; =; ;;; a=b=c; \xff=\xff'),
    (b"cookie", b"switchboard_visitor=" + b"v" * 43 + b"; " + _COOKIE),
    (b"cookie", b"switchboard_session=" + b"\xe9" * 43),
    (b"origin", b"http://desk"),
    (b"origin", b"null"),
    (b"origin", b"http://[::1"),
    (b"origin", b"http://desk]"),
    (b"origin", "http://\u2100\uff0f.example".encode()),
    (b"origin", b"\xff\xfe"),
    (b"sec-fetch-site", b"same-origin"),
    (b"sec-fetch-site", b"cross-site"),
    (b"sec-fetch-site", b"\xe9"),
    (b"host", b"[::1"),
    (b"host", b"\xff:99999999"),
    (b"accept-language", b"zh;q=nan, en;q=inf, ;q=, *;q=-1, \xff"),
    (b"last-event-id", b"9" * 30),
    (b"last-event-id", b"\xb2"),
    (b"content-type", b"application/json"),
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-type", b"multipart/form-data"),
    (b"content-type", b"multipart/form-data; boundary=" + b"x" * 500),
    (b"content-length", b"99999999999999999999"),
    (b"content-length", b"-1"),
    (b"content-encoding", b"gzip"),
    (b"hx-request", b"true"),
    (b"hx-current-url", b"http://[::1/console/?view=mine"),
    (b"hx-current-url", b"http://desk/console/\xff?\xff"),
    (b"if-none-match", b'"x", W/"y", *'),
    (b"range", b"bytes=99999999999999999-, 5-2"),
    (b"range", b"bytes=-0"),
    (b"accept", b"*/*;q=nan"),
    (b"switchboard-file-name", b"..%2f%2e%00%ff%ED%A0%80%E2%80%AE.png"),
    (b"switchboard-file-name", b"%" * 9 + b"\xe9" * 3_000),
)
_NAMES = tuple(sorted({name for name, _ in _HEADERS}))


@st.composite
def _headers(draw: st.DrawFn, usual: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """The usual ones, some of which may be missing or doubled, and others."""
    kept = [one for one in usual if draw(st.integers(0, 9))]
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 4)))):
        name, value = draw(st.sampled_from(_HEADERS))
        kept.append((name, value) if draw(st.booleans()) else (draw(st.sampled_from(_NAMES)), draw(_VALUE)))
    return tuple(kept)


_PARTS = st.one_of(
    st.integers().map(str),
    st.sampled_from(TEXTS).map(lambda text: text[:3_000]),
    st.text(max_size=10),
    st.sampled_from(("0", "1", "-1", str(2**63), "1e3", "01", "٣", "..", "%2e%2e", ".", "chat.js", "NaN")),
)


def _quoted(text: str) -> bytes:
    return quote(text.encode("utf-8", "surrogatepass"), safe="").encode()


@st.composite
def _query(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    pairs = [
        f"{draw(st.sampled_from(names))}=".encode() + _quoted(draw(_PARTS))
        for _ in range(draw(st.sampled_from((0, 1, 1, 2, 3))))
    ]
    return b"&".join(pairs) if draw(st.integers(0, 9)) else b"%ff&=&a=%&;" + b"&".join(pairs)


_SAY = on_the_wire(mutated(SAID))
_USUAL = ((b"host", b"desk"), (b"cookie", _COOKIE))


@st.composite
def chat_requests(draw: st.DrawFn) -> Request:
    """Most of them say something; the others ask."""
    if draw(st.integers(0, 2)):
        headers = draw(_headers((*_USUAL, (b"content-type", b"application/json"))))
        return Request("POST", b"/chat/messages", draw(_query(("lang", "x"))), headers, draw(_SAY))
    if not draw(st.integers(0, 4)):
        content = draw(st.one_of(st.binary(max_size=100), st.sampled_from((b"<svg onload=x>", b"\xff\xd8\xff"))))
        where = _quoted(draw(_PARTS)) if draw(st.booleans()) else str(draw(st.uuids())).encode()
        headers = draw(_headers((*_USUAL, (b"content-length", b"%d" % len(content)))))
        return Request("POST", b"/chat/uploads/" + where, draw(_query(("lang", "x"))), headers, content)
    path = draw(
        st.sampled_from(
            (b"/chat", b"/chat/messages", b"/chat/events", b"/chat/static/", b"/chat/files/", b"/", b"/healthz")
        )
    )
    if path.endswith(b"/") and path != b"/":
        path += b"/".join(_quoted(draw(_PARTS)) for _ in range(2 if path.endswith(b"files/") else 1))
    method = draw(st.sampled_from(("GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "TRACE")))
    return Request(method, path, draw(_query(("after", "lang", "v", "x"))), draw(_headers(_USUAL)))


# --- the console ----------------------------------------------------------------------------------

_ASKED = (
    "", "/", "/list", "/sign-in", "/sign-in/{}", "/password", "/channels", "/search", "/navigation", "/static/{}/{}/{}",
    "/conversations/{}", "/conversations/{}/contacts", "/files/{}/{}", "/agents", "/agents/{}", "/public-name",
)  # fmt: skip
_TOLD = (
    ("/conversations/{}/messages", ("text", "mode", "reply_to")),
    ("/conversations/{}/messages/{}/edit", ("text",)),
    ("/conversations/{}/messages/{}/delete", ()),
    ("/conversations/{}/links", ("other",)),
    ("/conversations/{}/links/{}/undo", ()),
    ("/conversations/{}/claim", ()),
    ("/conversations/{}/hand-back", ()),
    ("/conversations/{}/resolve", ()),
    ("/sign-in", ("name", "password", "next")),
    ("/sign-in/{}", ()),
    ("/password", ("old", "password")),
    ("/public-name", ("name",)),
    ("/agents", ("name", "public_name", "role")),
    ("/agents/{}/name", ("name",)),
    ("/agents/{}/public-name", ("name",)),
    ("/agents/{}/role", ("role",)),
    ("/agents/{}/link", ()),
)
_CHARSETS = st.sampled_from(
    (None,) * 3
    + (
        "utf-8",
        "unicode_escape",
        "raw_unicode_escape",
        "utf-7",
        "utf-16",
        "undefined",
        "idna",
        "hex",
        "no\x00",
        "x" * 99,
    )
)
_CODED = st.sampled_from((r"\ud800", r"a\x00b", "+2AA-", "\u00ff"))
"""What is something else in one of them."""
_LINE = st.sampled_from((b"\r\n",) * 9 + (b"\n",))
_FILES = (b"", b"x", b"\x89PNG\r\n\x1a\n" + bytes(20), b"<html><script>", b"%PDF-1.7", bytes(200_000))


@st.composite
def _multipart(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A content type and a body."""
    boundary = draw(st.sampled_from((b"bound", b"", b'"b b"', b"x" * 80)))
    parts = []
    for _ in range(draw(st.sampled_from((0, 1, 2, 3, 25)))):
        name = draw(st.sampled_from((*names, "files", "files", "x"))).encode()
        end = draw(_LINE)
        head = b'content-disposition: form-data; name="' + name + b'"'
        content = draw(st.one_of(_PARTS, _CODED)).encode("utf-8", "surrogatepass")
        if draw(st.booleans()):
            file_name = draw(_VALUE).replace(b'"', b"") if draw(st.booleans()) else b"a.png"
            head += b'; filename="' + file_name + b'"' + end + b"content-type: " + draw(_VALUE)[:200]
            content = draw(st.sampled_from(_FILES))
        parts.append(b"--" + boundary + end + head + end + end + content + end)
    body = b"".join(parts) + (b"--" + boundary + b"--\r\n" if draw(st.integers(0, 9)) else b"")
    charset = draw(_CHARSETS)
    kind = b"multipart/form-data; boundary=" + boundary
    return kind + (b"; charset=" + charset.encode() if charset else b""), body


@st.composite
def console_requests(draw: st.DrawFn, numbers: int = 6) -> Request:
    """``numbers``: conversations and messages that there may be."""
    number = st.one_of(st.integers(1, numbers).map(str), st.integers(1, numbers).map(str), _PARTS)

    def filled(path: str) -> bytes:
        while "{}" in path:
            path = path.replace("{}", _quoted(draw(number)).decode(), 1)
        return b"/console" + path.encode()

    usual = ((b"host", b"desk"), (b"cookie", b"switchboard_session=" + SESSION))
    query = draw(_query(("view", "channel", "rows", "after", "find", "edit", "delete", "quote", "linked", "next", "x")))
    if draw(st.booleans()):
        method = draw(st.sampled_from(("GET",) * 8 + ("HEAD", "OPTIONS", "PUT")))
        return Request(method, filled(draw(st.sampled_from(_ASKED))), query, draw(_headers(usual)))
    path, names = draw(st.sampled_from(_TOLD))
    if draw(st.booleans()):
        kind, body = draw(_multipart(names))
    else:
        kind = b"application/x-www-form-urlencoded"
        body = b"&".join(name.encode() + b"=" + _quoted(draw(_PARTS)) for name in names if draw(st.integers(0, 5)))
    return Request("POST", filled(path), query, draw(_headers((*usual, (b"content-type", kind)))), body)
