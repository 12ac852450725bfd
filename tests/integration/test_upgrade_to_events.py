"""A database of the version before (0006), with conversations in every state, is upgraded: what can be known of the
past becomes events, and the desk goes on with each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy.engine import make_url

from bot.content.answers import Answers
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.dialogue import DialogueState
from bot.domain.history import BOT, CUSTOMER, SYSTEM, EventKind, HistoryEvent, by_agent
from bot.domain.staff import Agent
from bot.queue import Queue
from bot.store import Store, migrate
from bot.store.database import _alembic, conninfo, create_engine
from handoff.desk import Desk
from tests.support.console import said

MEI, ADA = 1, 2
IN_BOT, QUEUED, SLOWLY_QUEUED, RETURNED, REOPENED, ASSIGNED, FROM_BOT, RESOLVED, NEVER_HELD, HANDED_BACK = range(1, 11)
"""The conversations, each of a contact with the same number."""


def at(minute: int) -> datetime:
    return datetime(2026, 11, 1, 12, 0, tzinfo=UTC) + timedelta(minutes=minute)


WRITTEN_BY_0006 = """
INSERT INTO agent (name, role, created_at, disabled_at) VALUES
    ('Mei', 'admin', '2026-11-01 12:00Z', NULL), ('Ada', 'agent', '2026-11-01 12:00Z', '2026-11-01 12:59Z');
INSERT INTO session (token_hash, agent_id, created_at, expires_at, by_link, address, browser) VALUES
    ('a', 1, '2026-11-01 12:05Z', '2126-11-01 12:00Z', true, '10.0.0.7', 'Firefox on Windows'),
    ('b', 1, '2026-11-01 12:06Z', '2126-11-01 12:00Z', false, NULL, NULL);
INSERT INTO contact (channel, account, external_id, chat_id, name)
    SELECT 'web', 'web', 'Ann' || n, 'Ann' || n, 'Ann' || n FROM generate_series(1, 10) n;
INSERT INTO conversation (contact_id, state, priority, agent_id, last_agent_id, reason, topic, misses, last_answer,
        offered, generation, opened_at, queued_at, waiting_since, resolved_at) VALUES
    (1, 'bot', 0, NULL, NULL, NULL, 'fee', 1, 'fee', '["fee_reduce", "fee"]', 0, '2026-11-01 12:10Z', NULL, NULL, NULL),
    (2, 'queued', 2, NULL, NULL, 'topic', 'stolen', 0, NULL, '[]', 1, '2026-11-01 12:10Z', '2026-11-01 12:12Z',
        '2026-11-01 12:12Z', NULL),
    (3, 'queued', 0, NULL, NULL, 'turn_failed', NULL, 0, NULL, '[]', 1, '2026-11-01 12:10Z', '2026-11-01 12:12Z',
        '2026-11-01 12:12Z', NULL),
    (4, 'queued', 0, NULL, 1, 'returned', NULL, 0, NULL, '[]', 2, '2026-11-01 12:10Z', '2026-11-01 12:20Z',
        '2026-11-01 12:20Z', NULL),
    (5, 'queued', 0, NULL, 1, 'reopened', NULL, 0, NULL, '[]', 4, '2026-11-01 12:10Z', '2026-11-01 12:20Z',
        '2026-11-01 12:20Z', NULL),
    (6, 'assigned', 0, 1, 1, 'asked', NULL, 0, NULL, '[]', 2, '2026-11-01 12:10Z', '2026-11-01 12:12Z',
        '2026-11-01 12:12Z', NULL),
    (7, 'assigned', 0, 2, 2, NULL, NULL, 0, NULL, '[]', 1, '2026-11-01 12:10Z', NULL, NULL, NULL),
    (8, 'resolved', 0, NULL, 1, 'asked', NULL, 0, NULL, '[]', 3, '2026-11-01 12:10Z', NULL, NULL, '2026-11-01 12:30Z'),
    (9, 'resolved', 0, NULL, NULL, NULL, NULL, 0, NULL, '[]', 1, '2026-11-01 12:10Z', NULL, NULL, '2026-11-01 12:30Z'),
    (10, 'bot', 0, NULL, 2, NULL, NULL, 0, NULL, '[]', 3, '2026-11-01 12:10Z', NULL, NULL, NULL);
