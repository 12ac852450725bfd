"""The working hours in words, for customers: ``Mon–Fri 09:00–12:30, 13:30–18:00; Sat 10:00–14:00 (GMT+8)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import get_timezone_location

from bot.settings.hours import Interval, WorkingHours

_ALL_DAY = ((0, 1440),)


def opening_words(hours: WorkingHours, locales: Iterable[str]) -> Mapping[str, str] | None:
    """By locale; None for hours without a sentence worth telling: never, and always. Holidays and single days are not
    told: that somebody is away then, a customer hears when they ask for a person."""
    week = list(hours.week.model_dump().values())
    if all(day == _ALL_DAY for day in week) or not any(week):
        return None
    days = [
        ([index for index, _ in run], intervals)
        for intervals, run in groupby(enumerate(week), key=lambda day: day[1])
        if intervals
    ]
    return {locale: _in_words(days, hours.timezone, Locale.parse(locale, sep="-")) for locale in locales}


def _in_words(days: Iterable[tuple[list[int], tuple[Interval, ...]]], timezone: str, locale: Locale) -> str:
    names = locale.days["stand-alone"]["abbreviated"]
    parts = []
    for run, intervals in days:
        first, last = names[run[0]], names[run[-1]]
        between = "–" if len(run) > 2 else ", "
        when = first if len(run) == 1 else f"{first}{between}{last}"
        parts.append(f"{when} {', '.join(f'{_time(begin)}–{_time(end)}' for begin, end in intervals)}")
    return f"{'; '.join(parts)} ({_zone(timezone, locale)})"


def _time(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours if hours == 24 else hours % 24:02}:{rest:02}"


def _zone(timezone: str, locale: Locale) -> str:
    """By its distance from Greenwich where that is always the same, else by its city."""
    zone = ZoneInfo(timezone)
    winter, summer = (datetime(datetime.now(UTC).year, month, 1, tzinfo=zone) for month in (1, 7))
    if winter.utcoffset() == summer.utcoffset():
        return distance_from_greenwich(winter, locale)
    return str(get_timezone_location(zone, locale=locale, return_city=True))


def distance_from_greenwich(at: datetime, locale: Locale) -> str:
    """``GMT+8``, ``GMT-3:30``, in the language's own letters: CLDR's short form, which Babel does not write."""
    offset = at.utcoffset()
    assert offset is not None, "a time without its zone says nothing to a customer"
    minutes = abs(offset) // timedelta(minutes=1)
    if not minutes:
        return str(locale.zone_formats["gmt"] % "").strip()
    rest = f":{minutes % 60:02}" if minutes % 60 else ""
    return str(locale.zone_formats["gmt"] % f"{'+' if offset > timedelta() else '-'}{minutes // 60}{rest}")
