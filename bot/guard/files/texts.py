"""The text of a file, by its content: which encoding it has, and what its markup stands for."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

MOST_TEXT = 1_000_000
"""Characters of a file that are searched: of a longer one the beginning."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OLD = ("gb18030", "big5hkscs", "cp932", "cp949", "latin-1")
_SAMPLE = 100_000
"""Characters that tell whether it is a text."""
_CONTROL = re.compile("[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffe\uffff]")
_BROKEN = re.compile("[\udc80-\udcff]")
"""Bytes that are no UTF-8, as ``surrogateescape`` keeps them."""
_CHINESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef\\s]")
_NO_TEXT = (b"%PDF-", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says in one encoding."""

    text: str
    encoding: str
    mark: bytes = b""
    """The byte order mark that it begins with."""
    sure: bool = True
    """Whether it can be nothing else; an old encoding is a guess."""

    def encoded(self, text: str) -> bytes:
        return self.mark + text.encode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "strict")


def readings(content: bytes) -> Iterator[Reading]:
    """What the file may say, the likeliest first; nothing for what is no text."""
    if content.startswith(_NO_TEXT):
        return
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            found = _read(content[len(mark) :], encoding, mark=mark)
            if found is not None:
                yield found
                return
    if (found := _read(content, "utf-8")) is not None:
        yield found
        return
    for encoding in ("utf-16-le", "utf-16-be"):
        found = _read(content, encoding)
        # English in the wrong order of bytes reads as rare Chinese characters: both are looked at.
        if found is not None and (b"\0" in content[:_SAMPLE] or _is_chinese(found.text)):
            yield replace(found, sure=False)
    if b"\0" in content[:_SAMPLE]:
        return
    text = content.decode("utf-8", "surrogateescape")
    if len(_BROKEN.findall(text, 0, _SAMPLE)) <= len(text[:_SAMPLE]) // 50 and _is_text(text):
        yield Reading(text, "utf-8", sure=False)
    for encoding in _OLD:
        if (found := _read(content, encoding, sure=False)) is not None:
            yield found


def _read(content: bytes, encoding: str, *, mark: bytes = b"", sure: bool = True) -> Reading | None:
    """Only what can be written again as it was."""
    try:
        text = content.decode(encoding)
        if not _is_text(text) or text.encode(encoding) != content:
            return None
    except UnicodeError:
        return None
    return Reading(text, encoding, mark, sure)


def _is_text(text: str) -> bool:
    sample = text[:_SAMPLE]
    return bool(sample) and "\0" not in sample and len(_CONTROL.findall(sample)) <= len(sample) // 50


def _is_chinese(text: str) -> bool:
    """Whether it is written in one of the scripts that UTF-16 without a mark is recognised by, and not by accident."""
    sample = text[:_SAMPLE]
    return len(_CHINESE.findall(sample)) >= len(sample) * 0.8


_INLINE = re.compile(
    r"</?(?:a|b|big|code|em|font|i|kbd|mark|s|small|span|strong|sub|sup|tt|u)(?:\s[^<>]{0,500})?/?>", re.IGNORECASE
)
_TAG = re.compile(r"<[/!?]?[A-Za-z][^<>]{0,2000}>")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\([nrtbf\"/])")
_RTF_CODE = re.compile(r"\\u(-?\d{1,6}) ?(?:\\'[0-9a-fA-F]{2}|\?)?")
_RTF_BYTES = re.compile(r"(?:\\'[0-9a-fA-F]{2})+")
_RTF_BREAK = re.compile(r"\\(?:par|line|cell|row|tab|page|sect)(?![a-z])-?\d{0,10} ?")
_RTF_WORD = re.compile(r"\\(?:\*|[a-z]{1,32}(?:-?\d{1,10})?) ?|[{}]|\r?\n")


def plainer(text: str) -> str:
    """What a reader sees of it: without the tags of HTML and XML, the escapes of JSON, the codes of RTF. The same text
    where it has none of these."""
    if text.startswith("{\\rtf"):
        return _rtf(text)
    if "<" in text:
        text = _TAG.sub("\n", _INLINE.sub("", text))
    if "&" in text:
        text = html.unescape(text)
    if "\\" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2].replace("n", " "), text)
    return text


def _rtf(text: str) -> str:
    text = _RTF_CODE.sub(lambda found: chr(int(found[1]) & 0xFFFF), text)
    text = _RTF_BREAK.sub("\0", text)
    text = _RTF_BYTES.sub(_code_page, text)
    return _RTF_WORD.sub("", text).replace("\0", "\n")


def _code_page(found: re.Match[str]) -> str:
    """Chinese where it can be, else the letters of Western Europe."""
    content = bytes.fromhex(found[0].replace("\\'", ""))
    try:
        return content.decode("gb18030" if len(content) > 1 else "latin-1")
    except UnicodeError:
        return content.decode("latin-1")
