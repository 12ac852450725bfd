"""What every part of the store shares: the connection, and steps inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.domain.conversation import Conversation, ConversationState, NotFound
from bot.domain.lifecycle import Step
from bot.domain.message import Author, Cleared, Message, MessageFormat
from bot.queue import Queue
from bot.store import lifecycle, rows, values
from bot.store.statements import NOTIFY_CHANNEL, SAY
from bot.store.tables import agent, contact, conversation, delivery, message
from bot.store.values import Values

CUSTOMER = contact.alias("customer")
CONVERSATION = (
    select(
        conversation,
        CUSTOMER.c.channel.label("contact_channel"),
        CUSTOMER.c.account.label("contact_account"),
        CUSTOMER.c.external_id.label("contact_external_id"),
        CUSTOMER.c.chat_id.label("contact_chat_id"),
        CUSTOMER.c.name.label("contact_name"),
        CUSTOMER.c.language.label("contact_language"),
        CUSTOMER.c.given_name.label("contact_given_name"),
        agent.c.name.label("agent_name"),
        agent.c.role.label("agent_role"),
        agent.c.password_hash.is_not(None).label("agent_has_password"),
        agent.c.public_name.label("agent_public_name"),
        agent.c.disabled_at.label("agent_disabled_at"),
        agent.c.seen_at.label("agent_seen_at"),
    )
    .join(CUSTOMER, CUSTOMER.c.id == conversation.c.contact_id)
    .outerjoin(agent, agent.c.id == conversation.c.agent_id)
)
MESSAGE = (
    select(
        message,
        agent.c.name.label("agent_name"),
        agent.c.public_name.label("agent_public_name"),
        delivery.c.state.label("delivery_state"),
        delivery.c.error.label("delivery_error"),
        delivery.c.error_said.label("delivery_error_said"),
        delivery.c.delivered_at.label("delivery_delivered_at"),
        delivery.c.read_at.label("delivery_read_at"),
    )
    .outerjoin(agent, agent.c.id == message.c.agent_id)
    .outerjoin(delivery, delivery.c.message_id == message.c.id)
)


class Database:
    """The handle that all areas of the store share."""

    def __init__(self, engine: AsyncEngine, queue: Queue, *, at_once: bool = True) -> None:
        """``at_once=False`` is for tests: everything goes the general way, step by step (``fastpath``)."""
        self.engine = engine
        self.reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        """For a single look: one round trip instead of the three of a transaction."""
        self.queue = queue
        self._wants_at_once = at_once

    @property
    def at_once(self) -> bool:
        """Whether the statements of ``fastpath`` may be taken: they go over the queue's own connections."""
        return self._wants_at_once and self.queue.is_open


class Area:
    """One subject of the store: its methods, each one transaction, and here the steps that several areas take inside
    theirs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine
        self._reader = database.reader
        self._queue = database.queue

    async def _conversation(self, connection: AsyncConnection, conversation_id: int) -> Conversation:
        row = (await connection.execute(CONVERSATION.where(conversation.c.id == conversation_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        return rows.conversation(row)

    async def _locked(self, connection: AsyncConnection, conversation_id: int) -> tuple[Conversation, datetime]:
        """The conversation, its row held until the commit, and the time of the transaction."""
        at = await lifecycle.locked(connection, conversation_id)
        return await self._conversation(connection, conversation_id), at

    async def _apply(self, connection: AsyncConnection, to: Conversation, step: Step) -> Conversation:
        """Writes a step of a conversation that is ``_locked``, and tells whoever shows it; how it is then."""
        await lifecycle.apply(connection, to, step)
        await self._notify(connection, "state", to.id, to.contact.id)
        return await self._conversation(connection, to.id)

    async def _message(self, connection: AsyncConnection, message_id: int) -> Message:
        return rows.message((await connection.execute(MESSAGE.where(message.c.id == message_id))).one())

    async def _position(self, connection: AsyncConnection, conversation_id: int) -> int:
        mine = conversation.alias("mine")
        ahead = (
            select(func.count())
            .select_from(conversation)
            .join(mine, mine.c.id == conversation_id)
            .where(
                conversation.c.state == ConversationState.QUEUED,
                or_(
                    conversation.c.priority > mine.c.priority,
                    and_(
                        conversation.c.priority == mine.c.priority,
                        or_(
                            conversation.c.queued_at < mine.c.queued_at,
                            and_(conversation.c.queued_at == mine.c.queued_at, conversation.c.id < mine.c.id),
                        ),
                    ),
                ),
            )
        )
        return int((await connection.execute(ahead)).scalar_one()) + 1

    async def _add_message(
        self,
        connection: AsyncConnection,
        conversation_id: int,
        contact_id: int,
        author: Author,
        body: Cleared,
        **values: Any,
    ) -> int:
        made = await connection.execute(
            insert(message)
            .values(conversation_id=conversation_id, contact_id=contact_id, author=author, text=body, **values)
            .returning(message.c.id)
        )
        return int(made.scalar_one())

    async def _add_outgoing(self, connection: AsyncConnection, said: Values) -> Any:
        """A message to the customer, of ``values.said``; its id, and whether it is ``shown`` already."""
        return await self._queue.within(connection, SAY, said)

    async def _add_notice(
        self, connection: AsyncConnection, to: Conversation, body: Cleared, *, held_for: timedelta = timedelta()
    ) -> None:
        """The desk's own words to the customer."""
        await self._add_outgoing(
            connection, values.said(to, Author.SYSTEM, body, MessageFormat.MARKDOWN, held_for=held_for)
        )

    async def _withdraw_held(self, connection: AsyncConnection, conversation_id: int) -> bool:
        """Takes back what is held back in a conversation, as if it had never been written; whether there was any. The
        caller holds the conversation's row."""
        held = (
            await connection.execute(
                select(message.c.id)
                .where(message.c.conversation_id == conversation_id, message.c.held_until.is_not(None))
                .with_for_update()
            )
        ).scalars()
        ids = list(held)
        if ids:
            await connection.execute(delete(delivery).where(delivery.c.message_id.in_(ids)))
            await connection.execute(delete(message).where(message.c.id.in_(ids)))
        return bool(ids)

    async def _lock_contact_of(self, connection: AsyncConnection, message_id: int) -> Any:
        """Cursors are given under the contact's row lock: who has read up to a cursor has missed nothing. Raises
        ``NotFound`` for an unknown message."""
        found = (
            await connection.execute(
                select(message.c.conversation_id, message.c.contact_id)
                .join(contact, contact.c.id == message.c.contact_id)
                .where(message.c.id == message_id)
                # Past the references of what is written meanwhile.
                .with_for_update(of=contact, key_share=True)
            )
        ).one_or_none()
        if found is None:
            raise NotFound(f"there is no message {message_id}")
        return found

    async def _notify(
        self, connection: AsyncConnection, kind: str, conversation_id: int, contact_id: int, opened_by: str = ""
    ) -> None:
        """Tells the feeds of all replicas, when this transaction commits."""
        payload = json.dumps(
            {"kind": kind, "conversation_id": conversation_id, "contact_id": contact_id, "opened_by": opened_by}
        )
        await connection.execute(select(func.pg_notify(NOTIFY_CHANNEL, payload)))


def in_language(texts: Mapping[str, Cleared], language: str | None) -> Cleared:
    """The text in the language, else the default one."""
    return texts.get(language or "") or texts[""]
