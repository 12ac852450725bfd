"""What a platform's connector promises, and what it is given."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fastapi import APIRouter
from pydantic import BaseModel

from bot.model import (
    Button,
    Capabilities,
    Command,
    Incoming,
    Message,
    Outgoing,
    PermanentError,
    Receipt,
    TemporaryError,
)

__all__ = [
    "Capabilities",
    "Closing",
    "Connector",
    "PermanentError",
    "Plugin",
    "Receipt",
    "Receive",
    "Routes",
    "Surroundings",
    "TemporaryError",
    "Transcript",
    "Typing",
    "parse_command",
]

Receive = Callable[[Incoming], Awaitable[Receipt]]
"""Records one event durably. When it returns, the event is committed and may be acknowledged to the
platform; when it raises, it is not, and the platform must be left to bring it again."""


@runtime_checkable
class Connector(Protocol):
    name: str
    """The channel, as in ``config.yml``: ``telegram``."""
    account: str
    """Which account of the platform this is; with ``name`` the scope of ids. Known once ``run`` receives."""
    capabilities: Capabilities

    async def run(self, receive: Receive) -> None:
        """Brings events until cancelled. Reconnects by itself; returns or raises only when the account
        cannot work at all (a refused token), with a ``PermanentError`` that says the fix."""
        ...

    async def send(self, message: Outgoing) -> str:
        """Puts one message before the customer and returns the platform's id of it.

        Raises ``TemporaryError`` (try again) or ``PermanentError`` (never again), nothing else.
        Writes nothing itself: what became of it is recorded by the outbox."""
        ...


@runtime_checkable
class Typing(Protocol):
    """Optional: shows the customer that an answer is being made. Best effort, never raises."""

    async def typing(self, chat_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the desk gives a connector at its birth, besides its own section of ``config.yml``."""

    secret: str
    """The value of the plugin's ``secret_variable``, or an empty string where it has none."""
    var: Path
    """The folder for state of this machine."""
    brand: str
    locales: tuple[str, ...]
    """The default first."""
    transcript: Transcript
    suggestions: Mapping[str, Sequence[Button]]
    """By locale: topics that a page may offer before the first word."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A platform, as the entry point group ``switchboard.connectors`` names it."""

    settings: type[BaseModel]
    """The schema of ``channels.<name>`` in ``config.yml``. Every field has a default, ``enabled`` among them."""
    build: Callable[[Any, Surroundings], Connector]
    """Makes the connector from its settings. No network calls here."""
    secret_variable: str | None = None
    """The environment variable with the platform's token; the channel is off without it."""


@runtime_checkable
class Routes(Protocol):
    """Optional: HTTP routes that the desk's server mounts (a webhook, a chat page)."""

    def routes(self, receive: Receive) -> APIRouter: ...


@runtime_checkable
class Closing(Protocol):
    """Optional: what a connector holds beyond ``run`` (connections that ``send`` uses) is given back."""

    async def close(self) -> None: ...


class Transcript(Protocol):
    """What a customer may see of their own conversation, for channels that have no memory of their own."""

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        """The messages of the contact with that external id behind cursor ``after``, in the order in which
        they were delivered; with ``after=0`` the latest ones. Empty for a contact never seen."""
        ...

    def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        """The same, without end: yields what is new as it comes, and an empty list every 15 seconds
        without news, by which a caller can tell that the line is alive."""
        ...


def parse_command(text: str) -> tuple[Command, str] | None:
    """``/human`` or ``/start payload`` typed by a customer; None for anything else."""
    match = re.fullmatch(r"/(start|help|human)(?:@\w+)?(?:\s+(.*))?", text.strip(), re.DOTALL | re.IGNORECASE)
    return (Command(match[1].lower()), (match[2] or "").strip()) if match else None
