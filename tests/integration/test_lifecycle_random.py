"""Agents, customers and sweeps do what they like with a few conversations, all at once: what was accepted is there,
once, and as what it was said; nothing contradicts itself, and nobody blocks anybody for good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import psycopg
import pytest

from bot.content.answers import Answers
from bot.domain.conversation import NotFound, Priority, Reopening, StateConflict
from bot.domain.history import EventKind
from bot.domain.message import Incoming, Sender, Visibility
from bot.domain.staff import Agent, Role
from bot.store import Store
from bot.store.database import conninfo
from handoff.desk import Desk
from tests.support.console import queued

WORKERS, ACTS = 6, 50


class Crowd:
    def __init__(self, store: Store, desk: Desk, agents: list[Agent], reopening: Reopening, seed: int) -> None:
        self.store, self.desk, self.agents, self.reopening = store, desk, agents, reopening
        self.random = Random(seed)
        self.accepted: dict[str, Visibility] = {}
        self.refused: set[str] = set()
        self.done: Counter[str] = Counter()
        self.events = 0

    async def work(self) -> None:
        acts: dict[str, tuple[int, Callable[[int, Agent, Agent], Awaitable[object]]]] = {
            "claim": (4, lambda at, me, _: self.desk.claim(at, me)),
            "claim next": (1, lambda _, me, __: self.desk.claim_next(me)),
            "snooze": (1, lambda at, me, _: self.desk.snooze(at, me, datetime.now(UTC) + timedelta(seconds=1))),
            "rank": (1, lambda at, me, _: self.desk.prioritise(at, me, self.random.choice(list(Priority)))),
            "take over": (6, lambda at, me, other: self.desk.take_over(at, me, other.id, "why not")),
            "pass on": (2, lambda at, me, other: self.desk.transfer(at, me, other, "yours")),
            "put back": (1, lambda at, me, _: self.desk.put_back(at, me, "later")),
            "hand back": (1, lambda at, me, _: self.desk.hand_back(at, me)),
            "resolve": (2, lambda at, me, _: self.desk.resolve(at, me)),
            "reopen": (2, lambda at, me, _: self.desk.reopen(at, me)),
            "reply": (6, lambda at, me, _: self.says(at, me, Visibility.PUBLIC)),
            "note": (3, lambda at, me, _: self.says(at, me, Visibility.PRIVATE)),
            "customer": (5, lambda *_: self.customer()),
            "sweep": (1, lambda *_: self.sweep()),
        }
        names, weights = list(acts), [weight for weight, _ in acts.values()]
        for _ in range(ACTS):
            name = self.random.choices(names, weights)[0]
            me, other = self.random.sample(self.agents, 2)
            try:
                await acts[name][1](self.random.randint(1, 4), me, other)
            except (StateConflict, ValueError, NotFound):
                continue
            self.done[name] += 1

    async def says(self, at: int, me: Agent, visibility: Visibility) -> None:
        self.events += 1
        text = f"word{self.events}"
        say = self.desk.reply if visibility is Visibility.PUBLIC else self.desk.note
        # As a page that does not hear whether it was taken: several times, some of them at once.
        tries = [say(at, me, text, submission=f"submission-{text}") for _ in range(self.random.randint(1, 3))]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, StateConflict):
                raise end
        if all(isinstance(end, StateConflict) for end in ends):
            self.refused.add(text)
            raise ends[0]  # type: ignore[misc]
        self.accepted[text] = visibility

    async def customer(self) -> None:
        self.events += 1
        name = self.random.choice("ABCD")
        sender = Sender(name, name, "en")
        incoming = Incoming("web", "web", f"later-{self.events}", sender, chat_id=name, text="hello?")
        await self.store.incoming.record(incoming, self.reopening)

    async def sweep(self) -> None:
        await self.store.deliveries.release_held()
        await self.desk.put_back_abandoned(timedelta(milliseconds=1))
        await self.desk.expire_absent(["web"], timedelta(milliseconds=1), datetime.min.replace(tzinfo=UTC))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
async def test_whatever_they_do_at_once(
    store: Store, desk: Desk, answers: Answers, database_url: str, seed: int
) -> None:
    agents = [await store.agents.add(name, Role.AGENT, None) for name in ("Mei", "Ada", "Tom")]
    for name in "ABCD":
        await queued(store, name=name)
    reopening = Reopening(
        timedelta(hours=1),
        timedelta(hours=1),
        answers.words.by_locale("customer.reopened"),
        answers.words.by_locale("customer.reopened_queued"),
    )
    crowd = Crowd(store, desk, agents, reopening, seed)
    async with asyncio.timeout(60):
        await asyncio.gather(*(crowd.work() for _ in range(WORKERS)))
    with psycopg.connect(conninfo(database_url)) as connection:
        written = connection.execute("SELECT text, visibility FROM message WHERE author = 'agent'").fetchall()
        assert Counter(text for text, _ in written) == Counter(crowd.accepted.keys())
        assert dict(written) == {text: visibility.value for text, visibility in crowd.accepted.items()}
        open_ones = connection.execute(
            "SELECT contact_id, count(*) FROM conversation WHERE state <> 'resolved' GROUP BY 1"
        ).fetchall()
        assert all(many == 1 for _, many in open_ones)
        wrong = connection.execute(
            "SELECT id FROM conversation WHERE (state = 'queued') <> (queued_at IS NOT NULL) AND state <> 'assigned'"
            " OR (state = 'resolved') <> (resolved_at IS NOT NULL)"
            " OR (state = 'queued' AND (waiting_since IS NULL OR reason IS NULL))"
            " OR (state IN ('bot', 'resolved') AND waiting_since IS NOT NULL)"
        ).fetchall()
        assert wrong == []
        held = connection.execute(
            "SELECT message.id FROM message JOIN conversation ON conversation.id = conversation_id"
            " WHERE held_until IS NOT NULL AND conversation.state <> 'resolved'"
        ).fetchall()
        assert held == []
        await _history_is_whole(store, connection)
    assert min(crowd.done.values()) > 0
    assert {"claim", "reply", "note", "resolve", "reopen", "take over", "customer"} <= crowd.done.keys()


async def _history_is_whole(store: Store, connection: psycopg.Connection[Any]) -> None:
    """Each event begins where the one before ended, and the last one says how it is now: none is missing or twice."""
    found = connection.execute("SELECT id, state, agent_id FROM conversation").fetchall()
    for conversation_id, state, agent_id in found:
        events = await store.events.of(conversation_id)
        assert [event.kind for event in events].count(EventKind.OPENED) == 1
        assert events[0].kind is EventKind.OPENED
        for before, event in pairwise(events):
            assert event.data["was"].get("state", event.data["state"]) == before.data["state"]
            assert "agent_id" not in event.data["was"] or event.data["was"]["agent_id"] == before.agent_id
        assert events[-1].data["state"] == state
        if agent_id is not None:
            assert events[-1].agent_id == agent_id
