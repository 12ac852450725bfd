"""What a look at a deployment finds (``switchboard doctor``): plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. Only what is wrong keeps a deployment from working."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What ``switchboard doctor`` found of one thing, in an operator's words. Never holds a secret."""

    name: str
    level: Level
    words: str
    fix: str = ""
    """What to do about it; empty where all is well."""
    clock_ahead: float | None = None
    """Seconds by which the clock of what was looked at goes before this machine's, where it told the time."""
