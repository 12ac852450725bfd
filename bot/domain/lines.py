"""The desk's lines in a conversation, which agents read: who took it, passed it on or put it back, and why.

A line is kept twice: in words, for the record and for operators, and as the phrase that each agent reads in their own
language.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.conversation import EscalationReason
from bot.domain.engine import Prediction
from bot.domain.said import Said

PHRASES = "console.line."
"""Below it each kind has its phrase, filled as the words here."""
NAMED = 3
"""So many topics of the engine's ranking are named."""


class Kind(StrEnum):
    TOOK_OVER = "took_over"
    PASSED_ON = "passed_on"
    PASSED_ON_BY = "passed_on_by"
    PUT_BACK = "put_back"
    PUT_BACK_BY = "put_back_by"
    AWAY = "away"
    GONE = "gone"
    HANDED_BACK = "handed_back"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    EXPIRED = "expired"
    ENDED = "ended"
    NOTE_DELETED = "note_deleted"
    ESCALATED = "escalated"


_WORDS = {
    Kind.TOOK_OVER: "{to} took over from {agent}",
    Kind.PASSED_ON: "{agent} passed this on to {to}",
    Kind.PASSED_ON_BY: "{lead} passed this on from {agent} to {to}",
    Kind.PUT_BACK: "{agent} put this back into the queue",
    Kind.PUT_BACK_BY: "{lead} took it from {agent} and put this back into the queue",
    Kind.AWAY: "{agent} has not been at the desk for {n} min: back into the queue",
    Kind.GONE: "{agent} does not work at this desk any more: back into the queue",
    Kind.HANDED_BACK: "{agent} handed back to the bot",
    Kind.RESOLVED: "{agent} resolved",
    Kind.REOPENED: "{agent} reopened",
    Kind.EXPIRED: "The customer closed the chat, and was not back for {n} min: with the bot again",
    Kind.NOTE_DELETED: "Note deleted by {agent}",
    Kind.ENDED: "The customer ended the chat on their computer, and can read nothing here any more",
}


@dataclass(frozen=True, slots=True)
class Line:
    words: str
    said: Said

    @property
    def payload(self) -> dict[str, Any]:
        """As JSON, from which ``said_of`` makes the phrase again; lines older than the phrases have none."""
        return self.said.kept


def line(kind: Kind, why: str = "", **values: str | int) -> Line:
    """``why`` is what an agent gave as the reason."""
    words = _WORDS[kind].format(**values)
    return Line(f"{words}: {why}" if why else f"{words}.", Said(PHRASES + kind, {**values, "why": why}))


def escalated(reason: EscalationReason, prediction: Prediction | None = None) -> Line:
    """Why the bot gave it to people, and what the engine thought the message is about."""
    topics = ", ".join(f"{one.name} {one.confidence:.0%}" for one in prediction.ranking[:NAMED]) if prediction else ""
    words = f"Escalated: {reason.explanation}."
    if topics:
        words += f" The engine's ranking: {topics}."
    return Line(words, Said(PHRASES + Kind.ESCALATED, {"reason": reason.value, "topics": topics}))
