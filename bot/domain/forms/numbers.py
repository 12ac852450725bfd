"""Numbers as customers write them: 1,200 · 0,5 · 1.5k · 三千五 · half."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

WRITTEN = r"\d{1,15}(?:[.,'’]\d{1,18}){0,6}"
"""A number in digits, with what separates thousands and decimals."""

CHINESE = r"[零〇一二两兩三四五六七八九十百千万亿半]{1,12}"

ENGLISH: Mapping[str, Decimal | int] = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
    "half": Decimal("0.5"),
}

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GREAT = {"万": 10**4, "亿": 10**8}
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[,']\d{3})+")


def plain(written: str) -> str:
    """The same number with a decimal point and nothing else: ``1,200`` is ``1200``, ``0,5`` is ``0.5``."""
    written = written.replace("’", "'").rstrip(".,'")
    whole, fraction = written, ""
    last = max(written.rfind("."), written.rfind(","))
    if last >= 0:
        mark = written[last]
        thousands = _THOUSANDS.fullmatch(written) is not None
        if not thousands and written.count(mark) == 1:
            whole, fraction = written[:last], written[last + 1 :]
    digits = re.sub(r"\D", "", whole).lstrip("0") or "0"
    return f"{digits}.{fraction}" if fraction else digits


def chinese(written: str) -> Decimal | None:
    """The value of a Chinese number such as 三千五 or 一万二; None for what is none (千, 万万)."""
    if written == "半":
        return Decimal("0.5")
    if "半" in written:
        return None
    total = section = digit = 0
    last = 1
    for position, character in enumerate(written):
        if character in _DIGITS:
            if digit:
                return None  # 两三百 is "two or three hundred"
            digit = _DIGITS[character]
            if position + 1 == len(written) and last >= 100 and position and written[position - 1] not in "零〇":
                digit *= last // 10  # 三千五 is 3500
        elif character in _UNITS:
            last = _UNITS[character]
            section += (digit or 1) * last if digit or last == 10 else 0
            if not digit and last != 10:
                return None
            digit = 0
        else:
            last = _GREAT[character]
            if not section + digit:
                return None
            total = (total + section + digit) * last
            section = digit = 0
    return Decimal(total + section + digit) or None


def times(number: str, factor: int) -> str:
    """``number`` times ``factor``, without an exponent and without needless zeros."""
    return shown(Decimal(number) * factor)


def shown(value: Decimal | int) -> str:
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
