"""Until when an agent lays a conversation aside: pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.domain.lifecycle import UNTIL_WRITTEN
from bot.domain.said import Refusal

MORNING = time(9)
FARTHEST = timedelta(days=366)


class Snooze(StrEnum):
    """What an agent chooses. Whatever it is, it ends when the customer writes."""

    HOUR = "hour"
    HOURS = "hours"
    """Three of them."""
    TOMORROW = "tomorrow"
    """At nine in the morning, where the agent is."""
    MONDAY = "monday"
    """The next one, at nine in the morning."""
    WRITTEN = "written"
    """Until the customer writes, and no sooner."""
    AT = "at"
    """Until a moment that they name."""


def snoozed_until(choice: str, now: datetime, zone: str = "", at: str = "") -> datetime:
    """The moment. ``zone`` is the agent's, as IANA names it (``Asia/Shanghai``; UTC where it names none), and ``at`` a
    moment there. Raises ``Refusal`` for what is no choice, no moment, over, or too far away."""
    there = _zone(zone)
    today = now.astimezone(there)
    if choice == Snooze.HOUR:
        return now + timedelta(hours=1)
    if choice == Snooze.HOURS:
        return now + timedelta(hours=3)
    if choice == Snooze.TOMORROW:
        return _morning(today, 1, there)
    if choice == Snooze.MONDAY:
        return _morning(today, 7 - today.weekday(), there)
    if choice == Snooze.WRITTEN:
        return UNTIL_WRITTEN
    try:
        if choice != Snooze.AT:
            raise ValueError(choice)
        named = datetime.fromisoformat(at)
        moment = (named if named.tzinfo else named.replace(tzinfo=there)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal("choose until when the conversation is snoozed", "refusal.choose_time") from error
    if moment <= now:
        raise Refusal("choose a time to come: until then the conversation is laid aside", "refusal.time_over")
    if moment > now + FARTHEST:
        raise Refusal("choose a time within a year", "refusal.time_too_far")
    return moment


def _morning(today: datetime, days: int, there: tzinfo) -> datetime:
    return datetime.combine(today.date() + timedelta(days=days), MORNING, there).astimezone(UTC)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):  # a name that is none raises a KeyError of zoneinfo's
        return UTC
