"""How much visitors may send in files."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class FileBounds:
    """Sizes in bytes. With ``most`` 0 visitors send no files."""

    most: int
    """Files in a message."""
    size: int
    """Of one file."""
    of_one: int
    """Of one visitor in a day."""
    of_all: int
    """Of all visitors in a day."""
