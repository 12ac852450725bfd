"""What the core asks of others, each declared once: connectors with their optional parts, the intent engine, and
what the desk gives a connector."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response
from typer import Typer

from bot.domain.channel import Capabilities, Chat, Outgoing
from bot.domain.conversation import Conversation
from bot.domain.delivery import DeliveryReceipt
from bot.domain.engine import Prediction
from bot.domain.findings import Finding
from bot.domain.forms import Detail
from bot.domain.message import Attachment, Button, File, Incoming, Message, Receipt
from bot.domain.notice import Notice, NoticeReceipt
from bot.domain.said import Fault
from bot.domain.uploads import DailyBounds, Upload
from bot.ports.words import Phrase, Words

__all__ = [
    "Access",
    "Closing",
    "Connector",
    "ConnectorContext",
    "Editing",
    "Erasing",
    "Fetching",
    "Files",
    "Health",
    "IntentEngine",
    "LoadChannel",
    "LookUp",
    "ManyAccounts",
    "Notices",
    "NullHealth",
    "Phrase",
    "Plugin",
    "Receipts",
    "Receive",
    "Records",
    "Routes",
    "Streams",
    "Transcript",
    "Typing",
    "Uploads",
    "Words",
]

Receive = Callable[[Incoming], Awaitable[Receipt]]
"""Records one event durably. When it returns, the event is committed and may be acknowledged to the
platform; when it raises, it is not, and the platform must be left to bring it again."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a channel may use besides its settings, in the desk and beside it."""

    secret: str
    """The value of the plugin's ``secret_variable``, or an empty string where it has none."""
    secrets: Mapping[str, str]
    """The values of the plugin's ``secret_variables``; one that is not set is missing."""
    egress: Sequence[str] = ()
    """What may be reached at the word of others though it is not public: for ``bot.web.egress``."""
    channels: Collection[str] = ()
    """The names of all channels that are installed."""


LoadChannel = Callable[[Path | None], "tuple[Any, Access, Words]"]
"""Reads the channel's settings, what it may use and the desk's words, from the configuration file named on the command
line or the usual one. Ends the command with a clear message where they are wrong."""


class LookUp(Protocol):
    """Answers from a record what a procedure asks: the state of a ticket, of a transaction."""

    async def look_up(self, conversation: Conversation, known: Sequence[Detail]) -> Mapping[str, object] | None:
        """What there is, for the customer of this conversation and nobody else: ``say`` is the phrase that tells it,
        the rest fills its placeholders. None where there is nothing, or nothing that they may know."""
        ...


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
class ManyAccounts(Protocol):
    """Optional: the connector serves several accounts of its platform; ``account`` is one of them. A chat's id tells
    which it belongs to."""

    accounts: frozenset[str]


@runtime_checkable
class Typing(Protocol):
    """Optional: shows the customer that an answer is being made. Best effort, never raises."""

    async def typing(self, chat_id: str, thread: str = "") -> None:
        """``thread`` as of ``Outgoing``."""
        ...


@runtime_checkable
class Editing(Protocol):
    """Optional: what was sent can be changed. Both raise what ``send`` raises."""

    async def edit(self, message: Outgoing, external_id: str) -> None:
        """Gives a sent message the text, format and buttons of ``message``."""
        ...

    async def delete(self, chat_id: str, external_id: str) -> None:
        """Takes a sent message back. One that is gone already is what was wanted."""
        ...


@runtime_checkable
class Erasing(Protocol):
    """Optional: what a customer sent can be deleted from their chat."""

    async def erase(self, chat_id: str, external_id: str) -> None:
        """Deletes the customer's message; one that is gone already is what was wanted. Raises what ``send`` raises."""
        ...


@runtime_checkable
class Fetching(Protocol):
    """Optional: the content of what customers attach can be had from the platform."""

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        """The content of an attachment of the customer's message ``external_id``.

        Raises ``TemporaryError``, and ``PermanentError`` where it is gone or has more than ``limit`` bytes."""
        ...


