"""Customers in the queue whose wait has changed by much, over a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot import guard
from bot.content.answers import Answers
from bot.domain.conversation import EscalationReason, Priority
from bot.domain.decision import Action, Decision
from bot.domain.message import Author, Reply
from bot.domain.situation import Situation
from bot.domain.staff import Agent
from bot.pipeline.speech import Speech
from bot.store import Store
from handoff.desk import Desk
from handoff.expectations import Expectations
from tests.support.console import queued, said
from tests.support.lifecycle import Sql

REPLY = Reply(guard.outgoing("hello"))


async def told(store: Store, conversation_id: int) -> list[str]:
    return [one.text for one in await store.messages.of(conversation_id) if one.author is Author.BOT]


def in_minutes(minutes: int) -> Situation:
    return Situation(datetime.now(UTC), wait=timedelta(minutes=minutes))


async def waits(store: Store, name: str, *, said_minutes_ago: int = 21, priority: Priority = Priority.NORMAL) -> int:
    """Was told five minutes then."""
    expects = in_minutes(5).expectation
    assert expects.until is not None
    ago = timedelta(minutes=said_minutes_ago)
    expects = replace(expects, told_at=expects.told_at - ago, until=expects.until - ago)
    decision = Decision(Action.ESCALATE, reason=EscalationReason.ASKED, priority=priority, expects=expects)
    return await queued(store, decision=decision, name=name)


@pytest.fixture
def expectations(store: Store, answers: Answers) -> Expectations:
    async def situation(place: int) -> Situation:
        return in_minutes(10 * place)

    return Expectations(store.waiting, situation, Speech(answers))


async def test_each_is_told_their_own_place_once(store: Store, expectations: Expectations) -> None:
    first, second = await waits(store, "Ann"), await waits(store, "Bob")
    recent = await waits(store, "Cid", said_minutes_ago=1)
    urgent = await waits(store, "Dan", priority=Priority.URGENT)
    swept = await asyncio.gather(*(expectations.sweep() for _ in range(3)))  # by several replicas
    assert sum(swept) == 3
    for conversation_id, place, minutes in ((urgent, 1, 10), (first, 2, 20), (second, 3, 30)):
        latest = (await told(store, conversation_id))[-1]
        assert latest.startswith("It takes longer than I told you.")
        assert f"**{place}**" in latest
        assert f"about {minutes} minutes" in latest
    assert len(await told(store, recent)) == 1
    assert await expectations.sweep() == 0


async def test_not_who_is_served_or_whose_message_the_bot_has_yet_to_read(
    store: Store, desk: Desk, mei: Agent, sql: Sql, expectations: Expectations
) -> None:
    served, writing = await waits(store, "Ann"), await waits(store, "Bob")
    [ann, bob] = await store.waiting.expecting(timedelta(minutes=20), 10)
    assert (ann.conversation_id, ann.place, bob.conversation_id, bob.place) == (served, 1, writing, 2)
    await desk.claim(served, mei)
    await said(store, "hello?", id="2", name="Bob")
    assert await expectations.sweep() == 0
    sql("UPDATE turn SET done = true")
    assert await expectations.sweep() == 1
    assert not await store.waiting.tell(ann, REPLY, in_minutes(9).expectation)
    assert not await store.waiting.tell(bob, REPLY, in_minutes(9).expectation)  # told meanwhile
