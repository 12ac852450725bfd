"""The content of attachments, by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from bot.domain.conversation import Contact, NotFound
from bot.domain.message import Attachment, Message, Visibility
from bot.store import rows
from bot.store.base import Area
from bot.store.tables import contact, file, message


class Files(Area):
    async def add(self, content: bytes) -> str:
        """Keeps the content, once however often it is given; returns the SHA-256 that names it."""
        sha256 = hashlib.sha256(content).hexdigest()
        async with self._engine.begin() as connection:
            await connection.execute(upsert(file).values(sha256=sha256, content=content).on_conflict_do_nothing())
        return sha256

    async def get(self, sha256: str) -> bytes:
        """The content. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            found = (
                await connection.execute(select(file.c.content).where(file.c.sha256 == sha256))
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"there is no file {sha256}")
        return bytes(found)

    async def attached(self, message_id: int, index: int) -> Attachment:
        """An attachment of a message, from 0. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            found = (
                await connection.execute(select(message.c.attachments).where(message.c.id == message_id))
            ).scalar_one_or_none()
        if found is None or not 0 <= index < len(found):
            raise NotFound(f"message {message_id} has no attachment {index}")
        return rows.attachment(found[index])

    async def shown_attachment(self, contact_id: int, cursor: int, index: int) -> Attachment:
        """An attachment, from 0, of the message with that cursor. Raises ``NotFound``, also where the contact did not
        get to see that message or does no longer."""
        async with self._engine.connect() as connection:
            found = (
                await connection.execute(
                    select(message.c.attachments).where(
                        message.c.contact_id == contact_id,
                        message.c.cursor == cursor,
                        message.c.visibility == Visibility.PUBLIC,
                        message.c.deleted_at.is_(None),
                    )
                )
            ).scalar_one_or_none()
        if found is None or not 0 <= index < len(found):
            raise NotFound("there is no such file in this conversation")
        return rows.attachment(found[index])

    async def begin_fetch(self, message_id: int) -> tuple[Message, Contact] | None:
        """A message and its sender, if some of its attachments have neither content nor a problem yet."""
        async with self._engine.connect() as connection:
            found = await self._message(connection, message_id)
            if all(attachment.sha256 or attachment.problem for attachment in found.attachments):
                return None
            row = (
                await connection.execute(
                    select(contact)
                    .join(message, message.c.contact_id == contact.c.id)
                    .where(message.c.id == message_id)
                )
            ).one()
            return found, rows.contact_of(row)

    async def record_fetched(self, message_id: int, attachments: Sequence[Attachment]) -> None:
        """What became of a message's attachments: the same ones, with their content's name or the problem."""
        async with self._engine.begin() as connection:
            changed = (
                await connection.execute(
                    update(message)
                    .where(
                        message.c.id == message_id,
                        func.jsonb_array_length(message.c.attachments) == len(attachments),
                    )
                    .values(attachments=rows.to_json(attachments))
                    .returning(message.c.conversation_id, message.c.contact_id)
                )
            ).one_or_none()
            if changed is not None:
                await self._notify(connection, "message", changed.conversation_id, changed.contact_id)

    async def beginnings(self, sha256s: Iterable[str], size: int) -> dict[str, bytes]:
        """The first ``size`` bytes of files, which tell what they are."""
        query = select(file.c.sha256, func.substr(file.c.content, 1, size).label("head")).where(
            file.c.sha256.in_(list(sha256s))
        )
        async with self._engine.connect() as connection:
            return {row.sha256: bytes(row.head) for row in await connection.execute(query)}
