"""Who waits for a person's answer, how long, and what becomes of it when that person is gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain.conversation import ConversationState
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import queued, said
from tests.support.lifecycle import Sql, lines, told, writes


async def longest_wait(store: Store) -> float:
    return (await store.statistics.read(timedelta(seconds=5))).longest_wait


async def test_everybody_who_waits_for_an_answer_counts(store: Store, desk: Desk, mei: Agent, sql: Sql) -> None:
    conversation_id = await queued(store)
    sql("UPDATE conversation SET waiting_since = now() - interval '10 minutes'")
    await desk.claim(conversation_id, mei)
    assert await longest_wait(store) >= 600  # claimed is not answered
    await desk.note(conversation_id, mei, "will look")
    assert await longest_wait(store) >= 600
    await desk.reply(conversation_id, mei, "Hello")
    assert await longest_wait(store) == 0
    await writes(store, "and?", "2")
    first = (await store.conversations.get(conversation_id)).waiting_since
    assert first is not None
    await writes(store, "are you there?", "3")
    await writes(store, "are you there?", "3")  # brought twice
    assert (await store.conversations.get(conversation_id)).waiting_since == first


async def test_the_bots_own_customers_wait_for_nobody(store: Store) -> None:
    conversation_id = await said(store)
    await writes(store, "more", "2")
    assert (await store.conversations.get(conversation_id)).waiting_since is None
    assert await longest_wait(store) == 0


async def test_a_message_brought_again_after_the_answer_makes_nobody_wait(store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    await writes(store, "question", "2")
    await desk.reply(conversation_id, mei, "answer")
    before = await store.conversations.get(conversation_id)
    await writes(store, "question", "2")
    assert await store.conversations.get(conversation_id) == before


GONE = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("seen", "waits", "returns"),
    [(20, 20, True), (20, 10, False), (10, 20, False), (None, 20, True), (20, None, False)],
    ids=["gone, and somebody waits", "waits a short while", "was here", "was never here", "nobody waits"],
)
async def test_what_waits_for_an_agent_who_is_gone_returns(
    store: Store, desk: Desk, mei: Agent, sql: Sql, seen: int | None, waits: int | None, returns: bool
) -> None:
    conversation_id = await queued(store)
    before = await store.conversations.get(conversation_id)
    await desk.claim(conversation_id, mei)
    sql("UPDATE agent SET seen_at = now() - %s::interval", None if seen is None else f"{seen} minutes")
    sql("UPDATE conversation SET waiting_since = now() - %s::interval", None if waits is None else f"{waits} minutes")
    assert await desk.put_back_abandoned(GONE) == int(returns)
    assert await desk.put_back_abandoned(GONE) == 0
    now = await store.conversations.get(conversation_id)
    assert now.state is (ConversationState.QUEUED if returns else ConversationState.ASSIGNED)
    if returns:
        assert (now.queued_at, now.reason) == (before.queued_at, before.reason)
        line = (await lines(store, conversation_id))[-1]
        assert line == "Mei has not been at the desk for 15 min: back into the queue."
        assert "back in the queue" in (await told(store, conversation_id))[-1]


async def test_replicas_that_sweep_at_once_put_back_once(store: Store, desk: Desk, mei: Agent, sql: Sql) -> None:
    for name in "ABCDE":
        await desk.claim(await queued(store, name=name), mei)
    sql("UPDATE agent SET seen_at = now() - interval '1 hour'")
    sql("UPDATE conversation SET waiting_since = now() - interval '1 hour'")
    swept = await asyncio.gather(*(desk.put_back_abandoned(GONE) for _ in range(3)))
    assert sum(swept) == 5
