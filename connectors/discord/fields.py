"""Fields that only Discord's objects have; ``connectors.fields`` has the others."""

from __future__ import annotations

from datetime import UTC, datetime

from discord.utils import parse_time


def snowflake(value: object) -> str | None:
    """An id: Discord sends them as text."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    digits = str(value) if isinstance(value, int) and abs(value) < 2**64 else value
    if not isinstance(digits, str) or not digits.isascii() or not digits.isdecimal() or len(digits) > 20:
        return None
    return str(int(digits)) if int(digits) < 2**64 else None


def strict_snowflake(value: object) -> str:
    """Raises ``TypeError`` for what is none."""
    found = snowflake(value)
    if found is None:
        raise TypeError
    return found


def moment(value: object) -> datetime | None:
    """None for what is no time."""
    if not isinstance(value, str) or not value:
        return None
    try:
        at = parse_time(value)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)
