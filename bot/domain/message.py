"""Messages, and what connectors bring: plain data, no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.domain.context import NO_CONTEXT, Context
from bot.domain.said import Fault, Said
from bot.domain.secret import Cleaning, Removed

Cleared = NewType("Cleared", str)
"""A text that may be written: ``bot.guard`` alone makes it, and writers of the store accept nothing else."""

ClearedWords = NewType("ClearedWords", Cleared)
"""What an agent wrote, without a customer's secrets. ``bot.guard.agents`` alone makes it; writers of agents' words
accept nothing else."""

ClearedContent = NewType("ClearedContent", bytes)
"""The content of a file that may be kept. ``bot.guard`` alone makes it; writers of the store accept nothing else."""


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


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    payload: str
    """``topic:<intent>``, ``helped:yes``, ``helped:no`` or ``human``; at most 64 bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Attachment:
    kind: str
    """photo, file, voice, audio, video, sticker; one of ``WITHOUT_CONTENT``; or ``unsupported``: ``reference`` is then
    the platform's word for what it is."""
    reference: str
    """How the platform names the content (Telegram: ``file_id``; a location: ``lat,lon``)."""
    name: str = ""
    media_type: str = ""
    size: int | None = None
    """Bytes, where the platform says."""
    sha256: str = ""
    """Names the content once the desk has it; empty until then."""
    problem: Fault | None = None
    """Why the content could not be had, where that is certain."""


WITHOUT_CONTENT = frozenset(
    {
        *("location", "contact", "poll", "checklist", "dice", "game", "story", "gift", "reaction", "invoice"),
        *("giveaway", "unsupported"),
    }
)
"""Kinds of attachments that are all said by ``reference`` and ``name``: nothing of them is fetched."""
REACTION = "reaction"
"""``reference`` is what was put under another message."""


@dataclass(frozen=True, slots=True)
class File:
    """Content with what is said about it; ``media_type`` is a claim of whoever sent it."""

    name: str
    media_type: str
    content: bytes
    as_file: bool = False
    """A picture that shall arrive as it is: where pictures are made smaller, it is sent as a file."""


@dataclass(frozen=True, slots=True)
class MessageVersion:
    """A message as it was before an edit."""

    text: str
    replaced_at: datetime
    attachments: tuple[Attachment, ...] | None = None
    """None where it was recorded before versions had them, and for what agents edit."""
    context: Context = NO_CONTEXT
    id: int = 0


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
    """What it was earlier, oldest first; empty unless the message was edited."""
    reply_to: int | None = None
    """The message that this one answers, where its author said so."""
    delivery: DeliveryState | None = None
    """None for what is never sent: the customer's own messages and private notes."""
    delivery_error: Fault | None = None
    delivered_at: datetime | None = None
    """When it was on the customer's device, where the platform tells."""
    read_at: datetime | None = None
    """When the customer had seen it, where the platform tells."""
    cursor: int | None = None
    """Grows in the order in which the customer gets to see messages; None until then."""
    revision: int | None = None
    """The cursor of the latest change that the customer gets to see: their own, an edit, a deletion."""
    submission: str | None = None
    """The id under which an agent's page sent it: sent again under the same one, it is the same message."""
    held_until: datetime | None = None
    """Held back until then: nothing of it reaches the customer before, and it may still be withdrawn."""
    said: Said | None = None
    """Of a line of the desk's: the phrase that it is. ``text`` has it in words, for the record."""
    context: Context = NO_CONTEXT
    """For agents: the customer does not read it in their transcript."""
    removed: tuple[Removed, ...] = ()
    """The secrets that it held, in the place of which it has labels."""


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
    has one. What is sent to that conversation has it (``Outgoing.thread``)."""
    subject: str | None = None
    """What a conversation that begins with it is called."""
    command: Command | None = None
    argument: str = ""
    """What followed the command, such as a deep link's payload."""
    button: str | None = None
    """The payload of a pressed button; ``text`` then holds its label."""
    attachments: tuple[Attachment, ...] = ()
    context: Context = NO_CONTEXT
    """What it forwards, quotes and links to. A forward has no ``command`` and no ``button``: the guard drops them."""
    group: str = ""
    """The platform's id of the album of which this is a part. Its parts are one message, each with an ``external_id``
    of its own, by which it is known, edited and taken back."""
    edits: str | None = None
    """The ``external_id`` of the message, or part, whose text this replaces."""
    replaces_attachments: bool = False
    """Of an edit: ``attachments`` are all that the message has now, and may be none. False where the platform does not
    tell: it keeps those that it has."""
    deletes: str | None = None
    """The ``external_id`` of the message, or part, that the customer took back."""
    replies_to: str | None = None
    """The platform's id of the message that this one answers, the desk's or the customer's own."""
    answered: str = ""
    """What that message says, where the platform tells: a quotation, if the desk does not have it."""
    mark: str | None = None
    """How far the platform's history of this chat is recorded once this is committed (``Chat.mark``)."""
    sent_at: datetime | None = None
    edited_at: datetime | None = None
    """When the text was last changed, where a message is brought that was changed already."""
    removed: tuple[Removed, ...] = ()
    """The secrets that it held. Found by the guard, as are:"""
    cleans: tuple[Cleaning, ...] = ()
    """Earlier messages of the customer that held parts of the same secret."""


ClearedIncoming = NewType("ClearedIncoming", Incoming)
"""An event that may be recorded: ``bot.guard`` alone makes it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an event of a platform once it is committed."""

    message_id: int | None
    """None for the deletion of a message the desk never saw, and for a reaction of somebody it does not know."""
    conversation_id: int | None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One message the bot writes."""

    text: Cleared
    format: MessageFormat = MessageFormat.MARKDOWN
    buttons: Sequence[Button] = field(default_factory=tuple)


def is_aside(incoming: Incoming) -> bool:
    """Whether it is a reaction and no more."""
    kinds = {one.kind for one in incoming.attachments}
    return kinds == {REACTION} and not (incoming.text or incoming.edits or incoming.deletes or incoming.group)


def parse_command(text: str) -> tuple[Command, str] | None:
    """``/human`` or ``/start payload`` typed by a customer; None for anything else."""
    match = re.fullmatch(r"/(start|help|human)(?:@\w+)?(?:\s+(.*))?", text.strip(), re.DOTALL | re.IGNORECASE)
    return (Command(match[1].lower()), (match[2] or "").strip()) if match else None
