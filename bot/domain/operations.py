"""What the store hands to a turn, to a delivery and to whoever watches: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.conversation import Contact, Conversation
from bot.domain.message import Author, Button, Command, Message
from bot.domain.situation import Expectation


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What a turn is taken from: the message, and the conversation as it stood when the turn began."""

    message: Message
    conversation: Conversation
    command: Command | None = None
    argument: str = ""
    button: str | None = None
    last_buttons: tuple[Button, ...] = ()
    """The buttons of the last message the customer was sent, for channels where they are numbered text; where this
    message may be such a number."""
    version: int = 0
    """Grows when the message gets its first words by a later part: what was decided before does not end the turn."""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """What came of what a turn wanted to say."""

    position: int | None = None
    """The customer's place in the queue, if they are in it now."""
    shown: bool = False
    """The reply is with its customer already."""


@dataclass(frozen=True, slots=True)
class DeliveryInput:
    """A delivery still pending: the message, whom it goes to, and what of it is there already."""

    message: Message
    contact: Contact
    external_ids: tuple[str, ...]
    """The platform's ids of the parts that are with the customer, in order."""
    placed: int
    """How many of them, from the first on, show the message as it is now; the rest show an earlier text."""
    leftover: tuple[str, ...]
    """Parts that the message no longer has, and that may still be there."""
    version: int
    """Grows with every edit and deletion: what was done for an old version does not settle a new one."""
    attempts: int
    """Tries so far, this one among them."""
    sends: int
    """How many parts were ever put there, also those taken back since: names the next one."""
    in_doubt: bool
    """An earlier try may have put one more part there unseen, in the words of that time."""
    reply_to: str | None = None
    """The ``external_id`` of the customer's message that it answers."""
    after: str | None = None
    """See ``Outgoing``."""
    thread: str = ""
    """See ``Outgoing``."""
    retried_at: datetime | None = None
    """When an agent last had it tried again."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Work that failed as often as it was tried, by its own fault; it waits for a person."""

    task: str
    message_id: int
    conversation_id: int
    contact: Contact
    author: Author
    error: str
    """Its kind and where in the code: never its words, which may quote the customer."""
    tries: int
    first_at: datetime
    """When it failed first."""
    since: datetime


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something changed; whoever shows it reads it anew. Carries no content."""

    kind: str
    """``message``, ``state``, ``delivery``, ``dead_letter``, ``reply``: a message that its customer does not have
    yet, or ``agent``: who may sign in, or do what (both ids are 0)."""
    conversation_id: int
    contact_id: int
    opened_by: str = ""
    """Whose conversation was opened, as ``contact_key`` has it: for who watches a contact that is new."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An agent took a conversation out of the queue."""

    queued_at: datetime
    """When it came into the queue, the last time before that."""
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Expecting:
    """A customer in the queue who was told how long it takes."""

    conversation_id: int
    place: int
    """From 1."""
    language: str | None
    told: Expectation


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits for an agent now."""

    waiting: int
    """Conversations."""
    since: datetime | None = None
    """When the one that has waited longest came into the queue; None: nobody waits."""
