"""Which fault strikes where, and when: a pure function of the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from random import Random

from benchmarks.crash.points import OFTEN, places

DESK, RASA, POSTGRESQL, TELEGRAM, DISCORD, WEB = "desk", "Rasa", "PostgreSQL", "Telegram", "Discord", "web"
KILL, FREEZE, CUT, RESTART = "kill", "freeze", "cut", "restart"
HOLDER = "who holds a lease"

CALM = 3.0
"""Seconds at the beginning and the end in which nothing is started that breaks something."""
OPENING = 15.0
"""Seconds for which, as the first fault of several replicas, one that holds a lease hangs. But for the last
``WAKING`` it has them for itself: another must take its place meanwhile."""
WAKING = 3.0

_CUTS = {
    TELEGRAM: ("send refused a connection", "send's answer lost", "fetch cut", "fetch's answer lost", "outage"),
    DISCORD: (
        *("send refused a connection", "send's answer lost", "gateway cut", "gateway closed", "asked to reconnect"),
        *("session invalid", "outage"),
    ),
    WEB: ("request lost", "answer lost", "connections cut"),
    POSTGRESQL: ("connections cut",),
}


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


def schedule(seed: int, *, kills: int, duration: float, replicas: int, opening_seconds: float = OPENING) -> list[Fault]:
    """``kills`` kills, and with them a third as many freezes, half as many cuts and some restarts in order, by time.

    Three of four kills strike a desk at a named point, each place in turn; every eighth strikes Rasa or PostgreSQL,
    and the rest a desk at any moment.
    """
    random = Random(f"faults {seed}")
    opening = Fault(0, CALM, FREEZE, DESK, HOLDER, seconds=opening_seconds, dice=random.random())
    begin = CALM + (opening_seconds - WAKING if replicas > 1 else 0.0)
    faults = [
        *([opening] if replicas > 1 else []),
        *_spread(random, kills, begin, duration, _kills(random)),
        *_spread(random, kills // 3, begin, duration, _freezes(random)),
        *_spread(random, kills // 2, begin, duration, _cuts(random)),
        *_spread(random, max(1, kills // 40), begin, duration, cycle([Fault(0, 0.0, RESTART, DESK, "one by one")])),
    ]
    faults.sort(key=lambda fault: fault.at)
    return [replace(fault, number=number) for number, fault in enumerate(faults, 1)]


def _spread(random: Random, count: int, begin: float, duration: float, kinds: Iterator[Fault]) -> Iterator[Fault]:
    """So many, one in each of as many equal stretches of the time there is."""
    room = max(duration - begin - CALM, 1.0)
    for index in range(count):
        at = begin + (index + random.random()) * room / count
        yield replace(next(kinds), at=round(at, 2))


def _shuffled(random: Random, things: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    things = list(things)
    random.shuffle(things)
    return cycle(things)


def _at_point(random: Random, deed: str, side: str, point: str, seconds: float = 0.0) -> Fault:
    passage = random.randint(1, 4) if OFTEN[point] else 1
    return Fault(0, 0.0, deed, DESK, f"{side} {point}", side, point, passage, seconds, random.random())


def _kills(random: Random) -> Iterator[Fault]:
    at_points = _shuffled(random, list(places()))
    others = cycle((RASA, POSTGRESQL))
    for count in cycle(range(8)):
        if count == 3:
            victim = next(others)
            how = random.choice(("SIGKILL", "SIGQUIT")) if victim == POSTGRESQL else "SIGKILL"
            yield Fault(0, 0.0, KILL, victim, how, dice=random.random())
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
            how = random.choice(("at any moment", HOLDER))
            yield Fault(0, 0.0, FREEZE, DESK, how, seconds=seconds, dice=random.random())
        else:
            yield _at_point(random, FREEZE, *next(at_points), seconds)


def _cuts(random: Random) -> Iterator[Fault]:
    every = _shuffled(random, [(victim, how) for victim, cuts in _CUTS.items() for how in cuts])
    for victim, how in every:
        seconds = round(random.uniform(1, 6), 1) if how == "outage" else 0.0
        yield Fault(0, 0.0, CUT, victim, how, passage=random.randint(1, 3), seconds=seconds, dice=random.random())
