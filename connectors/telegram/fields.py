"""Fields of Telegram's objects, read one by one: what is missing, new or of another type spoils nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def storable(value: object) -> str:
    """Text that every database and every encoder takes: without NUL and without lone surrogates."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def words(value: object) -> str:
    """Empty for what is no text."""
    return storable(value) if isinstance(value, str) else ""


def number(value: object) -> int | None:
    return value if type(value) is int else None


def whole(value: object) -> Json:
    """Empty for what is no object."""
    return value if isinstance(value, dict) else {}


def each(value: object) -> Iterator[Json]:
    """The objects of a list."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def size(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


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


def line(*parts: str, by: str = " · ") -> str:
    return by.join(part for part in parts if part)
