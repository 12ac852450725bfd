"""What pages and lists show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from bot.domain.conversation import Conversation, ConversationState, EscalationReason
from bot.domain.decision import Action, Turn
from bot.domain.engine import Ranked
from bot.domain.message import Author, Message, MessageVersion, Visibility
from bot.store import rows
from bot.store.base import CONVERSATION, MESSAGE, Base
from bot.store.tables import conversation, file, message, message_version, turn

_REVISION = func.coalesce(message.c.revision, message.c.cursor)
_SEEN = MESSAGE.where(
    message.c.contact_id == bindparam("contact"),
    message.c.cursor.is_not(None),
    message.c.visibility == Visibility.PUBLIC,
).limit(bindparam("limit"))
_NEWS = _SEEN.where(bindparam("after") < _REVISION).order_by(_REVISION)
_LATEST = _SEEN.order_by(message.c.cursor.desc())
"""Asked for by every open page whenever something happens, and so written down once."""


class Reading(Base):
    async def conversation(self, conversation_id: int) -> Conversation:
        async with self._engine.connect() as connection:
            return await self._conversation(connection, conversation_id)

    async def conversations(
        self, *states: ConversationState, agent_id: int | None = None, limit: int = 100
    ) -> list[Conversation]:
        """Conversations in one of ``states``. The queue in the order in which it is served (priority,
        then waiting time); everything else the latest first."""
        if states == (ConversationState.QUEUED,):
            order: tuple[Any, ...] = (conversation.c.priority.desc(), conversation.c.queued_at, conversation.c.id)
        else:
            order = (conversation.c.updated_at.desc(), conversation.c.id.desc())
        query = CONVERSATION.where(conversation.c.state.in_(states)).order_by(*order).limit(limit)
        if agent_id is not None:
            query = query.where(conversation.c.agent_id == agent_id)
        async with self._engine.connect() as connection:
            return [rows.conversation(row) for row in await connection.execute(query)]

    async def conversations_of(self, contact_id: int, *, limit: int = 10) -> list[Conversation]:
        """A contact's conversations, the newest first."""
        query = CONVERSATION.where(conversation.c.contact_id == contact_id).order_by(conversation.c.id.desc())
        async with self._engine.connect() as connection:
            return [rows.conversation(row) for row in await connection.execute(query.limit(limit))]

    async def last_active(self, contact_ids: Iterable[int]) -> dict[int, datetime]:
        """When something last happened with each of the contacts that ever had a conversation."""
        query = (
            select(conversation.c.contact_id, func.max(conversation.c.updated_at).label("at"))
            .where(conversation.c.contact_id.in_(list(contact_ids)))
            .group_by(conversation.c.contact_id)
        )
        async with self._engine.connect() as connection:
            return {row.contact_id: row.at for row in await connection.execute(query)}

    async def count(self, state: ConversationState, *, agent_id: int | None = None) -> int:
        """How many conversations are in ``state``, of all or of one agent."""
        query = select(func.count()).select_from(conversation).where(conversation.c.state == state)
        if agent_id is not None:
            query = query.where(conversation.c.agent_id == agent_id)
        async with self._engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def last_messages(
        self, conversation_ids: Iterable[int], *, author: Author | None = None
    ) -> dict[int, Message]:
        """The latest public message of each conversation, of anybody or of ``author``: what a list shows."""
        query = (
            MESSAGE.where(
                message.c.conversation_id.in_(list(conversation_ids)), message.c.visibility == Visibility.PUBLIC
            )
            .ext(distinct_on(message.c.conversation_id))
            .order_by(message.c.conversation_id, message.c.id.desc())
        )
        if author is not None:
            query = query.where(message.c.author == author)
        async with self._engine.connect() as connection:
            return {row.conversation_id: rows.message(row) for row in await connection.execute(query)}

    async def messages(self, conversation_id: int, *, limit: int = 500) -> list[Message]:
        """The last ``limit`` messages of a conversation, notes included, oldest first, with their versions."""
        newest = MESSAGE.where(message.c.conversation_id == conversation_id).order_by(message.c.id.desc()).limit(limit)
        async with self._engine.connect() as connection:
            found = list(await connection.execute(newest))[::-1]
            versions: dict[int, list[MessageVersion]] = {}
            edited = [row.id for row in found if row.edited_at is not None]
            if edited:
                for row in await connection.execute(
                    select(message_version)
                    .where(message_version.c.message_id.in_(edited))
                    .order_by(message_version.c.id)
                ):
                    versions.setdefault(row.message_id, []).append(MessageVersion(row.text, row.replaced_at))
            return [rows.message(row, versions.get(row.id, ())) for row in found]

    async def histories(self, conversation_ids: Iterable[int], *, limit: int) -> dict[int, list[Message]]:
        """The last ``limit`` messages of each conversation, notes included, oldest first, without their versions."""
        place = func.row_number().over(partition_by=message.c.conversation_id, order_by=message.c.id.desc())
        newest = (
            select(message.c.id, place.label("place"))
            .where(message.c.conversation_id.in_(list(conversation_ids)))
            .subquery()
        )
        query = MESSAGE.join(newest, newest.c.id == message.c.id).where(newest.c.place <= limit).order_by(message.c.id)
        found: dict[int, list[Message]] = {}
        async with self._engine.connect() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.conversation_id, []).append(rows.message(row))
        return found

    async def some_messages(self, message_ids: Iterable[int]) -> dict[int, Message]:
        """The messages of these ids, of whatever conversation, without their versions."""
        async with self._engine.connect() as connection:
            found = await connection.execute(MESSAGE.where(message.c.id.in_(list(message_ids))))
            return {row.id: rows.message(row) for row in found}

    async def beginnings(self, sha256s: Iterable[str], size: int) -> dict[str, bytes]:
        """The first ``size`` bytes of files, which tell what they are."""
        query = select(file.c.sha256, func.substr(file.c.content, 1, size).label("head")).where(
            file.c.sha256.in_(list(sha256s))
        )
        async with self._engine.connect() as connection:
            return {row.sha256: bytes(row.head) for row in await connection.execute(query)}

    async def turns(self, conversation_id: int) -> dict[int, Turn]:
        """What the bot did, by message id."""
        query = select(turn).where(turn.c.conversation_id == conversation_id, turn.c.done)
        async with self._engine.connect() as connection:
            return {
                row.message_id: Turn(
                    row.message_id,
                    None if row.action is None else Action(row.action),
                    None if row.reason is None else EscalationReason(row.reason),
                    row.topic,
                    tuple(Ranked(name, confidence) for name, confidence in row.ranking or ()),
                )
                for row in await connection.execute(query)
            }

    async def queue_position(self, conversation_id: int) -> int | None:
        """The customer's place in the queue, from 1; None when not queued."""
        async with self._engine.connect() as connection:
            now = await self._conversation(connection, conversation_id)
            return await self._position(connection, now.id) if now.state is ConversationState.QUEUED else None

    async def transcript(self, contact_id: int, *, after: int = 0, limit: int = 200) -> list[Message]:
        """What the customer got to see behind cursor ``after``, in that order: new messages, and known ones
        that were edited or taken back since, both told by ``Message.revision``. With ``after=0`` the latest
        ``limit`` messages as they are now. Private notes are never part of it."""
        async with self._reader.connect() as connection:
            if after:
                news = await connection.execute(_NEWS, {"contact": contact_id, "after": after, "limit": limit})
                return [rows.message(row) for row in news]
            latest = await connection.execute(_LATEST, {"contact": contact_id, "limit": limit})
            return [rows.message(row) for row in latest][::-1]
