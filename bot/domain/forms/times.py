"""Times and durations."""

from __future__ import annotations

import re
from decimal import Decimal

from bot.domain.forms import numbers
from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import BEGIN, Reading, Scan, beginnings
from bot.domain.forms.time_words import (
    AGES,
    AGO,
    AGO_BEFORE,
    DAY,
    LENGTH,
    MONTHS,
    NEEDS_DIGITS,
    NOW,
    PARTS,
    RELATIVE,
    SHORT,
    UNIT,
    WEEKDAYS,
    alternatives,
)

_HAN = "一二三四五六七八九十"
_WORDS = alternatives("half an", "half a", "an", "a", *numbers.ENGLISH)
_COUNT = (
    r"(?P<digits>\d{1,4}(?:[.,]\d{1,2})?)(?:\s?[-~]\s?(?P<most>\d{1,4}))?"
    rf"|(?P<chinese>[{_HAN}两兩百半]{{1,5}})"
    rf"|(?P<english>{_WORDS})(?=\s)"
)
_LONG = Scan(
    rf"(?<![.,/:#-]){BEGIN}(?P<lead>(?:{AGO_BEFORE})\s)?(?:{_COUNT})\s?[多几]?(?P<unit>{UNIT})(?![a-zа-яçğışüö])"
    rf"(?P<half>半)?(?:\s?多)?(?P<ago>\s?(?:{AGO})(?![a-zа-я]))?",
    f"{_HAN}两兩百半",
)
_NTH = Scan(
    rf"(?<![a-z])(?<!from\s)day\s(?P<day>\d{{1,3}}|{alternatives(*numbers.ENGLISH)})(?![a-z0-9])"
    rf"|第(?P<di>[{_HAN}\d]{{1,3}})天",
    "第",
    numbers=False,
)

_CLOCK = (
    r"(?:\d{1,2}[:：]\d{2}(?::\d{2})?\s?(?:am|pm)?(?![\d:])"
    r"|\d{1,2}\s?(?:am|pm|a\.m\.|p\.m\.|o'clock)(?![a-z])"
    rf"|(?:(?<![\d.])\d{{1,2}}|(?!一[点點](?:[^半钟鐘整多]|$))[{_HAN}两]{{1,3}}"
    r"|(?<=[上午晚晨里夜天])一)[点點](?![击擊])"
    rf"(?:半|多|左右|钟|鐘|整|\d{{1,2}}分?|[{_HAN}]{{1,3}}分?|[一三]刻)?)"
)
_DATE = (
    r"(?:(?:19|20)\d{2}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}[日号號]?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d{2}(?!\d)"
    rf"|\d{{1,2}}月\d{{1,2}}[日号號]?|[{_HAN}]{{1,2}}月[{_HAN}]{{1,3}}[日号號]"
    rf"|(?:{MONTHS})\.?\s\d{{1,2}}(?:st|nd|rd|th)?(?![\da-z:])"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?(?:{MONTHS})(?![a-z]))"
)
_WEEKDAY = (
    rf"(?:last\s|this\s)?(?:{WEEKDAYS})(?![a-zа-я])"
    r"|(?:上|这|這|本)?(?:周|週|星期|礼拜|禮拜)[一二三四五六日天](?![天个])"
)
_ONE = rf"(?:{_CLOCK}|{_DATE}|(?:{RELATIVE})(?![a-zа-я])|{_WEEKDAY}|(?:{NOW})(?![a-zа-я]))"
_GLUE = r"[,，]?\s?(?:(?:at|on|around|about|in the|the|在|的|大概|大约|约|de la)\s?)?"
_TIME = Scan(
    rf"(?<![.,/:#]){BEGIN}(?:(?:{PARTS})的?\s?)?{_ONE}(?:{_GLUE}(?:{_ONE}|(?:{PARTS})(?![a-zа-я]))){{0,3}}",
    beginnings(f"{PARTS}|{RELATIVE}|{NOW}|{WEEKDAYS}") + f"上这這本周週星礼禮{_HAN}两",
)
_ROUGH = re.compile(rf"(?<![a-zа-я])(?:in the )?(?:{PARTS})(?![a-zа-я])")
_NOW = re.compile(NOW)
_SLASH = Scan(r"(?<![\d/.(a-z_-])(\d{1,2})/(\d{1,2})(?![\d/)%])", words=False)
_NUMBERED = Scan(r"(?<![\d第.])(\d{1,2})[号號](?![\d码楼线])", words=False)
_DOTTED = Scan(r"(?<![\d.,/])(\d{1,2})\.(\d{1,2})(?:\.(\d{2}))?(?![\d.,]?\d)", words=False)
_CLOCK_DOTTED = Scan(
    r"(?<![\d.,/])(?:[01]?\d|2[0-3])\.[0-5]\d\s?(?:(?:this|in the|last)\s)?"
    r"(?:morning|evening|night|afternoon|am|pm)(?![a-z])",
    words=False,
)


