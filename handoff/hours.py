"""When people work: the week, holidays and single days of a deployment, as instants.

Pure: no clock is read here. An interval of a day begins and ends when the clock on the wall first shows that time or
a later one. So what begins in the hour that is missing in spring begins with the change, and of the hour that is there
twice in autumn the first one counts for its end; no moment belongs to two intervals that touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from bot.settings.hours import Interval
from bot.settings.hours import WorkingHours as Settings

LOOK_AHEAD = 60
"""Days within which an opening is looked for."""

Week = Sequence[Sequence[Interval]]
"""Intervals by weekday, Monday first: minutes since midnight; an end beyond 1440 is on the next day."""
Kind = Callable[[date], bool | None]
"""Whether the law makes a day a working day (True) or a holiday (False); None: neither, the week says."""

_DAY = timedelta(days=1)


def _ordinary(_: date) -> None:
    return None


@dataclass(frozen=True, slots=True)
class WorkingHours:
    zone: ZoneInfo
    week: Week
    kind: Kind = _ordinary
    exceptions: Mapping[date, Sequence[Interval]] = field(default_factory=dict)
    """Single days, whatever else is said of them: their intervals, or none."""

    def is_open(self, at: datetime) -> bool:
        first = next(self._spans(at, until=at + timedelta(seconds=1)), None)
        return first is not None and first[0] <= at

    def next_opening(self, at: datetime) -> datetime | None:
        """The first moment from ``at`` on at which it is open, on the desk's own clock: ``at`` itself if it is. None
        where there is none within ``LOOK_AHEAD`` days."""
        if self.is_open(at):
            return at.astimezone(self.zone)
        first = next(self._spans(at), None)
        return None if first is None else first[0].astimezone(self.zone)

    def working_time(self, begin: datetime, end: datetime) -> timedelta:
        """How much of the time between is working time; none where ``end`` is not later."""
        worked = timedelta()
        if end <= begin:
            return worked
        for opens, closes in self._spans(begin, until=end):
            worked += min(closes, end) - max(opens, begin)
        return worked

    def after(self, at: datetime, work: timedelta) -> datetime | None:
        """The moment at which ``work`` of working time has passed since ``at``; None where that is not within
        ``LOOK_AHEAD`` days."""
        for opens, closes in self._spans(at):
            begin = max(opens, at)
            if work <= closes - begin:
                return (begin + work).astimezone(self.zone)
            work -= closes - begin
        return None

    def _spans(self, begin: datetime, until: datetime | None = None) -> Iterator[tuple[datetime, datetime]]:
        """From when to when it is open, in order and apart, as far as it is behind ``begin``: what ends later, up to
        ``until`` or for ``LOOK_AHEAD`` days."""
        first = begin.astimezone(self.zone).date()
        last = first + LOOK_AHEAD * _DAY if until is None else until.astimezone(self.zone).date() + _DAY
        # A shift that began the day before may still be on; on the day of a change of clocks the date may go back.
        day = first - 2 * _DAY
        opens = closes = None
        while day <= last:
            for start, end in sorted(self._on(day)):
                if closes is not None and opens is not None and start > closes:
                    if closes > begin:
                        yield opens, closes
                    opens = None
                if until is not None and start >= until:
                    break
                opens = start if opens is None else opens
                closes = end if closes is None or end > closes else closes
            day += _DAY
        if opens is not None and closes is not None and closes > begin:
            yield opens, closes

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The intervals that begin on that day."""
        for start, end in self._intervals(day):
            opens, closes = _first_showing(day, start, self.zone), _first_showing(day, end, self.zone)
            if opens < closes:  # or it lies within a missing hour
                yield opens, closes

    def _intervals(self, day: date) -> Sequence[Interval]:
        exception = self.exceptions.get(day)
        if exception is not None:
            return exception
        kind = self.kind(day)
        if kind is False:
            return ()
        own = self.week[day.weekday()]
        if kind and not own:
            # Work is made up for on a free day: as on the first day of the week that has hours.
            return next((intervals for intervals in self.week if intervals), ())
        return own


def working_hours(settings: Settings | None) -> WorkingHours | None:
    """As they are configured; None: always open."""
    if settings is None:
        return None
    week = settings.week
    return WorkingHours(
        ZoneInfo(settings.timezone),
        (week.mon, week.tue, week.wed, week.thu, week.fri, week.sat, week.sun),
        _ordinary if settings.holidays is None else legal(settings.holidays, settings.subdivision),
        {**dict.fromkeys(settings.closed, ()), **settings.open},
    )


def legal(country: str, subdivision: str | None = None) -> Kind:
    """What a country's law says of a day: public holidays, and where there are such, days on which is worked in place
    of others."""
    import holidays  # a quarter of a second, which only a desk with holidays spends

    calendar = holidays.country_holidays(country, subdiv=subdivision)

    @lru_cache(maxsize=4000)
    def kind(day: date) -> bool | None:
        if day in calendar:
            return False
        # Filled in by the look above, year by year.
        return True if day in calendar.weekend_workdays else None

    return kind


@lru_cache(maxsize=4000)
def _first_showing(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The first instant at which that day's clock shows so many minutes after midnight, or more."""
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # The clock never shows it: it jumps over it, at the change.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
