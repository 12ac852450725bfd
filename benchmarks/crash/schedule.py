"""Which fault strikes where, and when: a pure function of the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from benchmarks.crash.points import AFTER, BEFORE, POINTS, places

DESK, RASA, POSTGRESQL, TELEGRAM, DISCORD, WEB = "desk", "Rasa", "PostgreSQL", "Telegram", "Discord", "web"
KILL, FREEZE, CUT = "kill", "freeze", "cut"

CALM = 3.0
"""Seconds at the beginning and the end in which nothing is started that breaks something."""

_CUTS = {
    TELEGRAM: ("send refused a connection", "send's answer lost", "fetch cut", "fetch's answer lost", "outage"),
    DISCORD: (
        *("send refused a connection", "send's answer lost", "gateway cut", "gateway closed", "asked to reconnect"),
        *("session invalid", "outage"),
    ),
    WEB: ("request lost", "answer lost", "connections cut"),
    POSTGRESQL: ("connections cut",),
}
_OFTEN = {point.name: point.often for point in POINTS}


@dataclass(frozen=True, slots=True)
class Fault:
    number: int
    at: float
    """Seconds after the first message."""
    deed: str
    victim: str
    how: str = ""
    """Of a kill or freeze: the signal or the place (``after finish turn``); of a cut: which."""
    side: str = ""
    point: str = ""
    passage: int = 1
    seconds: float = 0.0
    """How long it lasts, where that is chosen: a freeze, an outage."""
    dice: float = 0.0
    """For what can only be chosen when it strikes: which of the replicas that run."""

    @property
    def place(self) -> str:
        return f"{self.side} {self.point}"


def schedule(seed: int, *, kills: int, duration: float) -> list[Fault]:
    """``kills`` kills, and with them a third as many freezes and half as many cuts, in the order of their times.

    Three of four kills strike a desk at a named point, each place in turn; every eighth strikes Rasa or PostgreSQL,
    and the rest a desk at any moment.
    """
    random = Random(f"faults {seed}")  # noqa: S311
    faults = [
        *_spread(random, kills, duration, _kills(random)),
        *_spread(random, kills // 3, duration, _freezes(random)),
        *_spread(random, kills // 2, duration, _cuts(random)),
    ]
    faults.sort(key=lambda fault: fault.at)
    return [Fault(number, *_values(fault)) for number, fault in enumerate(faults, 1)]


def _values(fault: Fault) -> tuple[object, ...]:
    return tuple(getattr(fault, name) for name in Fault.__slots__[1:])


def _spread(random: Random, count: int, duration: float, kinds: Iterator[Fault]) -> Iterator[Fault]:
    """So many, one in each of as many equal stretches of the time there is."""
    room = max(duration - 2 * CALM, 1.0)
    for index in range(count):
        at = CALM + (index + random.random()) * room / count
        fault = next(kinds)
        yield Fault(0, round(at, 2), *_values(fault)[1:])


def _shuffled(random: Random, things: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    things = list(things)
    random.shuffle(things)
    return cycle(things)


def _at_point(random: Random, deed: str, side: str, point: str, seconds: float = 0.0) -> Fault:
    passage = random.randint(1, 4) if _OFTEN[point] else 1
    return Fault(0, 0.0, deed, DESK, f"{side} {point}", side, point, passage, seconds, random.random())


def _kills(random: Random) -> Iterator[Fault]:
    at_points = _shuffled(random, list(places()))
    others = cycle((RASA, POSTGRESQL))
    for count in cycle(range(8)):
        if count == 3:
            victim = next(others)
            how = random.choice(("SIGKILL", "SIGQUIT")) if victim == POSTGRESQL else "SIGKILL"
            seconds = round(random.uniform(0.0, 3.0), 1)
            yield Fault(0, 0.0, KILL, victim, how, seconds=seconds, dice=random.random())
        elif count == 7:
            yield Fault(0, 0.0, KILL, DESK, "at any moment", dice=random.random())
        else:
            yield _at_point(random, KILL, *next(at_points))


def _freezes(random: Random) -> Iterator[Fault]:
    at_points = _shuffled(random, list(places()))
    for count in cycle(range(6)):
        # Short ones are not noticed, long ones cost the frozen its lease and its jobs.
        seconds = round(random.choice((random.uniform(1, 5), random.uniform(8, 20))), 1)
        if count == 2:
            yield Fault(0, 0.0, FREEZE, RASA, "SIGSTOP", seconds=min(seconds, 8.0), dice=random.random())
        elif count in (1, 4):
            yield Fault(0, 0.0, FREEZE, POSTGRESQL, "one backend", seconds=seconds, dice=random.random())
        elif count == 5:
            yield Fault(0, 0.0, FREEZE, DESK, "at any moment", seconds=seconds, dice=random.random())
        else:
            yield _at_point(random, FREEZE, *next(at_points), seconds)


def _cuts(random: Random) -> Iterator[Fault]:
    every = _shuffled(random, [(victim, how) for victim, cuts in _CUTS.items() for how in cuts])
    for victim, how in every:
        seconds = round(random.uniform(1, 6), 1) if how == "outage" else 0.0
        yield Fault(0, 0.0, CUT, victim, how, passage=random.randint(1, 3), seconds=seconds, dice=random.random())


__all__ = ["AFTER", "BEFORE", "Fault", "schedule"]
