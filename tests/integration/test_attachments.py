"""What customers attach: fetched while it can be had, kept once, and said plainly where it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import psycopg
import pytest

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.conversation import NotFound
from bot.domain.message import Attachment, Incoming, Message, Sender
from bot.domain.said import Fault
from bot.pipeline import attachments as attachments_module
from bot.pipeline.attachments import MAX_BYTES, Attachments
from bot.pipeline.faults import NO_ANSWER, given_up
from bot.queue import JobLease, Queue, TryAgain
from bot.store import Store
from tests.support.lifecycle import Sql


class Platform:
    """Has content by reference; what is an error is raised."""

    def __init__(self, **has: bytes | Exception) -> None:
        self.has = has
        self.asked: list[tuple[str, str, str, int]] = []

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
        self.asked.append((attachment.reference, chat_id, external_id, limit))
        found = self.has[attachment.reference]
        if isinstance(found, Exception):
            raise found
        return found


def photo(reference: str = "cat") -> Attachment:
    return Attachment("photo", reference, name=f"{reference}.png", media_type="image/png", size=1)


async def sent(store: Store, *attachments: Attachment, id: str = "1") -> int:
    incoming = Incoming("test", "bot", id, Sender("7"), "chat-7", "look", attachments=attachments)
    receipt = await store.incoming.record(incoming)
    assert receipt.message_id is not None
    return receipt.message_id


async def stored(store: Store, message_id: int) -> Sequence[Attachment]:
    contact = await store.contacts.get("test", "bot", "7")
    assert contact is not None
    messages: list[Message] = await store.messages.transcript(contact.id)
    return next(m.attachments for m in messages if m.id == message_id)


async def jobs(url: str) -> list[tuple[str, str]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute("SELECT task_name, args->>'message_id' FROM procrastinate_jobs ORDER BY id")
        return [(row[0], row[1]) for row in await found.fetchall()]


async def test_what_came_is_fetched_and_kept(store: Store) -> None:
    platform = Platform(cat=b"meow", dog=b"woof")
    message_id = await sent(store, photo("cat"), photo("dog"))
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message_id, JobLease())
    assert platform.asked == [("cat", "chat-7", "1", MAX_BYTES), ("dog", "chat-7", "1", MAX_BYTES)]
    cat, dog = await stored(store, message_id)
    assert (cat.sha256, cat.size, cat.problem, cat.name) == (sha256(b"meow").hexdigest(), 4, None, "cat.png")
    assert [await store.files.get(part.sha256) for part in (cat, dog)] == [b"meow", b"woof"]
    assert await store.files.attached(message_id, 1) == dog
    for index in (-1, 2):
        with pytest.raises(NotFound, match=f"no attachment {index}"):
            await store.files.attached(message_id, index)
    with pytest.raises(NotFound, match="no file 00"):
        await store.files.get("00")
    # Done is done.
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message_id, JobLease())
    assert len(platform.asked) == 2


async def test_the_same_content_is_kept_once(store: Store, database_url: str) -> None:
    fetching = Attachments(store.files, {"test": Platform(a=b"same", b=b"same")}, marks=store.incoming)
    messages = [await sent(store, photo(name), id=name) for name in ("a", "b")]
    await asyncio.gather(*(fetching.fetch(message_id, JobLease()) for message_id in messages))
    assert len({await store.files.add(b"same") for _ in range(3)}) == 1
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        assert await (await connection.execute("SELECT count(*) FROM file")).fetchone() == (1,)


async def test_only_messages_with_attachments_are_looked_at(store: Store, database_url: str) -> None:
    without, with_one = await sent(store, id="1"), await sent(store, photo(), id="2")
    assert [job for job in await jobs(database_url) if job[0] == "fetch"] == [("fetch", str(with_one))]
    assert await store.files.begin_fetch(without) is None


async def test_what_cannot_be_had_now_is_tried_again_and_the_rest_is_kept(store: Store) -> None:
    platform = Platform(cat=b"meow", dog=TemporaryError("502"))
    fetching = Attachments(store.files, {"test": platform}, marks=store.incoming)
    message_id = await sent(store, photo("cat"), photo("dog"))
    pauses = []
    for attempts in (0, 1, 2, 3, 20):
        with pytest.raises(TryAgain) as again:
            await fetching.fetch(message_id, JobLease(attempts))
        pauses.append(round((again.value.at - datetime.now(UTC)).total_seconds()))
    assert pauses == [5, 10, 20, 40, 600]
    cat, dog = await stored(store, message_id)
    assert cat.sha256
    assert (dog.sha256, dog.problem) == ("", None)
    assert [asked[0] for asked in platform.asked].count("cat") == 1
    platform.has["dog"] = b"woof"
    await fetching.fetch(message_id, JobLease(5))
    assert all(part.sha256 for part in await stored(store, message_id))


async def test_what_is_gone_is_said_to_be(store: Store) -> None:
    platform = Platform(cat=PermanentError("the file has more than 25 MB"), dog=b"woof")
    message_id = await sent(store, photo("cat"), photo("dog"))
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message_id, JobLease())
    cat, dog = await stored(store, message_id)
    assert (cat.problem, cat.sha256, dog.problem) == (Fault("the file has more than 25 MB"), "", None)
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message_id, JobLease())
    assert len(platform.asked) == 2


async def test_what_cannot_be_had_for_a_day_is_given_up(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments_module, "FETCH_TIMEOUT", 0.05)

    class Hangs(Platform):
        async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
            return await asyncio.Event().wait() or b""

    message_id = await sent(store, photo())
    with pytest.raises(TryAgain):
        await Attachments(store.files, {"test": Hangs()}, marks=store.incoming).fetch(message_id, JobLease())
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE message SET created_at = now() - interval '21 hours'")
    await Attachments(store.files, {"test": Hangs()}, marks=store.incoming).fetch(message_id, JobLease(9))
    (cat,) = await stored(store, message_id)
    assert cat.problem == given_up(timedelta(hours=20), NO_ANSWER)


async def test_a_late_file_that_can_be_had_is_kept(store: Store, database_url: str) -> None:
    """The desk was down for a day, and the platform has it still."""
    message_id = await sent(store, photo())
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE message SET created_at = now() - interval '30 hours'")
    await Attachments(store.files, {"test": Platform(cat=b"meow")}, marks=store.incoming).fetch(message_id, JobLease())
    assert (await stored(store, message_id))[0].sha256


async def test_a_channel_that_fetches_nothing_leaves_them_as_they_are(store: Store) -> None:
    message_id = await sent(store, photo())
    await Attachments(store.files, {}, marks=store.incoming).fetch(message_id, JobLease())
    assert await stored(store, message_id) == (photo(),)


@pytest.mark.parametrize("kind", ["location", "contact", "unsupported"])
async def test_what_is_all_said_is_not_fetched(store: Store, kind: str) -> None:
    platform = Platform(cat=b"meow")
    said = Attachment(kind, "52.5,13.4")
    message_id = await sent(store, said, photo())
    await Attachments(store.files, {"test": platform}, marks=store.incoming).fetch(message_id, JobLease())
    assert [asked[0] for asked in platform.asked] == ["cat"]
    first, second = await stored(store, message_id)
    assert first == said
    assert second.sha256


async def test_what_was_fetched_is_not_put_on_other_attachments(store: Store) -> None:
    """The message was edited meanwhile: what was begun before goes to the version that had it."""
    message_id = await sent(store, photo("cat"))

    class Meanwhile(Platform):
        async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:
            other = Incoming("test", "bot", "1:e", Sender("7"), "chat-7", "look", attachments=(photo("dog"),))
            await store.incoming.record(replace(other, edits="1", replaces_attachments=True))
            return await super().fetch(attachment, chat_id, external_id, limit)

    await Attachments(store.files, {"test": Meanwhile(cat=b"meow")}, marks=store.incoming).fetch(message_id, JobLease())
    assert await stored(store, message_id) == (photo("dog"),)
    [before] = (await store.messages.of(1))[0].versions
    assert await store.files.get((before.attachments or ())[0].sha256) == b"meow"


async def test_the_queue_fetches_until_it_has_it(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments_module, "PAUSE", attachments_module.PAUSE / 50)
    platform = Platform(cat=TemporaryError("502"))

    async def no_turn(_message_id: int, _attempts: int) -> None: ...

    queue.serve(
        turn=no_turn, deliver=no_turn, fetch=Attachments(store.files, {"test": platform}, marks=store.incoming).fetch
    )
    working = asyncio.create_task(queue.run())
    try:
        message_id = await sent(store, photo())
        async with asyncio.timeout(20):
            while len(platform.asked) < 2:
                await asyncio.sleep(0.02)
            platform.has["cat"] = b"meow"
            while not (await stored(store, message_id))[0].sha256:
                await asyncio.sleep(0.02)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_content_that_no_message_names_is_forgotten_after_two_days(store: Store, sql: Sql) -> None:
    named, upload, again, new = [await store.files.add(f"content {number}".encode()) for number in range(4)]
    await sent(store, Attachment("file", "upload", sha256=named))
    assert await store.files.forget_unnamed() == 0
    sql("UPDATE file SET created_at = created_at - interval '49 hours' WHERE sha256 <> %s", new)
    await store.files.add(b"content 2")
    assert await store.files.forget_unnamed() == 1
    assert [await store.files.get(kept) for kept in (named, again, new)] == [b"content 0", b"content 2", b"content 3"]
    with pytest.raises(NotFound):
        await store.files.get(upload)


async def test_content_that_came_with_the_message_is_not_fetched(store: Store, queue: Queue, sql: Sql) -> None:
    content = await store.files.add(b"a picture")
    message_id = await sent(store, Attachment("photo", "upload", sha256=content))
    assert (await stored(store, message_id))[0].sha256 == content
    assert sql("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'fetch'") == [(0,)]
