"""Several conversations with one contact: each thread of the platform has one that is open."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.content.answers import Answers
from bot.domain.conversation import ConversationState, Reopening
from bot.domain.decision import Action, Decision
from bot.domain.message import Reply
from bot.domain.staff import Agent
from bot.queue import Queue
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import ASKED, queued, said
from tests.support.lifecycle import Sql, is_here

FEE, CARD = "<fee@example.com>", "<card@example.com>"


async def test_two_threads_and_a_chat_are_open_side_by_side(store: Store) -> None:
    chat = await said(store, "hello", id="1")
    fee = await said(store, "about my fee", id="2", thread=FEE, subject="My fee")
    card = await said(store, "about my card", id="3", thread=CARD, subject="My card")
    assert len({chat, fee, card}) == 3
    found = {one: await store.conversations.get(one) for one in (chat, fee, card)}
    assert {one.contact.id for one in found.values()} == {found[chat].contact.id}
    assert [(one.thread, one.subject) for one in found.values()] == [
        ("", None),
        (FEE, "My fee"),
        (CARD, "My card"),
    ]
    # Each goes on where it began, under the subject of its beginning.
    for text, id, thread, where in (
        ("more of my card", "4", CARD, card),
        ("more", "5", "", chat),
        ("more of my fee", "6", FEE, fee),
    ):
        assert await said(store, text, id=id, thread=thread, subject="Re: something else") == where
    assert (await store.conversations.get(card)).subject == "My card"
    words = {one: [message.text for message in await store.messages.of(one)] for one in found}
    assert words == {
        chat: ["hello", "more"],
        fee: ["about my fee", "more of my fee"],
        card: ["about my card", "more of my card"],
    }
    assert [event.data for event in await store.events.of(fee)] == [
        {"state": "bot", "thread": FEE, "subject": "My fee"}
    ]


async def test_by_the_slow_way_too(store: Store, queue: Queue) -> None:
    await queue.close()  # nothing is recorded at once by who takes no work
    fee = await said(store, "about my fee", id="1", thread=FEE)
    chat = await said(store, "hello", id="2")
    assert fee != chat
    assert await said(store, "more of my fee", id="3", thread=FEE) == fee
    assert await said(store, "more", id="4") == chat


async def test_one_thread_has_one_open_conversation_however_many_write(store: Store, sql: Sql) -> None:
    await asyncio.gather(*(said(store, "hello", id=str(n), thread=(FEE, CARD)[n % 2]) for n in range(12)))
    assert sql("SELECT thread, count(*) FROM conversation GROUP BY 1 ORDER BY 1") == [(CARD, 1), (FEE, 1)]
    assert sql("SELECT count(*) FROM event WHERE kind = 'opened'") == [(2,)]


async def test_the_same_event_is_a_duplicate_whatever_its_thread(store: Store) -> None:
    fee = await said(store, "about my fee", id="1", thread=FEE)
    assert await said(store, "about my fee", id="1", thread=CARD) == fee
    assert len(await store.conversations.of_contact((await store.conversations.get(fee)).contact.id)) == 1


async def test_threads_are_answered_escalated_and_resolved_apart(store: Store, desk: Desk, mei: Agent) -> None:
    fee = await queued(store, "a person, please", ASKED, id="1", thread=FEE)
    chat = await said(store, "hello", id="2")
    taken = await store.turns.begin((await store.messages.of(chat))[-1].id)
    assert taken is not None
    assert (taken.conversation.id, taken.conversation.thread) == (chat, "")
    await store.turns.finish(taken, Decision(Action.ANSWER, topic="greet"), [Reply("hi")], language="en")
    await desk.claim(fee, mei)
    assert (await store.conversations.get(chat)).state is ConversationState.BOT
    await desk.resolve(fee, mei)
    # A chat that is open is no newer conversation of that thread.
    again = await desk.reopen(fee, mei)
    assert again.state is ConversationState.ASSIGNED
    await desk.resolve(fee, mei)
    newer = await said(store, "my fee again", id="3", thread=FEE)
    assert newer not in (fee, chat)
    with pytest.raises(ValueError, match="newer conversation"):
        await desk.reopen(fee, mei)


async def test_who_writes_again_goes_on_in_that_thread_alone(
    store: Store, desk: Desk, mei: Agent, answers: Answers
) -> None:
    words = answers.words.by_locale("customer.reopened")
    reopening = Reopening(timedelta(hours=1), timedelta(hours=1), words, words)
    fee = await queued(store, id="1", thread=FEE)
    await desk.claim(fee, mei)
    await desk.resolve(fee, mei)
    await is_here(store, mei)
    card = await said(store, "about my card", id="2", reopening=reopening, thread=CARD)
    assert card != fee
    assert await said(store, "my fee again", id="3", reopening=reopening, thread=FEE) == fee
