"""Header lines: their words, addresses, ids and dates. Nothing here raises, and nothing takes more than linear time."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.email.charsets import decode
from connectors.email.mail import Address

MOST_HEADERS = 500
MOST_LENGTH = 20_000
"""Characters of one header that are read."""
MOST_ADDRESSES = 500
MOST_IDS = 100
_LONGEST_ADDRESS = 320

_WORD = re.compile(r"=\?([^?\s]{0,60})\?([bBqQ])\?([^?\n]*)\?=")
_ID = re.compile(r"<([^<>\s]{1,900})>")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@(?:[^\s@<>,;:\"()\[\]\\]{1,253}|\[[0-9A-Fa-f:.IPv]{2,50}\])")
_QUOTED_LOCAL = re.compile(r'"[^"\\\r\n]{1,62}"@[^\s@<>,;:"()\[\]\\]{1,253}')


def words(raw: str) -> tuple[str, bool]:
    """A header as people read it, on one line; and whether its charsets were as it claims."""
    raw = raw[:MOST_LENGTH]
    sure = True
    found: list[str] = []
    end = 0
    held: list[tuple[str, bytes]] = []

    def let_go() -> None:
        nonlocal sure
        for charset, data in held:
            text, good = decode(data, charset)
            sure &= good
            found.append(text)
        held.clear()

    for match in _WORD.finditer(raw):
        between = raw[end : match.start()]
        if between.strip():
            let_go()
            text, good = _bare(between)
            sure &= good
            found.append(text)
        elif between and not held and not end:
            found.append(between)
        charset = match[1].partition("*")[0].lower()
        data = _encoded(match[2], match[3])
        # Programs cut characters in two at the end of an encoded word: the bytes are put together before they are read.
        if held and held[-1][0] == charset:
            held[-1] = (charset, held[-1][1] + data)
        else:
            held.append((charset, data))
        end = match.end()
    let_go()
    text, good = _bare(raw[end:])
    found.append(text)
    return " ".join("".join(found).split()), sure and good


def _encoded(kind: str, text: str) -> bytes:
    if kind in "qQ":
        return binascii.a2b_qp(text.replace("_", " ").encode("ascii", "replace"), header=False)
    kept = re.sub(r"[^A-Za-z0-9+/]", "", text)
    try:
        return b64decode(kept + "=" * (-len(kept) % 4))
    except ValueError:
        return b64decode(kept[: len(kept) // 4 * 4])


def _bare(raw: str) -> tuple[str, bool]:
    """What stands there without being encoded: bytes beyond ASCII reach us as lone surrogates."""
    if raw.isascii():
        return raw.replace("\x00", ""), True
    return decode(raw.encode("utf-8", "surrogateescape"))


def addresses(raw: str) -> tuple[Address, ...]:
    """The addresses of a header in order. Encoded words are read after it was taken apart: a name never brings an
    address of its own."""
    found = []
    for item in _items(raw[:MOST_LENGTH]):
        one = _address(item)
        if one is not None:
            found.append(one)
        if len(found) == MOST_ADDRESSES:
            break
    return tuple(found)


def _items(raw: str) -> Iterator[list[tuple[str, str]]]:
    """The parts between commas, each as pieces: (kind, text), kinds are ``"`` quoted, ``<`` in angles, ``(`` a comment
    and ``w`` words."""
    pieces: list[tuple[str, str]] = []
    plain: list[str] = []
    at, size = 0, len(raw)

    def close() -> None:
        if plain and (text := "".join(plain)).strip():
            pieces.append(("w", text))
        plain.clear()

    while at < size:
        char = raw[at]
        if char == '"':
            text, at = _until(raw, at + 1, '"')
            if at < size and raw[at] == "@":  # a quoted local part
                plain.append(f'"{text}"')
            else:
                close()
                pieces.append(('"', text))
        elif char == "(":
            close()
            text, at = _comment(raw, at + 1)
            pieces.append(("(", text))
        elif char == "<":
            close()
            end = raw.find(">", at)
            end = size if end < 0 else end
            pieces.append(("<", raw[at + 1 : end]))
            at = end + 1
        elif char in ",;":
            close()
            yield pieces
            pieces = []
            at += 1
        elif char == ":" and not pieces and "@" not in "".join(plain):
            plain.clear()  # the name of a group
            at += 1
        else:
            plain.append(char)
            at += 1
    close()
    yield pieces


def _until(raw: str, at: int, end: str) -> tuple[str, int]:
    kept: list[str] = []
    while at < len(raw) and raw[at] != end:
        if raw[at] == "\\" and at + 1 < len(raw):
            at += 1
        kept.append(raw[at])
        at += 1
    return "".join(kept), at + 1


def _comment(raw: str, at: int) -> tuple[str, int]:
    depth, begin = 1, at
    while at < len(raw):
        if raw[at] == "\\":
            at += 1
        elif raw[at] == "(":
            depth += 1
        elif raw[at] == ")":
            depth -= 1
            if not depth:
                break
        at += 1
    return raw[begin:at], at + 1


def _address(pieces: list[tuple[str, str]]) -> Address | None:
    angles = [text for kind, text in pieces if kind == "<"]
    names = [text for kind, text in pieces if kind in 'w"']
    if angles:
        # A route before the address (<@a,@b:c@d>) is long forgotten, and of several the last one is the address.
        text = angles[-1].rpartition(":")[2].strip()
    else:
        text = "".join(text for kind, text in pieces if kind == "w").strip()
        names = [text for kind, text in pieces if kind in '"(']
    # A domain in another script reaches us as the bytes of UTF-8.
    text = _bare(text)[0].strip()
    if not text.startswith('"'):
        text = "".join(text.split())
    if len(text) > _LONGEST_ADDRESS or not (_ADDRESS.fullmatch(text) or _QUOTED_LOCAL.fullmatch(text)):
        return None
    return Address(text, words(" ".join(names))[0])


def ids(raw: str) -> tuple[str, ...]:
    """Message-IDs in order, each once. Of very many the first and the newest ones."""
    found = tuple(dict.fromkeys(f"<{one}>" for one in _ID.findall(raw[: MOST_LENGTH * 5])))
    return found if len(found) <= MOST_IDS else (found[0], *found[-(MOST_IDS - 1) :])


def message_id(raw: str) -> str:
    found = ids(raw)
    if found:
        return found[0]
    bare = raw.strip().strip("<>").strip()
    return f"<{bare}>" if bare and len(bare) <= 900 and not re.search(r"[\s<>]", bare) else ""


def moment(raw: str) -> datetime | None:
    """In UTC."""
    try:
        found = parsedate_to_datetime(raw.strip()[:200])
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return found if found.year >= 1980 else None
