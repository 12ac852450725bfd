"""What a customer may read of their own conversation, for channels whose pages have no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.feed import Feed
from bot.model import Event, Message
from bot.store import Store

KEEPALIVE = 15.0


class StoredTranscript:
    """``connectors.base.Transcript`` over the store and its feed."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        known = await self._store.contact(channel, account, contact)
        return [] if known is None else await self._store.transcript(known.id, after=after)

    async def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        contact_id: int | None = None

        def wants(event: Event) -> bool:
            # Before the first message there is no contact yet: any event may be the one that makes it.
            return contact_id is None or event.contact_id == contact_id

        with self._feed.watch(wants) as watch:
            while True:
                if contact_id is None:
                    known = await self._store.contact(channel, account, contact)
                    contact_id = None if known is None else known.id
                news: list[Message] = []
                if contact_id is not None:
                    news = await self._store.transcript(contact_id, after=after)
                if news:
                    after = news[-1].cursor or after
                    yield news
                elif not await watch.changed(KEEPALIVE):
                    yield []
