"""What a customer may read of their own conversation, for channels whose pages have no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import replace

from bot.domain.conversation import NotFound, contact_key
from bot.domain.message import File, Message
from bot.domain.operations import LiveEvent
from bot.runtime.feed import Feed
from bot.store.contacts import ENDED, Contacts
from bot.store.files import Files
from bot.store.messages import Messages

KEEPALIVE = 4.0
"""Seconds within which a follower hears something, so that a page tells a dead line from a silent desk."""
_LOOK_AGAIN = 4
"""Silences in a row after which it is read once more, whatever was or was not heard."""
_SHOWN = ("message", "delivery", ENDED)
"""What changes what a customer sees."""
_AT_ONCE = 200
"""Messages read at once."""
_MOMENT = 0.1
"""Seconds that a customer's own words wait, which the page that they were said on shows already: the bot's answer may
be read with them."""


class StoredTranscript:
    """``bot.ports.Transcript`` over the store and its feed."""

    def __init__(self, contacts: Contacts, messages: Messages, files: Files, feed: Feed) -> None:
        self._contacts = contacts
        self._messages = messages
        self._files = files
        self._feed = feed
        self._present: set[int] = set()
        """Contacts who read since they were last noted."""

    async def note_present(self) -> None:
        """Keeps who has the chat open: a sweep, beside what they read."""
        present, self._present = self._present, set()
        if present:
            await self._contacts.note_present(present)

    async def known(self, channel: str, account: str, contacts: Collection[str]) -> frozenset[str]:
        return await self._contacts.known(channel, account, contacts)

    async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
        known = await self._contacts.get(channel, account, contact)
        if known is None:
            return []
        self._present.add(known.id)
        return _public(await self._messages.transcript(known.id, after=after))

    async def speak(self, channel: str, account: str, contact: str, language: str) -> None:
        await self._contacts.speak(channel, account, contact, language)

    async def end(self, channel: str, account: str, contact: str) -> None:
        await self._contacts.end(channel, account, contact)

    async def file(self, channel: str, account: str, contact: str, cursor: int, index: int) -> File:
        known = await self._contacts.get(channel, account, contact)
        if known is None:
            raise NotFound("there is no such file in this conversation")
        attachment = await self._files.shown_attachment(known.id, cursor, index)
        # Without a content it has no name to be found by either.
        return File(attachment.name, attachment.media_type, await self._files.get(attachment.sha256))

    async def follow(self, channel: str, account: str, contact: str, after: int) -> AsyncIterator[list[Message]]:
        contact_id: int | None = None
        heard: set[str] = set()

        def wants(event: LiveEvent) -> bool:
            heard.add(event.kind)
            return event.kind in _SHOWN

        # Before the first message there is no contact yet.
        with self._feed.watch(wants, of=contact_key(channel, account, contact)) as watch:
            while True:
                if contact_id is None:
                    known = await self._contacts.get(channel, account, contact)
                    if known is not None:
                        contact_id = known.id
                        self._feed.move(watch, contact_id)
                news: list[Message] = []
                if contact_id is not None:
                    self._present.add(contact_id)
                    news = await self._messages.transcript(contact_id, after=after, limit=_AT_ONCE)
                if news:
                    after = max(message.revision or 0 for message in news)
                    yield _public(news)
                if len(news) == _AT_ONCE:
                    continue
                silent = 0
                while silent < _LOOK_AGAIN and not await watch.changed(KEEPALIVE):
                    silent += 1
                    if contact_id is not None:
                        self._present.add(contact_id)
                    yield []
                missed = silent < _LOOK_AGAIN and not heard
                if heard == {"message"}:
                    await watch.changed(_MOMENT)
                if ENDED in heard or missed:
                    # Who comes by that external id is somebody else now, or may be: woken without an event, the feed
                    # has missed some.
                    contact_id = None
                    self._feed.move(watch, contact_key(channel, account, contact))
                heard.clear()


def _public(messages: Iterable[Message]) -> list[Message]:
    """As customers may read them: agents by their public names."""
    return [
        message if message.agent_name is None else replace(message, agent_name=message.agent_public_name)
        for message in messages
    ]
