"""How far off the expected wait is that customers are told: desks simulated, and every guess compared with what came.

``python -m benchmarks.waits`` prints, for desks of several kinds, the median error of the figure that somebody who
joins is told, and of the one told anew to who stands at some place; for the formula of ``handoff/routing.py`` and for
plainer ones. No database; the same every time.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.operations import Claim
from handoff.routing import FEWEST, LATEST, LOOK_BACK, expected_wait

OPENS = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTES = 9 * 60
DAYS = 20
TICK = 1 / 12
"""Minutes."""
LEAVES_AFTER = 60.0
"""Minutes, on average, after which who waits leaves the queue."""
SPREAD = 0.7
"""Of a conversation's length, as the sigma of its logarithm: a few take very long."""


@dataclass(frozen=True, slots=True)
class Desk:
    name: str
    agents: Callable[[float], int]
    """By hours since opening."""
    load: Callable[[float], float]
    """Work that arrives, as a share of what the agents get done."""
    minutes: float = 8.0
    """Work of an average conversation."""
    together: int = 1
    """Conversations that an agent has at once; each of them takes that much longer."""
    looks: float = 0.5
    """Minutes, on average, until a free agent sees that somebody waits."""


DESKS = (
    Desk("one agent, half busy", lambda _: 1, lambda _: 0.5),
    Desk("three agents, steady", lambda _: 3, lambda _: 0.9, together=2),
    Desk("three agents, a rush of two hours", lambda _: 3, lambda hour: 1.5 if 3 <= hour < 5 else 0.6, together=2),
    Desk("four agents, two at lunch", lambda hour: 2 if 3 <= hour < 4 else 4, lambda _: 0.9, together=2),
    Desk("ten agents, nearly too few", lambda _: 10, lambda _: 1.0, together=3),
)


@dataclass(slots=True, eq=False)
class Customer:
    joined: float
    urgent: bool
    patience: float
    claimed: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    joins: bool
    """Or stands in the queue."""
    customer: Customer
    at: float
    guesses: dict[str, float]
    """Minutes, by formula."""


Guess = Callable[[int, Sequence[Claim], datetime | None, datetime], timedelta | None]


def by_median(_: int, claims: Sequence[Claim], __: datetime | None, ___: datetime) -> timedelta | None:
    """The median of the latest waits, wherever one stands."""
    latest = claims[-LATEST:]
    if len(latest) < FEWEST:
        return None
    return timedelta(minutes=statistics.median(minutes(claim.claimed_at - claim.queued_at) for claim in latest))


def by_rate(place: int, claims: Sequence[Claim], _: datetime | None, now: datetime) -> timedelta | None:
    """Claims an hour, with the time in which nobody waited."""
    latest = claims[-LATEST:]
    return place * (now - latest[0].claimed_at) / (len(latest) - 1) if len(latest) >= FEWEST else None


GUESSES: dict[str, Guess] = {"expected_wait": expected_wait, "median wait": by_median, "plain rate": by_rate}


def minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


def at(moment: float) -> datetime:
    return OPENS + timedelta(minutes=moment)


def day(desk: Desk, rng: random.Random) -> list[Told]:
    """What customers were told in one day, and the customers, who know how it was."""
    queue: list[Customer] = []
    claims: list[Claim] = []
    talks: list[float] = []
    """When each conversation that agents have ends."""
    told: list[Told] = []

    def tell(joins: bool, place: int, now: float) -> None:
        recent = [claim for claim in claims if at(now) - claim.claimed_at < LOOK_BACK]
        since = at(min(one.joined for one in queue))
        found = {name: guess(place, recent, since, at(now)) for name, guess in GUESSES.items()}
        guesses = {name: minutes(wait) for name, wait in found.items() if wait is not None}
        if guesses:
            told.append(Told(joins, queue[place - 1], now, guesses))

    moment = 0.0
    while moment < MINUTES or queue:
        moment += TICK
        agents = desk.agents(min(moment, MINUTES - 1) / 60)
        talks = [end for end in talks if end > moment]
        queue = [one for one in queue if moment - one.joined < one.patience]
        for _ in range(agents * desk.together - len(talks)):
            if queue and rng.random() < TICK / desk.looks:
                one = queue.pop(0)
                one.claimed = moment
                claims.append(Claim(at(one.joined), at(moment)))
                length = rng.lognormvariate(-SPREAD * SPREAD / 2, SPREAD) * desk.minutes * desk.together
                talks.append(moment + length)
        if moment < MINUTES and rng.random() < TICK * desk.load(moment / 60) * agents / desk.minutes:
            one = Customer(moment, rng.random() < 0.05, rng.expovariate(1 / LEAVES_AFTER))
            place = sum(other.urgent or not one.urgent for other in queue) + 1
            queue.insert(place - 1, one)
            tell(True, place, moment)
        elif queue and rng.random() < TICK / 5:
            tell(False, rng.randrange(len(queue)) + 1, moment)
    return told


def errors(told: Iterable[Told], formula: str) -> list[tuple[float, float]]:
    """For each figure that was told: how many minutes it was off, and the wait that came."""
    return [
        (abs(one.guesses[formula] - wait), wait)
        for one in told
        if formula in one.guesses
        and one.customer.claimed is not None
        and (wait := one.customer.claimed - one.at) is not None
    ]


def main() -> None:
    print(f"{DAYS} days a desk; minutes, medians (nine in ten are off by less)")  # noqa: T201
    for desk in DESKS:
        told = [one for seed in range(DAYS) for one in day(desk, random.Random(seed))]  # noqa: S311
        for joins, who in ((True, "joins"), (False, "at some place")):
            some = [one for one in told if one.joins is joins]
            waits = [wait for _, wait in errors(some, "expected_wait")]
            parts = [f"{desk.name}, {who}: {len(waits)} figures, wait {statistics.median(waits):.1f}"]
            for formula in GUESSES:
                off = [error for error, _ in errors(some, formula)]
                parts.append(f"{formula} {statistics.median(off):.1f} ({statistics.quantiles(off, n=10)[8]:.1f})")
            print("; ".join(parts))  # noqa: T201


if __name__ == "__main__":
    main()