INSERT INTO message (conversation_id, contact_id, author, text, external_id, cursor, created_at)
    SELECT n, n, 'customer', 'hello', 'in-' || n, nextval('message_cursor'), '2026-11-01 12:10Z'
    FROM generate_series(1, 10) n;
-- What was escalated: 2, 6, 8 and 10. In 7 the bot lost: a person had it before the bot was done.
INSERT INTO turn (message_id, conversation_id, done, action, reason, topic, done_at)
    SELECT n, n, true, 'escalate', CASE n WHEN 2 THEN 'topic' ELSE 'asked' END,
        CASE n WHEN 2 THEN 'stolen' ELSE 'talk_to_human' END, '2026-11-01 12:12Z'
    FROM unnest(ARRAY[2, 6, 7, 8, 10]) n;
INSERT INTO message (conversation_id, contact_id, author, visibility, text, created_at)
    SELECT n, n, 'system', 'private', 'Escalated: the customer asked for a person.', '2026-11-01 12:12Z'
    FROM unnest(ARRAY[2, 6, 8, 10]) n;
-- Mei has joined 6 at 12:15, after a colleague; nothing says when 7 was claimed.
INSERT INTO message (conversation_id, contact_id, author, text, created_at) VALUES
    (6, 6, 'system', 'Ada has joined', '2026-11-01 12:13Z'), (6, 6, 'system', 'Mei has joined', '2026-11-01 12:15Z');
INSERT INTO message (conversation_id, contact_id, author, agent_id, text, created_at) VALUES
    (6, 6, 'agent', 1, 'hello', '2026-11-01 12:16Z');
