"""Calendar parts (iCalendar) in words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from icalendar import Calendar, Component

from connectors.email.mail import Ask, Invitation

_MOST = 256_000
"""Bytes; what is longer stays a file."""
_MOST_EVENTS = 20
_MOST_PARTS = 500
_ASKS = {
    "request": Ask.INVITES,
    "add": Ask.INVITES,
    "counter": Ask.INVITES,
    "cancel": Ask.CANCELS,
    "reply": Ask.ANSWERS,
}


def read(text: str) -> tuple[Invitation, ...]:
    """Empty where it cannot be read; never raises."""
    if len(text) > _MOST or text.upper().count("BEGIN:") > _MOST_PARTS:
        return ()
    try:
        calendar = Calendar.from_ical(text)
        ask = _ASKS.get(_words(calendar.get("method")).lower(), Ask.TELLS)
        events = [one for one in calendar.subcomponents if one.name in ("VEVENT", "VTODO")]
        return tuple(_invitation(ask, one) for one in events[:_MOST_EVENTS])
    except Exception:  # whatever a library makes of what strangers write
        return ()


def _invitation(ask: Ask, event: Component) -> Invitation:
    begin, end = _time(event, "dtstart"), _time(event, "dtend") or _time(event, "due")
    title, place, organizer = (_words(event.get(name)) for name in ("summary", "location", "organizer"))
    organizer = organizer.removeprefix("mailto:").removeprefix("MAILTO:")
    if _words(event.get("status")).lower() == "cancelled":
        ask = Ask.CANCELS
    answer = _answer(event) if ask is Ask.ANSWERS else ""
    lines = (title, _between(begin, end), place, organizer)
    repeats = "rrule" in event or "rdate" in event
    return Invitation(ask, title, begin, end, place, organizer, answer, repeats, "\n".join(filter(None, lines)))


def _words(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return " ".join(str(value or "").split())[:2000]


def _time(event: Component, name: str) -> datetime | date | None:
    found = getattr(event.get(name), "dt", None)
    return found if isinstance(found, date) else None


def _answer(event: Component) -> str:
    asked = event.get("attendee")
    first = asked[0] if isinstance(asked, list) and asked else asked
    return str(getattr(first, "params", {}).get("PARTSTAT", "")).lower()[:30]


def _between(begin: datetime | date | None, end: datetime | date | None) -> str:
    """``2026-12-01 10:00 – 11:00 (Asia/Shanghai)``: in the zone that the mail names, or in none."""
    if begin is None:
        return ""
    if not isinstance(begin, datetime):
        return f"{begin:%Y-%m-%d}"
    zone = f" ({begin.tzinfo})" if begin.tzinfo else ""
    if not isinstance(end, datetime) or end <= begin.replace(tzinfo=begin.tzinfo if end.tzinfo else None):
        return f"{begin:%Y-%m-%d %H:%M}{zone}"
    return (
        f"{begin:%Y-%m-%d %H:%M} – {end:%H:%M}{zone}"
        if end.date() == begin.date()
        else (f"{begin:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}{zone}")
    )
