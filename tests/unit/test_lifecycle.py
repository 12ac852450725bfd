"""Every act on a conversation in every state it can be in: what is refused, what changes, and the event that tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain import lifecycle
from bot.domain.conversation import (
    Contact,
    Conversation,
    ConversationState,
    EscalationReason,
    Priority,
    StateConflict,
)
from bot.domain.dialogue import DialogueState
from bot.domain.history import BOT, CUSTOMER, SYSTEM, Actor, EventKind, HistoryEvent, by_agent
from bot.domain.lifecycle import Changes, Step
from bot.domain.staff import Agent, Role

MEI = Agent(1, "Mei", Role.ADMIN, has_password=True)
ADA = Agent(2, "Ada", Role.AGENT, has_password=True)
EARLIER = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
QUEUED_AT = EARLIER + timedelta(minutes=1)
AT = EARLIER + timedelta(hours=1)
LATER = AT + timedelta(hours=1)

IN_BOT = Conversation(
    id=7,
    contact=Contact(3, "web", "web", "Ann", "Ann", "Ann", "en"),
    state=ConversationState.BOT,
    priority=Priority.NORMAL,
    agent=None,
    language="en",
    reason=None,
    topic=None,
    opened_at=EARLIER,
    updated_at=EARLIER,
    dialogue=DialogueState(1, None, ("fee_reduce",)),
    generation=4,
)
IN_QUEUE = replace(
    IN_BOT,
    state=ConversationState.QUEUED,
    priority=Priority.URGENT,
    reason=EscalationReason.TOPIC,
    queued_at=QUEUED_AT,
    waiting_since=QUEUED_AT,
)
WITH_MEI = replace(IN_QUEUE, state=ConversationState.ASSIGNED, agent=MEI, last_agent_id=1)
WITH_ADA = replace(WITH_MEI, agent=ADA, last_agent_id=2)
NOT_QUEUED = replace(WITH_MEI, priority=Priority.NORMAL, reason=None, queued_at=None, waiting_since=None)
SNOOZED = replace(WITH_MEI, snoozed_until=LATER)
RESOLVED = replace(
    WITH_MEI,
    state=ConversationState.RESOLVED,
    agent=None,
    queued_at=None,
    waiting_since=None,
    resolved_at=EARLIER + timedelta(minutes=30),
)
STATES = {
    "bot": IN_BOT,
    "queued": IN_QUEUE,
    "Mei": WITH_MEI,
    "Mei, never queued": NOT_QUEUED,
    "Mei, snoozed": SNOOZED,
    "Ada": WITH_ADA,
    "resolved": RESOLVED,
}

WAS_RESOLVED = HistoryEvent(
    EventKind.RESOLVED,
    by_agent(1),
    7,
    1,
    {"was": {"queued_at": QUEUED_AT.isoformat(), "waiting_since": QUEUED_AT.isoformat()}},
)
Act = Callable[[Conversation], Step | None]
ACTS: dict[str, Act] = {
    "escalate": lambda now: lifecycle.escalate(now, AT, EscalationReason.TOPIC, Priority.HIGH, "funds_stolen"),
    "leave_queue": lambda now: lifecycle.leave_queue(now),
    "leave_queue by the desk": lambda now: lifecycle.leave_queue(now, SYSTEM, "closed the chat"),
    "urge": lambda now: lifecycle.urge(now, Priority.URGENT),
    "claim": lambda now: lifecycle.claim(now, 1),
    "take_over": lambda now: lifecycle.take_over(now, 2, 1, "lunch"),
    "take_over of one's own": lambda now: lifecycle.take_over(now, 1, 1, "lunch"),
    "transfer": lambda now: lifecycle.transfer(now, 1, 2, "fees"),
    "transfer to oneself": lambda now: lifecycle.transfer(now, 1, 1, "fees"),
    "requeue": lambda now: lifecycle.requeue(now, AT, by_agent(1), "not my language"),
    "requeue by the desk": lambda now: lifecycle.requeue(now, AT, SYSTEM),
    "answer": lambda now: lifecycle.answer(now, 1),
    "prioritise": lambda now: lifecycle.prioritise(now, Priority.NORMAL, by_agent(2)),
    "snooze": lambda now: lifecycle.snooze(now, 1, AT, LATER + timedelta(hours=1)),
    "wake": lambda now: lifecycle.wake(now, by_agent(1)),
    "wake by time": lambda now: lifecycle.wake(now),
    "hand_back": lambda now: lifecycle.hand_back(now, 1),
    "resolve": lambda now: lifecycle.resolve(now, 1, AT, LATER),
    "undo_resolve": lambda now: lifecycle.undo_resolve(now, 1, WAS_RESOLVED),
    "undo_resolve of another": lambda now: lifecycle.undo_resolve(now, 2, WAS_RESOLVED),
    "reopen": lambda now: lifecycle.reopen(now, 1),
    "write_again, Mei is here": lambda now: lifecycle.write_again(now, AT, 1),
    "write_again": lambda now: lifecycle.write_again(now, AT, None),
}

MEI_HAS_IT = "Mei has this conversation"
ADA_HAS_IT = "Ada has this conversation"
IS_BOT = "this conversation is bot"
IS_QUEUED = "this conversation is queued"
IS_RESOLVED = "this conversation is resolved"
REFUSED_WHERE_UNASSIGNED = {"bot": IS_BOT, "queued": IS_QUEUED, "resolved": IS_RESOLVED}
REFUSED_WHERE_NOT_MEIS = REFUSED_WHERE_UNASSIGNED | {"Ada": ADA_HAS_IT}
REFUSED_WHERE_ASSIGNED = {
    "Mei": MEI_HAS_IT,
    "Mei, never queued": MEI_HAS_IT,
    "Mei, snoozed": MEI_HAS_IT,
    "Ada": ADA_HAS_IT,
}
REFUSED_WHERE_OPEN = {"bot": IS_BOT, "queued": IS_QUEUED} | REFUSED_WHERE_ASSIGNED
REFUSALS: dict[str, dict[str, str]] = {
    "escalate": {"queued": IS_QUEUED, "resolved": IS_RESOLVED} | REFUSED_WHERE_ASSIGNED,
    "leave_queue": {"bot": IS_BOT, "resolved": IS_RESOLVED} | REFUSED_WHERE_ASSIGNED,
    "leave_queue by the desk": {"bot": IS_BOT, "resolved": IS_RESOLVED} | REFUSED_WHERE_ASSIGNED,
    "urge": {"bot": IS_BOT, "resolved": IS_RESOLVED},
    "claim": {"resolved": IS_RESOLVED, "Ada": ADA_HAS_IT},
    "take_over": REFUSED_WHERE_NOT_MEIS,
    "take_over of one's own": REFUSED_WHERE_NOT_MEIS,
    "transfer": REFUSED_WHERE_NOT_MEIS,
    "transfer to oneself": REFUSED_WHERE_NOT_MEIS,
    "requeue": REFUSED_WHERE_NOT_MEIS,
    "requeue by the desk": REFUSED_WHERE_UNASSIGNED,
    "answer": REFUSED_WHERE_NOT_MEIS,
    "prioritise": {"resolved": IS_RESOLVED},
    "snooze": REFUSED_WHERE_NOT_MEIS,
    "wake": REFUSED_WHERE_NOT_MEIS,
    "wake by time": {},
    "hand_back": REFUSED_WHERE_NOT_MEIS,
    "resolve": REFUSED_WHERE_NOT_MEIS,
    "undo_resolve": REFUSED_WHERE_OPEN,
    "undo_resolve of another": REFUSED_WHERE_OPEN | {"resolved": IS_RESOLVED},
    "reopen": {"bot": IS_BOT, "queued": IS_QUEUED, "Ada": ADA_HAS_IT},
    "write_again, Mei is here": REFUSED_WHERE_OPEN,
    "write_again": REFUSED_WHERE_OPEN,
}
MEIS = ("Mei", "Mei, never queued", "Mei, snoozed")
NOTHING_TO_DO: dict[str, tuple[str, ...]] = {
    "urge": ("queued", "Mei", "Mei, snoozed", "Ada"),
    "claim": MEIS,
    "take_over of one's own": MEIS,
    "transfer to oneself": MEIS,
    "answer": ("Mei, never queued",),
    "prioritise": ("bot", "Mei, never queued"),
    "wake": ("Mei", "Mei, never queued"),
    "wake by time": ("bot", "queued", "Mei", "Mei, never queued", "Ada", "resolved"),
    "reopen": MEIS,
}


def given_to(agent_id: int, **more: Any) -> dict[str, Any]:
    given = {"state": "assigned", "agent_id": agent_id, "last_agent_id": agent_id, "generation": 5}
    return given | {"dialogue": DialogueState()} | more


NEXT = {"generation": 5}
AWAKE = {"snoozed_until": None}
RELEASED = {"agent_id": None, "queued_at": None, "waiting_since": None} | NEXT
OLD_PLACE = {
    "state": "queued",
    "agent_id": None,
    "queued_at": QUEUED_AT,
    "waiting_since": QUEUED_AT,
    "reason": "topic",
} | NEXT
AT_THE_END = OLD_PLACE | {"queued_at": AT, "waiting_since": AT, "reason": "returned"}
BACK = {"state": "bot", "priority": 0, "reason": None} | RELEASED
CLOSED = {"state": "resolved", "resolved_at": AT} | RELEASED
UNTIL = {"snoozed_until": LATER + timedelta(hours=1)}
GOES_ON = {"resolved_at": None, "waiting_since": AT, "dialogue": DialogueState()} | NEXT
ESCALATED = {"state": "queued", "priority": 1, "reason": "topic", "queued_at": AT, "waiting_since": AT} | NEXT

CHANGES: dict[tuple[str, str], tuple[EventKind, Actor, int | None, dict[str, Any]]] = {
    ("escalate", "bot"): (EventKind.ESCALATED, BOT, None, ESCALATED),
    ("leave_queue", "queued"): (EventKind.LEFT, CUSTOMER, None, BACK),
    ("leave_queue by the desk", "queued"): (EventKind.LEFT, SYSTEM, None, BACK),
    ("urge", "Mei, never queued"): (EventKind.URGED, BOT, 1, {"priority": Priority.URGENT}),
    ("claim", "bot"): (EventKind.CLAIMED, by_agent(1), 1, given_to(1)),
    ("claim", "queued"): (EventKind.CLAIMED, by_agent(1), 1, given_to(1)),
    ("take_over", "Mei"): (EventKind.TAKEN_OVER, by_agent(2), 2, given_to(2)),
    ("take_over", "Mei, never queued"): (EventKind.TAKEN_OVER, by_agent(2), 2, given_to(2)),
    ("take_over", "Mei, snoozed"): (EventKind.TAKEN_OVER, by_agent(2), 2, given_to(2, **AWAKE)),
    ("transfer", "Mei"): (EventKind.TRANSFERRED, by_agent(1), 2, given_to(2)),
    ("transfer", "Mei, never queued"): (EventKind.TRANSFERRED, by_agent(1), 2, given_to(2)),
    ("transfer", "Mei, snoozed"): (EventKind.TRANSFERRED, by_agent(1), 2, given_to(2, **AWAKE)),
    ("requeue", "Mei"): (EventKind.REQUEUED, by_agent(1), 1, OLD_PLACE),
    ("requeue", "Mei, never queued"): (EventKind.REQUEUED, by_agent(1), 1, AT_THE_END),
    ("requeue", "Mei, snoozed"): (EventKind.REQUEUED, by_agent(1), 1, OLD_PLACE | AWAKE),
    ("requeue by the desk", "Mei"): (EventKind.REQUEUED, SYSTEM, 1, OLD_PLACE),
    ("requeue by the desk", "Mei, never queued"): (EventKind.REQUEUED, SYSTEM, 1, AT_THE_END),
    ("requeue by the desk", "Mei, snoozed"): (EventKind.REQUEUED, SYSTEM, 1, OLD_PLACE | AWAKE),
    ("requeue by the desk", "Ada"): (EventKind.REQUEUED, SYSTEM, 2, OLD_PLACE),
    ("answer", "Mei"): (EventKind.ANSWERED, by_agent(1), 1, {"waiting_since": None}),
    ("answer", "Mei, snoozed"): (EventKind.ANSWERED, by_agent(1), 1, {"waiting_since": None}),
    ("prioritise", "queued"): (EventKind.PRIORITISED, by_agent(2), None, {"priority": 0}),
    ("prioritise", "Mei"): (EventKind.PRIORITISED, by_agent(2), 1, {"priority": 0}),
    ("prioritise", "Mei, snoozed"): (EventKind.PRIORITISED, by_agent(2), 1, {"priority": 0}),
    ("prioritise", "Ada"): (EventKind.PRIORITISED, by_agent(2), 2, {"priority": 0}),
    ("snooze", "Mei"): (EventKind.SNOOZED, by_agent(1), 1, UNTIL),
    ("snooze", "Mei, never queued"): (EventKind.SNOOZED, by_agent(1), 1, UNTIL),
    ("snooze", "Mei, snoozed"): (EventKind.SNOOZED, by_agent(1), 1, UNTIL),
    ("wake", "Mei, snoozed"): (EventKind.WOKEN, by_agent(1), 1, AWAKE),
    ("wake by time", "Mei, snoozed"): (EventKind.WOKEN, SYSTEM, 1, AWAKE),
    ("hand_back", "Mei"): (EventKind.HANDED_BACK, by_agent(1), 1, BACK),
    ("hand_back", "Mei, never queued"): (EventKind.HANDED_BACK, by_agent(1), 1, BACK),
    ("hand_back", "Mei, snoozed"): (EventKind.HANDED_BACK, by_agent(1), 1, BACK | AWAKE),
    ("resolve", "Mei"): (EventKind.RESOLVED, by_agent(1), 1, CLOSED),
    ("resolve", "Mei, never queued"): (EventKind.RESOLVED, by_agent(1), 1, CLOSED),
    ("resolve", "Mei, snoozed"): (EventKind.RESOLVED, by_agent(1), 1, CLOSED | AWAKE),
    ("undo_resolve", "resolved"): (
        EventKind.RESOLVE_UNDONE,
        by_agent(1),
        1,
        given_to(1, resolved_at=None, queued_at=QUEUED_AT, waiting_since=QUEUED_AT),
    ),
    ("reopen", "resolved"): (EventKind.REOPENED, by_agent(1), 1, given_to(1, resolved_at=None)),
    ("write_again, Mei is here", "resolved"): (
        EventKind.REOPENED,
        CUSTOMER,
        1,
        GOES_ON | {"state": "assigned", "agent_id": 1, "last_agent_id": 1},
    ),
    ("write_again", "resolved"): (
        EventKind.REOPENED,
        CUSTOMER,
        None,
        GOES_ON | {"state": "queued", "queued_at": AT, "reason": "reopened"},
    ),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", ACTS)
def test_every_act_in_every_state(act: str, state: str) -> None:
    now = STATES[state]
    refusal = REFUSALS[act].get(state)
    if refusal is not None:
        with pytest.raises(StateConflict, match=f"^{refusal}$") as refused:
            ACTS[act](now)
        assert refused.value.conversation is now
        return
    step = ACTS[act](now)
    if state in NOTHING_TO_DO.get(act, ()):
        assert step is None
        return
    assert step is not None
    kind, actor, agent_id, changes = CHANGES[act, state]
    assert step.changes == changes
    event = step.event
    assert (event.kind, event.actor, event.agent_id, event.conversation_id) == (kind, actor, agent_id, 7)
    assert event.data["state"] == changes.get("state", now.state)


def test_the_table_has_no_case_that_is_never_tried() -> None:
    tried = {(act, state) for act in ACTS for state in STATES}
    assert CHANGES.keys() <= tried
    assert REFUSALS.keys() == ACTS.keys()
    said = [*CHANGES] + [(act, state) for table in (REFUSALS, NOTHING_TO_DO) for act in table for state in table[act]]
    assert len(said) == len(set(said))
    assert set(said) == tried


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", ACTS)
def test_no_value_is_replaced_that_the_event_does_not_keep(act: str, state: str) -> None:
    now = STATES[state]
    try:
        step = ACTS[act](now)
    except StateConflict:
        return
    if step is None:
        return
    before = {name: getattr(now, name) for name in Changes.__annotations__ if name not in ("agent_id", "dialogue")}
    before["agent_id"] = now.agent and now.agent.id
    del before["generation"]  # counts, and tells nothing
    lost = {name for name, value in before.items() if value is not None and step.changes.get(name, value) != value}
    assert step.event.data["was"].keys() == lost
    json.dumps(step.event.data)


def test_an_event_keeps_values_as_they_were_and_what_was_said() -> None:
    step = lifecycle.hand_back(WITH_MEI, 1)
    assert step.event.data == {
        "state": "bot",
        "was": {
            "state": "assigned",
            "priority": "urgent",
            "agent_id": 1,
            "reason": "topic",
            "queued_at": "2026-11-27T08:01:00+00:00",
            "waiting_since": "2026-11-27T08:01:00+00:00",
        },
    }
    escalated = lifecycle.escalate(IN_BOT, AT, EscalationReason.TOPIC, Priority.URGENT, "funds_stolen")
    assert escalated.event.data == {
        "state": "queued",
        "was": {"state": "bot", "priority": "normal"},
        "reason": "topic",
        "priority": "urgent",
        "topic": "funds_stolen",
    }
    passed_on = lifecycle.transfer(WITH_MEI, 1, 2, "fees")
    assert passed_on is not None
    assert passed_on.event.data == {
        "state": "assigned",
        "was": {"agent_id": 1, "last_agent_id": 1},
        "why": "fees",
    }
    assert lifecycle.resolve(WITH_MEI, 1, AT, LATER).event.data["told_at"] == LATER.isoformat()
    assert "told_at" not in lifecycle.resolve(WITH_MEI, 1, AT).event.data


def test_a_resolve_that_the_history_does_not_know_is_undone_without_its_times() -> None:
    for resolved in (None, HistoryEvent(EventKind.RESOLVED, by_agent(1), 7, 1, {"backfilled": True})):
        changes = lifecycle.undo_resolve(RESOLVED, 1, resolved).changes
        assert (changes["queued_at"], changes["waiting_since"]) == (None, None)


def test_who_goes_forward_keeps_everything_else() -> None:
    step = lifecycle.urge(replace(IN_QUEUE, priority=Priority.NORMAL), Priority.HIGH)
    assert step is not None
    assert step.changes == {"priority": Priority.HIGH}
    assert (step.event.kind, step.event.actor) == (EventKind.URGED, BOT)
    assert step.event.data == {"state": "queued", "was": {"priority": "normal"}, "priority": "high"}
    assert lifecycle.urge(IN_QUEUE, Priority.HIGH) is None
    at_risk = lifecycle.urge(IN_QUEUE, Priority.HIGH, EscalationReason.FUNDS_AT_RISK)
    assert at_risk is not None
    assert at_risk.changes == {"reason": EscalationReason.FUNDS_AT_RISK}
    assert at_risk.event.data["reason"] == "funds_at_risk"


def test_a_snooze_ends_in_the_future() -> None:
    with pytest.raises(ValueError, match="a time to come"):
        lifecycle.snooze(WITH_MEI, 1, AT, AT)


def test_a_conversation_begins_with_the_bot() -> None:
    assert lifecycle.opened() == HistoryEvent(EventKind.OPENED, CUSTOMER, data={"state": "bot"})
    assert lifecycle.opened(thread="<a@b>", subject="My fee").data == {
        "state": "bot",
        "thread": "<a@b>",
        "subject": "My fee",
    }


# --- a notice ---------------------------------------------------------------------------------------


def test_a_notice_opens_its_question_and_stays_as_urgent_as_it_is() -> None:
    asked = DialogueState(topic="suspicious_login", procedure="login_alert", step="was_it_you")
    step = lifecycle.notify(IN_BOT, "wallet", "suspicious_login", Priority.HIGH, asked)
    assert step.changes == {"priority": Priority.HIGH, "dialogue": asked}
    assert (step.event.kind, step.event.actor) == (EventKind.NOTIFIED, SYSTEM)
    assert step.event.data["source"] == "wallet"
    raised = replace(IN_BOT, priority=Priority.HIGH)
    for priority, expected in ((Priority.NORMAL, Priority.HIGH), (Priority.URGENT, Priority.URGENT)):
        escalated = lifecycle.escalate(raised, AT, EscalationReason.ASKED, priority)
        assert escalated.changes["priority"] is expected
        assert lifecycle.notify(raised, "wallet", None, priority, None).changes == {"priority": expected}
