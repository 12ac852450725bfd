"""One message of a customer as the policy is told of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.engine import Prediction
from bot.domain.forms import Detail


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    """In the customer's words."""
    prediction: Prediction | None = None
    """None where there were no words to classify: details alone."""
    parts: tuple[Prediction, ...] = ()
    """Of each part of a message that begins another problem ("also …"), where it has several."""
    details: tuple[Detail, ...] = ()
    """Recognised in this message."""
    known: tuple[Detail, ...] = ()
    """Of the whole conversation, those of this message among them."""
