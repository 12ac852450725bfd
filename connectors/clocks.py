"""What time a platform has, from the ``Date`` that every HTTP answer carries."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

TIMEOUT = 5.0


async def clock_ahead(url: str) -> float | None:
    """Seconds by which the clock at ``url`` goes before this machine's, to about a second; None if it does not tell.

    Nothing but the address is sent, so it may not hold a secret. Never raises.
    """
    asked = datetime.now(UTC)
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    answered = datetime.now(UTC)
    return ahead(answer.headers.get("date", ""), asked, answered)


def ahead(date: str, asked: datetime, answered: datetime) -> float | None:
    """How far a ``Date`` header lies outside the time between question and answer; 0.0 if inside."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    # The header has whole seconds, cut off: what it says may be true of any moment of that second.
    if (behind := (asked - told).total_seconds() - 1.0) > 0:
        return -behind
    return max(0.0, (told - answered).total_seconds())
