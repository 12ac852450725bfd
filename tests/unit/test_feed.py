"""Live events, and the transcript that follows them, without the database that makes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from bot.domain.conversation import Contact
from bot.domain.message import Author, Message, MessageFormat, Visibility
from bot.domain.operations import LiveEvent
from bot.pipeline.transcript import StoredTranscript
from bot.runtime.feed import Feed, Watch
from bot.store.contacts import Contacts
from bot.store.files import Files
from bot.store.messages import Messages


@pytest.mark.parametrize("ticks", range(5))
async def test_a_cancellation_that_comes_with_a_change_is_not_lost(ticks: int) -> None:
    watch = Watch(lambda _: True)
    waiting = asyncio.create_task(watch.changed(5))
    await asyncio.sleep(0.01)
    watch.wake()
    for _ in range(ticks):
        await asyncio.sleep(0)
    if waiting.done():
        assert waiting.result()
        return
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def about(contact_id: int, kind: str = "message", opened_by: str = "") -> LiveEvent:
    return LiveEvent(kind, conversation_id=1, contact_id=contact_id, opened_by=opened_by)


async def woken(watch: Watch) -> bool:
    return await watch.changed(0.01)


async def test_an_event_wakes_who_watches_its_contact_and_who_watches_everybody() -> None:
    feed = Feed("")
    with feed.watch() as everybody, feed.watch(of=7) as hers, feed.watch(of=8) as another:
        feed.tell(about(7))
        assert (await woken(everybody), await woken(hers), await woken(another)) == (True, True, False)


async def test_who_waits_for_a_contact_that_is_new_goes_on_with_it() -> None:
    feed = Feed("")
    with feed.watch(of="key") as watch:
        feed.tell(about(7, opened_by="another"))
        assert not await woken(watch)
        feed.tell(about(7, opened_by="key"))
        assert await woken(watch)
        feed.move(watch, 7)
        feed.tell(about(7))
        assert await woken(watch)
        feed.tell(about(8, opened_by="key"))
        assert not await woken(watch)


@dataclass
class Transcript:
    """A store with one contact, that counts how often it is read."""

    messages: list[Message] = field(default_factory=list)
    reads: int = 0
    ended: bool = False

    async def get(self, *_key: str) -> Contact | None:
        return None if self.ended else Contact(7, "web", "web", "visitor", "visitor", "", None)

    async def transcript(self, _contact_id: int, *, after: int, limit: int) -> list[Message]:
        self.reads += 1
        return [message for message in self.messages if (message.revision or 0) > after][:limit]

    def says(self, number: int, author: Author) -> None:
        self.messages.append(
            Message(
                number,
                1,
                author,
                Visibility.PUBLIC,
                str(number),
                MessageFormat.TEXT,
                datetime.now(UTC),
                cursor=number,
                revision=number,
            )
        )


def reading_from(store: Transcript, feed: Feed) -> StoredTranscript:
    return StoredTranscript(cast(Contacts, store), cast(Messages, store), cast(Files, store), feed)


async def asked() -> tuple[Feed, Transcript, asyncio.Future[list[Message]]]:
    """A visitor with an open page, which shows nothing yet, has said something; what the page is given next."""
    feed, store = Feed(""), Transcript()
    news = reading_from(store, feed).follow("web", "web", "visitor", 0)
    reading = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0.01)
    store.says(1, Author.CUSTOMER)
    feed.tell(about(7, "message"))
    return feed, store, reading


async def test_a_question_and_its_answer_are_read_at_once() -> None:
    feed, store, reading = await asked()
    await asyncio.sleep(0.01)
    store.says(2, Author.BOT)
    feed.tell(about(7, "delivery"))
    assert [message.id for message in await reading] == [1, 2]
    assert store.reads == 2  # before the first word, and now


async def test_a_question_without_an_answer_is_shown_a_moment_later() -> None:
    _, _, reading = await asked()
    assert [message.id for message in await asyncio.wait_for(reading, 1)] == [1]


async def test_who_ended_the_chat_hears_nothing_more_though_the_feed_missed_it() -> None:
    feed, store = Feed(""), Transcript()
    news = reading_from(store, feed).follow("web", "web", "visitor", 0)
    reading = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0.01)
    store.ended = True
    feed.wake()  # as when it listens again
    await asyncio.sleep(0.01)
    store.says(1, Author.AGENT)
    feed.tell(about(7, "message"))
    done, _ = await asyncio.wait({reading}, timeout=0.3)
    assert not done
    reading.cancel()


async def test_who_was_away_for_long_is_shown_everything() -> None:
    feed, store = Feed(""), Transcript()
    for number in range(1, 451):
        store.says(number, Author.BOT)
    news = reading_from(store, feed).follow("web", "web", "visitor", 0)
    shown = [message.id for _ in range(3) for message in await asyncio.wait_for(anext(news), 1)]
    assert shown == list(range(1, 451))


async def test_a_silence_is_told_often_and_read_behind_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.pipeline.transcript.KEEPALIVE", 0.01)
    store = Transcript()
    news = reading_from(store, Feed("")).follow("web", "web", "visitor", 0)
    assert [await anext(news) for _ in range(8)] == [[]] * 8
    assert store.reads == 2
    store.says(1, Author.BOT)  # which nobody was told of
    assert [message.id for message in await anext(news)] == [1]
