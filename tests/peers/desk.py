"""A desk in memory: what the connector tests receive into and read from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx

from bot import http
from bot.model import Author, Button, Incoming, Message, MessageFormat, Receipt
from connectors.web import WebConnector, WebSettings

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
    """``Receive`` and ``Transcript`` over a list. ``answer`` says what the desk replies to a message."""

    answer: Answer = lambda incoming: ()
    failures: int = 0
    """How many calls of ``receive`` fail from now on."""
    keepalive: float = 15.0
    received: list[Incoming] = field(default_factory=list)
    followers: int = 0
    """Open ``follow`` calls."""
    _seen: dict[str, list[Message]] = field(default_factory=dict)
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
        said = message(incoming.text, Author.CUSTOMER, external_id=incoming.external_id)
        recorded = await self.deliver(contact, said)
        for reply in self.answer(incoming):
            await self.deliver(contact, reply)
        return Receipt(recorded.id, 1)

    async def deliver(self, contact: str, delivered: Message) -> Message:
        """Puts a message before the customer."""
        async with self._changed:
            self._cursor += 1
            delivered = replace(delivered, id=self._cursor, cursor=self._cursor)
            self._seen.setdefault(contact, []).append(delivered)
            self._changed.notify_all()
        return delivered

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        return [known for known in self._seen.get(contact, []) if (known.cursor or 0) > after]

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
                    after = news[-1].cursor or after
                yield news
        finally:
            self.followers -= 1


async def test_following_goes_on_behind_the_cursor_and_keeps_the_line_alive() -> None:
    desk = StandInDesk(keepalive=0.01)
    first = await desk.deliver("anna", message("one"))
    await desk.deliver("bert", message("not for anna"))
    await desk.deliver("anna", message("two"))
    following = desk.follow("web", "web", "anna", first.cursor or 0)
    assert [news.text for news in await anext(following)] == ["two"]
    assert await anext(following) == []


class Site:
    """The chat on a server of its own."""

    def __init__(self, desk: StandInDesk, suggestions: Iterable[Button] = ()) -> None:
        self.desk = desk
        self.connector = WebConnector(WebSettings(), desk, "BitPie", suggestions={"en": list(suggestions)})
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Site]:
        """Serves while entered; entered again, at the same address."""
        listening = http.bind("127.0.0.1", self._port)
        self._port = listening.getsockname()[1]
        app = http.application([self.connector.routes(self.desk.receive)], {})
        server = asyncio.create_task(http.serve(app, listening))
        self.running = asyncio.create_task(self.connector.run(self.desk.receive))
        try:
            yield self
        finally:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.base_url, timeout=10) as client:
            await client.get("/chat")
            yield client
