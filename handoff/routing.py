"""How long somebody in the queue may expect to wait: pure functions of how fast conversations were claimed lately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bot.domain.operations import Claim
from handoff.hours import WorkingHours

LOOK_BACK = timedelta(hours=3)
FEWEST = 5
"""With fewer claims in ``LOOK_BACK`` no figure is said."""
LATEST = 20
"""So many claims are looked at: the desk of now, not that of three hours ago."""


def expected_wait(
    place: int,
    claims: Sequence[Claim],
    since: datetime | None,
    now: datetime,
    hours: WorkingHours | None = None,
) -> timedelta | None:
    """How long it may take until place ``place`` (from 1) of the queue is claimed; None where too little is known.

    ``claims`` are the latest, in order; ``since`` is when the conversation that has waited longest came into the queue.
    Place n needs n claims, and one takes as long as lately: the time in which somebody was waiting, divided by the
    claims in it. Looked at from the first claim on, which itself does not count. Only working time counts, and the
    wait goes over it: shortly before closing, to the next morning.
    """
    latest = claims[-LATEST:]
    if len(latest) < FEWEST:
        return None
    begin = latest[0].claimed_at
    waits = [(max(begin, claim.queued_at), claim.claimed_at) for claim in latest[1:]]
    if since is not None:
        waits.append((max(begin, since), now))
    busy = sum((_working(hours, *span) for span in _united(waits)), timedelta())
    work = place * busy / (len(latest) - 1)
    if hours is None:
        return work
    reached = hours.after(now, work)
    return None if reached is None else reached - now


def _united(spans: Sequence[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """The same time, each moment of it once."""
    begin = end = None
    for start, stop in sorted(spans):
        if begin is None or end is None or start > end:
            if begin is not None and end is not None:
                yield begin, end
            begin, end = start, stop
        end = max(end, stop)
    if begin is not None and end is not None:
        yield begin, end


def _working(hours: WorkingHours | None, begin: datetime, end: datetime) -> timedelta:
    return end - begin if hours is None else hours.working_time(begin, end)
