"""The words of the desk: plain dataclasses and enums, no I/O.

Everything that crosses a boundary (connector, engine, desk, store) is one of these types. Times are
timezone-aware UTC datetimes; identifiers made by the store are integers that grow with time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from bot.domain.dialogue import DialogueState

OUT_OF_SCOPE = "out_of_scope"
"""The trained class of everything the desk does not answer. Never a topic, never offered."""


# --- people and conversations -------------------------------------------------------------------


class ConversationState(StrEnum):
    BOT = "bot"
    QUEUED = "queued"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"


class Author(StrEnum):
    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Visibility(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    """A note for agents. Never given to a connector."""


class MessageFormat(StrEnum):
    TEXT = "text"
    """Shown as it stands: what customers and agents type."""
    MARKDOWN = "markdown"
    """Bold, lists and paragraphs: what the content files hold."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Role(StrEnum):
    AGENT = "agent"
    ADMIN = "admin"


class Priority(IntEnum):
    """Order in the queue: higher is served first."""

    NORMAL = 0
    HIGH = 1
    URGENT = 2

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer's identity on one account of one channel."""

    id: int
    channel: str
    account: str
    external_id: str
    chat_id: str
    name: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Agent:
    id: int
    name: str
    """By which they sign in, and colleagues know them. Customers never see it."""
    role: Role
    has_password: bool
    public_name: str | None = None
    """By which customers know them; without one they are told of "a person"."""
    disabled_at: datetime | None = None
    """Since when they may not sign in."""
    seen_at: datetime | None = field(default=None, compare=False)
    """When they last did something at the desk; a page left open is nobody. They are the same agent all day long."""


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    payload: str
    """``topic:<intent>``, ``helped:yes``, ``helped:no`` or ``human``; at most 64 bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Attachment:
    kind: str
    """photo, file, voice, audio, video, sticker, location, contact, or ``unsupported``: ``reference`` is then
    the platform's word for what it is."""
    reference: str
    """How the platform names the content (Telegram: ``file_id``; a location: ``lat,lon``)."""
    name: str = ""
    media_type: str = ""
    size: int | None = None
    """Bytes, where the platform says."""
    sha256: str = ""
    """Names the content once the desk has it; empty until then."""
    problem: str = ""
    """Why the content could not be had, where that is certain."""


@dataclass(frozen=True, slots=True)
class File:
    """Content with what is said about it; ``media_type`` is a claim of whoever sent it."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MessageVersion:
    text: str
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    conversation_id: int
    author: Author
    visibility: Visibility
    text: str
    format: MessageFormat
    created_at: datetime
    buttons: tuple[Button, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    agent_id: int | None = None
    agent_name: str | None = None
    agent_public_name: str | None = None
    """By which the customer knows the agent who wrote it."""
    external_id: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    """When its author took it back. The text is kept for the desk, and never shown to the customer again."""
    versions: tuple[MessageVersion, ...] = ()
    """Earlier texts, oldest first; empty unless the message was edited."""
    reply_to: int | None = None
    """The message that this one answers, where its author said so."""
    delivery: DeliveryState | None = None
    """None for what is never sent: the customer's own messages and private notes."""
    delivery_error: str | None = None
    cursor: int | None = None
    """Grows in the order in which the customer gets to see messages; None until then."""
    revision: int | None = None
    """The cursor of the latest change that the customer gets to see: their own, an edit, a deletion."""
    submission: str | None = None
    """The id under which an agent's page sent it: sent again under the same one, it is the same message."""
    held_until: datetime | None = None
    """Held back until then: nothing of it reaches the customer before, and it may still be withdrawn."""


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
    to_agent: Mapping[str, str]
    """Tells the customer that their agent goes on with it."""
    to_queue: Mapping[str, str]
    """Tells the customer that they wait again; ``{position}`` is filled."""


