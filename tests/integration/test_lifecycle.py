"""Who has a conversation, and how it ends and goes on: every act, twice, at once, and too late."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.content.answers import Answers
from bot.domain.conversation import (
    Conversation,
    ConversationState,
    EscalationReason,
    Priority,
    Reopening,
    StateConflict,
)
from bot.domain.decision import Action, Decision
from bot.domain.message import Incoming, Sender
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import UNDO, Desk
from tests.support.console import queued, said
from tests.support.lifecycle import Sql, is_here, lines, messages, told, writes

URGENT = Decision(Action.ESCALATE, topic="funds_stolen", reason=EscalationReason.TOPIC, priority=Priority.URGENT)


@pytest.fixture
def reopening(answers: Answers) -> Reopening:
    return Reopening(
        within=timedelta(hours=72),
        agent_gone_after=timedelta(minutes=15),
        to_agent=answers.words.by_locale("customer.reopened"),
        to_queue=answers.words.by_locale("customer.reopened_queued"),
    )


# --- take over, pass on, put back -----------------------------------------------------------------


async def test_a_colleagues_conversation_is_taken_over_with_a_word_why(
    store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store, "my transfer", URGENT)
    before = await desk.claim(conversation_id, mei)
    now = await desk.take_over(conversation_id, ada, mei.id, "  Mei is at\n lunch ")
    assert now.agent is not None
    assert now.agent.id == ada.id
    assert (now.reason, now.topic, now.priority) == (before.reason, before.topic, before.priority)
    assert (await lines(store, conversation_id))[-1] == "Ada took over from Mei: Mei is at lunch"
    assert "**Ada** from BitPie support has joined" in (await told(store, conversation_id))[-1]
    with pytest.raises(StateConflict, match="Ada has this conversation"):
        await desk.reply(conversation_id, mei, "am I still here?")


async def test_of_two_who_take_over_at_once_one_gets_it(store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    tom = await store.agents.add("Tom", ada.role, None)
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    ends = await asyncio.gather(
        *(desk.take_over(conversation_id, one, mei.id, "gone home") for one in (ada, tom)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {Conversation, StateConflict}
    joined = [text for text in await told(store, conversation_id) if "has joined" in text]
    assert len(joined) == 2  # Mei, and one of the two


@pytest.mark.parametrize("why", ["", " \n", "x" * 301])
async def test_without_a_fitting_reason_nothing_changes(
    store: Store, desk: Desk, mei: Agent, ada: Agent, why: str
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    for act in (
        desk.take_over(conversation_id, ada, mei.id, why),
        desk.transfer(conversation_id, mei, ada, why),
        desk.put_back(conversation_id, mei, why),
    ):
        with pytest.raises(ValueError, match=r"reason|say why"):
            await act
    now = await store.conversations.get(conversation_id)
    assert now.agent is not None
    assert now.agent.id == mei.id


async def test_only_who_has_it_passes_it_on_and_only_to_who_works_here(
    store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    with pytest.raises(StateConflict):
        await desk.transfer(conversation_id, ada, ada, "mine")
    sql("UPDATE agent SET disabled_at = now() WHERE id = %s", ada.id)
    with pytest.raises(ValueError, match="no such colleague"):
        await desk.transfer(conversation_id, mei, ada, "she knows fees")
    sql("UPDATE agent SET disabled_at = NULL WHERE id = %s", ada.id)
    now = await desk.transfer(conversation_id, mei, ada, "she knows fees")
    assert now.agent is not None
    assert now.agent.id == ada.id
    assert (await lines(store, conversation_id))[-1] == "Mei passed this on to Ada: she knows fees"


async def test_what_is_put_back_is_at_its_old_place_with_all_that_was_known(
    store: Store, desk: Desk, mei: Agent
) -> None:
    first = await queued(store, "first", URGENT, name="Ann")
    second = await queued(store, "second", URGENT, name="Bob")
    before = await store.conversations.get(first)
    await desk.claim(first, mei)
    now = await desk.put_back(first, mei, "not my language")
    assert (now.state, now.agent) == (ConversationState.QUEUED, None)
    assert (now.queued_at, now.reason, now.topic, now.priority) == (
        before.queued_at,
        before.reason,
        before.topic,
        before.priority,
    )
    assert await store.conversations.queue_position(first) == 1
    assert await store.conversations.queue_position(second) == 2
    assert "place **1**" in (await told(store, first))[-1]


async def test_what_came_from_the_bot_is_put_at_the_end_of_the_queue(store: Store, desk: Desk, mei: Agent) -> None:
    waiting = await queued(store, name="Bob")
    taken = await said(store, "hello", name="Ann")
    await desk.claim(taken, mei)
    now = await desk.put_back(taken, mei, "somebody else knows more")
    assert now.reason is EscalationReason.RETURNED
    assert await store.conversations.queue_position(waiting) == 1
    assert await store.conversations.queue_position(taken) == 2


# --- resolve, undo, reopen ------------------------------------------------------------------------


async def test_a_resolve_that_is_undone_in_time_is_never_told(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    before = await desk.claim(conversation_id, mei)
    spoken = await told(store, conversation_id)
    now = await desk.resolve(conversation_id, mei)
    assert now.state is ConversationState.RESOLVED
    notice = (await messages(store, conversation_id))[-1]
    assert notice.held_until is not None
    assert timedelta(seconds=5) < notice.held_until - datetime.now(UTC) <= UNDO
    assert await store.deliveries.release_held() == 0
    assert await store.deliveries.begin(notice.id) is None  # whatever job comes for it
    again = await desk.reopen(conversation_id, mei)
    assert again.agent is not None
    assert again.agent.id == mei.id
    assert (again.reason, again.priority) == (before.reason, before.priority)
    assert await told(store, conversation_id) == spoken
    assert (await desk.reopen(conversation_id, mei)).agent is not None  # pressed twice


async def test_after_ten_seconds_the_customer_is_told(store: Store, desk: Desk, mei: Agent, sql: Sql) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    sql("UPDATE message SET held_until = now() WHERE held_until IS NOT NULL")
    released = await asyncio.gather(*(store.deliveries.release_held() for _ in range(3)))
    assert sum(released) == 1
    notice = (await messages(store, conversation_id))[-1]
    assert notice.held_until is None
    assert await store.deliveries.begin(notice.id) is not None
    jobs = sql("SELECT count(*) FROM procrastinate_jobs WHERE (args->>'message_id')::bigint = %s", notice.id)
    assert jobs == [(1,)]
    # Reopened after that, the customer is told who is here.
    await desk.reopen(conversation_id, mei)
    assert "has joined" in (await told(store, conversation_id))[-1]


async def test_what_is_held_back_is_not_taken_for_forgotten(store: Store, desk: Desk, mei: Agent, sql: Sql) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    notice = (await messages(store, conversation_id))[-1]
    sql("UPDATE delivery SET next_attempt_at = now() - interval '1 hour' WHERE message_id = %s", notice.id)
    await store.deliveries.defer_forgotten()
    assert sql("SELECT 1 FROM procrastinate_jobs WHERE (args->>'message_id')::bigint = %s", notice.id) == []


async def test_a_colleague_who_reopens_is_announced(store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    await desk.reopen(conversation_id, ada)
    assert "**Ada**" in (await told(store, conversation_id))[-1]
    with pytest.raises(StateConflict, match="Ada has this"):
        await desk.reopen(conversation_id, mei)


async def test_nothing_is_reopened_beside_a_newer_conversation(store: Store, desk: Desk, mei: Agent) -> None:
    old = await queued(store)
    await desk.claim(old, mei)
    await desk.resolve(old, mei)
    await writes(store, "something else", "9")
    with pytest.raises(ValueError, match="newer conversation"):
        await desk.reopen(old, mei)


async def test_reopened_and_written_to_at_the_same_moment_there_is_one_open_conversation(
    store: Store, desk: Desk, mei: Agent, sql: Sql
) -> None:
    for number in range(8):
        conversation_id = await queued(store, id=f"q{number}")
        await desk.claim(conversation_id, mei)
        await desk.resolve(conversation_id, mei)
        await asyncio.gather(
            desk.reopen(conversation_id, mei), writes(store, "hello?", f"w{number}"), return_exceptions=True
        )
        open_ones = sql("SELECT id, state, agent_id FROM conversation WHERE state <> 'resolved'")
        assert len(open_ones) == 1
        conversation_id, state, _ = open_ones[0]
        if state != "assigned":
            await desk.claim(conversation_id, mei)
        await desk.resolve(conversation_id, mei)


async def test_who_writes_again_goes_on_with_their_agent(
    store: Store, desk: Desk, mei: Agent, reopening: Reopening, sql: Sql
) -> None:
    conversation_id = await queued(store, "my transfer", URGENT)
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    sql("UPDATE message SET held_until = NULL")
    await is_here(store, mei)
    assert await writes(store, "it is still stuck", "2", reopening) == conversation_id
    now = await store.conversations.get(conversation_id)
    assert (now.state, now.agent and now.agent.id) == (ConversationState.ASSIGNED, mei.id)
    assert now.priority is Priority.URGENT
    assert now.waiting_since is not None
    assert (await told(store, conversation_id))[-1] == reopening.to_agent["en"]
    assert (await lines(store, conversation_id))[-1] == "The customer wrote again: reopened, with Mei."


async def test_who_writes_before_they_were_told_is_told_nothing(
    store: Store, desk: Desk, mei: Agent, reopening: Reopening
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    spoken = await told(store, conversation_id)
    await desk.resolve(conversation_id, mei)
    await is_here(store, mei)
    assert await writes(store, "wait", "2", reopening) == conversation_id
    assert await told(store, conversation_id) == spoken


@pytest.mark.parametrize(
    "gone", ["UPDATE agent SET seen_at = now() - interval '1 hour'", "UPDATE agent SET disabled_at = now()"]
)
async def test_who_writes_again_when_their_agent_is_gone_waits_in_the_queue(
    store: Store, desk: Desk, mei: Agent, reopening: Reopening, sql: Sql, gone: str
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    await is_here(store, mei)
    sql(gone)
    assert await writes(store, "hello again", "2", reopening) == conversation_id
    now = await store.conversations.get(conversation_id)
    assert (now.state, now.reason) == (ConversationState.QUEUED, EscalationReason.REOPENED)
    assert await store.conversations.queue_position(conversation_id) == 1
    assert "place in the queue is **1**" in (await told(store, conversation_id))[-1]


async def test_later_a_new_conversation_begins_and_the_earlier_one_is_known(
    store: Store, desk: Desk, mei: Agent, reopening: Reopening, sql: Sql
) -> None:
    old = await queued(store)
    await desk.claim(old, mei)
    await desk.resolve(old, mei)
    sql("UPDATE conversation SET resolved_at = now() - interval '73 hours'")
    new = await writes(store, "another question", "2", reopening)
    assert new != old
    now = await store.conversations.get(new)
    assert now.state is ConversationState.BOT
    assert [one.id for one in await store.conversations.of_contact(now.contact.id)] == [new, old]


async def test_a_message_brought_again_after_the_resolve_opens_nothing(
    store: Store, desk: Desk, mei: Agent, reopening: Reopening
) -> None:
    conversation_id = await queued(store, id="1")
    await desk.claim(conversation_id, mei)
    await desk.resolve(conversation_id, mei)
    incoming = Incoming("web", "web", "Ann-1", Sender("Ann", "Ann", "en"), chat_id="Ann", text="hello")
    assert (await store.incoming.record(incoming, reopening)).duplicate
    assert (await store.conversations.get(conversation_id)).state is ConversationState.RESOLVED
