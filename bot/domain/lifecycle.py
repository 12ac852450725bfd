"""The life of a conversation: who may do what in which state, what it changes, and the event that tells of it.

Pure functions: conversation + act → ``Step``. ``bot/store/lifecycle.py`` writes steps, and is the only writer of what
they change. A function returns None where everything is as asked for already, and raises ``StateConflict`` where
the conversation is not in a state for it; ``at`` is the time of the act.

| act                | from                          | to       |
|--------------------|-------------------------------|----------|
| ``escalate``       | bot                           | queued   |
| ``leave_queue``    | queued                        | bot      |
| ``urge``           | queued, assigned              | the same |
| ``notify``         | any but resolved              | the same |
| ``claim``          | bot, queued                   | assigned |
| ``take_over``      | assigned to the one named     | assigned |
| ``transfer``       | assigned to who does it       | assigned |
| ``requeue``        | assigned                      | queued   |
| ``prioritise``     | any but resolved              | the same |
| ``snooze``         | assigned to who does it       | assigned |
| ``wake``           | any that is snoozed           | the same |
| ``hand_back``      | assigned to who does it       | bot      |
| ``resolve``        | assigned to who does it       | resolved |
| ``undo_resolve``   | resolved by who does it       | assigned |
| ``reopen``         | resolved                      | assigned |
| ``write_again``    | resolved                      | assigned, queued |
| ``answer``         | assigned to who does it       | the same |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypedDict

from bot.domain.conversation import Conversation, ConversationState, EscalationReason, Priority, StateConflict
from bot.domain.dialogue import DialogueState
from bot.domain.history import BOT, CUSTOMER, SYSTEM, Actor, EventKind, HistoryEvent, by_agent
from bot.domain.said import Refusal
from bot.domain.secret import SecretKind

UNTIL_WRITTEN = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a snooze that only the customer ends."""


class Changes(TypedDict, total=False):
    """What of a conversation an act changes: the columns that belong to its lifecycle, and the bot's memory."""

    state: ConversationState
    priority: Priority
    agent_id: int | None
    last_agent_id: int | None
    reason: EscalationReason | None
    queued_at: datetime | None
    waiting_since: datetime | None
    resolved_at: datetime | None
    snoozed_until: datetime | None
    generation: int
    dialogue: DialogueState


@dataclass(frozen=True, slots=True)
class Step:
    """One act: what it changes, and its event."""

    changes: Changes
    event: HistoryEvent


def opened(*, thread: str = "", subject: str | None = None, by: Actor = CUSTOMER) -> HistoryEvent:
    """A customer begins a conversation, or the desk one with them (``by``), which has no number yet. It begins with the
    bot; nothing was before."""
    data = {"state": ConversationState.BOT.value, "thread": thread or None, "subject": subject}
    known = {name: value for name, value in data.items() if value is not None}
    return HistoryEvent(EventKind.OPENED, by, data=known)


# --- into the queue -------------------------------------------------------------------------------


def escalate(
    now: Conversation,
    at: datetime,
    reason: EscalationReason,
    priority: Priority = Priority.NORMAL,
    topic: str | None = None,
    by: Actor = BOT,
) -> Step:
    """A person is asked for. ``topic`` is what the event says it is about."""
    if now.state is not ConversationState.BOT:
        raise StateConflict(taken_by(now), now)
    changes: Changes = {
        "state": ConversationState.QUEUED,
        "priority": max(now.priority, priority),  # a notice may have raised it
        "reason": reason,
        "queued_at": at,
        "waiting_since": now.waiting_since or at,
    }
    more = {"reason": reason.value, "priority": changes["priority"].label}
    return _step(now, EventKind.ESCALATED, by, changes, more | ({"topic": topic} if topic else {}))


def requeue(now: Conversation, at: datetime, by: Actor, why: str = "", *, holder: int | None = None) -> Step:
    """Puts it into the queue: at its old place, if it was there, with reason, topic and priority. An agent may put back
    what they have, and the desk itself what anybody has; a lead says who is its ``holder``."""
    _held(now, by.agent_id if holder is None else holder)
    changes: Changes = {
        "state": ConversationState.QUEUED,
        "agent_id": None,
        "queued_at": now.queued_at or at,
        "waiting_since": now.waiting_since or at,
        "reason": now.reason or EscalationReason.RETURNED,
    }
    return _step(now, EventKind.REQUEUED, by, changes, _why(why))


def leave_queue(now: Conversation, by: Actor = CUSTOMER, why: str = "") -> Step:
    """The customer waits no more, and is with the bot again."""
    if now.state is not ConversationState.QUEUED:
        raise StateConflict(taken_by(now), now)
    changes: Changes = {"state": ConversationState.BOT, "priority": Priority.NORMAL, "reason": None, **_released()}
    return _step(now, EventKind.LEFT, by, changes, _why(why))


