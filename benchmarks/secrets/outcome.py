"""What a campaign of secrets has come to, and its tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Outcome:
    planted: int = 0
    recognised: set[int] = field(default_factory=set)
    """By the search alone, given the same words."""
    spread: set[int] = field(default_factory=set)
    kills: int = 0
    at_places: int = 0
    searched: Counter[str] = field(default_factory=Counter)
    """Bytes by place."""
    found: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Of secrets recognised in one message, by place."""
    found_spread: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    seconds: float = 0.0
    answered: Counter[str] = field(default_factory=Counter)
    """By channel: customers who have read exactly once what was removed."""
    twice: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def report(outcome: Outcome) -> str:
    lines = [
        f"{outcome.planted} planted, {len(outcome.recognised)} recognised in one message,"
        f" {len(outcome.spread)} over several; {outcome.kills} kills, {outcome.at_places} at a chosen place;"
        f" {outcome.seconds:.0f} s",
        "",
        "| place | MB | with a secret of one message | of several |",
        "|---|---:|---:|---:|",
        *(
            f"| {place} | {size / 1e6:.1f} | {len(outcome.found.get(place, ()))} |"
            f" {len(outcome.found_spread.get(place, ()))} |"
            for place, size in sorted(outcome.searched.items())
        ),
        "",
        "| channel | with a secret | told once | more than once |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {count} | {outcome.answered[name]} | {outcome.twice[name]} |"
            for name, count in sorted(outcome.expected.items())
        ),
        "",
        *(f"* {one}" for one in outcome.violations),
        *(f"  {one}" for one in outcome.notes),
    ]
    return "\n".join(lines)


def place_of(name: str) -> str:
    """Of a file that a desk has written."""
    if name.startswith("tmp/"):
        return "temporary files"
    if "/postgres/" in name:
        inside = name.partition("/postgres/")[2]
        if inside.startswith(("base/", "global/")):
            return "database: tables"
        if inside.startswith("pg_wal/"):
            return "database: write-ahead log"
        return "database: its log" if inside.startswith("log") else "database: all else"
    return "the desk's log" if name.endswith("desk.log") else "the desk's other files"


def plain(text: str) -> str:
    """Without what marks emphasis, and without spaces."""
    return "".join(text.replace("*", "").replace("\\", "").split())


def has(text: str, headlines: Sequence[str]) -> bool:
    said = plain(text)
    return any(one in said for one in headlines)
