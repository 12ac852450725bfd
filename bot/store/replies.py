"""What agents write: replies to the customer, other words for them, and private notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import lifecycle
from bot.domain.conversation import NotFound
from bot.domain.lines import Kind, line
from bot.domain.message import Attachment, Author, ClearedWords, DeliveryState, Message, MessageFormat, Visibility
from bot.domain.said import Refusal
from bot.domain.staff import NotAllowed, Permission, may
from bot.queue import DELIVER
from bot.store import rows, tables, values
from bot.store.base import Area
from bot.store.lifecycle import apply, record
from bot.store.tables import agent, contact, delivery, failure, message, message_version


class Replies(Area):
    async def add(
        self,
        conversation_id: int,
        agent_id: int,
        body: ClearedWords,
        *,
        attachments: Sequence[Attachment] = (),
        reply_to: int | None = None,
        submission: str | None = None,
    ) -> Message:
        """Writes an agent's words to the customer. Only the agent who has the conversation may.

        The content of ``attachments`` is stored (``add_file``); ``reply_to`` is a message of the same contact, and
        ``NotFound`` if it is not. What comes again under the same ``submission`` is written already, whatever became
        of the conversation since: that message is returned. ``ValueError`` where that id names something else."""
        said: dict[str, Any] = {
            "author": Author.AGENT,
            "agent_id": agent_id,
            "visibility": Visibility.PUBLIC,
            "text": body,
            "attachments": rows.to_json(attachments),
        }
        async with self._engine.begin() as connection:
            now, _ = await self._locked(connection, conversation_id)
            if known := await self._submitted(connection, conversation_id, submission, said):
                return await self._message(connection, known)
            answered = lifecycle.answer(now, agent_id)
            if reply_to is not None:
                await self._check_answered(connection, reply_to, now.contact.id)
            added = await self._add_outgoing(
                connection,
                values.said(
                    now,
                    Author.AGENT,
                    body,
                    MessageFormat.TEXT,
                    agent_id=agent_id,
                    attachments=attachments,
                    reply_to=reply_to,
                    submission=submission,
                ),
            )
            if answered is not None:
                await apply(connection, now, answered)
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, added.id)

    async def add_note(
        self, conversation_id: int, agent_id: int, body: ClearedWords, *, submission: str | None = None
    ) -> Message:
        """Writes a private note. Any agent may, at any time; ``submission`` as in ``add_reply``."""
        said = {"author": Author.AGENT, "agent_id": agent_id, "visibility": Visibility.PRIVATE, "text": body}
        async with self._engine.begin() as connection:
            now, _ = await self._locked(connection, conversation_id)
            if known := await self._submitted(connection, conversation_id, submission, said):
                return await self._message(connection, known)
            message_id = await self._add_message(
                connection,
                now.id,
                now.contact.id,
                Author.AGENT,
                body,
                visibility=Visibility.PRIVATE,
                agent_id=agent_id,
                submission=submission,
            )
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, message_id)

    async def delete_note(self, message_id: int, agent_id: int) -> Message:
        """Deletes a private note for good: its words are nowhere any more, and who deleted it stands in their place.

        Only who wrote it may, and who may delete what colleagues noted: ``NotAllowed`` for others, ``NotFound`` where
        there is no such note any more."""
        of_note = select(message).where(
            message.c.id == message_id,
            message.c.author == Author.AGENT,
            message.c.visibility == Visibility.PRIVATE,
            message.c.deleted_at.is_(None),
        )
        async with self._engine.begin() as connection:
            by = rows.agent((await connection.execute(select(agent).where(agent.c.id == agent_id))).one())
            where = await connection.execute(of_note.with_only_columns(message.c.conversation_id))
            now, _ = await self._locked(connection, _found(where.scalar_one_or_none(), message_id))
            note = _found((await connection.execute(of_note.with_for_update())).one_or_none(), message_id)
            needed = Permission.ANSWER_CUSTOMERS if note.agent_id == by.id else Permission.DELETE_NOTES
            if not may(by, needed):
                raise NotAllowed(needed, by.id)
            said = line(Kind.NOTE_DELETED, agent=by.name)
            values = {"text": said.words, "payload": said.payload, "context": None, "deleted_at": func.now()}
            await connection.execute(delete(message_version).where(message_version.c.message_id == note.id))
            await connection.execute(update(message).where(message.c.id == note.id).values(values))
            await record(connection, lifecycle.note_deleted(now, by.id, note.id, note.agent_id))
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, note.id)

    async def _submitted(
        self, connection: AsyncConnection, conversation_id: int, submission: str | None, values: Mapping[str, Any]
    ) -> int | None:
        """The message that was written under this id; the caller holds the conversation's row, so none is under way.
        ``values`` are what would be written now."""
        if submission is None:
            return None
        found = (await connection.execute(select(message).where(message.c.submission == submission))).one_or_none()
        if found is None:
            return None
        same = found.conversation_id == conversation_id and all(
            # Its words may have been changed since, or a note deleted.
            getattr(found, name) == value or (name == "text" and (found.edited_at or found.deleted_at) is not None)
            for name, value in values.items()
        )
        if not same:
            words = "the page sent something else under this number already; send it once more"
            raise Refusal(words, "refusal.submission_taken")
        return int(found.id)

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

    async def edit(self, message_id: int, agent_id: int, body: ClearedWords) -> Message:
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

    async def delete(self, message_id: int, agent_id: int) -> Message:
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


def _found(row: Any, message_id: int) -> Any:
    if row is None:
        raise NotFound(f"there is no note {message_id} that can still be deleted")
    return row