def find(reading: Reading) -> None:
    """Takes every time and duration."""
    lower = reading.lower
    _durations(reading)
    for match in _CLOCK_DOTTED.find(lower) if "." in lower else ():
        _take_time(reading, match.start(), match.end())
    for match in _TIME.find(lower):
        _take_time(reading, match.start(), match.end())
    if not reading.has_digit and not reading.expects((Kind.TIME, Kind.DURATION)):
        return
    expected = reading.expects((Kind.TIME,))
    for match in _SLASH.find(lower):
        one, other = int(match[1]), int(match[2])
        if _is_date(one, other) and (one, other) != (24, 7) and (expected or max(one, other) >= 10):
            _take_time(reading, match.start(), match.end())
    for match in _NUMBERED.find(lower):
        if 1 <= int(match[1]) <= 31:
            _take_time(reading, match.start(), match.end())
    for match in _DOTTED.find(lower) if expected else ():
        if _is_date(int(match[1]), int(match[2])):
            _take_time(reading, match.start(), match.end())
    if expected and not any(detail.kind in (Kind.TIME, Kind.DURATION) for detail in reading.found):
        for match in _ROUGH.finditer(lower):
            _take_time(reading, match.start(), match.end())


def _is_date(one: int, other: int) -> bool:
    return (1 <= one <= 12 and 1 <= other <= 31) or (1 <= other <= 12 and 1 <= one <= 31)


def _take_time(reading: Reading, start: int, end: int) -> None:
    words = reading.words(start, end)
    small = words.lower()
    ages = [age for word, age in AGES.items() if age is not None and word in small]
    minutes = max(ages) if ages else 0 if _NOW.search(small) else None
    reading.take(Detail(Kind.TIME, words, start, end, minutes=minutes))


def _durations(reading: Reading) -> None:
    for match in _LONG.find(reading.lower):
        unit = match["unit"]
        count, most = _count(match)
        if count is None or not _believed(match, unit):
            continue
        length = LENGTH[unit]
        if match["half"]:
            count += Decimal("0.5")
        minutes = int(count * length)
        start, end = match.span()
        if match["ago"] or match["lead"]:
            reading.take(Detail(Kind.TIME, reading.words(start, end), start, end, minutes=minutes))
        else:
            value = f"{numbers.shown(count)}{most} {SHORT[length]}"
            reading.take(Detail(Kind.DURATION, value, start, end, minutes=minutes))
    for match in _NTH.find(reading.lower):
        written = match["day"] or match["di"]
        count = Decimal(written) if written.isdigit() else numbers.chinese(written) if match["di"] else None
        count = Decimal(numbers.ENGLISH.get(written, 0)) if count is None else count
        if count:
            detail = Detail(
                Kind.DURATION, f"{numbers.shown(count)} d", match.start(), match.end(), minutes=int(count) * DAY
            )
            reading.take(detail)


def _count(match: re.Match[str]) -> tuple[Decimal | None, str]:
    """How many, and where it is a range what comes behind: ``-5``."""
    if match["digits"]:
        return Decimal(match["digits"].replace(",", ".")), f"-{match['most']}" if match["most"] else ""
    if match["chinese"]:
        count = numbers.chinese(match["chinese"])
        if count is None and len(match["chinese"]) == 2:  # 两三
            count, most = (numbers.chinese(character) for character in match["chinese"])
            return (count, f"-{most}") if count and most and count < most else (None, "")
        return count, ""
    return Decimal(numbers.ENGLISH[match["english"].split()[0]]), ""


def _believed(match: re.Match[str], unit: str) -> bool:
    """Whether it is a length of time, and no other word with the same beginning."""
    if unit == "日":
        return match["digits"] is not None and match["ago"] is not None
    if unit in NEEDS_DIGITS:
        return match["digits"] is not None
    if unit == "天" and match["chinese"] == "半":
        return False  # 半天 is "for ages"
    return not (match["english"] == "a" and unit == "day" and match["ago"] is None)