"""


@pytest.fixture
def upgraded(postgres: str) -> Iterator[str]:
    """The URL of a database that a desk of 0006 left, upgraded."""
    with psycopg.connect(conninfo(postgres), autocommit=True) as connection:
        connection.execute("CREATE DATABASE before_events")
        url = make_url(postgres).set(database="before_events").render_as_string(hide_password=False)
        command.upgrade(_alembic(url), "0006")
        with psycopg.connect(conninfo(url), autocommit=True) as before:
            before.execute(WRITTEN_BY_0006)
        yield url
        connection.execute("DROP DATABASE before_events WITH (FORCE)")


@pytest.fixture
async def old_desk(upgraded: str) -> AsyncIterator[Store]:
    await migrate(upgraded)
    queue = Queue(conninfo(upgraded))
    await queue.open()
    store = Store(create_engine(upgraded), queue)
    yield store
    await store.close()
    await queue.close()


def _told(event: HistoryEvent) -> tuple[Any, ...]:
    data = dict(event.data)
    assert data.pop("backfilled") is True
    assert event.at is not None
    return event.kind, event.actor, event.agent_id, event.at, data


OPENED = (EventKind.OPENED, CUSTOMER, None, at(10), {"state": "bot"})
ASKED = (EventKind.ESCALATED, BOT, None, at(12), {"state": "queued", "reason": "asked"})
PAST: dict[int, list[tuple[Any, ...]]] = {
    IN_BOT: [OPENED],
    QUEUED: [
        OPENED,
        (EventKind.ESCALATED, BOT, None, at(12), {"state": "queued", "reason": "topic", "topic": "stolen"}),
    ],
    SLOWLY_QUEUED: [OPENED, (EventKind.ESCALATED, BOT, None, at(12), {"state": "queued", "reason": "turn_failed"})],
    RETURNED: [OPENED, (EventKind.REQUEUED, SYSTEM, None, at(20), {"state": "queued", "reason": "returned"})],
    REOPENED: [OPENED, (EventKind.REOPENED, CUSTOMER, None, at(20), {"state": "queued", "reason": "reopened"})],
    ASSIGNED: [OPENED, ASKED, (EventKind.CLAIMED, by_agent(MEI), MEI, at(15), {"state": "assigned"})],
    FROM_BOT: [OPENED, (EventKind.CLAIMED, by_agent(ADA), ADA, at(10), {"state": "assigned"})],
    RESOLVED: [OPENED, ASKED, (EventKind.RESOLVED, by_agent(MEI), MEI, at(30), {"state": "resolved"})],
    NEVER_HELD: [OPENED, (EventKind.RESOLVED, SYSTEM, None, at(30), {"state": "resolved"})],
    HANDED_BACK: [OPENED, ASKED],
}


@pytest.mark.parametrize("conversation_id", PAST)
async def test_what_can_be_known_of_a_conversation_is_told(old_desk: Store, conversation_id: int) -> None:
    assert [_told(event) for event in await old_desk.events.of(conversation_id)] == PAST[conversation_id]


async def test_what_can_be_known_of_agents_is_told(old_desk: Store) -> None:
    about = {who: [event for event in await old_desk.events.about(who) if not event.conversation_id] for who in (1, 2)}
    assert [_told(event) for event in about[ADA]] == [
        (EventKind.AGENT_ADDED, SYSTEM, ADA, at(0), {"name": "Ada", "role": "agent"}),
        (EventKind.AGENT_DISABLED, SYSTEM, ADA, at(59), {}),
    ]
    assert [_told(event) for event in about[MEI]] == [
        (EventKind.AGENT_ADDED, SYSTEM, MEI, at(0), {"name": "Mei", "role": "admin"}),
        (EventKind.SIGNED_IN, by_agent(MEI), MEI, at(5), {"by_link": True, "browser": "Firefox on Windows"}),
        (EventKind.SIGNED_IN, by_agent(MEI), MEI, at(6), {"by_link": False}),
    ]
    assert [event.address for event in about[MEI]] == [None, "10.0.0.7", None]


async def test_conversations_are_what_they_were(old_desk: Store) -> None:
    now = {number: await old_desk.conversations.get(number) for number in PAST}
    assert {number: one.state.value for number, one in now.items()} == {
        **dict.fromkeys((IN_BOT, HANDED_BACK), "bot"),
        **dict.fromkeys((QUEUED, SLOWLY_QUEUED, RETURNED, REOPENED), "queued"),
        **dict.fromkeys((ASSIGNED, FROM_BOT), "assigned"),
        **dict.fromkeys((RESOLVED, NEVER_HELD), "resolved"),
    }
    assert {(one.thread, one.subject, one.snoozed_until) for one in now.values()} == {("", None, None)}
    assert now[IN_BOT].dialogue == DialogueState(1, "fee", ("fee_reduce", "fee"), told=("fee",))
    urgent = now[QUEUED]
    assert (urgent.priority, urgent.reason, urgent.queued_at, urgent.waiting_since) == (
        Priority.URGENT,
        EscalationReason.TOPIC,
        at(12),
        at(12),
    )


async def test_the_desk_goes_on_with_them(old_desk: Store, answers: Answers) -> None:
    desk = Desk(old_desk, answers.words.by_locale)
    mei: Agent = next(one for one in await old_desk.agents.all() if one.id == MEI)
    # A chat goes on in its conversation, and a thread beside it is another.
    assert await said(old_desk, "more", id="2", name="Ann1") == IN_BOT
    assert await said(old_desk, "mail", id="3", name="Ann1", thread="<mail>") not in PAST
    await desk.claim(QUEUED, mei)
    await desk.put_back(ASSIGNED, mei, "later")
    await desk.take_over(FROM_BOT, mei, ADA, "she left")
    reopened = await desk.reopen(RESOLVED, mei)
    assert reopened.state is ConversationState.ASSIGNED
    for number, kind in (
        (QUEUED, EventKind.CLAIMED),
        (ASSIGNED, EventKind.REQUEUED),
        (FROM_BOT, EventKind.TAKEN_OVER),
        (RESOLVED, EventKind.REOPENED),
    ):
        event = (await old_desk.events.of(number))[-1]
        assert (event.kind, "backfilled" in event.data) == (kind, False)


async def test_events_are_numbered_in_the_order_of_their_times(old_desk: Store, upgraded: str) -> None:
    with psycopg.connect(conninfo(upgraded)) as connection:
        for about in ("conversation_id IS NOT NULL", "conversation_id IS NULL"):
            times = [row[0] for row in connection.execute(f"SELECT at FROM event WHERE {about} ORDER BY id")]
            assert times == sorted(times)