class Records(Protocol):
    """What the desk has of an account's chats, for platforms whose history can be read on from there."""

    async def chats(self, channel: str, account: str) -> list[Chat]:
        """Every chat, the most recently active first."""
        ...

    async def recorded(self, channel: str, account: str, chat_id: str, *, limit: int) -> list[str]:
        """The external ids of a chat's latest messages by the customer, newest first, without those taken back."""
        ...

    async def remember(self, channel: str, account: str, name: str, value: Any) -> None:
        """Keeps what the connector must know after a restart, as JSON, in place of what it kept under that name."""
        ...

    async def recall(self, channel: str, account: str, name: str) -> Any:
        """What was kept under that name; None if nothing was."""
        ...


class Files(Protocol):
    """Where a connector puts the content of files that customers bring with their message, before it is received."""

    async def add(self, content: bytes) -> str:
        """Keeps the content, once however often it is given, and returns the SHA-256 that names it: an ``Attachment``
        with that ``sha256`` is not fetched any more. Content that no message names is forgotten after some days."""
        ...


class Notices(Protocol):
    """What another system of the deployment has the desk say to a customer, on whatever channel."""

    async def give(self, notice: Notice) -> NoticeReceipt:
        """Commits the notice, to be delivered; given again, it is said once. Raises ``NoticeRefused`` for what cannot
        be said, ``NotNow`` for what can be in a moment."""
        ...


class Receipts(Protocol):
    """Where a connector tells what became of a message after its platform took it."""

    async def record(
        self, channel: str, account: str, contact_id: str, external_id: str, told: DeliveryReceipt
    ) -> Receipt:
        """Commits it; told again, it changes nothing. Raises ``ReceiptRefused`` for a message that the desk does not
        have and for what cannot be true beside an earlier receipt, ``NotNow`` while something is being sent there: tell
        it again in a moment."""
        ...


