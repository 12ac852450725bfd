"""What a platform sent, as JSON, read field by field: what is missing, new or of another type spoils nothing beside it.

The functions named ``strict_…`` are for the few fields without which there is nothing to record: they raise
``TypeError``. The others take whatever comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bot.domain.context import MAX_RAW

Json = dict[str, Any]


def storable(text: str) -> str:
    """Text that every database and every encoder takes: without NUL and without lone surrogates."""
    return text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def words(value: object) -> str:
    """Storable text; empty for what is no text."""
    return storable(value) if isinstance(value, str) else ""


def whole(value: object) -> Json:
    """Empty for what is no object."""
    return value if isinstance(value, dict) else {}


def each(value: object) -> Iterator[Json]:
    """The objects of a list."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def number(value: object) -> int | None:
    """A count, a size, a time: no platform has negative ones, and no database larger ones."""
    return value if type(value) is int and 0 <= value < 2**63 else None


def strict_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return storable(value)


def strict_object(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError
    return value


def strict_integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def line(*parts: str, by: str = " · ") -> str:
    """Those that are not empty."""
    return by.join(part for part in parts if part)


def as_it_came(rest: Json) -> str:
    """``Context.raw`` of what a connector has no words for. Raises nothing."""
    try:
        return storable(json.dumps(rest, ensure_ascii=False)[:MAX_RAW]) if rest else ""
    except (RecursionError, TypeError, ValueError):  # deeper, or with larger numbers, than anybody could read; no JSON
        return ""
