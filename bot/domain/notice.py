"""Notices: what another system of the deployment has the desk say to a customer, such as that somebody signed in to
their account. Plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.conversation import Priority
from bot.domain.message import DeliveryState
from bot.domain.said import Fault


@dataclass(frozen=True, slots=True)
class Notice:
    source: str
    """Who has it said: the app's name. With ``id`` it names the notice."""
    id: str
    """Given again, it is the same notice, and said once."""
    channel: str
    contact: str
    """The contact's external id there."""
    texts: Mapping[str, str]
    """Plain text by locale; ``""`` where it is in one language alone."""
    account: str | None = None
    """Which account of the channel; None where the contact is known on one alone."""
    thread: str = ""
    locale: str | None = None
    """In which language to speak; None: as the desk speaks with this customer."""
    topic: str | None = None
    """What it is about: the customer's next words are read with it."""
    priority: Priority = Priority.NORMAL
    """With which it reaches a person at least, should it."""


@dataclass(frozen=True, slots=True)
class NoticeReceipt:
    """What became of a notice once it is committed."""

    conversation_id: int
    message_id: int
    delivery: DeliveryState | None
    error: Fault | None = None
    """Why it was not delivered, where that is so."""
    duplicate: bool = False
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    """As of a ``Message``."""


class NoticeRefused(Exception):
    """It cannot be said, now or later."""

    def __init__(self, code: str, words: str) -> None:
        """``code`` is for programs: ``unknown_contact``, ``ambiguous_contact``, ``no_topic``, ``id_taken``,
        ``empty`` or ``secret``."""
        super().__init__(words)
        self.code = code


class NotNow(Exception):
    """Something else is under way with this customer: bring the same again in a moment."""
