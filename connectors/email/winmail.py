"""``winmail.dat`` (TNEF), in which Outlook hides a mail's files from everybody else. Of the format only what holds
files and text is read; where it breaks, what came before is kept."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.email.charsets import decode
from connectors.email.mail import MailFile

_SIGNATURE = 0x223E9F78
_DEEPEST = 4
_MOST_FILES = 500
_BODY, _DATA, _TITLE, _NEW_FILE, _MESSAGE, _FILE, _CODE_PAGE = 0x800C, 0x800F, 0x8010, 0x9002, 0x9003, 0x9005, 0x9007
_P_BODY, _P_HTML, _P_CODE_PAGE = 0x1000, 0x1013, 0x3FDE
_P_DATA, _P_NAME, _P_LONG_NAME, _P_TYPE, _P_CONTENT_ID = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712
_FIXED = {0x2: 4, 0x3: 4, 0x4: 4, 0xA: 4, 0xB: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_OLE = b"\xd0\xcf\x11\xe0"
_IID = 16
"""Bytes before an embedded object that say what it is."""


class Broken(Exception):
    """The bytes end, or are none of the format."""


@dataclass(slots=True)
class Winmail:
    text: str = ""
    html: str = ""
    files: list[MailFile] = field(default_factory=list)
    whole: bool = True
    """Whether it was read to its end."""


@dataclass(slots=True)
class _File:
    name: str = ""
    media_type: str = ""
    content: bytes = b""
    content_id: str = ""


def read(data: bytes, depth: int = 0) -> Winmail:
    """Never raises."""
    found = Winmail()
    files: list[_File] = []
    try:
        _attributes(memoryview(data), found, files)
    except Broken:
        found.whole = False
    for one in files:
        content = one.content
        if content[_IID : _IID + 4] == struct.pack("<I", _SIGNATURE) and depth < _DEEPEST:
            inner = read(content[_IID:], depth + 1)
            found.files += inner.files
            found.whole &= inner.whole
            if not (text := inner.text or inner.html):
                continue
            one.name, one.media_type = f"{one.name or 'message'}.txt", "text/plain"
            content = text.encode()
        if content[_IID : _IID + 4] == _OLE:
            content = content[_IID:]  # a document within, which is a file of its own once its wrapping is gone
        if content or one.name:
            kind = one.media_type or "application/octet-stream"
            found.files.append(MailFile(one.name or "file", kind, content, one.content_id))
    return found


def _attributes(data: memoryview, found: Winmail, files: list[_File]) -> None:
    if len(data) < 6 or _u32(data, 0) != _SIGNATURE:
        raise Broken
    at, page = 6, "cp1252"
    while at + 9 <= len(data):
        name, length = _u16(data, at + 1), _u32(data, at + 5)
        begin, end = at + 9, at + 9 + length
        if end > len(data):
            # The last file was cut: what there is of it is kept.
            if name == _DATA and files:
                files[-1].content = bytes(data[begin:])
            raise Broken
        value = data[begin:end]
        if name == _CODE_PAGE and length >= 4:
            page = f"cp{_u32(value, 0)}"
        elif name == _NEW_FILE:
            if len(files) == _MOST_FILES:
                raise Broken
            files.append(_File())
        elif name == _BODY:
            found.text = found.text or _string(value, page)
        elif name == _MESSAGE:
            _message(value, page, found)
        elif files and name == _TITLE:
            files[-1].name = files[-1].name or _string(value, page)
        elif files and name == _DATA:
            files[-1].content = files[-1].content or bytes(value)
        elif files and name == _FILE:
            _file(value, page, files[-1])
        at = end + 2
    if at < len(data):
        raise Broken


def _message(data: memoryview, page: str, found: Winmail) -> None:
    html = b""
    for kind, name, value in _properties(data):
        if name == _P_CODE_PAGE and kind == 0x3:
            page = f"cp{_u32(value, 0)}" if _u32(value, 0) != 65001 else "utf-8"
        elif name == _P_BODY and kind in (_STRING, _UNICODE):
            found.text = _text(kind, value, page) or found.text
        elif name == _P_HTML:
            if kind == _BINARY:
                html = bytes(value)
            else:
                found.html = _text(kind, value, page)
    if html:
        found.html = decode(html.rstrip(b"\x00"), page)[0]


def _file(data: memoryview, page: str, file: _File) -> None:
    for kind, name, value in _properties(data):
        if name == _P_DATA and kind in (_BINARY, _OBJECT):
            file.content = bytes(value)
        elif kind in (_STRING, _UNICODE):
            text = _text(kind, value, page)
            if name == _P_LONG_NAME:
                file.name = text or file.name
            elif name == _P_NAME:
                file.name = file.name or text
            elif name == _P_TYPE:
                file.media_type = text
            elif name == _P_CONTENT_ID:
                file.content_id = text


def _properties(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Each property's type, number and value; of one with several values the first."""
    count, at = _u32(data, 0), 4
    for _ in range(min(count, len(data) // 8)):
        kind, name = _u16(data, at), _u16(data, at + 2)
        at += 4
        if name >= 0x8000:
            by_name = _u32(data, at + 16)
            at += 24 if not by_name else 24 + _padded(_u32(data, at + 20))
        several, kind = kind & 0x1000, kind & 0x0FFF
        values = 1
        if several or kind in (_STRING, _UNICODE, _OBJECT, _BINARY):
            values = _u32(data, at)
            at += 4
        first: memoryview | None = None
        for _ in range(values):
            if kind in _FIXED:
                size = step = _FIXED[kind]
            elif kind in (_STRING, _UNICODE, _OBJECT, _BINARY):
                size = _u32(data, at)
                at += 4
                step = _padded(size)
            else:
                raise Broken
            if at + size > len(data):
                raise Broken
            first = data[at : at + size] if first is None else first
            at += step
        if first is not None:
            yield kind, name, first


def _text(kind: int, value: memoryview, page: str) -> str:
    return decode(bytes(value), "utf-16-le")[0].strip("\x00") if kind == _UNICODE else _string(value, page)


def _string(value: memoryview, page: str) -> str:
    return decode(bytes(value).rstrip(b"\x00"), page)[0]


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _u16(data: memoryview, at: int) -> int:
    if at + 2 > len(data):
        raise Broken
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: memoryview, at: int) -> int:
    if at + 4 > len(data):
        raise Broken
    return int.from_bytes(data[at : at + 4], "little")
