"""The store against a real PostgreSQL: what is recorded once, who wins, what is never lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.conversation import ConversationState, EscalationReason, Priority, StateConflict
from bot.domain.decision import Action, Decision
from bot.domain.engine import Prediction, Ranked
from bot.domain.forms import Detail, Kind
from bot.domain.message import Author, Command, DeliveryState, Incoming, Reply, Sender, Visibility
from bot.domain.staff import Agent, Role
from bot.queue import Queue
from bot.runtime.feed import Feed
from bot.store import Store
from bot.store.statements import RECEIVE
from tests.support.lifecycle import queue_of

ANSWER = Decision(Action.ANSWER, topic="fee_explained")
ESCALATE = Decision(Action.ESCALATE, topic="talk_to_human", reason=EscalationReason.ASKED)
PREDICTION = Prediction("fees?", "fee_explained", 0.9, (Ranked("fee_explained", 0.9),), sure=True)
NOTICE = {"": "{agent} joined", "zh": "客服来了"}


def said(text: str = "hello", id: str = "1", sender: str = "7", **fields: object) -> Incoming:
    base = Incoming("web", "web", id, Sender(sender, "Ann", "en"), chat_id=sender, text=text)
    return replace(base, **fields)


async def agent(store: Store, name: str = "Mei") -> Agent:
    return await store.agents.add(name, Role.AGENT, None)


async def queued(store: Store, sender: str = "7", priority: Priority = Priority.NORMAL, id: str = "1") -> int:
    receipt = await store.incoming.record(said(sender=sender, id=id))
    taken = await store.turns.begin(receipt.message_id)
    await store.turns.finish(taken, replace(ESCALATE, priority=priority), [Reply("place {position}")], language="en")
    return receipt.conversation_id


async def test_a_message_is_recorded_once_however_often_it_is_brought(store: Store) -> None:
    receipts = await asyncio.gather(*(store.incoming.record(said()) for _ in range(8)))
    assert len({receipt.message_id for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert len(await store.messages.of(receipts[0].conversation_id)) == 1


async def test_messages_of_one_contact_sent_at_once_share_one_conversation_in_cursor_order(store: Store) -> None:
    receipts = await asyncio.gather(*(store.incoming.record(said(id=str(n))) for n in range(20)))
    assert len({receipt.conversation_id for receipt in receipts}) == 1
    contact = (await store.conversations.get(receipts[0].conversation_id)).contact
    cursors = [message.cursor for message in await store.messages.transcript(contact.id)]
    assert len(cursors) == 20
    assert cursors == sorted(cursors)


async def test_a_message_and_its_turn_commit_together(store: Store, queue: Queue, monkeypatch) -> None:
    within = queue.within

    async def fails(connection: object, statement: str, values: object) -> object:
        done = await within(connection, statement, values)
        if statement == RECEIVE:
            raise RuntimeError("the machine stops here")
        return done

    monkeypatch.setattr(queue, "within", fails)
    with pytest.raises(RuntimeError):
        await store.incoming.record(said())
    assert await store.contacts.get("web", "web", "7") is None
    monkeypatch.undo()
    assert not (await store.incoming.record(said())).duplicate


async def test_an_edit_keeps_the_earlier_text_as_a_version(store: Store) -> None:
    receipt = await store.incoming.record(said("helo"))
    edit = said("hello", id="1:edit:1", edits="1")
    assert not (await store.incoming.record(edit)).duplicate
    assert (await store.incoming.record(edit)).duplicate
    (message,) = await store.messages.of(receipt.conversation_id)
    assert message.text == "hello"
    assert [version.text for version in message.versions] == ["helo"]


async def test_an_edit_of_a_message_never_seen_is_recorded_as_news(store: Store) -> None:
    receipt = await store.incoming.record(said("late", id="9:edit", edits="9"))
    assert receipt.message_id is not None
    assert [m.text for m in await store.messages.of(receipt.conversation_id)] == ["late"]


async def test_a_turn_is_taken_once(store: Store) -> None:
    receipt = await store.incoming.record(said())
    taken = await store.turns.begin(receipt.message_id)
    await store.turns.finish(taken, ANSWER, [Reply("once")], language="en", prediction=PREDICTION)
    await store.turns.finish(taken, ANSWER, [Reply("twice")], language="en", prediction=PREDICTION)
    assert await store.turns.begin(receipt.message_id) is None
    texts = [m.text for m in await store.messages.of(receipt.conversation_id) if m.author is Author.BOT]
    assert texts == ["once"]
    assert (await store.turns.of(receipt.conversation_id))[receipt.message_id].ranking == PREDICTION.ranking


async def test_a_human_who_took_over_meanwhile_wins_over_the_bots_reply(store: Store) -> None:
    receipt = await store.incoming.record(said())
    taken = await store.turns.begin(receipt.message_id)
    await store.conversations.claim(receipt.conversation_id, (await agent(store)).id, NOTICE)
    told = replace(ANSWER, details=(Detail(Kind.TICKET, "58871", 0, 0),))
    await store.turns.finish(taken, told, [Reply("too late")], language="en")
    assert all(m.text != "too late" for m in await store.messages.of(receipt.conversation_id))
    now = await store.conversations.get(receipt.conversation_id)
    assert (now.state, now.details) == (ConversationState.ASSIGNED, told.details)


async def test_the_queue_is_served_by_priority_then_by_waiting_time(store: Store) -> None:
    first = await queued(store, "a")
    second = await queued(store, "b")
    urgent = await queued(store, "c", Priority.URGENT)
    order = [c.id for c in await queue_of(store)]
    assert order == [urgent, first, second]
    assert [await store.conversations.queue_position(c) for c in order] == [1, 2, 3]
    told = [m.text for m in await store.messages.of(second) if m.author is Author.BOT]
    assert told == ["place 2"]


async def test_two_agents_claim_at_the_same_moment_and_one_gets_it(store: Store) -> None:
    conversation = await queued(store)
    agents = [await agent(store, f"agent {n}") for n in range(6)]
    results = await asyncio.gather(
        *(store.conversations.claim(conversation, one.id, NOTICE) for one in agents), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, Exception)]
    lost = [result for result in results if isinstance(result, StateConflict)]
    assert (len(won), len(lost)) == (1, 5)
    assert all(won[0].agent.name in str(conflict) for conflict in lost)
    # Claiming again what is already one's own changes nothing, and is no conflict.
    assert (await store.conversations.claim(conversation, won[0].agent.id, NOTICE)).agent == won[0].agent
    joined = [m for m in await store.messages.of(conversation) if m.text.endswith("joined")]
    assert len(joined) == 1


async def test_only_the_agent_who_has_it_may_reply_and_hand_back(store: Store) -> None:
    conversation = await queued(store)
    mei, tom = await agent(store, "Mei"), await agent(store, "Tom")
    with pytest.raises(StateConflict):
        await store.replies.add(conversation, mei.id, "hi")
    await store.conversations.claim(conversation, mei.id, NOTICE)
    with pytest.raises(StateConflict, match="Mei has"):
        await store.replies.add(conversation, tom.id, "hi")
    with pytest.raises(StateConflict):
        await store.conversations.hand_back(conversation, tom.id, NOTICE)
    reply = await store.replies.add(conversation, mei.id, "hi")
    assert reply.delivery is DeliveryState.PENDING
    assert (await store.conversations.hand_back(conversation, mei.id, NOTICE)).state is ConversationState.BOT


async def test_a_resolved_conversation_is_followed_by_a_new_one_in_the_same_language(store: Store) -> None:
    first = await store.incoming.record(said())
    taken = await store.turns.begin(first.message_id)
    await store.turns.finish(taken, ESCALATE, [], language="zh")
    mei = await agent(store)
    await store.conversations.claim(first.conversation_id, mei.id, NOTICE)
    await store.conversations.resolve(first.conversation_id, mei.id, NOTICE)
    second = await store.incoming.record(said(id="2"))
    assert second.conversation_id != first.conversation_id
    assert (await store.conversations.get(second.conversation_id)).language == "zh"
    assert (await store.incoming.record(said(id="1"))).duplicate


async def test_notes_are_never_in_the_transcript_and_order_is_that_of_delivery(store: Store) -> None:
    receipt = await store.incoming.record(said())
    mei = await agent(store)
    await store.conversations.claim(receipt.conversation_id, mei.id, NOTICE)
    await store.replies.add_note(receipt.conversation_id, mei.id, "a liar")
    first = await store.replies.add(receipt.conversation_id, mei.id, "first written")
    second = await store.replies.add(receipt.conversation_id, mei.id, "second written")
    for reply, external_id in ((second, "x2"), (first, "x1")):
        begun = await store.deliveries.begin(reply.id)
        assert begun is not None
        await store.deliveries.record_sent(begun, 0, external_id)
    contact = (await store.conversations.get(receipt.conversation_id)).contact
    seen = await store.messages.transcript(contact.id)
    assert [m.text for m in seen] == ["hello", "second written", "first written"]
    assert all(m.visibility is Visibility.PUBLIC for m in seen)
    assert [m.text for m in await store.messages.transcript(contact.id, after=seen[1].cursor)] == ["first written"]


async def test_a_delivery_that_went_out_in_part_goes_on_behind_it(store: Store) -> None:
    receipt = await store.incoming.record(said())
    mei = await agent(store)
    await store.conversations.claim(receipt.conversation_id, mei.id, NOTICE)
    reply = await store.replies.add(receipt.conversation_id, mei.id, "long")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_part(begun, 0, "part 1")
    again = await store.deliveries.begin(reply.id)
    assert again is not None
    assert (again.external_ids, again.placed, again.attempts) == (("part 1",), 1, 2)
    await store.deliveries.record_sent(again, 1, "part 2")
    assert await store.deliveries.begin(reply.id) is None


async def test_events_reach_a_watch_when_the_transaction_commits(store: Store, feed: Feed) -> None:
    with feed.watch() as first:
        receipt = await store.incoming.record(said())
        # Its own event is on the way until it is here: on a busy machine that may be after the commit.
        while await first.changed(0.5):
            pass
    with feed.watch(lambda event: event.conversation_id == receipt.conversation_id) as watch:
        assert not await watch.changed(0.2)
        await store.incoming.record(said(id="2"))
        assert await watch.changed(5)
        await store.incoming.record(said(id="3", sender="somebody else"))
        assert not await watch.changed(0.2)


async def test_commands_and_buttons_reach_the_turn(store: Store) -> None:
    start = await store.incoming.record(said("/start x", command=Command.START, argument="x"))
    taken = await store.turns.begin(start.message_id)
    assert (taken.command, taken.argument, taken.button) == (Command.START, "x", None)
    press = await store.incoming.record(said("Fees", id="2", button="topic:fee_explained"))
    assert (await store.turns.begin(press.message_id)).button == "topic:fee_explained"


async def test_a_one_time_sign_in_is_used_up_by_one(store: Store) -> None:
    from datetime import UTC, datetime, timedelta

    mei = await agent(store)
    await store.agents.add_sign_in(mei.id, "hash", datetime.now(UTC) + timedelta(hours=1))
    redeemed = await asyncio.gather(*(store.agents.redeem_sign_in("hash") for _ in range(5)))
    assert [one for one in redeemed if one] == [mei]
    await store.agents.add_sign_in(mei.id, "old", datetime.now(UTC) - timedelta(seconds=1))
    assert await store.agents.redeem_sign_in("old") is None


async def test_an_agents_name_is_taken_whatever_its_case(store: Store) -> None:
    await agent(store, "Mei")
    with pytest.raises(ValueError, match="already an agent named MEI"):
        await agent(store, "MEI")


async def test_work_whose_job_was_lost_is_deferred_anew(store: Store, queue: Queue, database_url: str) -> None:
    from datetime import timedelta

    import psycopg

    await store.incoming.record(said())
    await queued(store, "b")
    assert await store.deliveries.defer_forgotten(older_than=timedelta(0)) == 0
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("DELETE FROM procrastinate_jobs")
    assert await store.deliveries.defer_forgotten(older_than=timedelta(0)) == 2
    assert await store.deliveries.defer_forgotten(older_than=timedelta(0)) == 0
