"""A desk in memory: what the connector tests receive into and read from."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx

from bot.domain.conversation import NotFound
from bot.domain.message import Attachment, Author, Button, File, Incoming, Message, MessageFormat, Receipt
from bot.domain.uploads import DailyBounds, Upload, UploadsFull
from bot.ports import Health
from bot.runtime import http
from connectors.web import WebConnector, WebSettings
from tests.support.ports import HeldPort
from tests.support.serving import served
from tests.support.words import WORDS

Answer = Callable[[Incoming], Iterable[Message]]


def message(text: str, author: Author = Author.BOT, *, buttons: Iterable[Button] = (), **more: object) -> Message:
    """One of the desk's messages, as an answer: its ids are given when it is delivered."""
    format = MessageFormat.MARKDOWN if author in (Author.BOT, Author.SYSTEM) else MessageFormat.TEXT
    made = Message(
        id=0,
        conversation_id=1,
        author=author,
        visibility="public",  # type: ignore[arg-type]
        text=text,
        format=format,
        created_at=datetime.now(UTC),
        buttons=tuple(buttons),
    )
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class StandInDesk:
    """``Receive``, ``Transcript`` and ``Uploads`` over lists. ``answer`` says what the desk replies to a message."""

    answer: Answer = lambda incoming: ()
    failures: int = 0
    """How many calls of ``receive`` fail from now on."""
    full: UploadsFull | None = None
    """Why no file is taken."""
    keepalive: float = 4.0
    received: list[Incoming] = field(default_factory=list)
    spoken: dict[str, str] = field(default_factory=dict)
    """In which language a contact wants to go on."""
    ended: list[str] = field(default_factory=list)
    uploads: dict[tuple[str, str], Attachment] = field(default_factory=dict)
    """By contact and id."""
    followers: int = 0
    """Open ``follow`` calls."""
    _seen: dict[str, list[Message]] = field(default_factory=dict)
    _files: dict[str, bytes] = field(default_factory=dict)
    _cursor: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def receive(self, incoming: Incoming) -> Receipt:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")
        contact = incoming.sender.external_id
        for known in self._seen.get(contact, []):
            if known.external_id == incoming.external_id:
                return Receipt(known.id, 1, duplicate=True)
        self.received.append(incoming)
        said = message(
            incoming.text, Author.CUSTOMER, external_id=incoming.external_id, attachments=incoming.attachments
        )
        recorded = await self.deliver(contact, said)
        for reply in self.answer(incoming):
            await self.deliver(contact, reply)
        return Receipt(recorded.id, 1)

    async def deliver(self, contact: str, delivered: Message) -> Message:
        """Puts a message before the customer."""
        async with self._changed:
            self._cursor += 1
            delivered = replace(delivered, id=self._cursor, cursor=self._cursor, revision=self._cursor)
            self._seen.setdefault(contact, []).append(delivered)
            self._changed.notify_all()
        return delivered

    async def edit(self, contact: str, delivered: Message, text: str) -> Message:
        """Gives a delivered message other words."""
        return await self._change(contact, delivered, text=text, edited_at=datetime.now(UTC))

    async def delete(self, contact: str, delivered: Message) -> Message:
        """Takes a delivered message back."""
        return await self._change(contact, delivered, deleted_at=datetime.now(UTC))

    async def _change(self, contact: str, delivered: Message, **values: object) -> Message:
        async with self._changed:
            self._cursor += 1
            seen = self._seen[contact]
            at = next(index for index, known in enumerate(seen) if known.cursor == delivered.cursor)
            seen[at] = replace(seen[at], revision=self._cursor, **values)  # type: ignore[arg-type]
            self._changed.notify_all()
            return seen[at]

    def keep(self, name: str, media_type: str, content: bytes) -> Attachment:
        """A file, to be attached to messages."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._files[sha256] = content
        return Attachment("file", sha256, name, media_type, len(content), sha256)

    async def admit(self, channel: str, account: str, contact: str, size: int, bounds: DailyBounds) -> None:
        if self.full is not None:
            raise self.full

    async def add(
        self, channel: str, account: str, contact: str, brought: Upload, content: bytes, bounds: DailyBounds
    ) -> Attachment:
        kept = replace(self.keep(brought.name, brought.media_type, content), kind=brought.kind, reference=brought.id)
        return self.uploads.setdefault((contact, brought.id), kept)

    async def named(self, channel: str, account: str, contact: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
        try:
            return tuple(self.uploads[contact, one] for one in ids)
        except KeyError as error:
            raise NotFound("there is no such upload") from error

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        seen = self._seen.get(contact, [])
        if not after:
            return list(seen)
        return sorted((known for known in seen if (known.revision or 0) > after), key=lambda known: known.revision or 0)

    async def file(self, channel: str, account: str, contact: str, cursor: int, index: int) -> File:
        for known in self._seen.get(contact, []):
            if known.cursor == cursor and known.deleted_at is None and index < len(known.attachments):
                attachment = known.attachments[index]
                return File(attachment.name, attachment.media_type, self._files[attachment.sha256])
        raise NotFound("there is no such file in this conversation")

    async def known(self, channel: str, account: str, contacts: Collection[str]) -> frozenset[str]:
        return frozenset(one for one in contacts if one in self._seen)

    async def speak(self, channel: str, account: str, contact: str, language: str) -> None:
        self.spoken[contact] = language

    async def end(self, channel: str, account: str, contact: str) -> None:
        async with self._changed:
            self._seen.pop(contact, None)
            self.ended.append(contact)

    async def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        self.followers += 1
        try:
            while True:
                async with self._changed:
                    news = await self.read(channel, account, contact, after)
                    if not news:
                        try:
                            await asyncio.wait_for(self._changed.wait(), self.keepalive)
                        except TimeoutError:
                            pass
                        else:
                            continue
                if news:
                    after = max(known.revision or 0 for known in news)
                yield news
        finally:
            self.followers -= 1


class Site:
    """The chat on a server of its own."""

    def __init__(
        self,
        desk: StandInDesk,
        suggestions: Iterable[Button] = (),
        health: Health | None = None,
        settings: WebSettings | None = None,
    ) -> None:
        self.desk = desk
        self.connector = WebConnector(
            settings or WebSettings(),
            desk,
            "BitPie",
            uploads=desk,
            streams=http.Streams(),
            words=WORDS,
            suggestions={"en": list(suggestions)},
            health=health,
        )
        self._port = HeldPort()

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Site]:
        """Serves while entered; entered again, at the same address."""
        app = http.application([self.connector.routes(self.desk.receive)], {})
        async with served(app, self._port.number):
            self.running = asyncio.create_task(self.connector.run(self.desk.receive))
            try:
                yield self
            finally:
                self.running.cancel()
                await asyncio.gather(self.running, return_exceptions=True)

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.base_url, timeout=10) as client:
            await client.get("/chat")
            yield client
