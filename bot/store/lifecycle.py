"""The one writer of a conversation's state and of what belongs to it (``OWNED``), and of its events.

What an act changes is decided in ``bot/domain/lifecycle.py``; here it is written. A test looks for any other write.
Functions are steps of the caller's transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Insert, Update, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import lifecycle
from bot.domain.conversation import Conversation, NotFound
from bot.domain.history import CUSTOMER, Actor, EventKind, HistoryEvent
from bot.domain.lifecycle import Changes, Step
from bot.store import rows
from bot.store.origin import address_of
from bot.store.tables import conversation, event

OWNED = frozenset(Changes.__annotations__) - {"dialogue"}
"""The columns of ``conversation`` that are written here and nowhere else."""

WAITING_AFTER_MESSAGE = "waiting_since = CASE WHEN state <> 'bot' THEN coalesce(waiting_since, now()) END"
"""What a message of the customer does, as a piece of the statement that records it: unless the bot has the
conversation, they wait for a person. What is snoozed is woken before."""

REFUSALS_KEPT = timedelta(days=90)
"""For so long the history knows who could not sign in."""


async def locked(connection: AsyncConnection, conversation_id: int) -> datetime:
    """Holds the conversation's row until the commit: what is read then stays. Returns the time of the transaction,
    which is that of its events; ``NotFound`` where there is no such conversation."""
    # Past the references of what is written meanwhile: nobody changes the conversation without this lock.
    query = select(func.now()).where(conversation.c.id == conversation_id).with_for_update(key_share=True)
    at: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    if at is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    return at


async def open_conversation(
    connection: AsyncConnection,
    contact_id: int,
    *,
    thread: str = "",
    subject: str | None = None,
    by: Actor = CUSTOMER,
) -> int:
    """A new conversation of the contact, who has none open in that thread. Its id."""
    made = insert(conversation).values(
        contact_id=contact_id,
        thread=thread,
        subject=subject,
        # A returning customer is spoken to in the language of the last engagement.
        language=select(conversation.c.language)
        .where(conversation.c.contact_id == contact_id)
        .order_by(conversation.c.id.desc())
        .limit(1)
        .scalar_subquery(),
    )
    opened = await connection.execute(_with_event(made, lifecycle.opened(thread=thread, subject=subject, by=by)))
    return int(opened.scalar_one())


async def apply(connection: AsyncConnection, to: Conversation, step: Step) -> None:
    """Writes a step. The caller holds the conversation's row (``locked``) since before it read ``to``."""
    values = {name: _plain(value) for name, value in step.changes.items() if name != "dialogue"}
    if "dialogue" in step.changes:
        values["dialogue"] = step.changes["dialogue"].as_json
    if "state" in values:
        values["updated_at"] = func.now()
    changed = (
        update(conversation)
        .where(conversation.c.id == to.id, conversation.c.generation == to.generation)
        .values(values)
    )
    if (await connection.execute(_with_event(changed, step.event))).one_or_none() is None:
        raise RuntimeError(f"conversation {to.id} was changed by somebody else: lock it before reading it")


def _with_event(write: Insert | Update, happened: HistoryEvent) -> Insert:
    """One way to the database for both: writes a conversation, and its event if there was one to write."""
    written = write.returning(conversation.c.id).cte("written")
    columns = {**_columns(happened), "conversation_id": written.c.id}
    values = [
        value if name == "conversation_id" else literal(value, event.c[name].type) for name, value in columns.items()
    ]
    return insert(event).from_select([*columns], select(*values)).add_cte(written).returning(event.c.conversation_id)


async def record(connection: AsyncConnection, happened: HistoryEvent) -> None:
    """Of something that changes no conversation."""
    await connection.execute(insert(event).values(_columns(happened)))


def _columns(of: HistoryEvent) -> dict[str, Any]:
    return {
        "kind": of.kind.value,
        "actor": of.actor.kind.value,
        "actor_id": of.actor.agent_id,
        "address": address_of(of),
        "data": dict(of.data),
        "conversation_id": of.conversation_id,
        "agent_id": of.agent_id,
    }


async def last_of(connection: AsyncConnection, conversation_id: int, kind: EventKind) -> HistoryEvent | None:
    """The latest event of that kind."""
    query = select(event).where(event.c.conversation_id == conversation_id, event.c.kind == kind.value)
    row = (await connection.execute(query.order_by(event.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else rows.event(row)


async def forget_refused_sign_ins(connection: AsyncConnection) -> None:
    """Deletes old events of who could not sign in. They are the only ones that strangers make: without an end
    they could fill the table."""
    old = event.c.at < func.now() - REFUSALS_KEPT
    await connection.execute(delete(event).where(event.c.kind == EventKind.SIGN_IN_REFUSED.value, old))


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value
