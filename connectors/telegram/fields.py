"""Fields that only Telegram's objects have; ``connectors.fields`` has the others."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.fields import Json, words


def moment(value: object) -> datetime | None:
    """Unix time; None for what is none."""
    if type(value) is not int:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def coordinate(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return f"{float(value):f}"
    except OverflowError:
        return None


def name_of(person: Json) -> str:
    """Of a user or a chat, as its owner chose it."""
    name = f"{words(person.get('first_name'))} {words(person.get('last_name'))}".strip() or words(person.get("title"))
    return name or words(person.get("username"))
