"""The queue over a real database: who is there, how fast it goes, and customers who closed the page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.decision import Action, Decision
from bot.domain.history import SYSTEM, EventKind
from bot.domain.operations import QueueState
from bot.domain.staff import Agent, Role
from bot.pipeline.transcript import StoredTranscript
from bot.runtime.feed import Feed
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import queued, said
from tests.support.lifecycle import Sql, is_here, lines, told, writes

HALF_AN_HOUR = timedelta(minutes=30)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
URGENT = Decision(Action.ESCALATE, reason=EscalationReason.TOPIC, priority=Priority.URGENT)


async def test_on_duty_is_who_answers_customers_and_did_something(
    store: Store, mei: Agent, ada: Agent, sql: Sql
) -> None:
    auditor = await store.agents.add("Tom", Role.AUDITOR, None)
    assert await store.waiting.on_duty(HALF_AN_HOUR) == 0
    for agent in (mei, ada, auditor):
        await is_here(store, agent)
    assert await store.waiting.on_duty(HALF_AN_HOUR) == 2
    sql("UPDATE agent SET seen_at = now() - interval '31 minutes' WHERE id = %s", ada.id)
    assert await store.waiting.on_duty(HALF_AN_HOUR) == 1
    sql("UPDATE agent SET disabled_at = now()")
    assert await store.waiting.on_duty(HALF_AN_HOUR) == 0


async def test_claims_know_when_their_customer_came_into_the_queue_last(
    store: Store, desk: Desk, mei: Agent, ada: Agent, sql: Sql
) -> None:
    assert await store.waiting.queue() == QueueState(0)
    first, second = await queued(store, name="A"), await queued(store, name="B")
    await desk.claim(first, mei)
    await desk.put_back(first, mei, "lunch")
    sql("UPDATE event SET at = now() - interval '50 minutes' WHERE kind = 'escalated'")
    sql("UPDATE event SET at = now() - interval '40 minutes' WHERE kind = 'claimed'")
    sql("UPDATE event SET at = now() - interval '30 minutes' WHERE kind = 'requeued'")
    waiting = await store.waiting.queue()
    assert waiting.waiting == 2
    assert waiting.since is not None
    assert datetime.now(UTC) - waiting.since > timedelta(minutes=49)
    await desk.claim(first, ada)
    await desk.claim(await said(store, name="C"), ada)  # from the bot: nobody waited
    waits = [
        round((one.claimed_at - one.queued_at).total_seconds() / 60)
        for one in await store.waiting.claims(timedelta(hours=3), 20)
    ]
    assert waits == [10, 30]
    [latest] = await store.waiting.claims(timedelta(minutes=5), 20)
    assert await store.waiting.claims(timedelta(hours=3), 1) == [latest]
    await desk.claim(second, mei)
    assert await store.waiting.queue() == QueueState(0)


async def present(transcript: StoredTranscript, name: str = "Ann") -> None:
    await transcript.read("web", "web", name, 0)
    await transcript.note_present()


@pytest.fixture
def transcript(store: Store, feed: Feed) -> StoredTranscript:
    return StoredTranscript(store.contacts, store.messages, store.files, feed)


async def test_who_reads_while_they_wait_is_noted_once_a_minute(
    store: Store, transcript: StoredTranscript, sql: Sql
) -> None:
    def seen() -> object:
        return sql("SELECT seen_at FROM contact")[0][0]

    await said(store)
    await present(transcript)
    assert seen() is None  # with the bot, nobody need know
    await queued(store, id="2")
    await present(transcript)
    first = seen()
    assert first is not None
    await present(transcript)
    assert seen() == first
    sql("UPDATE contact SET seen_at = now() - interval '61 seconds'")
    following = asyncio.create_task(anext(transcript.follow("web", "web", "Ann", 0)))
    await following
    await transcript.note_present()
    assert seen() > first  # type: ignore[operator]


async def expire(desk: Desk, came_after: datetime = LONG_AGO) -> int:
    return await desk.expire_absent(["web"], HALF_AN_HOUR, came_after)


async def waits_since(sql: Sql, minutes: int) -> None:
    sql(
        "UPDATE conversation SET queued_at = now() - %s::interval, updated_at = now() - %s::interval",
        *[f"{minutes} minutes"] * 2,
    )


async def test_who_closed_the_page_is_with_the_bot_again_and_reads_so(store: Store, desk: Desk, sql: Sql) -> None:
    conversation_id = await queued(store)
    await waits_since(sql, 29)
    assert await expire(desk) == 0
    await waits_since(sql, 31)
    swept = await asyncio.gather(*(expire(desk) for _ in range(3)))  # by several replicas
    assert sum(swept) == 1
    now = await store.conversations.get(conversation_id)
    assert (now.state, now.queued_at, now.waiting_since, now.priority) == (
        ConversationState.BOT,
        None,
        None,
        Priority.NORMAL,
    )
    assert "no longer in the queue" in (await told(store, conversation_id))[-1]
    assert "not back for 30 min" in (await lines(store, conversation_id))[-1]
    left = (await store.events.of(conversation_id))[-1]
    assert (left.kind, left.actor, left.data["state"]) == (EventKind.LEFT, SYSTEM, "bot")
    assert "closed the chat" in left.data["why"]


@pytest.mark.parametrize(
    "why", ["has the page open", "wrote", "is urgent", "another channel", "came before", "is served"]
)
async def test_who_waits_on(
    store: Store, desk: Desk, mei: Agent, transcript: StoredTranscript, sql: Sql, why: str
) -> None:
    conversation_id = await queued(
        store,
        decision=URGENT if why == "is urgent" else Decision(Action.ESCALATE, reason=EscalationReason.ASKED),
        channel="telegram" if why == "another channel" else "web",
    )
    if why == "is served":
        await desk.claim(conversation_id, mei)
    await waits_since(sql, 31)
    if why == "has the page open":
        await present(transcript)
    if why == "wrote":
        await writes(store, "still here", "2")
    came_after = datetime.now(UTC) - timedelta(minutes=20) if why == "came before" else LONG_AGO
    before = (await store.conversations.get(conversation_id)).state
    assert await expire(desk, came_after) == 0
    assert (await store.conversations.get(conversation_id)).state is before
