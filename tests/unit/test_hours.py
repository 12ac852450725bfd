"""Working hours, against a clock that is read minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.settings import SettingsError, load
from bot.settings.hours import Interval
from handoff.hours import WorkingHours, legal, working_hours

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SHANGHAI, BERLIN, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Asia/Beirut": (date(2026, 3, 29), date(2026, 10, 25)),  # at midnight
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # at midnight
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "Asia/Shanghai": (date(2026, 6, 1),),  # never
}


def at(zone: ZoneInfo, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@lru_cache
def clock(zone: ZoneInfo, begin: datetime) -> list[datetime]:
    """What the clock on the wall shows, minute by minute, for four days: the latest that it has shown."""
    shown = datetime.min
    walls = []
    for passed in range(4 * 1440):
        shown = max(shown, (begin + passed * MINUTE).astimezone(zone).replace(tzinfo=None))
        walls.append(shown)
    return walls


def oracle(hours: WorkingHours, begin: datetime, minutes: int) -> list[tuple[datetime, bool]]:
    """Looks at the clock every minute: it is open from the first time that it shows an interval's beginning or later to
    the first time that it shows its end or later. Knows nothing of changes of clocks."""
    midnight = datetime.combine(begin.astimezone(hours.zone).date(), datetime.min.time(), tzinfo=hours.zone)
    before = min(midnight.astimezone(UTC), begin)
    passed = (begin - before) // MINUTE
    days = {wall.date() - back * DAY for wall in clock(hours.zone, before) for back in (0, 1)}
    intervals = [interval for day in days for interval in intervals_of(hours, day)]
    return [
        (begin + index * MINUTE, any(opens <= wall < closes for opens, closes in intervals))
        for index, wall in enumerate(clock(hours.zone, before)[passed : passed + minutes])
    ]


def intervals_of(hours: WorkingHours, day: date) -> Iterator[tuple[datetime, datetime]]:
    midnight = datetime.combine(day, datetime.min.time())
    for begin, end in hours.exceptions.get(day, hours.week[day.weekday()]):
        yield midnight + begin * MINUTE, midnight + end * MINUTE


@st.composite
def days(draw: st.DrawFn) -> list[Interval]:
    points = draw(st.lists(st.integers(0, 288), min_size=0, max_size=6, unique=True).map(sorted))
    intervals = [(5 * one, 5 * other) for one, other in zip(points[::2], points[1::2], strict=False)]
    if intervals and draw(st.booleans()):
        begin, _ = intervals[-1]
        if begin < 1440:
            intervals[-1] = (begin, 1440 + draw(st.integers(0, begin // 5)) * 5)  # over midnight
    return intervals


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([(zone, day) for zone, changes in CHANGES.items() for day in changes]),
    st.lists(days(), min_size=7, max_size=7),
    st.dictionaries(st.integers(-1, 1), days(), max_size=2),
    st.integers(0, 2880),
    st.integers(1, 2880),
)
# The hour that is missing, and the one that is there twice, begun and ended within.
@example(("Europe/Berlin", date(2026, 3, 29)), [[(150, 240)]] * 7, {}, 0, 2880)
@example(("Europe/Berlin", date(2026, 10, 25)), [[(60, 150), (160, 170)]] * 7, {}, 0, 2880)
@example(("America/New_York", date(2026, 11, 1)), [[(1320, 1530)]] * 7, {}, 0, 2880)
def test_agrees_with_a_clock_that_is_read_every_minute(
    where: tuple[str, date],
    week: Sequence[Sequence[Interval]],
    exceptions: Mapping[int, Sequence[Interval]],
    offset: int,
    length: int,
) -> None:
    zone, change = ZoneInfo(where[0]), where[1]
    single = {change + days * DAY: intervals for days, intervals in exceptions.items()}
    hours = WorkingHours(zone, week, exceptions=single)
    midnight = datetime.combine(change - DAY, datetime.min.time(), tzinfo=zone).astimezone(UTC)
    begin = midnight + offset * MINUTE
    looked = oracle(hours, begin, length)
    assert hours.working_time(begin, begin + length * MINUTE) == sum(is_open for _, is_open in looked) * MINUTE
    for moment, is_open in looked[:: max(1, length // 40)]:
        assert hours.is_open(moment) == is_open, moment
    first = next((moment for moment, is_open in looked if is_open), None)
    found = hours.next_opening(begin)
    if first is not None:
        # By the instant: Python holds a time that a clock shows twice for unlike every other zone's.
        assert found is not None
        assert found.astimezone(UTC) == first
        work = sum(is_open for _, is_open in looked) // 2 * MINUTE
        reached = hours.after(begin, work)
        assert reached is not None
        assert hours.working_time(begin, reached) == work
    else:
        assert found is None or found >= begin + length * MINUTE


def test_the_night_of_the_change_has_its_true_length() -> None:
    night = WorkingHours(BERLIN, [[(1320, 1800)]] * 7)  # 22:00-06:00
    evening, morning = "2026-{}T22:00", "2026-{}T06:00"
    worked = [
        night.working_time(at(BERLIN, evening.format(one)), at(BERLIN, morning.format(other)))
        for one, other in (("03-28", "03-29"), ("10-24", "10-25"), ("06-01", "06-02"))
    ]
    assert worked == [timedelta(hours=7), timedelta(hours=9), timedelta(hours=8)]


def test_the_next_opening_is_told_in_the_desks_time_zone() -> None:
    hours = WorkingHours(SHANGHAI, [[(540, 750), (810, 1080)]] * 5 + [[], []])
    lunch = hours.next_opening(datetime(2026, 11, 27, 4, 45, tzinfo=UTC))
    assert lunch is not None
    assert lunch.isoformat() == "2026-11-27T13:30:00+08:00"
    weekend = hours.next_opening(datetime(2026, 11, 27, 10, 0, tzinfo=UTC))
    assert weekend is not None
    assert weekend.isoformat() == "2026-11-30T09:00:00+08:00"


def test_nothing_is_looked_for_without_end() -> None:
    never = WorkingHours(SHANGHAI, [[]] * 7)
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert never.next_opening(now) is None
    assert never.after(now, MINUTE) is None
    always = WorkingHours(SHANGHAI, [[(0, 1440)]] * 7)
    assert always.next_opening(now) == now
    assert always.working_time(now, now - MINUTE) == timedelta()
    assert always.working_time(now, now + timedelta(days=100)) == timedelta(days=100)


def test_china_rests_on_holidays_and_works_on_the_days_that_make_up_for_them() -> None:
    hours = WorkingHours(SHANGHAI, [[(540, 1080)]] * 5 + [[], []], legal("CN"))
    noon = {day: hours.is_open(at(SHANGHAI, f"2026-{day}T12:00")) for day in ("02-17", "02-14", "02-15", "10-10")}
    assert noon == {"02-17": False, "02-14": True, "02-15": False, "10-10": True}
    after = hours.next_opening(at(SHANGHAI, "2026-02-14T18:00"))
    assert after == at(SHANGHAI, "2026-02-24T09:00")


def test_single_days_go_before_everything() -> None:
    closed, opened = date(2026, 12, 31), date(2026, 10, 1)
    hours = WorkingHours(SHANGHAI, [[(540, 1080)]] * 7, legal("CN"), {closed: (), opened: ((600, 960),)})
    assert not hours.is_open(at(SHANGHAI, "2026-12-31T12:00"))
    assert hours.is_open(at(SHANGHAI, "2026-10-01T10:00"))
    assert not hours.is_open(at(SHANGHAI, "2026-10-01T16:00"))


SECTION = """hours:
  timezone: Europe/Berlin
  week:
    mon: ["09:00-12:30", "13:30-18:00"]
    sat: ["22:00-06:00"]
  holidays: DE
  subdivision: BY
  closed: [2026-12-31]
  open: {2026-12-25: ["00:00-24:00"]}
