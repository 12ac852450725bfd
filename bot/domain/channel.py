"""Channels: what a platform can do, what is sent to it, and how it is doing. Plain data, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.message import Button, File, MessageFormat
from bot.domain.said import Fault, as_fault


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
    pictures_as_files: bool = False
    """Pictures are made smaller there, unless they are sent as files (``File.as_file``)."""
    immediate: bool = False
    """What is recorded for a customer is with them: there is nothing to send."""
    idempotent: bool = False
    """A send repeated with the same ``Outgoing.key`` reaches the customer once."""
    named_accounts: bool = False
    """An account's name says which platform it is: agents read it in place of the channel's."""
    exclusive: bool = False
    """Only one replica at a time may run the account: its platform serves a single reader."""
    reaches_absent: bool = True
    """What is sent reaches a customer who has closed the chat: their platform keeps it for them, and tells them."""
    max_length: int = 4000
    """The longest text of one send, as ``length`` counts."""
    length: Callable[[str, MessageFormat], int] = utf16_length
    """How long a text is once it is written the platform's way. Never shrinks as the text grows."""
    max_file: int = 10 * 1024 * 1024
    """The largest file that can be sent there, in bytes."""
    title: str = ""
    """What agents call it: the key of a phrase, or the platform's own name. Without one, the channel's name."""
    icon: str = ""
    """Its sign in lists, as a path drawn in 24 by 24."""
    signed_in: bool = False
    """Who writes there is signed in with the platform: nobody else can write in their name."""


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
    thread: str = ""
    """Which of several conversations of the chat it goes to, as ``Incoming.thread`` named it; empty for the chat."""
    key: str = ""
    """Unique and stable over retries: the platform's idempotency key where it has one."""
    after: str | None = None
    """The platform's id of the last message that surely went to this chat before this one; with ``repeated``, all
    that a connector needs to look for a send whose answer never arrived."""
    repeated: bool = False
    """An earlier try may have reached the customer unseen."""


class TemporaryError(Exception):
    """The platform could not take it now; try again, after ``retry_after`` seconds if it said so.

    Agents read ``fault`` in their language; made of a mere text, they read the text."""

    def __init__(self, error: Fault | str, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.fault = as_fault(error)
        self.retry_after = retry_after


class PermanentError(Exception):
    """The platform will never take this; the agent must see why: ``fault``, as of ``TemporaryError``."""

    def __init__(self, error: Fault | str) -> None:
        super().__init__(str(error))
        self.fault = as_fault(error)


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat of an account, as the desk knows it: where its platform's history must be read on from."""

    chat_id: str
    mark: str | None
    """The id of the last event that is recorded with all before it; None if the platform gave none."""
    active_at: datetime | None = None
    """When something last happened there."""


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
    error: Fault | None = None
    """The last thing that went wrong, also if it works again since."""
    error_at: datetime | None = None
