"""Conversations: what pages and lists show of them, and what is done with them (``acts``, ``flow``)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select

from bot.domain.conversation import Conversation, ConversationState
from bot.store import rows
from bot.store.base import CONVERSATION
from bot.store.flow import ConversationFlow
from bot.store.tables import conversation


class Conversations(ConversationFlow):
    async def get(self, conversation_id: int) -> Conversation:
        async with self._engine.connect() as connection:
            return await self._conversation(connection, conversation_id)

    async def of_contact(self, contact_id: int, *, limit: int = 10) -> list[Conversation]:
        """A contact's conversations, the newest first."""
        query = CONVERSATION.where(conversation.c.contact_id == contact_id).order_by(conversation.c.id.desc())
        async with self._engine.connect() as connection:
            return [rows.conversation(row) for row in await connection.execute(query.limit(limit))]

    async def last_case(self, contact_id: int) -> Conversation | None:
        """The contact's latest conversation that a person had or is asked for; None if there never was one."""
        query = CONVERSATION.where(
            conversation.c.contact_id == contact_id,
            or_(conversation.c.last_agent_id.is_not(None), conversation.c.queued_at.is_not(None)),
        ).order_by(conversation.c.id.desc())
        async with self._reader.connect() as connection:
            row = (await connection.execute(query.limit(1))).first()
        return None if row is None else rows.conversation(row)

    async def last_active(self, contact_ids: Iterable[int]) -> dict[int, datetime]:
        """When something last happened with each of the contacts that ever had a conversation."""
        query = (
            select(conversation.c.contact_id, func.max(conversation.c.updated_at).label("at"))
            .where(conversation.c.contact_id.in_(list(contact_ids)))
            .group_by(conversation.c.contact_id)
        )
        async with self._engine.connect() as connection:
            return {row.contact_id: row.at for row in await connection.execute(query)}

    async def queue_position(self, conversation_id: int) -> int | None:
        """The customer's place in the queue, from 1; None when not queued."""
        async with self._engine.connect() as connection:
            now = await self._conversation(connection, conversation_id)
            return await self._position(connection, now.id) if now.state is ConversationState.QUEUED else None