def urge(now: Conversation, priority: Priority, reason: EscalationReason | None = None, by: Actor = BOT) -> Step | None:
    """Forward in the queue, or before the eyes of whoever has it: what the customer wrote meanwhile is more urgent, and
    may be the ``reason`` from now on. None if it is as urgent already, for that reason."""
    if now.state not in (ConversationState.QUEUED, ConversationState.ASSIGNED):
        raise StateConflict(taken_by(now), now)
    changes: Changes = {}
    if priority > now.priority:
        changes["priority"] = priority
    if reason is not None and reason is not now.reason:
        changes["reason"] = reason
    more = {"priority": max(priority, now.priority).label} | ({"reason": reason.value} if reason else {})
    return _step(now, EventKind.URGED, by, changes, more) if changes else None


def notify(
    now: Conversation, source: str, topic: str | None, priority: Priority, dialogue: DialogueState | None
) -> Step:
    """The desk writes to the customer at the word of another system. What is asked is open then (``dialogue``), unless
    people have the conversation; and it is as urgent as the notice at least."""
    changes: Changes = {"priority": max(now.priority, priority)}
    if dialogue is not None:
        changes["dialogue"] = dialogue
    more = {"source": source, "priority": changes["priority"].label}
    return _step(now, EventKind.NOTIFIED, SYSTEM, changes, more | ({"topic": topic} if topic else {}))


def prioritise(now: Conversation, priority: Priority, by: Actor) -> Step | None:
    """An agent ranks it, up or down. None where it has that rank."""
    if now.state is ConversationState.RESOLVED:
        raise StateConflict(taken_by(now), now)
    if priority is now.priority:
        return None
    return _step(now, EventKind.PRIORITISED, by, {"priority": priority}, {"priority": priority.label})


# --- to an agent ----------------------------------------------------------------------------------


def claim(now: Conversation, agent_id: int) -> Step | None:
    """From the queue or from the bot. None if they have it already."""
    if _has(now, agent_id):
        return None
    if now.state not in (ConversationState.BOT, ConversationState.QUEUED):
        raise StateConflict(taken_by(now), now)
    return _step(now, EventKind.CLAIMED, by_agent(agent_id), _given_to(agent_id))


def take_over(now: Conversation, agent_id: int, from_id: int, why: str) -> Step | None:
    """A colleague's conversation; ``StateConflict`` if ``from_id`` does not have it. None for one's own."""
    _held(now, from_id)
    if from_id == agent_id:
        return None
    return _step(now, EventKind.TAKEN_OVER, by_agent(agent_id), _given_to(agent_id), _why(why))


def transfer(now: Conversation, agent_id: int, to_id: int, why: str, *, by: int | None = None) -> Step | None:
    """To a colleague, by the agent who has it, or by the lead ``by``. None for who has it already."""
    _held(now, agent_id)
    if to_id == agent_id:
        return None
    return _step(now, EventKind.TRANSFERRED, by_agent(by or agent_id), _given_to(to_id), _why(why))


# --- while an agent has it ------------------------------------------------------------------------


def answer(now: Conversation, agent_id: int) -> Step | None:
    """The agent writes to the customer, who waits no more. None if they did not wait."""
    _held(now, agent_id)
    if now.waiting_since is None:
        return None
    return _step(now, EventKind.ANSWERED, by_agent(agent_id), {"waiting_since": None})


def snooze(now: Conversation, agent_id: int, at: datetime, until: datetime) -> Step:
    """Laid aside until then, or until its customer writes. Its agent keeps it. ``ValueError`` for a time that is
    over."""
    _held(now, agent_id)
    if until <= at:
        words = "choose a time to come: until then the conversation is laid aside"
        raise Refusal(words, "refusal.time_over")
    changes: Changes = {"snoozed_until": until}
    return _step(now, EventKind.SNOOZED, by_agent(agent_id), changes, {"until": until.isoformat()})


def wake(now: Conversation, by: Actor = SYSTEM) -> Step | None:
    """Ends the snooze. None if there is none; an agent may end their own."""
    if by.agent_id is not None:
        _held(now, by.agent_id)
    if now.snoozed_until is None:
        return None
    return _step(now, EventKind.WOKEN, by, {"snoozed_until": None})


# --- to its end, and on ---------------------------------------------------------------------------


def hand_back(now: Conversation, agent_id: int) -> Step:
    """To the bot, which begins anew."""
    _held(now, agent_id)
    changes: Changes = {"state": ConversationState.BOT, "priority": Priority.NORMAL, "reason": None, **_released()}
    return _step(now, EventKind.HANDED_BACK, by_agent(agent_id), changes)


def resolve(now: Conversation, agent_id: int, at: datetime, told_at: datetime | None = None) -> Step:
    """Closes it. ``told_at`` is when the customer will be told, if not at once: until then it can be undone unseen."""
    _held(now, agent_id)
    changes: Changes = {"state": ConversationState.RESOLVED, "resolved_at": at, **_released()}
    more = {} if told_at is None else {"told_at": told_at.isoformat()}
    return _step(now, EventKind.RESOLVED, by_agent(agent_id), changes, more)