class StateConflict(Exception):
    """Somebody else changed the conversation first. ``conversation`` is how it stands now."""

    def __init__(self, message: str, conversation: Conversation) -> None:
        super().__init__(message)
        self.conversation = conversation


class NotFound(Exception):
    """There is no such thing in the store."""


# --- what connectors bring and take -------------------------------------------------------------


class Command(StrEnum):
    START = "start"
    HELP = "help"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class Sender:
    external_id: str
    name: str = ""
    language: str | None = None
    """The platform's hint (``zh-hans``), a fallback for messages too short to tell."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of a platform, in the desk's words.

    ``(channel, account, external_id)`` is unique: the same event brought twice is recorded once.
    """

    channel: str
    account: str
    external_id: str
    sender: Sender
    chat_id: str
    text: str = ""
    thread: str = ""
    """Which of several conversations with the sender it belongs to, in the platform's words; empty for a chat, which
    has one."""
    subject: str | None = None
    """What a conversation that begins with it is called."""
    command: Command | None = None
    argument: str = ""
    """What followed the command, such as a deep link's payload."""
    button: str | None = None
    """The payload of a pressed button; ``text`` then holds its label."""
    attachments: tuple[Attachment, ...] = ()
    edits: str | None = None
    """The ``external_id`` of the message whose text this replaces."""
    deletes: str | None = None
    """The ``external_id`` of the message that the customer took back."""
    replies_to: str | None = None
    """The platform's id of the message that this one answers, the desk's or the customer's own."""
    mark: str | None = None
    """How far the platform's history of this chat is recorded once this is committed (``Chat.mark``)."""
    sent_at: datetime | None = None
    edited_at: datetime | None = None
    """When the text was last changed, where a message is brought that was changed already."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an ``Incoming`` once it is committed."""

    message_id: int | None
    """None for the deletion of a message the desk never saw."""
    conversation_id: int | None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat of an account, as the desk knows it: where its platform's history must be read on from."""

    chat_id: str
    mark: str | None
    """The id of the last event that is recorded with all before it; None if the platform gave none."""
    active_at: datetime | None = None
    """When something last happened there."""


def utf16_length(text: str, _: MessageFormat) -> int:
    """In UTF-16 code units, the strictest way platforms count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do. The outbox degrades what it cannot."""

    buttons: bool = False
    markdown: bool = False
    typing: bool = False
    edits: bool = False
    """A sent message can be changed and taken back there: the connector has ``Editing``."""
    attachments: bool = False
    """Files can be sent there (``Outgoing.file``)."""
    quotes: bool = False
    """A message can show which one it answers (``Outgoing.reply_to``)."""
    immediate: bool = False
    """What is recorded for a customer is with them: there is nothing to send."""
    idempotent: bool = False
    """A send repeated with the same ``Outgoing.key`` reaches the customer once."""
    exclusive: bool = False
    """Only one replica at a time may run the account: its platform serves a single reader."""
    max_length: int = 4000
    """The longest text of one send, as ``length`` counts."""
    length: Callable[[str, MessageFormat], int] = utf16_length
    """How long a text is once it is written the platform's way. Never shrinks as the text grows."""
    max_file: int = 10 * 1024 * 1024
    """The largest file that can be sent there, in bytes."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One send: what a connector puts before the customer, already fitted to its capabilities."""

    channel: str
    account: str
    chat_id: str
    text: str
    format: MessageFormat = MessageFormat.TEXT
    buttons: tuple[Button, ...] = ()
    file: File | None = None
    """Sent instead of a text, which is then empty."""
    reply_to: str | None = None
    """The ``external_id`` of the customer's message that this answers. A courtesy: ignored where it is gone."""
    key: str = ""
    """Unique and stable over retries: the platform's idempotency key where it has one."""
    after: str | None = None
    """The platform's id of the last message that surely went to this chat before this one; with ``repeated``, all
    that a connector needs to look for a send whose answer never arrived."""
    repeated: bool = False
    """An earlier try may have reached the customer unseen."""


