"""What somebody in the queue may expect, from how fast conversations were claimed; and how the desk stands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from bot import monotonic
from bot.domain.operations import Claim, QueueState
from bot.domain.situation import Situation
from bot.store.waiting import Waiting
from handoff.absences import Absences
from handoff.hours import WorkingHours
from handoff.routing import expected_wait
from handoff.situations import Situations

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # a Friday
BY_DAY = WorkingHours(ZoneInfo("UTC"), [[(540, 1080)]] * 5 + [[], []])


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def claims(*pairs: tuple[float, float]) -> list[Claim]:
    return [Claim(at(queued), at(claimed)) for queued, claimed in pairs]


ONE_AFTER_ANOTHER = claims((-70, -60), (-52, -50), (-42, -40), (-32, -30), (-22, -20))
"""Each waited two minutes, and nobody else meanwhile."""
A_QUEUE = claims((-60, -50), (-60, -40), (-60, -30), (-60, -20), (-60, -10))
"""Somebody waited all the time, and one was claimed every ten minutes."""


@pytest.mark.parametrize(
    ("place", "known", "since", "expected"),
    [
        (1, ONE_AFTER_ANOTHER, None, 2),
        (3, ONE_AFTER_ANOTHER, None, 6),
        (1, A_QUEUE, -60, (40 + 10) / 4),
        (4, A_QUEUE, -60, 4 * (40 + 10) / 4),
        (1, ONE_AFTER_ANOTHER, -20, (4 * 2 + 20) / 4),  # nobody is claimed any more: it grows
        (1, ONE_AFTER_ANOTHER[1:], None, None),
        (1, [], -60, None),
    ],
)
def test_place_n_needs_n_claims(
    place: int, known: Sequence[Claim], since: float | None, expected: float | None
) -> None:
    found = expected_wait(place, known, None if since is None else at(since), NOON)
    assert found == (None if expected is None else minutes(expected))


def test_only_the_latest_claims_count() -> None:
    slow = claims(*((-170, -170 + n * 15) for n in range(5)))
    fast = claims(*((-100 + n, -99 + n) for n in range(20)))
    assert expected_wait(1, slow + fast, None, at(-80)) == expected_wait(1, fast, None, at(-80)) == minutes(1)


def test_the_night_is_no_time_in_which_somebody_could_have_been_claimed() -> None:
    nine = -3 * 60.0
    morning = claims(*((nine - 600, nine + 10 * n) for n in range(1, 6)))
    assert expected_wait(2, morning, at(nine - 600), at(nine + 60), BY_DAY) == minutes(25)


def test_a_wait_beyond_closing_ends_on_the_next_working_day() -> None:
    afternoon = claims(*((200, 230 + n * 20) for n in range(6)))
    now = at(335)  # 17:35
    found = expected_wait(3, afternoon, at(200), now, BY_DAY)
    assert found == datetime(2026, 11, 30, 9, 38, tzinfo=UTC) - now


# --- how the desk stands


class Desk:
    """What the database would say."""

    def __init__(self, on_duty: int = 1, known: Sequence[Claim] = ()) -> None:
        self.agents = on_duty
        self.known = list(known)
        self.reads = 0
        self.fails = False

    async def on_duty(self, gone_after: timedelta) -> int:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError
        return self.agents

    async def queue(self) -> QueueState:
        return QueueState(2, at(-60))

    async def claims(self, within: timedelta, most: int) -> list[Claim]:
        return self.known


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr(monotonic, "seconds", lambda: seconds[0])
    return seconds


def situations(desk: Desk, hours: WorkingHours | None = BY_DAY, now: datetime = NOON) -> Situations:
    return Situations(cast(Waiting, desk), hours, minutes(15), lambda: now)


async def test_how_it_stands(clock: list[float]) -> None:
    found = situations(Desk(2, A_QUEUE))
    wait = 3 * minutes(12.5)
    assert await found.now() == Situation(NOON, True, 2, None, wait, 2)
    assert (await found.now(1)).wait == minutes(12.5)
    closed = situations(Desk(2, A_QUEUE), now=at(600))
    assert await closed.now() == Situation(at(600), False, 2, datetime(2026, 11, 30, 9, tzinfo=UTC), None, 2)
    assert (await closed.now(1)).wait is None
    away = await situations(Desk(0, A_QUEUE), hours=None).now()
    assert (away.open, away.people, away.wait, away.back_at) == (True, False, None, None)


async def test_many_ask_and_one_reads(clock: list[float]) -> None:
    desk = Desk()
    found = situations(desk)
    await asyncio.gather(*(found.now() for _ in range(50)))
    assert desk.reads == 1
    clock[0] += 4.9
    await found.now()
    assert desk.reads == 1
    # Older than that it is told once more, and read beside it.
    clock[0] += 0.2
    desk.agents = 7
    assert (await found.now()).on_duty == 1
    await asyncio.sleep(0.01)
    assert (await found.now()).on_duty == 7
    assert desk.reads == 2
    clock[0] += 31
    desk.agents = 0
    assert (await found.now()).on_duty == 0


async def test_what_cannot_be_read_is_told_from_before_for_a_while(clock: list[float]) -> None:
    desk = Desk()
    found = situations(desk)
    await found.now()
    desk.fails = True
    clock[0] += 6
    assert (await found.now()).people
    await asyncio.sleep(0.01)
    clock[0] += 30
    with pytest.raises(ConnectionError):
        await found.now()
    desk.fails = False
    assert (await found.now()).people


# --- who left


class Absent:
    """A desk whose clock is set, and what was asked to expire."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.people = True
        self.asked: list[datetime] = []
        self.absences = Absences(self.situation, self.expire, minutes(30))

    async def situation(self) -> Situation:
        return Situation(self.now, on_duty=int(self.people))

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.clock[0])

    async def expire(self, gone_after: timedelta, came_after: datetime) -> int:
        assert gone_after == minutes(30)
        self.asked.append(came_after)
        return 1

    async def sweep(self, minutes: float) -> None:
        """As often as in that time."""
        for _ in range(round(minutes * 2)):
            await self.absences.sweep()
            self.clock[0] += 30


async def test_who_left_expires_once_somebody_was_there_long_enough(clock: list[float]) -> None:
    desk = Absent(clock)
    began = desk.now
    await desk.sweep(30)
    assert desk.asked == []
    await desk.sweep(1)
    assert desk.asked == [began, began]


@pytest.mark.parametrize("away", ["nobody is there", "the desk was stopped or blind"])
async def test_a_time_in_which_nobody_could_come_begins_it_anew(clock: list[float], away: str) -> None:
    desk = Absent(clock)
    await desk.sweep(31)
    desk.asked.clear()
    if away == "nobody is there":
        desk.people = False
        await desk.sweep(60)
        desk.people = True
    else:
        clock[0] += 3600
    again = desk.now
    await desk.sweep(30)
    assert desk.asked == []
    await desk.sweep(0.5)
    assert desk.asked == [again]
