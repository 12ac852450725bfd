"""What agents do with conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import (
    Attachment,
    Author,
    Conversation,
    ConversationState,
    DeliveryState,
    Message,
    MessageFormat,
    NotFound,
    Priority,
    StateConflict,
    Visibility,
)
from bot.queue import DELIVER
from bot.store import rows, tables
from bot.store.base import Base
from bot.store.tables import contact, conversation, delivery, failure, message, message_version


class DeskWork(Base):
    async def claim(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Gives the conversation to the agent, from the queue or from the bot.

        ``notice`` holds, by locale, the words that tell the customer who joined; the conversation's own
        locale is taken, else the key ``""``. Raises ``StateConflict`` when another agent was faster; an
        agent who claims what is theirs already gets it as it is.
        """
        async with self._engine.begin() as connection:
            claimed = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == conversation_id,
                    conversation.c.state.in_([ConversationState.BOT, ConversationState.QUEUED]),
                )
                .values(
                    state=ConversationState.ASSIGNED,
                    agent_id=agent_id,
                    generation=conversation.c.generation + 1,
                    updated_at=func.now(),
                    misses=0,
                    last_answer=None,
                    offered=[],
                )
            )
            now = await self._conversation(connection, conversation_id)
            if claimed.rowcount == 0:
                if now.agent is not None and now.agent.id == agent_id:
                    return now
                raise StateConflict(_taken_by(now), now)
            await self._add_outgoing(
                connection, now, Author.SYSTEM, _in_language(notice, now.language), MessageFormat.MARKDOWN
            )
            await self._notify(connection, "state", now.id, now.contact.id)
            return now

    async def add_reply(
        self,
        conversation_id: int,
        agent_id: int,
        body: str,
        *,
        attachments: Sequence[Attachment] = (),
        reply_to: int | None = None,
        after: int | None = None,
    ) -> Message:
        """Writes an agent's words to the customer. Only the agent who has the conversation may.

        The content of ``attachments`` is stored (``add_file``); ``reply_to`` is a message of the same contact, and
        ``NotFound`` if it is not. ``after`` is the latest reply of theirs that the agent knew of, 0 if none: the same
        words behind it are the same reply, sent again by somebody who did not hear that it was written."""
        async with self._engine.begin() as connection:
            now = await self._held(connection, conversation_id, agent_id)
            if after is not None:
                written = await self._written(connection, now.id, agent_id, after, body, rows.to_json(attachments))
                if written is not None:
                    return await self._message(connection, written)
            if reply_to is not None:
                await self._check_answered(connection, reply_to, now.contact.id)
            message_id = await self._add_outgoing(
                connection,
                now,
                Author.AGENT,
                body,
                MessageFormat.TEXT,
                agent_id=agent_id,
                attachments=rows.to_json(attachments),
                reply_to=reply_to,
            )
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, message_id)

    async def _written(
        self, connection: AsyncConnection, conversation_id: int, agent_id: int, after: int, body: str, attachments: Any
    ) -> int | None:
        found = await connection.execute(
            select(message.c.id)
            .where(
                message.c.conversation_id == conversation_id,
                message.c.id > after,
                message.c.agent_id == agent_id,
                message.c.visibility == Visibility.PUBLIC,
                message.c.text == body,
                message.c.attachments == attachments,
            )
            .limit(1)
        )
        return found.scalar_one_or_none()

    async def _check_answered(self, connection: AsyncConnection, message_id: int, contact_id: int) -> None:
        found = await connection.execute(
            select(message.c.id).where(
                message.c.id == message_id,
                message.c.contact_id == contact_id,
                message.c.visibility == Visibility.PUBLIC,
            )
        )
        if found.one_or_none() is None:
            raise NotFound(f"there is no message {message_id} in this conversation to answer")

    async def edit_reply(self, message_id: int, agent_id: int, body: str) -> Message:
        """Gives a reply other words; the customer's side follows. Only who wrote it may, and not once it is
        deleted: ``NotFound`` otherwise. The words it had are kept as a version."""
        async with self._engine.begin() as connection:
            found = await self._own_reply(connection, message_id, agent_id)
            if found.text != body:
                await connection.execute(
                    insert(message_version).values(
                        message_id=message_id, external_id=f"desk:{found.version}", text=found.text
                    )
                )
                await self._change(connection, found, {"text": body, "edited_at": func.now()})
            return await self._message(connection, message_id)

    async def delete_reply(self, message_id: int, agent_id: int) -> Message:
        """Takes a reply back; it disappears at the customer's. As ``edit_reply``; the words are kept."""
        async with self._engine.begin() as connection:
            found = await self._own_reply(connection, message_id, agent_id)
            await self._change(connection, found, {"deleted_at": func.now()})
            return await self._message(connection, message_id)

    async def _own_reply(self, connection: AsyncConnection, message_id: int, agent_id: int) -> Any:
        found = (
            await connection.execute(
                select(message, delivery.c.version)
                .join(contact, contact.c.id == message.c.contact_id)
                .join(delivery, delivery.c.message_id == message.c.id)
                .where(
                    message.c.id == message_id,
                    message.c.author == Author.AGENT,
                    message.c.agent_id == agent_id,
                    message.c.deleted_at.is_(None),
                )
                # All three: what is not locked would be read as it was before the wait for the lock.
                .with_for_update(of=(contact, message, delivery))
            )
        ).one_or_none()
        if found is None:
            raise NotFound(f"there is no reply {message_id} of yours that can still be changed")
        return found

    async def _change(self, connection: AsyncConnection, found: Any, values: Mapping[str, Any]) -> None:
        await connection.execute(
            update(message)
            .where(message.c.id == found.id)
            .values({**values, "revision": None if found.cursor is None else tables.message_cursor.next_value()})
        )
        await connection.execute(
            update(delivery)
            .where(delivery.c.message_id == found.id)
            .values(
                state=DeliveryState.PENDING,
                version=delivery.c.version + 1,
                placed=0,
                error=None,
                next_attempt_at=func.now(),
            )
        )
        # In other words it may well go out.
        await connection.execute(delete(failure).where(failure.c.task == DELIVER, failure.c.message_id == found.id))
        await self._queue.defer_delivery(connection, found.id, found.contact_id, urgent=True)
        await self._notify(connection, "message", found.conversation_id, found.contact_id)

    async def add_note(self, conversation_id: int, agent_id: int, body: str) -> Message:
        """Writes a private note. Any agent may, at any time."""
        async with self._engine.begin() as connection:
            now = await self._conversation(connection, conversation_id)
            message_id = await self._add_message(
                connection,
                now.id,
                now.contact.id,
                Author.AGENT,
                body,
                visibility=Visibility.PRIVATE,
                agent_id=agent_id,
            )
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, message_id)

    async def hand_back(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Returns the conversation to the bot. ``notice`` as in ``claim``."""
        return await self._release(conversation_id, agent_id, ConversationState.BOT, notice)

    async def resolve(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Closes the conversation; the customer's next message opens a new one. ``notice`` as in ``claim``."""
        return await self._release(conversation_id, agent_id, ConversationState.RESOLVED, notice)

    async def _release(
        self, conversation_id: int, agent_id: int, state: ConversationState, notice: Mapping[str, str]
    ) -> Conversation:
        async with self._engine.begin() as connection:
            held = await self._held(connection, conversation_id, agent_id)
            await connection.execute(
                update(conversation)
                .where(conversation.c.id == held.id)
                .values(
                    state=state,
                    agent_id=None,
                    generation=conversation.c.generation + 1,
                    updated_at=func.now(),
                    resolved_at=func.now() if state is ConversationState.RESOLVED else None,
                    queued_at=None,
                    priority=int(Priority.NORMAL),
                    reason=None,
                )
            )
            await self._add_outgoing(
                connection, held, Author.SYSTEM, _in_language(notice, held.language), MessageFormat.MARKDOWN
            )
            verb = "resolved" if state is ConversationState.RESOLVED else "handed back to the bot"
            await self._add_message(
                connection,
                held.id,
                held.contact.id,
                Author.SYSTEM,
                f"{held.agent.name if held.agent else 'An agent'} {verb}.",
                visibility=Visibility.PRIVATE,
            )
            await self._notify(connection, "state", held.id, held.contact.id)
            return await self._conversation(connection, held.id)

    async def _held(self, connection: AsyncConnection, conversation_id: int, agent_id: int) -> Conversation:
        """The conversation, its row locked, if the agent has it; ``StateConflict`` otherwise."""
        await connection.execute(
            select(conversation.c.id).where(conversation.c.id == conversation_id).with_for_update()
        )
        now = await self._conversation(connection, conversation_id)
        if now.agent is None or now.agent.id != agent_id:
            raise StateConflict(_taken_by(now), now)
        return now


def _in_language(texts: Mapping[str, str], language: str | None) -> str:
    return texts.get(language or "") or texts[""]


def _taken_by(now: Conversation) -> str:
    if now.agent is not None:
        return f"{now.agent.name} has this conversation"
    return f"this conversation is {now.state.value}"