class Uploads(Protocol):
    """Files that a customer brings before the message that names them, for channels whose pages are the desk's own. An
    upload is of one contact, named by its external id: nobody else can put it into a message. It waits for its message
    for a day."""

    async def admit(self, channel: str, account: str, contact: str, size: int, bounds: DailyBounds) -> None:
        """Raises ``UploadsFull`` where a file of so many bytes would be refused: before it is read."""
        ...

    async def add(
        self, channel: str, account: str, contact: str, brought: Upload, content: bytes, bounds: DailyBounds
    ) -> Attachment:
        """Keeps it, once however often it comes under its id; what it is as part of a message. Raises ``UploadsFull``,
        and ``OtherContent`` where the id is another file's. However many come at once, on however many replicas,
        ``bounds`` hold."""
        ...

    async def named(self, channel: str, account: str, contact: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """The uploads with these ids, in their order. Raises ``NotFound`` if the contact has not brought one of them
        within the last day."""
        ...


class Health(Protocol):
    """Where a connector says how it is doing; agents and operators read it. Never raises, never waits."""

    def connecting(self) -> None:
        """It is not (or no longer) connected, and tries."""
        ...

    def connected(self, account: str) -> None: ...

    def trouble(self, error: Fault | str) -> None:
        """Something went wrong: what, and the fix, without secrets and without customers' words. A mere text is shown
        as it is, whatever language agents read."""
        ...


class Streams(Protocol):
    """How many event streams may be open at once. Strangers, however many, keep no customer out."""

    def to_visitor(self, visitor: str, *, known: bool, stream: Response, refusal: Response) -> Response:
        """``stream``, or ``refusal`` where there is no place for it when it is sent. ``known`` is who has written to
        the desk; one ``visitor`` has only a few places."""
        ...

    def wrote(self, visitor: str) -> None:
        """From now on the visitor is known."""
        ...


class NullHealth:
    """A ``Health`` that nobody reads."""

    def connecting(self) -> None: ...

    def connected(self, account: str) -> None: ...

    def trouble(self, error: Fault | str) -> None: ...


@dataclass(frozen=True, slots=True)
class ConnectorContext:
    """What the desk gives a connector when it is built, besides its own section of ``config.yml``."""

    access: Access
    var: Path
    """The folder for state of this machine."""
    brand: str
    words: Words
    transcript: Transcript
    records: Records
    files: Files
    notices: Notices
    receipts: Receipts
    uploads: Uploads
    health: Health
    streams: Streams
    suggestions: Mapping[str, Sequence[Button]]
    """By locale: topics that a page may offer before the first word."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A platform, as the entry point group ``switchboard.connectors`` names it."""

    settings: type[BaseModel]
    """The schema of ``channels.<name>`` in ``config.yml``. Every field has a default, ``enabled`` among them."""
    build: Callable[[Any, ConnectorContext], Connector]
    """Makes the connector from its settings. No network calls here."""
    secret_variable: str | None = None
    """The environment variable with the platform's token; the channel is off without it."""
    commands: Callable[[LoadChannel], Typer] | None = None
    """Makes the platform's own commands, ``switchboard <name> …``."""
    secret_variables: Callable[[Any], Iterable[str]] | None = None
    """In place of ``secret_variable`` where the settings say how many secrets there are: the variables that may be set.
    The channel is off as long as none is."""
    check: Callable[[Any, Access], Awaitable[list[Finding]]] | None = None
    """Looks, with the settings and what it may use, whether the platform would work with this desk: changes nothing
    there, and raises nothing for what is wrong. May run beside a desk with the same account."""


@runtime_checkable
class Routes(Protocol):
    """Optional: HTTP routes that the desk's server mounts (a webhook, a chat page)."""

    def routes(self, receive: Receive) -> APIRouter: ...


@runtime_checkable
class Closing(Protocol):
    """Optional: what a connector holds beyond ``run`` (connections that ``send`` uses) is given back."""

    async def close(self) -> None: ...


class Transcript(Protocol):
    """What a customer may see of their own conversation, and do with it as a whole, for channels that have no memory of
    their own."""

    async def known(self, channel: str, account: str, contacts: Collection[str]) -> frozenset[str]:
        """Of these external ids those whose contacts have ever written: in one look."""
        ...

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        """What the contact with that external id got to see behind ``after``, in the order of ``Message.revision``:
        new messages, and those edited or taken back since, as they are now. With ``after=0`` the latest messages, in
        the order of ``Message.cursor``. Empty for a contact never seen."""
        ...

    def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        """The same, without end: yields what is new as it comes, and an empty list every 4 seconds
        without news, by which a caller can tell that the line is alive."""
        ...

    async def file(self, channel: str, account: str, contact: str, cursor: int, index: int) -> File:
        """What the contact's message with that cursor has attached, from 0. Raises ``NotFound``, also for messages of
        others, and for those taken back."""
        ...

    async def speak(self, channel: str, account: str, contact: str, language: str) -> None:
        """The contact wants to go on in that language: so the desk does, from its next word. Nothing for one never
        seen."""
        ...

    async def end(self, channel: str, account: str, contact: str) -> None:
        """The contact leaves for good. From now on nobody reads by that external id what was said: who comes with it is
        somebody never seen. The conversation stays with the desk, which is told. Nothing for one never seen."""
        ...


class IntentEngine(Protocol):
    """Tells which intents a text may hold."""

    async def predict(self, text: str) -> Prediction:
        """The intents that ``text`` may hold, best first.

        Raises ``ValueError`` for a text without a visible character, ``EngineUnavailable`` if there is
        no trustworthy answer in time, whatever the cause. Nothing else.
        """
        ...

    async def healthy(self) -> bool:
        """Whether ``predict`` would answer now. Never raises."""
        ...
