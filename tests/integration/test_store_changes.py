"""Customers' edits, deletions and quotes in the store, and how a page with no memory learns of changes."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bot.content.answers import Answers
from bot.domain.engine import Prediction
from bot.domain.message import Attachment, Author, Incoming, Message, Receipt, Sender
from bot.domain.staff import Role
from bot.queue import JobLease
from bot.store import Store
from handoff.desk import Desk
from tests.support.turns import turns_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def said(text: str = "hello", id: str = "1", sender: str = "7", **fields: object) -> Incoming:
    base = Incoming("web", "web", id, Sender(sender, "Ann", "en"), chat_id=f"chat-{sender}", text=text)
    return replace(base, **fields)


def edited(text: str, edits: str = "1", number: int = 1, **fields: object) -> Incoming:
    return said(text, id=f"{edits}:edit:{number}", edits=edits, **fields)


def taken_back(deletes: str = "1", sender: str = "7", **fields: object) -> Incoming:
    gone = Incoming("web", "web", f"{deletes}:deletion", Sender(""), chat_id=f"chat-{sender}", deletes=deletes)
    return replace(gone, **fields)


async def only(store: Store, receipt: Receipt) -> Message:
    assert receipt.conversation_id is not None
    (message,) = [m for m in await store.messages.of(receipt.conversation_id) if m.author is Author.CUSTOMER]
    return message


# --- edits --------------------------------------------------------------------------------------


async def test_every_edit_is_a_version_and_the_same_text_is_none(store: Store) -> None:
    receipt = await store.incoming.record(said("one"))
    for number, text in enumerate(["two", "two", "three"]):
        again = await store.incoming.record(edited(text, number=number, sent_at=NOON))
        assert (again.message_id, again.conversation_id) == (receipt.message_id, receipt.conversation_id)
        assert again.duplicate is (number == 1)
    message = await only(store, receipt)
    assert (message.text, message.edited_at) == ("three", NOON)
    assert [version.text for version in message.versions] == ["one", "two"]
    # Brought again, late: the text is not put back.
    assert (await store.incoming.record(edited("two", number=0))).duplicate
    assert (await only(store, receipt)).text == "three"


async def test_an_edit_of_what_was_recorded_already_edited_is_a_duplicate(store: Store) -> None:
    receipt = await store.incoming.record(said("as it is now"))
    again = await store.incoming.record(edited("as it is now"))
    assert again == Receipt(receipt.message_id, receipt.conversation_id, duplicate=True)
    assert (await only(store, receipt)).edited_at is None


async def test_an_edit_that_comes_behind_a_later_one_is_a_version_and_changes_nothing(store: Store) -> None:
    receipt = await store.incoming.record(said("one"))
    await store.incoming.record(edited("three", number=2, sent_at=NOON + timedelta(seconds=2)))
    late = edited("two", number=1, sent_at=NOON + timedelta(seconds=1))
    assert not (await store.incoming.record(late)).duplicate
    assert (await store.incoming.record(late)).duplicate
    message = await only(store, receipt)
    assert (message.text, message.edited_at) == ("three", NOON + timedelta(seconds=2))
    assert [version.text for version in message.versions] == ["one", "two"]


async def test_a_message_that_is_brought_edited_is_not_put_back_by_its_earlier_edits(store: Store) -> None:
    last = NOON + timedelta(seconds=2)
    receipt = await store.incoming.record(said("three", edited_at=last))
    await store.incoming.record(edited("two", number=1, sent_at=NOON + timedelta(seconds=1)))
    assert (await store.incoming.record(edited("three", number=2, sent_at=last))).duplicate
    message = await only(store, receipt)
    assert (message.text, message.edited_at) == ("three", last)
    assert [version.text for version in message.versions] == ["two"]


async def test_an_edit_that_is_ahead_of_its_message_stands_for_it(store: Store) -> None:
    """The message, once it is brought, is known; so are its further edits, and its deletion."""
    receipt = await store.incoming.record(edited("second"))
    assert (await store.incoming.record(edited("third", number=2))).message_id == receipt.message_id
    assert (await store.incoming.record(edited("second"))).duplicate
    assert (await store.incoming.record(said("first"))).duplicate
    message = await only(store, receipt)
    assert (message.text, message.external_id) == ("third", "1")
    assert (await store.incoming.record(taken_back())).message_id == receipt.message_id
    assert (await only(store, receipt)).deleted_at is not None


async def test_an_edit_of_another_customers_message_changes_nothing_of_theirs(store: Store) -> None:
    receipt = await store.incoming.record(said("mine"))
    other = await store.incoming.record(edited("forged", sender="8"))
    assert other.conversation_id != receipt.conversation_id
    assert (await only(store, receipt)).text == "mine"


# --- deletions ----------------------------------------------------------------------------------


async def test_a_deletion_is_a_mark(store: Store) -> None:
    receipt = await store.incoming.record(said("oops"))
    gone = await store.incoming.record(taken_back(sent_at=NOON))
    assert gone == Receipt(receipt.message_id, receipt.conversation_id)
    message = await only(store, receipt)
    assert (message.text, message.deleted_at) == ("oops", NOON)
    again = await store.incoming.record(taken_back(sent_at=NOON + timedelta(hours=1)))
    assert again == Receipt(receipt.message_id, receipt.conversation_id, duplicate=True)
    assert (await only(store, receipt)).deleted_at == NOON
    assert (await store.incoming.record(said("oops"))).duplicate, "what is brought again stays taken back"


@pytest.mark.parametrize(
    "elsewhere",
    [{"deletes": "2"}, {"sender": "8"}, {"channel": "other"}, {"account": "other"}],
)
async def test_a_deletion_of_what_was_never_seen_is_no_more_than_that(store: Store, elsewhere: dict[str, str]) -> None:
    receipt = await store.incoming.record(said("stays"))
    assert await store.incoming.record(taken_back(**elsewhere)) == Receipt(None, None)
    assert (await only(store, receipt)).deleted_at is None
    assert await store.contacts.get("web", "web", "") is None, "a deletion is nobody's first word"


async def test_replies_of_the_desk_are_not_a_customers_to_delete(store: Store, desk: Desk) -> None:
    receipt = await store.incoming.record(said())
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(receipt.conversation_id, mei)
    reply = await desk.reply(receipt.conversation_id, mei, "hi")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_sent(begun, 0, "x1")
    assert await store.incoming.record(taken_back("x1")) == Receipt(None, None)


async def test_a_message_taken_back_before_its_turn_gets_no_answer(store: Store, answers: Answers) -> None:
    async def never(text: str) -> Prediction:
        raise AssertionError(f"asked about {text}")

    receipt = await store.incoming.record(said("fees"))
    await store.incoming.record(taken_back())
    turns = turns_of(store, answers, never, lambda _text, hint: hint)
    await turns.take(receipt.message_id, JobLease())
    assert [m.author for m in await store.messages.of(receipt.conversation_id)] == [Author.CUSTOMER]
    assert await store.turns.begin(receipt.message_id) is None
    assert (await store.turns.of(receipt.conversation_id))[receipt.message_id].action is None


async def test_edits_and_deletions_of_one_message_at_once_end_well(store: Store) -> None:
    """Nobody waits for a lock that waits for theirs, and nothing is recorded twice."""
    receipts = [await store.incoming.record(said(id=str(n))) for n in range(4)]
    events = [edited(f"text {n} {m}", edits=str(n), number=m) for n in range(4) for m in range(6)]
    events += [taken_back(str(n)) for n in range(4) for _ in range(3)]
    random.Random(7).shuffle(events)
    await asyncio.gather(*(store.incoming.record(event) for event in events))
    messages = await store.messages.of(receipts[0].conversation_id)
    assert [len(m.versions) for m in messages] == [6] * 4
    assert all(m.deleted_at for m in messages)
    revisions = [m.revision for m in await store.messages.transcript(1)]
    assert len(set(revisions)) == 4


async def test_a_deletion_does_not_wait_for_who_waits_for_it(store: Store, database_url: str) -> None:
    """An edit holds its contact's row and then wants the message; a deletion must not go the other way round."""
    await store.incoming.record(said("one"))
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT 1 FROM contact FOR NO KEY UPDATE")
        deletion = asyncio.create_task(store.incoming.record(taken_back()))
        await asyncio.sleep(0.3)
        await connection.execute("SET lock_timeout = '3s'")
        await connection.execute("SELECT 1 FROM message FOR UPDATE")
        await connection.rollback()
    assert not (await deletion).duplicate


