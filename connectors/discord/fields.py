"""Fields of Discord's objects, read one by one: what is missing, new or of another type spoils nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from discord.utils import parse_time

Json = dict[str, Any]


def words(value: object) -> str:
    """Empty for what is no text. Text that every database and every encoder takes: without NUL and without lone
    surrogates."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole(value: object) -> Json:
    """Empty for what is no object."""
    return value if isinstance(value, dict) else {}


def each(value: object) -> Iterator[Json]:
    """The objects of a list."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def number(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


def snowflake(value: object) -> str | None:
    """An id: Discord sends them as text."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    digits = str(value) if isinstance(value, int) and abs(value) < 2**64 else value
    if not isinstance(digits, str) or not digits.isascii() or not digits.isdecimal() or len(digits) > 20:
        return None
    return str(int(digits)) if int(digits) < 2**64 else None


def moment(value: object) -> datetime | None:
    """None for what is no time."""
    if not isinstance(value, str) or not value:
        return None
    try:
        at = parse_time(value)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def line(*parts: str, by: str = " · ") -> str:
    return by.join(part for part in parts if part)
