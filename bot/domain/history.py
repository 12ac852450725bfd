"""What happened at the desk, as the table ``event`` keeps it: plain data.

Every change of a conversation's state, and every change of who may sign in, leaves one event in the same transaction.
Clocks, reports and time lines read events; none of them keeps books of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened. The names stand in the database and never change."""

    # A conversation's life.
    OPENED = "opened"
    ESCALATED = "escalated"
    CLAIMED = "claimed"
    TAKEN_OVER = "taken_over"
    TRANSFERRED = "transferred"
    REQUEUED = "requeued"
    ANSWERED = "answered"
    """An agent wrote to a customer who was waiting for that."""
    SNOOZED = "snoozed"
    WOKEN = "woken"
    LEFT = "left"
    URGED = "urged"
    PRIORITISED = "prioritised"
    """An agent ranked it."""
    HANDED_BACK = "handed_back"
    NOTIFIED = "notified"
    """Another system had the desk write to the customer."""
    RESOLVED = "resolved"
    RESOLVE_UNDONE = "resolve_undone"
    REOPENED = "reopened"

    # What is gone for good.
    NOTE_DELETED = "note_deleted"
    """An agent deleted a private note; ``message`` is its number, ``author_id`` who had written it."""
    SECRET_MARKED = "secret_marked"  # noqa: S105 -- no secret
    """An agent marked a customer's message as a secret, which removed it; ``message`` and ``secret``, its kind."""

    # Who customers are.
    CONTACT_NAMED = "contact_named"
    """An agent gave a customer a name, or took it away. The event does not keep it: names can be deleted."""

    # Who works at the desk.
    AGENT_ADDED = "agent_added"
    AGENT_RENAMED = "agent_renamed"
    AGENT_SHOWN_AS = "agent_shown_as"
    """Customers know the agent by another name."""
    AGENT_ROLE_CHANGED = "agent_role_changed"
    AGENT_DISABLED = "agent_disabled"
    AGENT_ENABLED = "agent_enabled"

    # Who comes in.
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    RIGHT_REFUSED = "right_refused"
    """A signed-in agent asked for what their role does not let them do."""
    PASSWORD_REFUSED = "password_refused"  # noqa: S105 -- no password
    """The old password was wrong when a new one was to be set."""
    PASSWORD_SET = "password_set"  # noqa: S105 -- no password
    LINK_MADE = "link_made"
    """A one-time sign-in link."""
    SESSIONS_ENDED = "sessions_ended"


class ActorKind(StrEnum):
    """Who did it."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    OPERATOR = "operator"
    """Whoever works at the command line."""
    SYSTEM = "system"
    """The desk by itself: a sweep, a migration."""
    STRANGER = "stranger"
    """Somebody who is not signed in."""


@dataclass(frozen=True, slots=True)
class Actor:
    kind: ActorKind
    agent_id: int | None = None
    """Which agent, where it was one."""


CUSTOMER = Actor(ActorKind.CUSTOMER)
BOT = Actor(ActorKind.BOT)
OPERATOR = Actor(ActorKind.OPERATOR)
SYSTEM = Actor(ActorKind.SYSTEM)
STRANGER = Actor(ActorKind.STRANGER)


def by_agent(agent_id: int) -> Actor:
    return Actor(ActorKind.AGENT, agent_id)


def by_agent_or_operator(agent_id: int | None) -> Actor:
    """Who manages agents: an admin, or without an id the operator."""
    return OPERATOR if agent_id is None else by_agent(agent_id)


class SignInRefusal(StrEnum):
    """Why somebody was not let in: ``data.reason`` of a ``sign_in_refused`` event."""

    UNKNOWN_NAME = "unknown_name"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 -- no password
    DISABLED = "disabled"
    LINK_EXPIRED = "link_expired"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    kind: EventKind
    actor: Actor
    conversation_id: int | None = None
    agent_id: int | None = None
    """Whom it is about: who has the conversation by it, or had it; whose account it is."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What else is to be known, as JSON holds it. Of a conversation: ``state``, what it is by the event, and ``was``,
    every value that the event replaced. ``backfilled`` is true for what a migration concluded from older tables."""
    address: str | None = None
    """From where it was done, where that is known; of an agent's act the store adds it (``bot.store.origin``)."""
    id: int | None = None
    """Grows in the order of a conversation's events; None until it is stored."""
    at: datetime | None = None
    """None until it is stored."""
