"""Customers and their conversations: plain data, no I/O. Times are timezone-aware UTC datetimes; identifiers that the
store makes are integers that grow with time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from bot.domain.dialogue import DialogueState
from bot.domain.forms import Detail
from bot.domain.message import Cleared
from bot.domain.staff import Agent
from bot.domain.visitors import visitor_code


class ConversationState(StrEnum):
    BOT = "bot"
    QUEUED = "queued"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"


class Priority(IntEnum):
    """Order in the queue: higher is served first."""

    NORMAL = 0
    HIGH = 1
    URGENT = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class EscalationReason(StrEnum):
    ASKED = "asked"
    TOPIC = "topic"
    NOT_UNDERSTOOD = "not_understood"
    NOT_HELPED = "not_helped"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    TURN_FAILED = "turn_failed"
    RETURNED = "returned"
    REOPENED = "reopened"
    COLLECTED = "collected"
    PROCEDURE = "procedure"
    DANGER = "danger"
    FUNDS_AT_RISK = "funds_at_risk"

    @property
    def explanation(self) -> str:
        """For agents, behind "Escalated: "."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    EscalationReason.ASKED: "the customer asked for a person",
    EscalationReason.TOPIC: "the topic needs a person",
    EscalationReason.NOT_UNDERSTOOD: "the bot did not understand twice in a row",
    EscalationReason.NOT_HELPED: "the answer did not help",
    EscalationReason.ENGINE_UNAVAILABLE: "the intent engine is unavailable",
    EscalationReason.TURN_FAILED: "the bot failed on this message; see the log",
    EscalationReason.RETURNED: "an agent put it into the queue",
    EscalationReason.REOPENED: "the customer wrote again after it was resolved",
    EscalationReason.COLLECTED: "the customer sent what they were asked for",
    EscalationReason.PROCEDURE: "the procedure ends with a person",
    EscalationReason.DANGER: "the customer may be in danger: read at once",
    EscalationReason.FUNDS_AT_RISK: "somebody may have the customer's phrase or key: funds at risk",
}


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer's identity on one account of one channel."""

    id: int
    channel: str
    account: str
    external_id: str
    chat_id: str
    name: str
    """As the platform says; empty where it says none."""
    language: str | None
    given_name: str | None = None
    """What agents call them."""

    @property
    def called(self) -> str:
        """By agents, else by the platform; empty where nobody knows a name."""
        return self.given_name or self.name

    @property
    def code(self) -> str:
        """What they are known by where there is no name."""
        return visitor_code(self.id)


def contact_key(channel: str, account: str, external_id: str) -> str:
    """Stands for a contact where nobody need know who it is."""
    return hashlib.sha256("\0".join((channel, account, external_id)).encode(errors="surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Link:
    """Two contacts that an agent said are one person."""

    id: int
    contact: Contact
    """The other one."""
    agent_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    id: int
    contact: Contact
    state: ConversationState
    priority: Priority
    agent: Agent | None
    language: str | None
    reason: EscalationReason | None
    topic: str | None
    opened_at: datetime
    updated_at: datetime
    queued_at: datetime | None = None
    resolved_at: datetime | None = None
    waiting_since: datetime | None = None
    """Since when the customer waits for an answer of a person; None while nobody owes them one."""
    last_agent_id: int | None = None
    """The agent who had it last, or has it."""
    snoozed_until: datetime | None = None
    """Laid aside by its agent until then, or until its customer writes."""
    thread: str = ""
    """The platform's word for one of several conversations with one contact; empty for a chat, which has one."""
    subject: str | None = None
    """What the customer called it when they began it, where the platform has that."""
    dialogue: DialogueState = field(default_factory=DialogueState)
    details: tuple[Detail, ...] = ()
    """What the customer told in a form of its own: hashes, addresses, amounts …, first told first."""
    generation: int = 0
    """Grows with every change of state: a turn's reply is written only if it is still the same."""


@dataclass(frozen=True, slots=True)
class Reopening:
    """What becomes of a resolved conversation when its customer writes again. The texts are by locale, ``""`` being the
    default."""

    within: timedelta
    """So long after it was resolved it goes on; after that a new conversation begins."""
    agent_gone_after: timedelta
    """An agent who did nothing for so long does not get it back: it goes into the queue."""
    to_agent: Mapping[str, Cleared]
    """Tells the customer that their agent goes on with it."""
    to_queue: Mapping[str, Cleared]
    """Tells the customer that they wait again; ``{position}`` is filled."""


class StateConflict(Exception):
    """Somebody else changed the conversation first. ``conversation`` is how it stands now."""

    def __init__(self, message: str, conversation: Conversation) -> None:
        super().__init__(message)
        self.conversation = conversation


class NotFound(Exception):
    """There is no such thing in the store."""
