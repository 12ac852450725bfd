"""What a customer may read of their own conversation, over a real store."""

from __future__ import annotations

import asyncio

import pytest

from bot import guard
from bot.domain.conversation import ConversationState, EscalationReason, NotFound, Priority
from bot.domain.decision import Action, Decision
from bot.domain.history import CUSTOMER, EventKind
from bot.domain.message import Attachment, Author, File, Incoming, Message, Reply, Sender, Visibility
from bot.domain.staff import Role
from bot.pipeline.transcript import StoredTranscript
from bot.runtime.feed import Feed
from bot.store import Store


@pytest.fixture
def transcript(store: Store, feed: Feed) -> StoredTranscript:
    return StoredTranscript(store.contacts, store.messages, store.files, feed)


def said(contact: str, id: str = "1") -> Incoming:
    return Incoming(channel="web", account="web", external_id=id, sender=Sender(contact), chat_id=contact, text="hello")


async def replied(store: Store, contact: str, text: str, *files: tuple[str, bytes]) -> tuple[Message, int]:
    """An agent's reply that reached the customer, and the agent."""
    receipt = await store.incoming.record(said(contact))
    agent = await store.agents.add(f"Maya for {contact}", Role.AGENT, None)
    assert receipt.conversation_id is not None
    await store.conversations.claim(receipt.conversation_id, agent.id, {"": "Maya is here"})
    attachments = [
        Attachment("file", "", name, "application/pdf", len(content), await store.files.add(content))
        for name, content in files
    ]
    reply = await store.replies.add(receipt.conversation_id, agent.id, text, attachments=attachments)
    delivery = await store.deliveries.begin(reply.id)
    assert delivery is not None
    await store.deliveries.record_sent(delivery, 0, "sent")
    (found,) = [message for message in await store.messages.of(receipt.conversation_id) if message.id == reply.id]
    return found, agent.id


async def test_a_file_is_found_by_its_messages_cursor(store: Store, transcript: StoredTranscript) -> None:
    reply, _ = await replied(store, "ann", "see", ("a.pdf", b"one"), ("b.pdf", b"two"))
    assert reply.cursor is not None
    found = await transcript.file("web", "web", "ann", reply.cursor, 1)
    assert found == File("b.pdf", "application/pdf", b"two")


async def test_nobody_elses_file_is_found_and_none_of_what_was_taken_back(
    store: Store, transcript: StoredTranscript
) -> None:
    reply, agent_id = await replied(store, "ann", "see", ("a.pdf", b"one"))
    await store.incoming.record(said("bert", "2"))
    assert reply.cursor is not None
    for contact, cursor, index in (
        ("bert", reply.cursor, 0),
        ("nobody", reply.cursor, 0),
        ("ann", reply.cursor, 1),
        ("ann", reply.cursor, -1),
        ("ann", reply.cursor + 1000, 0),
    ):
        with pytest.raises(NotFound):
            await transcript.file("web", "web", contact, cursor, index)
    assert await transcript.file("web", "web", "ann", reply.cursor, 0)
    await store.replies.delete(reply.id, agent_id)
    with pytest.raises(NotFound):
        await transcript.file("web", "web", "ann", reply.cursor, 0)


async def test_an_edit_and_a_deletion_are_followed(store: Store, transcript: StoredTranscript) -> None:
    reply, agent_id = await replied(store, "ann", "helo")
    shown = await transcript.read("web", "web", "ann", 0)
    after = max(message.revision or 0 for message in shown)
    assert [message.text for message in shown if message.id == reply.id] == ["helo"]
    following = transcript.follow("web", "web", "ann", after)
    await store.replies.edit(reply.id, agent_id, "hello")
    (edited,) = await anext(following)
    assert (edited.cursor, edited.text) == (reply.cursor, "hello")
    assert edited.edited_at is not None
    await store.replies.delete(reply.id, agent_id)
    (deleted,) = await anext(following)
    assert deleted.cursor == reply.cursor
    assert deleted.deleted_at is not None
    assert (deleted.revision or 0) > (edited.revision or 0) > after


async def test_what_was_said_is_the_desks_alone_when_its_customer_has_ended_the_chat(
    store: Store, transcript: StoredTranscript
) -> None:
    reply, agent_id = await replied(store, "ann", "see", ("a.pdf", b"one"))
    shown = await transcript.read("web", "web", "ann", 0)
    following = transcript.follow("web", "web", "ann", max(message.revision or 0 for message in shown))
    listening = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    await transcript.end("web", "web", "ann")
    await store.replies.add(reply.conversation_id, agent_id, "more")
    assert reply.cursor is not None
    assert await transcript.read("web", "web", "ann", 0) == []
    assert await transcript.known("web", "web", ["ann", "nobody"]) == frozenset()
    with pytest.raises(NotFound):
        await transcript.file("web", "web", "ann", reply.cursor, 0)
    kept = await store.messages.of(reply.conversation_id)
    assert [one.text for one in kept if one.author is Author.AGENT] == ["see", "more"]
    assert "ended the chat" in kept[-2].text
    assert kept[-2].visibility is Visibility.PRIVATE
    # Who comes with the cookie all the same is somebody else, also to the stream.
    again = await store.incoming.record(said("ann", "2"))
    assert again.conversation_id != reply.conversation_id
    assert [one.text for one in await transcript.read("web", "web", "ann", 0)] == ["hello"]
    assert [one.text for one in await listening] == ["hello"], "an open stream hears nothing more of what was before"
    await transcript.end("web", "web", "ann")
    assert await transcript.read("web", "web", "ann", 0) == []
    await transcript.end("web", "web", "nobody")


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.URGENT])
async def test_who_ends_the_chat_while_they_wait_holds_no_place_in_the_queue(
    store: Store, transcript: StoredTranscript, priority: Priority
) -> None:
    receipt = await store.incoming.record(said("ann"))
    assert receipt.conversation_id is not None
    taken = await store.turns.begin(receipt.message_id or 0)
    assert taken is not None
    asked = Decision(Action.ESCALATE, reason=EscalationReason.ASKED, priority=priority)
    await store.turns.finish(taken, asked, [Reply(guard.outgoing("wait"))], language="en")
    await transcript.end("web", "web", "ann")
    now = await store.conversations.get(receipt.conversation_id)
    left = [event for event in await store.events.of(receipt.conversation_id) if event.kind is EventKind.LEFT]
    if priority is Priority.URGENT:  # an agent must see it
        assert (now.state, left) == (ConversationState.QUEUED, [])
    else:
        assert now.state is ConversationState.BOT
        assert [(event.actor, event.data["why"]) for event in left] == [(CUSTOMER, "ended the chat")]


async def test_the_desk_goes_on_in_the_language_that_its_customer_chose(
    store: Store, transcript: StoredTranscript
) -> None:
    receipt = await store.incoming.record(said("ann"))
    assert receipt.conversation_id is not None
    await transcript.speak("web", "web", "ann", "zh-Hant")
    now = await store.conversations.get(receipt.conversation_id)
    assert (now.language, now.contact.language) == ("zh", "zh-Hant")
    await transcript.speak("web", "web", "nobody", "zh")
