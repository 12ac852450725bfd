"""A text as Rasa gets it, and what Rasa says of it as the desk reads it: the same over HTTP and offline."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.characters import shows
from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable, Prediction, Ranked

MAX_CHARACTERS = 1000
"""What is read of a message: whoever writes more has said what it is about by then."""

FALLBACK = "nlu_fallback"
"""What Rasa's FallbackClassifier puts first when the pipeline is not sure."""

# Rasa takes a message that begins with a slash for a command and believes it ("/greet" is a greeting
# with confidence 1). The full-width slash means the same to a reader, and nothing to Rasa.
_COMMAND = re.compile(r"^\s*/")


class ParsedIntent(BaseModel):
    model_config = ConfigDict(strict=True)
    # What PostgreSQL cannot hold is no name either.
    name: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
    confidence: Annotated[float, Field(ge=0, le=1.000001, allow_inf_nan=False)]


class Parsed(BaseModel):
    """What is used of Rasa's answer; validation raises for anything that is no prediction."""

    model_config = ConfigDict(strict=True)
    intent: ParsedIntent
    intent_ranking: list[ParsedIntent]
    entities: list[dict[str, Any]] = []


def as_sent(text: str) -> str:
    """``text`` as Rasa gets it. Raises ``ValueError`` if there is no visible character in it."""
    if not shows(text):
        raise ValueError("there is no text to classify")
    # Half an emoji is a Python string, but not UTF-8.
    return _COMMAND.sub("\uff0f", text)[:MAX_CHARACTERS].encode(errors="replace").decode()


def to_prediction(text: str, parsed: Parsed) -> Prediction:
    """Rasa's fallback is a verdict on the ranking, not an intent in it.

    Raises ``EngineUnavailable`` for a ranking that holds nothing, or something else than the intent.
    """
    ranking = sorted(
        (
            Ranked(intent.name, min(intent.confidence, 1.0))
            for intent in parsed.intent_ranking
            if intent.name != FALLBACK
        ),
        key=lambda ranked: -ranked.confidence,
    )
    if not ranking:
        raise EngineUnavailable("Rasa's answer ranks no intent.")
    best = ranking[0]
    if parsed.intent.name not in (best.name, FALLBACK):
        raise EngineUnavailable("Rasa's answer contradicts its own ranking.")
    return Prediction(
        text=text,
        intent=best.name,
        confidence=best.confidence,
        ranking=tuple(ranking),
        sure=parsed.intent.name != FALLBACK and best.name != OUT_OF_SCOPE,
        entities=tuple(parsed.entities),
    )
