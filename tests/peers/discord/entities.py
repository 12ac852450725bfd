"""What there is on a Discord: channels, messages, files, interactions and people."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.peers.discord.errors import Json

GUILDS = 1 << 0
GUILD_MESSAGES = 1 << 9
DIRECT_MESSAGES = 1 << 12
DIRECT_MESSAGE_REACTIONS = 1 << 13
EPHEMERAL = 1 << 6
LOADING = 1 << 7
REPLY = 19
CHAT_INPUT_COMMAND = 20


@dataclass
class Attachment:
    id: int
    name: str
    content: bytes
    content_type: str | None
    title: str | None = None
    description: str | None = None
    gone: bool = False
    """Its message was deleted."""


@dataclass
class Channel:
    id: int
    recipient: int | None
    """The user of a direct message channel; None in the guild's text channel."""
    name: str = ""
    messages: dict[int, Message] = field(default_factory=dict)
    """By id, oldest first. Ephemeral messages are never here."""

    @property
    def is_dm(self) -> bool:
        return self.recipient is not None


@dataclass
class Message:
    id: int
    channel: Channel
    author: Json
    content: str = ""
    kind: int = 0
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    edited: datetime | None = None
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    tts: bool = False
    nonce: str | int | None = None
    reply_to: int | None = None
    mentions: list[int] = field(default_factory=list)
    mentions_everyone: bool = False
    pinged: list[str] = field(default_factory=list)
    """Whom it pinged when it was posted: ``@everyone``, ``@here``, ``<@id>``, the author of the quoted message too."""
    forwards: Message | None = None
    """What it passes on, as it was then."""
    reactions: list[tuple[Json, int]] = field(default_factory=list)
    """Emoji and who put it there, in order."""
    extra: Json = field(default_factory=dict)

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)


@dataclass
class Interaction:
    id: int
    token: str
    kind: int
    user: int
    channel: Channel
    message: Message | None
    """The message whose button was pressed."""
    name: str
    """Of the command, or the custom id."""
    created: float = field(default_factory=time.monotonic)
    callback: int | None = None
    """The type of the answer, None before there is one."""
    original: Message | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    """All that was answered with its token, the original included."""
    answers: list[Json] = field(default_factory=list)

    def note(self, kind: int | str, data: Json | None, **more: Any) -> None:
        self.answers.append({"type": kind, "data": data, "at": time.monotonic() - self.created, **more})


class Person(Protocol):
    id: int
    name: str
    locale: str
    channel_id: int | None
    profile: Json
