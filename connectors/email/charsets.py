"""Bytes as text, whatever charset they claim."""

from __future__ import annotations

import codecs
import re

from connectors.fields import storable

_MORE = {
    # What mail programs call by the smaller name has characters of the larger one.
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "gb_2312-80", "euc-cn", "gb18030", "cp936", "936", "hz"), "gb18030"),
    **dict.fromkeys(("big5", "x-x-big5", "big5-eten", "cn-big5", "950"), "cp950"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "932", "windows-31j"), "cp932"),
    **dict.fromkeys(("iso-2022-jp", "iso-2022-jp-ms", "csiso2022jp"), "iso2022_jp_ext"),
    **dict.fromkeys(("ks_c_5601-1987", "euc-kr", "ks_c_5601", "949"), "cp949"),
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "iso8859-1"), "cp1252"),
    **dict.fromkeys(("iso-8859-9",), "cp1254"),
    **dict.fromkeys(("utf8", "utf-8", "utf8mb4", "unicode-1-1-utf-8", "utf-8-sig"), "utf-8"),
}
_NOTHING_SAID = frozenset({"", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "default", "none"})
_NO_TEXT = frozenset(
    {"base64", "bz2", "hex", "quopri", "rot13", "uu", "zlib", "undefined"}
    | {"raw_unicode_escape", "unicode_escape", "idna", "punycode", "mbcs", "oem"}
)
"""Names that Python knows as codecs, and that are not charsets, or that no mail may choose."""
_SAMPLE = 20_000
"""Bytes that are looked at to guess."""
_GUESSES = ("gb18030", "cp950", "cp932", "euc_jp", "cp949", "cp1251")
_SHIFTS = re.compile(rb"\x1b\$[@B]")
"""Seven-bit Japanese, which is ASCII to whoever does not look."""
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_CYRILLIC = re.compile("[а-яА-ЯёЁ]")
_ODD = re.compile("[\ue000-\uf8ff\uff61-\uff9f\x80-\x9f\U00020000-\U0010ffff]")
"""Private, half-width and rare characters: what text turns into that is read in the wrong charset."""


def decode(data: bytes, claimed: str | None = None) -> tuple[str, bool]:
    """The text, and whether it is what the bytes say beyond doubt: false where the charset was guessed, or where some
    bytes had none."""
    name = (claimed or "").strip().strip("\"'").lower()
    codec = _MORE.get(name) or ("" if name in _NOTHING_SAID else _known(name))
    if codec:
        try:
            return _clean(data.decode(codec)), True
        except (UnicodeError, ValueError, OverflowError):
            pass
    if _SHIFTS.search(data[:_SAMPLE]):
        try:
            return _clean(data.decode("iso2022_jp_ext")), False
        except UnicodeDecodeError:
            pass
    try:
        return _clean(data.decode("utf-8")), codec == "" and name in _NOTHING_SAID
    except UnicodeDecodeError:
        pass
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _clean(data.decode("utf-16", "replace")), False
    # A few broken bytes in what is otherwise as it claims, or is plainly UTF-8: that is better than a guess.
    for name in dict.fromkeys(filter(None, (codec, "utf-8"))):
        text = data.decode(name, "replace")
        broken = text.count("\ufffd")
        if broken * 50 <= len(data) and any(char > "\x7f" and char != "\ufffd" for char in text[:_SAMPLE]):
            return _clean(text), False
    return _clean(data.decode(_guess(data) or (codec if codec != "utf-8" else "") or "cp1252", "replace")), False


def _known(name: str) -> str:
    if not name.isascii() or len(name) > 40:
        return ""
    try:
        found = codecs.lookup(name)
        if found.name.replace("-", "_") in _NO_TEXT or not getattr(found, "_is_text_encoding", True):
            return ""
        return found.name
    except (LookupError, ValueError, TypeError):
        return ""


def _guess(data: bytes) -> str:
    """The charset in which most of it is ordinary text; empty where none is likely."""
    sample = data[:_SAMPLE]
    best, most = "", 0.0
    for codec in _GUESSES:
        if (score := _likely(sample, codec)) > most:
            best, most = codec, score
    return best


def _likely(sample: bytes, codec: str) -> float:
    """How much of what is not ASCII is ordinary in that charset: at most 1, and 0 for what it does not have."""
    text = sample.decode(codec, "replace")
    foreign = [char for char in text if ord(char) > 127]
    if not foreign or text.count("\ufffd") * 20 > len(foreign):
        return 0.0
    joined = "".join(foreign)
    odd = len(_ODD.findall(joined)) + text.count("\ufffd")
    kana, hangul = len(_KANA.findall(joined)), len(_HANGUL.findall(joined))
    match codec:
        case "cp932" | "euc_jp":
            ordinary = len(joined) if kana * 6 >= len(joined) else 0
        case "cp949":
            ordinary = hangul
        case "cp1251":
            # Letters in rows: two accented letters of a Western text are not a Russian word.
            ordinary = len(_CYRILLIC.findall(joined)) if re.search("[а-яё]{4}", joined) else 0
        case _:
            ordinary = _common(joined, codec) if not kana and not hangul else 0
    return max(0.0, (ordinary - 2 * odd) / len(joined))


def _common(text: str, codec: str) -> int:
    """How many are signs or commonest characters of Chinese: the first level of GB 2312 or of Big5."""
    first, last = ((0xB0, 0xD7), (0xA4, 0xC6))[codec == "cp950"]
    found = 0
    for char in text:
        try:
            code = char.encode("gb2312" if codec == "gb18030" else "big5")
        except UnicodeEncodeError:
            continue
        found += len(code) == 2 and (first <= code[0] <= last or code[0] in (0xA1, 0xA3))
    return found


def _clean(text: str) -> str:
    """Without what no database takes, and with one kind of line end."""
    return storable(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
