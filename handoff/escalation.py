"""Asking for a person: the decision, and what the customer is told to expect. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision
from bot.domain.forms import Detail
from bot.domain.said import Said
from bot.domain.situation import Situation

NAMED = 6
"""So many details are named to the customer as taken."""


def escalate(
    reason: EscalationReason,
    situation: Situation,
    *,
    phrase: str = "customer.queued",
    values: dict[str, object] | None = None,
    topic: str | None = None,
    about: str | None = None,
    priority: Priority = Priority.NORMAL,
    opening: Sequence[Said] = (),
    remembers: str | None = None,
) -> Decision:
    """Hands over. ``topic`` is first aid said before it, ``about`` what the conversation is about."""
    return Decision(
        Action.ESCALATE,
        topic=topic,
        about=about,
        opening=tuple(opening),
        says=(Said(phrase, values or {}), *expectation(situation)),
        reason=reason,
        priority=priority,
        expects=situation.expectation,
        remembers=remembers,
    )


def expectation(situation: Situation) -> tuple[Said, ...]:
    """What who waits may expect, as honestly as it is known: the place and the usual wait, or when somebody is back."""
    if not situation.people:
        if situation.back_at is None:
            return (Said("customer.expect_later"),)
        return (Said("customer.expect_back", {"at": situation.back_at}),)
    place = Said("customer.expect_place")
    return (place,) if situation.wait is None else (place, Said("customer.expect_wait", {"wait": situation.wait}))


def named(details: Sequence[Detail]) -> str:
    """The details as they are read back to the customer: long ones by their beginning and end."""
    values = dict.fromkeys(_short(detail.value) for detail in details)
    return ", ".join(list(values)[:NAMED])


def _short(value: str) -> str:
    return value if len(value) <= 24 else f"{value[:8]}…{value[-6:]}"
