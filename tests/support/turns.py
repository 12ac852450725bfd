"""Turns for tests: real answers, policy and words, with a scripted engine."""

from __future__ import annotations

from typing import Any

from bot.content.answers import Answers
from bot.domain.secret import TheirCopy
from bot.pipeline.deciding import Deciding, Detect
from bot.pipeline.listening import Predict, measured
from bot.pipeline.turns import Turns
from bot.runtime.metrics import NullMetrics
from bot.store import Store
from switchboard.wiring import dialogue_of


def turns_of(
    store: Store,
    answers: Answers,
    predict: Predict,
    detect: Detect,
    content: dict[str, Any] | None = None,
    **others: Any,
) -> Turns:
    """``content``: the procedures, cues and vocabulary, as ``dialogue_of`` takes them; none by default."""
    dialogue = dialogue_of(answers, **(content or {}))
    listening = dialogue.listening(measured(predict, others.get("metrics") or NullMetrics()))
    deciding = Deciding(answers, dialogue.policy, listening, detect, their_copy=lambda _: TheirCopy.DELETED)
    return Turns(store.turns, deciding, listening, dialogue.speech, **others)
