"""Which phrases the desk says: found in its sources, where every key is written out in full.

A key is a text between quotation marks that begins with a section of the phrases and a dot: ``"chat.send"``. One that
ends with a dot, or goes on with what only the running program knows (``f"console.state.{state}"``), stands for every
phrase below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_HOME = Path(__file__).resolve().parents[2]
SOURCES = tuple(_HOME / name for name in ("bot", "connectors", "handoff", "switchboard"))
_KINDS = frozenset({".py", ".js", ".html"})
_FILES = frozenset({"css", "html", "js", "json", "log", "md", "path", "png", "py", "sock", "svg", "txt", "yml"})
"""What ends so is a file's name."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What sources say: phrases, and the beginnings of those whose end is known only as they run."""

    keys: Mapping[str, Path] = field(default_factory=dict)
    """By key: where it is said."""
    prefixes: frozenset[str] = frozenset()
    """Each with its dot at the end."""

    def has(self, key: str) -> bool:
        return key in self.keys or any(key.startswith(prefix) for prefix in self.prefixes)


def usage(sections: Iterable[str], sources: Iterable[Path] = SOURCES) -> Usage:
    """What is said of these sections in the sources, folders or files."""
    pattern = re.compile(
        rf"""["'`](?P<key>(?:{"|".join(sorted(sections))})(?:\.[a-z0-9_-]+)+)(?P<end>["'`]|\.(?=["'`{{$]))"""
    )
    keys: dict[str, Path] = {}
    prefixes: set[str] = set()
    for path in _files(sources):
        for found in pattern.finditer(path.read_text(encoding="utf-8")):
            if found["end"] == ".":
                prefixes.add(found["key"] + ".")
            elif found["key"].rpartition(".")[2] not in _FILES:
                keys.setdefault(found["key"], path)
    return Usage(keys, frozenset(prefixes))


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_file():
            yield source
        yield from sorted(path for path in source.rglob("*") if path.suffix in _KINDS)
