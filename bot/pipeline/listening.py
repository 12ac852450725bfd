"""What a customer wrote → what the policy is told of it: details recognised by their form, the rest classified.

The engine is asked about the text with placeholders, so that a hash inside never disturbs what the words mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from bot import monotonic
from bot.domain.details import merged
from bot.domain.engine import Prediction
from bot.domain.forms import Detail, Kind, Vocabulary, masked, recognise
from bot.domain.heard import Heard
from bot.runtime.metrics import NullMetrics

Predict = Callable[[str], Awaitable[Prediction]]

PARTS = 3
"""So many problems of one message are classified each by itself."""


def measured(predict: Predict, metrics: NullMetrics) -> Predict:
    """The same, counted."""

    async def parse(text: str) -> Prediction:
        asked = monotonic.seconds()
        try:
            prediction = await predict(text)
        except Exception:
            metrics.parse_failed()
            raise
        metrics.parsed(monotonic.seconds() - asked)
        return prediction

    return parse


@dataclass(frozen=True, slots=True)
class Read:
    """One message, read but not yet classified."""

    text: str
    details: tuple[Detail, ...]
    asked: str
    """What the engine is asked."""
    words: str
    """The text without its details: what tells the language. Empty where the message has no other words."""


class Listening:
    def __init__(self, predict: Predict, vocabulary: Vocabulary, parts: Callable[[str], Sequence[str]]) -> None:
        """``parts`` cuts a text where another problem begins."""
        self.predict = predict
        self._vocabulary = vocabulary
        self._parts = parts

    def read(self, text: str, expecting: Collection[Kind] = ()) -> Read:
        """``expecting``: the details that were asked for, which makes doubtful forms certain."""
        details = recognise(text, self._vocabulary, expecting)
        return Read(text, details, masked(text, details), _without(text, details))

    async def hear(self, read: Read, known: Sequence[Detail], predicting: Awaitable[Prediction] | None = None) -> Heard:
        """Classifies what was read. ``predicting`` is the engine's answer where it was asked already. Raises
        ``EngineUnavailable``."""
        prediction: Prediction | None = None
        parts: tuple[Prediction, ...] = ()
        if read.words:
            prediction = await (predicting or self.predict(read.asked))
            parts = await self._of_parts(read)
        return Heard(read.text, prediction, parts, read.details, merged(known, read.details))

    async def _of_parts(self, read: Read) -> tuple[Prediction, ...]:
        parts = self._parts(read.asked)
        if not 1 < len(parts) <= PARTS:
            return ()
        return tuple(await asyncio.gather(*map(self.predict, parts)))


def _without(text: str, details: Sequence[Detail]) -> str:
    """The words between the details; empty where nothing but marks is left. An error's text is words, too: it says
    what is wrong."""
    kept, at = [], 0
    for detail in details:
        if detail.kind is Kind.ERROR:
            continue
        kept.append(text[at : detail.start])
        at = detail.end
    rest = " ".join((*kept, text[at:])).strip()
    return rest if any(character.isalnum() for character in rest) else ""