"""


def test_the_section_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(SECTION, encoding="utf-8")
    hours = working_hours(load({}, {}, path).config.hours)
    assert hours is not None
    looked = {
        moment: hours.is_open(at(BERLIN, moment))
        for moment in (
            "2026-11-30T12:29",
            "2026-11-30T12:30",
            "2026-11-30T13:30",
            "2026-11-29T05:59",
            "2026-11-29T06:00",
            "2026-12-31T12:00",
            "2026-12-25T00:00",
            "2026-12-26T00:00",
            "2026-01-06T10:00",
        )
    }
    assert [moment for moment, is_open in looked.items() if is_open] == [
        "2026-11-30T12:29",
        "2026-11-30T13:30",
        "2026-11-29T05:59",
        "2026-12-25T00:00",
    ]
    path.write_text("brand: {name: X}\n", encoding="utf-8")
    assert working_hours(load({}, {}, path).config.hours) is None


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [
        ("Berlin", "Berlim", "line 2: hours.timezone: there is no such time zone; did you mean Europe/Berlin?"),
        ("13:30-18", "12:00-18", "line 4: hours.week.mon: these overlap"),
        ("22:00-06:00", "22-6", 'line 5: hours.week.sat.0: an interval is written "09:00-17:30", not'),
        ("22:00-06:00", "22:00-24:30", 'line 5: hours.week.sat.0: an interval lies between "00:00" and "24:00"'),
        ("    sat:", "    satt:", "line 5: hours.week.satt: unknown key; did you mean sat?"),
        ("  closed:", "  closedd:", "line 8: hours.closedd: unknown key; did you mean closed?"),
        ("holidays: DE", "holidays: XX", "line 6: hours.holidays: there is no country with such a code"),
        ("subdivision: BY", "subdivision: ZZ", "hours: subdivision: ZZ is none that is known; allowed are of DE: BB"),
        ("2026-12-25", "2026-12-31", "2026-12-31 stands in closed and in open"),
    ],
)
def test_mistakes_are_named_with_their_fix(tmp_path: Path, wrong: str, right: str, expected: str) -> None:
    path = tmp_path / "config.yml"
    assert wrong in SECTION
    path.write_text(SECTION.replace(wrong, right), encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load({}, {}, path)
    assert expected in str(error.value)
