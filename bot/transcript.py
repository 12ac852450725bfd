"""What a customer may read of their own conversation, for channels whose pages have no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.feed import Feed
from bot.model import Event, File, Message, NotFound, contact_key
from bot.store import Store

KEEPALIVE = 15.0
_SHOWN = ("message", "delivery")
"""What changes what a customer sees."""


class StoredTranscript:
    """``connectors.base.Transcript`` over the store and its feed."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        known = await self._store.contact(channel, account, contact)
        return [] if known is None else await self._store.transcript(known.id, after=after)

    async def file(self, channel: str, account: str, contact: str, cursor: int, index: int) -> File:
        known = await self._store.contact(channel, account, contact)
        if known is None:
            raise NotFound("there is no such file in this conversation")
        attachment = await self._store.shown_attachment(known.id, cursor, index)
        # Without a content it has no name to be found by either.
        return File(attachment.name, attachment.media_type, await self._store.file(attachment.sha256))

    async def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        contact_id: int | None = None
        key = contact_key(channel, account, contact)

        def wants(event: Event) -> bool:
            # Before the first message there is no contact yet. Many a page is open that never says a word: they must
            # not all look for theirs whenever somebody else says something.
            known = event.opened_by == key if contact_id is None else event.contact_id == contact_id
            return known and event.kind in _SHOWN

        with self._feed.watch(wants) as watch:
            while True:
                if contact_id is None:
                    known = await self._store.contact(channel, account, contact)
                    contact_id = None if known is None else known.id
                news: list[Message] = []
                if contact_id is not None:
                    news = await self._store.transcript(contact_id, after=after)
                if news:
                    after = max(message.revision or 0 for message in news)
                    yield news
                elif not await watch.changed(KEEPALIVE):
                    yield []
