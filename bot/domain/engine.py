"""What the intent engine makes of a text: plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OUT_OF_SCOPE = "out_of_scope"
"""The trained class of everything the desk does not answer. Never a topic, never offered."""


@dataclass(frozen=True, slots=True)
class Ranked:
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the engine makes of one text. ``ranking`` is best first, its confidences sum to at most 1."""

    text: str
    intent: str
    """The best candidate, sure or not; may be ``OUT_OF_SCOPE``."""
    confidence: float
    ranking: tuple[Ranked, ...]
    sure: bool
    """The pipeline's own verdict: its fallback let the best candidate through."""
    entities: tuple[Mapping[str, Any], ...] = ()


class EngineUnavailable(Exception):
    """The intent engine cannot answer now. The desk then hands over to a human; it never guesses."""
