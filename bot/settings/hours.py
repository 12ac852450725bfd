"""The section ``hours`` of ``config.yml``: when people work at the desk."""

from __future__ import annotations

import difflib
import itertools
import re
from datetime import date
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bot.settings.section import Section

Interval = tuple[int, int]
"""Minutes since midnight. An end beyond 1440 is on the next day."""


def _interval(value: object) -> object:
    """``09:00-12:30`` as minutes."""
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('an interval is written "09:00-17:30"')
    begin, end = (60 * int(found[hour]) + int(found[hour + 1]) for hour in (1, 3))
    if begin == end or begin >= _DAY or end > _DAY or any(int(found[minute]) > 59 for minute in (2, 4)):
        raise ValueError('an interval lies between "00:00" and "24:00", and ends at another time than it begins')
    return begin, end if end > begin else end + _DAY


def _apart(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    ordered = sorted(intervals)
    if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(ordered)):
        raise ValueError("these overlap; the intervals of a day must not")
    return tuple(ordered)


_DAY = 24 * 60
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})", re.ASCII)
_Intervals = Annotated[tuple[Annotated[Interval, BeforeValidator(_interval)], ...], AfterValidator(_apart)]


class Week(Section):
    """Several intervals a day; a day that is not named is free."""

    mon: _Intervals = ()
    tue: _Intervals = ()
    wed: _Intervals = ()
    thu: _Intervals = ()
    fri: _Intervals = ()
    sat: _Intervals = ()
    sun: _Intervals = ()


def _timezone(value: str) -> str:
    known = available_timezones()
    if value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        raise ValueError(f"there is no such time zone{f'; did you mean {close[0]}?' if close else ''}")
    return value


def _countries() -> dict[str, list[str]]:
    """With their parts, by ISO code."""
    import holidays  # a quarter of a second, which only a desk with holidays spends

    return holidays.list_supported_countries()


def _country(value: str) -> str:
    if value not in _countries():
        raise ValueError("there is no country with such a code whose holidays are known; China is CN, Germany DE")
    return value


class WorkingHours(Section):
    """When people work at the desk; without the section they always may."""

    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    week: Week
    holidays: Annotated[str, AfterValidator(_country)] | None = None
    """The country whose public holidays are free, and whose substitute working days are not: its ISO code."""
    subdivision: str | None = None
    """With its part of the country, by the ISO code: ``BY``."""
    closed: tuple[date, ...] = ()
    open: dict[date, _Intervals] = Field(default_factory=dict)
    """Single days, whatever week and holidays say."""

    @model_validator(mode="after")
    def _knows_subdivision(self) -> WorkingHours:
        if self.subdivision is not None:
            allowed = _countries().get(self.holidays or "", ())
            if self.subdivision not in allowed:
                of = (
                    f"of {self.holidays}: {', '.join(allowed) or 'none'}"
                    if self.holidays
                    else "those of hours.holidays"
                )
                raise ValueError(f"subdivision: {self.subdivision} is none that is known; allowed are {of}")
        return self

    @model_validator(mode="after")
    def _says_one_thing_of_a_day(self) -> WorkingHours:
        twice = set(self.closed) & set(self.open)
        if twice:
            raise ValueError(f"{min(twice)} stands in closed and in open; leave it in one of them")
        return self