# --- marks --------------------------------------------------------------------------------------


async def marks(store: Store) -> dict[str, str | None]:
    return {chat.chat_id: chat.mark for chat in await store.contacts.chats("web", "web")}


async def test_a_mark_is_kept_when_an_event_brings_none(store: Store) -> None:
    await store.incoming.record(said(id="1"))
    assert await marks(store) == {"chat-7": None}
    await store.incoming.record(said(id="2", mark="2"))
    await store.incoming.record(said(id="3"))
    await store.incoming.record(edited("new", edits="2"))
    await store.incoming.record(taken_back("3"))
    assert await marks(store) == {"chat-7": "2"}


async def test_a_mark_moves_with_events_that_are_known_already(store: Store) -> None:
    """Seen live, and once more when the history before it was read."""
    await store.incoming.record(said(id="5"))
    assert (await store.incoming.record(said(id="5", mark="5"))).duplicate
    assert await marks(store) == {"chat-7": "5"}


async def test_chats_are_those_of_the_account_the_latest_first(store: Store) -> None:
    for sender in ("a", "b", "c"):
        await store.incoming.record(said(sender=sender))
    await store.incoming.record(said(sender="d", account="other"))
    await store.incoming.record(said(sender="a", id="2"))
    assert [chat.chat_id for chat in await store.contacts.chats("web", "web")] == ["chat-a", "chat-c", "chat-b"]


