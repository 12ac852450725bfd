"""Reads ``data/cues/<locale>.yml``: short turns of phrase by what they mean (``bot.domain.cues``)."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from bot.content.problems import ContentError
from bot.domain.cues import Cue, Cues, fold

SHORTEST = 2
"""Characters: what is shorter stands in nearly every message."""


def read_cues(folder: Path) -> Cues:
    """All languages together: a customer's is not known before they are understood. Raises ``ContentError``."""
    found: dict[Cue, list[str]] = {}
    for path in sorted((folder / "cues").glob("*.yml")):
        for name, phrases in _read(path).items():
            found.setdefault(name, []).extend(phrases)
    return Cues(found)


def _read(path: Path) -> dict[Cue, list[str]]:
    try:
        loaded: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise ContentError(f"{path}: must be a map: the name of a cue, and its phrases as a list")
    found = {}
    for name, phrases in loaded.items():
        if name not in set(Cue):
            close = difflib.get_close_matches(str(name), list(Cue), n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ContentError(f"{path}: there is no cue {name}{meant} Allowed are {', '.join(Cue)}")
        if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
            raise ContentError(f"{path}: {name}: must be a list of phrases; put those with a colon or a sign in quotes")
        short = next((phrase for phrase in phrases if len(fold(phrase)) < SHORTEST), None)
        if short is not None:
            raise ContentError(f"{path}: {name}: {short!r} is shorter than {SHORTEST} characters")
        found[Cue(name)] = phrases
    return found