class TemporaryError(Exception):
    """The platform could not take it now; try again, after ``retry_after`` seconds if it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(Exception):
    """The platform will never take this; the agent must see why."""


# --- the engine's view and the policy's decision ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranked:
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the engine makes of one text. ``ranking`` is best first, its confidences sum to at most 1."""

    text: str
    intent: str
    """The best candidate, sure or not; may be ``OUT_OF_SCOPE``."""
    confidence: float
    ranking: tuple[Ranked, ...]
    sure: bool
    """The pipeline's own verdict: its fallback let the best candidate through."""
    entities: tuple[Mapping[str, Any], ...] = ()


class EngineUnavailable(Exception):
    """The intent engine cannot answer now. The desk then hands over to a human; it never guesses."""


class Handoff(StrEnum):
    """Whether an answer leads to a human."""

    NEVER = "never"
    OFFER = "offer"
    ALWAYS = "always"


class Action(StrEnum):
    ANSWER = "answer"
    ASK_BACK = "ask_back"
    ESCALATE = "escalate"


class EscalationReason(StrEnum):
    ASKED = "asked"
    TOPIC = "topic"
    NOT_UNDERSTOOD = "not_understood"
    NOT_HELPED = "not_helped"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    TURN_FAILED = "turn_failed"
    RETURNED = "returned"
    REOPENED = "reopened"

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
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bot does with one customer message. Made by the policy, carried out by the turn."""

    action: Action
    topic: str | None = None
    """The topic answered; with an escalation, the first aid given before it."""
    phrase: str | None = None
    """A sentence of the desk's own to say (a key of ``data/phrases``)."""
    offers: tuple[str, ...] = ()
    """Topics offered as buttons, nearest first."""
    reason: EscalationReason | None = None
    priority: Priority = Priority.NORMAL
    understood: bool = True
    """False counts as a miss; two in a row escalate."""
    keeps_dialogue: bool = False
    """True leaves open what was open: "did that help?", or the topics offered."""

    @property
    def escalates(self) -> bool:
        return self.action is Action.ESCALATE


@dataclass(frozen=True, slots=True)
class Turn:
    """What the bot did with one customer message; ``action`` is None where a human had the conversation."""

    message_id: int
    action: Action | None
    reason: EscalationReason | None
    topic: str | None
    ranking: tuple[Ranked, ...] = ()


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
    retried_at: datetime | None = None
    """When an agent last had it tried again."""


@dataclass(frozen=True, slots=True)
class SetAside:
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


class ChannelState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    OFF = "off"
    """It cannot work as it is set up: ``error`` says what to do."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How a channel is doing, as the desk last knew."""

    channel: str
    account: str
    state: ChannelState
    since: datetime
    """When it came into this state."""
    updated_at: datetime
    last_received_at: datetime | None = None
    lag: float | None = None
    """Seconds from the customer's sending to the desk's commit, of the last message."""
    last_sent_at: datetime | None = None
    error: str | None = None
    """The last thing that went wrong, also if it works again since."""
    error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Two contacts that an agent said are one person."""

    id: int
    contact: Contact
    """The other one."""
    agent_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed; whoever shows it reads it anew. Carries no content."""

    kind: str
    """``message``, ``state``, ``delivery``, ``aside``, ``reply``: a message that its customer does not have yet, or
    ``agent``: who may sign in, or do what (both ids are 0)."""
    conversation_id: int
    contact_id: int
    opened_by: str = ""
    """Whose conversation was opened, as ``contact_key`` has it: for who watches a contact that is new."""


def contact_key(channel: str, account: str, external_id: str) -> str:
    """Stands for a contact where nobody need know who it is."""
    return hashlib.sha256("\0".join((channel, account, external_id)).encode(errors="surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Reply:
    """One message the bot writes."""

    text: str
    format: MessageFormat = MessageFormat.MARKDOWN
    buttons: Sequence[Button] = field(default_factory=tuple)
