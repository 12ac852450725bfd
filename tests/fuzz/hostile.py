"""Well-formed JSON, made hostile: what hypothesis draws, and how it goes over a wire."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

PERSON = 4_242_424_242
"""Stands for the customer of the example, as a number or as text: every example has one of its own."""
WORDS = "quetzal-words"
"""In whatever a customer says. Never in a log."""

DEEP, DIGITS = "<deep>", "<digits>"
"""What no JSON library would write: put in on the wire."""
_ON_THE_WIRE = {
    json.dumps(DEEP).encode(): b"[" * 50_000 + b"]" * 50_000,
    json.dumps(DIGITS).encode(): b"1234567890" * 500,
}
_RAW = (
    b"\xff",
    b"\x00",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\\",
    b'"',
    b"}",
    b",",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\\ud800",
)


def _digits(count: int) -> str:
    """Digits that no compression makes short."""
    value = pow(7, 4 * count, 10**count)
    return str(value).rjust(count, "1")


TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\x00",
    f"a\x00b {WORDS}",
    f"\ud800 {WORDS} \udfff",
    "\ud83d",
    f"\u202e{WORDS}\u2066\u200b\u200d\ufeff\u2028\x85",
    "👩‍👩‍👧‍👦" * 50,
    "e" + "\u0301" * 3_000,
    "\U0010ffff\ufffe",
    f"<script>alert('{WORDS}')</script><img src=x onerror=alert(1)>",
    f"[{WORDS}](javascript:alert(1)) **_`~~ ![x](http://127.0.0.1/)\n```\n> # " + "[" * 400 + "*" * 400,
    "&#x202e;%00%ff{{7*7}}${7*7}#{7*7}%s%n{0}{brand}",
    "'; DROP TABLE message; --\\",
    f"../../../etc/passwd\r\nX-{WORDS}: 1\r\n\r\n",
    "/start " + "x" * 5_000,
    "/human\x00",
    f"{WORDS} " * 20_000,
    "字" * 120_000,
    "NaN",
    "-1",
    "1_000",
    " 12 ",
    "٣٤",
    "²",
    str(2**64),
    _digits(4_200),
    "0",
    "true",
    "null",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30T25:61:61Z",
    "2026-01-01",
    "20260101T000000",
    "http://[::1",
    "https://example.com:99999999/\x00",
    "file:///etc/passwd",
    DEEP,
    DIGITS,
)
NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63) - 1,
    10**40,
    int(_digits(3_000)),
    -62_135_596_800,
    253_402_300_799,
    253_402_300_800,
    10**12,
    0.5,
    -0.0,
    1e308,
    5e-324,
    math.nan,
    math.inf,
    -math.inf,
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    {"\x00": "\ud800"},
    {"id": None},
    [1, "1", None, {}],
    [0] * 3_000,
    {"__proto__": {}, "constructor": {}},
)


def _nested(levels: int) -> Any:
    value: Any = WORDS
    for level in range(levels):
        value = [value] if level % 2 else {"message": value}
    return value


OTHERS += (_nested(30), _nested(150))

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(OTHERS),
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)
_SPOT = st.integers(0, 2**20)
_HOW_MANY = st.sampled_from((1, 1, 1, 2, 2, 3, 5, 0))
_WAYS = st.sampled_from(("replace", "replace", "replace", "drop", "add", "wrap", "text", "number", "move", "twice"))


class Examples(tuple[Any, ...]):
    """Well-formed values. Printed short: hypothesis names its strategies by what they are made of."""

    def __repr__(self) -> str:
        return f"<{len(self)} examples>"


@st.composite
def mutated(draw: st.DrawFn, well_formed: Examples, values: st.SearchStrategy[Any] = VALUES) -> Any:
    """One of them, with some of its parts gone, doubled, moved, or replaced by what should not be there; now and then
    as it is."""
    root = [copy.deepcopy(draw(st.sampled_from(well_formed)))]
    for _ in range(draw(_HOW_MANY)):
        spots = list(_spots(root))
        holder, key = spots[draw(_SPOT) % len(spots)]
        _change(draw, holder, key, spots, values)
    return root[0]


def _change(draw: st.DrawFn, holder: Any, key: Any, spots: list[tuple[Any, Any]], values: Any) -> None:
    old = holder[key]
    match draw(_WAYS):
        case "drop" if holder is not spots[0][0]:
            del holder[key]
        case "add" if isinstance(old, dict):
            old[draw(st.sampled_from(("id", "text", "update_id", "\x00", "message", "type", "date", "a\ud800")))] = (
                _own(draw(values))
            )
        case "add" if isinstance(old, list):
            old.append(_own(draw(values)))
        case "wrap":
            holder[key] = [old] if draw(st.booleans()) else {"id": old}
        case "text" if isinstance(old, str):
            extra = draw(st.sampled_from(TEXTS))
            holder[key] = old + extra if draw(st.booleans()) else extra + old
        case "number" if isinstance(old, int | float):
            number = draw(st.sampled_from((-1, 0, 2**31, 2**53, 2**63 - 1, 2**64, True, 1.5, "7")))
            holder[key] = number
        case "move":
            other, place = spots[draw(_SPOT) % len(spots)]
            # A copy: a value that holds itself is no JSON.
            holder[key] = _own(other[place]) if _has(other, place) else None
        case "twice" if isinstance(holder, list) and holder is not spots[0][0]:
            holder.append(_own(old))
        case _:
            holder[key] = _own(draw(values))


def _has(holder: Any, place: Any) -> bool:
    return place in holder if isinstance(holder, dict) else place < len(holder)


def _own(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, dict | list) else value


def _spots(root: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Every place in it, as holder and key; the root is held by a list of one."""
    waiting: list[Any] = [root]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            yield holder, key
            if isinstance(value, dict | list) and len(value) < 200:
                waiting.append(value)


_ESCAPED = st.booleans()
_RARELY = st.sampled_from((False,) * 14 + (True,))
_CUT = st.sampled_from(("cut", "insert", "insert", "overwrite", "again"))


@st.composite
def on_the_wire(draw: st.DrawFn, values: st.SearchStrategy[Any], *, broken: bool = True) -> bytes:
    """JSON as somebody may send it: with any character escaped or not, with what no library writes; and where
    ``broken``, now and then no JSON any more."""
    wire = as_sent(json.dumps(draw(values), ensure_ascii=draw(_ESCAPED)).encode("utf-8", "surrogatepass"))
    if broken and draw(_RARELY):
        at = draw(_SPOT) % (len(wire) + 1)
        match draw(_CUT):
            case "cut":
                wire = wire[:at]
            case "insert":
                wire = wire[:at] + draw(st.sampled_from(_RAW)) + wire[at:]
            case "overwrite":
                raw = draw(st.sampled_from(_RAW))
                wire = wire[:at] + raw + wire[at + len(raw) :]
            case _:
                wire += wire
    return wire


def as_sent(wire: bytes) -> bytes:
    """JSON with what no library writes in the place of its marks."""
    for mark, raw in _ON_THE_WIRE.items():
        wire = wire.replace(mark, raw)
    return wire


def without_depth(wire: bytes) -> bytes:
    """JSON, if it is JSON at all, that can be loaded."""
    return wire.replace(_ON_THE_WIRE[json.dumps(DEEP).encode()], b"null")


def of(person: int, wire: bytes) -> bytes:
    """The same of a customer."""
    return wire.replace(str(PERSON).encode(), str(person).encode())