def undo_resolve(now: Conversation, agent_id: int, resolved: HistoryEvent | None) -> Step:
    """As if it had not been resolved: who resolved it has it again, its customer waits as long as before, and put back
    it is at its old place. ``resolved`` is the event of the resolve; without it those two times are not known."""
    if now.state is not ConversationState.RESOLVED or now.last_agent_id != agent_id:
        raise StateConflict(taken_by(now), now)
    was = {} if resolved is None else resolved.data.get("was", {})
    changes = _given_to(agent_id)
    changes["resolved_at"] = None
    changes["queued_at"] = _moment(was.get("queued_at"))
    changes["waiting_since"] = _moment(was.get("waiting_since"))
    return _step(now, EventKind.RESOLVE_UNDONE, by_agent(agent_id), changes)


def reopen(now: Conversation, agent_id: int) -> Step | None:
    """An agent takes a resolved conversation up again. None if they have it already."""
    if _has(now, agent_id):
        return None
    _resolved(now)
    return _step(now, EventKind.REOPENED, by_agent(agent_id), {**_given_to(agent_id), "resolved_at": None})


def write_again(now: Conversation, at: datetime, agent_id: int | None) -> Step:
    """The customer writes to a resolved conversation, which goes on: with the agent, if they are here, and else in the
    queue."""
    _resolved(now)
    changes: Changes = {"resolved_at": None, "dialogue": DialogueState()}
    if agent_id is None:
        changes |= {"state": ConversationState.QUEUED, "queued_at": at, "reason": EscalationReason.REOPENED}
    else:
        changes |= {"state": ConversationState.ASSIGNED, "agent_id": agent_id, "last_agent_id": agent_id}
    return _step(now, EventKind.REOPENED, CUSTOMER, {**changes, "waiting_since": at})


# --- what is gone for good ------------------------------------------------------------------------


def note_deleted(now: Conversation, agent_id: int, message_id: int, author_id: int | None) -> HistoryEvent:
    """Nothing of the conversation changes, nor of what the note said is anything known."""
    more = {"message": message_id, "author_id": author_id}
    return _step(now, EventKind.NOTE_DELETED, by_agent(agent_id), {}, more).event


def secret_marked(now: Conversation, agent_id: int, message_id: int, kind: SecretKind) -> HistoryEvent:
    more = {"message": message_id, "secret": kind.value}
    return _step(now, EventKind.SECRET_MARKED, by_agent(agent_id), {}, more).event


def taken_by(now: Conversation) -> str:
    """Why somebody else cannot have it."""
    if now.agent is not None:
        return f"{now.agent.name} has this conversation"
    return f"this conversation is {now.state.value}"


# --- pieces ---------------------------------------------------------------------------------------


def _has(now: Conversation, agent_id: int) -> bool:
    return now.agent is not None and now.agent.id == agent_id


def _held(now: Conversation, agent_id: int | None) -> None:
    """By that agent; None: by any."""
    if now.agent is None or (agent_id is not None and now.agent.id != agent_id):
        raise StateConflict(taken_by(now), now)


def _resolved(now: Conversation) -> None:
    if now.state is not ConversationState.RESOLVED:
        raise StateConflict(taken_by(now), now)


def _given_to(agent_id: int) -> Changes:
    return {
        "state": ConversationState.ASSIGNED,
        "agent_id": agent_id,
        "last_agent_id": agent_id,
        "dialogue": DialogueState(),
    }


def _released() -> Changes:
    return {"agent_id": None, "queued_at": None, "waiting_since": None}


def _why(why: str) -> dict[str, str]:
    return {"why": why} if why else {}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _step(
    now: Conversation, kind: EventKind, by: Actor, changes: Changes, more: Mapping[str, object] | None = None
) -> Step:
    """The change with what every change brings: the generation grows with who may write next, a snooze ends with
    whoever laid it aside, and the event keeps what is replaced."""
    changes = {**changes}
    if "state" in changes:
        changes["generation"] = now.generation + 1
        if now.snoozed_until is not None:
            changes["snoozed_until"] = None
    before = _values(now)
    kept = {name: value for name, value in before.items() if name in changes and _differs(value, changes.get(name))}
    state = changes.get("state", now.state)
    data = {"state": state.value, "was": {name: _json(value) for name, value in kept.items()}, **(more or {})}
    whose = changes.get("agent_id") or (None if now.agent is None else now.agent.id)
    return Step(changes, HistoryEvent(kind, by, now.id, whose, data))


def _values(now: Conversation) -> dict[str, Any]:
    """What an event keeps when it is replaced."""
    return {
        "state": now.state,
        "priority": now.priority,
        "agent_id": None if now.agent is None else now.agent.id,
        "last_agent_id": now.last_agent_id,
        "reason": now.reason,
        "queued_at": now.queued_at,
        "waiting_since": now.waiting_since,
        "resolved_at": now.resolved_at,
        "snoozed_until": now.snoozed_until,
    }


def _differs(before: Any, after: object) -> bool:
    return before is not None and before != after


def _json(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Priority):
        return value.label
    return value.value if isinstance(value, Enum) else value