async def test_recorded_are_the_customers_own_messages_that_still_stand(store: Store, desk: Desk) -> None:
    for n in range(5):
        receipt = await store.incoming.record(said(id=str(n)))
    await store.incoming.record(said(id="x", sender="8"))
    await store.incoming.record(taken_back("3"))
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(receipt.conversation_id, mei)
    assert await store.contacts.recorded("web", "web", "chat-7", limit=3) == ["4", "2", "1"]
    assert await store.contacts.recorded("web", "other", "chat-7", limit=3) == []


# --- quotes -------------------------------------------------------------------------------------


async def test_a_quote_finds_ones_own_words_and_any_part_of_what_was_delivered(store: Store, desk: Desk) -> None:
    first = await store.incoming.record(said(id="1"))
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(first.conversation_id, mei)
    reply = await desk.reply(first.conversation_id, mei, "two parts")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_part(begun, 0, "x1")
    await store.deliveries.record_sent(begun, 1, "x2")
    for number, (quoted, meant) in enumerate(
        [("1", first.message_id), ("x1", reply.id), ("x2", reply.id), ("x", None), (None, None), ('x1", "x2', None)]
    ):
        await store.incoming.record(said(id=f"q{number}", replies_to=quoted))
        assert (await store.messages.of(first.conversation_id))[-1].reply_to == meant
    other = await store.incoming.record(said(id="1", sender="8"))
    for number, quoted in enumerate(["x1", "q1", "1"]):
        receipt = await store.incoming.record(said(id=f"o{number}", sender="8", replies_to=quoted))
        meant = other.message_id if quoted == "1" else None
        assert (await store.messages.of(receipt.conversation_id))[-1].reply_to == meant


# --- the transcript -----------------------------------------------------------------------------


async def test_changes_come_again_behind_the_cursor(store: Store, desk: Desk) -> None:
    receipt = await store.incoming.record(said("one", id="1"))
    await store.incoming.record(said("two", id="2"))
    contact_id = (await store.conversations.get(receipt.conversation_id)).contact.id
    mei = await store.agents.add("Mei", Role.AGENT, None)
    await desk.claim(receipt.conversation_id, mei)
    reply = await desk.reply(receipt.conversation_id, mei, "three")
    unseen = await desk.reply(receipt.conversation_id, mei, "unseen")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_sent(begun, 0, "x1")
    seen = await store.messages.transcript(contact_id)
    assert [m.text for m in seen] == ["one", "two", "three"]
    after = seen[-1].revision
    assert after is not None
    assert await store.messages.transcript(contact_id, after=after) == []
    await desk.edit(reply.id, mei, "three!")
    await store.incoming.record(edited("one!"))
    await desk.edit(unseen.id, mei, "unseen still")
    await store.incoming.record(taken_back("2"))
    await store.incoming.record(said("four", id="4"))
    news = await store.messages.transcript(contact_id, after=after)
    assert [(m.text, m.deleted_at is not None) for m in news] == [
        ("three!", False),
        ("one!", False),
        ("two", True),
        ("four", False),
    ]
    revisions = [m.revision or 0 for m in news]
    assert revisions == sorted(revisions)
    # Read anew, everything stands where it always stood.
    assert [m.text for m in await store.messages.transcript(contact_id)] == ["one!", "two", "three!", "four"]
    # That the platform has the edit is no change of the page.
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_sent(begun, 0)
    assert await store.messages.transcript(contact_id, after=revisions[-1]) == []


async def test_nothing_is_lost_to_a_reader_however_much_changes_at_once(store: Store) -> None:
    """The page reads on while everything changes, a few at a time."""
    receipts = [await store.incoming.record(said(id=str(n))) for n in range(12)]
    contact_id = (await store.conversations.get(receipts[0].conversation_id)).contact.id
    page: dict[int, Message] = {}
    after = 1
    changing = True

    async def reads() -> None:
        nonlocal after
        while True:
            was_changing = changing
            news = await store.messages.transcript(contact_id, after=after, limit=3)
            for message in news:
                assert (message.revision or 0) > after
                after = message.revision or 0
                page[message.id] = message
            if not news and not was_changing:
                return

    async def changes(n: int) -> None:
        for number in range(4):
            await store.incoming.record(edited(f"text {n} {number}", edits=str(n), number=number))
        if n % 3 == 0:
            await store.incoming.record(taken_back(str(n)))

    reading = asyncio.create_task(reads())
    await asyncio.gather(*(changes(n) for n in range(12)))
    changing = False
    await asyncio.wait_for(reading, 20)
    shown = {m.id: (m.text, m.deleted_at, m.revision) for m in page.values()}
    assert shown == {m.id: (m.text, m.deleted_at, m.revision) for m in await store.messages.transcript(contact_id)}


async def test_what_was_fetched_meanwhile_stays_when_the_words_change(store: Store) -> None:
    receipt = await store.incoming.record(said("look", attachments=(Attachment("photo", "f"),)))
    await store.files.record_fetched(receipt.message_id, [Attachment("photo", "f", sha256="abc")])
    await store.incoming.record(edited("look!"))
    message = await only(store, receipt)
    assert (message.text, message.attachments[0].sha256) == ("look!", "abc")
