"""The content of attachments, by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, and_, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import Contact, NotFound
from bot.domain.message import Attachment, ClearedContent, Message, Visibility
from bot.domain.parts import carried
from bot.domain.secret import FoundInFile, found_in_file
from bot.store import rows
from bot.store.base import Area
from bot.store.tables import contact, file, message, message_version

UNNAMED_KEPT = timedelta(days=2)
FORGOTTEN_AT_ONCE = 500
_NAMED = func.jsonb_build_array(func.jsonb_build_object("sha256", file.c.sha256))
"""What the attachments of a message contain that has the file of the row."""
UNNAMED = and_(
    # The first halves are those of the indexes.
    ~exists().where(message.c.attachments != text("'[]'"), message.c.attachments.contains(_NAMED)),
    ~exists().where(message_version.c.attachments.is_not(None), message_version.c.attachments.contains(_NAMED)),
)
"""No message has the file of the row, as it is or as it was."""


class Files(Area):
    async def add(self, content: ClearedContent, found: FoundInFile | None = None) -> str:
        """Keeps the content with what was ``found`` in it, once however often it is given; returns the SHA-256 that
        names it. It is kept for ``UNNAMED_KEPT`` at least, and as long as a message names it."""
        async with self._engine.begin() as connection:
            return await keep(connection, content, found)

    async def forget_unnamed(self) -> int:
        """Deletes content that was added more than ``UNNAMED_KEPT`` ago and that no message names, as it is or as it
        was: an upload whose message was never sent. How much there was."""
        unnamed = (
            select(file.c.sha256)
            .where(file.c.created_at < func.now() - UNNAMED_KEPT, UNNAMED)
            # A file that is added again in this moment is left.
            .with_for_update(skip_locked=True, of=file)
            .limit(FORGOTTEN_AT_ONCE)
        )
        async with self._engine.begin() as connection:
            gone = await connection.execute(delete(file).where(file.c.sha256.in_(unnamed)))
        return gone.rowcount

    async def get(self, sha256: str) -> bytes:
        """The content. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            found = (
                await connection.execute(select(file.c.content).where(file.c.sha256 == sha256))
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"there is no file {sha256}")
        return bytes(found)

    async def attached(self, message_id: int, index: int, *, version: int | None = None) -> Attachment:
        """An attachment of a message, from 0, as it is or as the version was. Raises ``NotFound``."""
        query = select(message.c.attachments).where(message.c.id == message_id)
        if version is not None:
            query = select(message_version.c.attachments).where(
                message_version.c.message_id == message_id, message_version.c.id == version
            )
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
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
        """A message with its versions, and its sender, if some of its attachments, now or before an edit, have neither
        content nor a problem yet."""
        async with self._engine.connect() as connection:
            found = await self._message(connection, message_id)
            earlier = await connection.execute(
                select(message_version)
                .where(message_version.c.message_id == message_id, message_version.c.attachments.is_not(None))
                .order_by(message_version.c.id)
            )
            found = replace(found, versions=tuple(map(rows.version, earlier)))
            known = (found.attachments, *(version.attachments or () for version in found.versions))
            if all(one.sha256 or one.problem for attachments in known for one in attachments):
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
        """What became of a message's attachments, which now have their content's name or the problem: wherever the
        message, or a version of it, has one by its reference. It may have been edited meanwhile."""
        async with self._engine.begin() as connection:
            found = (
                await connection.execute(select(message).where(message.c.id == message_id).with_for_update())
            ).one_or_none()
            if found is None:
                return
            await self._fill(connection, message, found, attachments)
            earlier = await connection.execute(
                select(message_version).where(
                    message_version.c.message_id == message_id, message_version.c.attachments.is_not(None)
                )
            )
            for version in earlier.all():
                await self._fill(connection, message_version, version, attachments)
            await self._notify(connection, "message", found.conversation_id, found.contact_id)

    async def _fill(
        self, connection: AsyncConnection, table: Table, row: Any, attachments: Sequence[Attachment]
    ) -> None:
        before = tuple(map(rows.attachment, row.attachments))
        after = carried(before, attachments)
        if after != before:
            await connection.execute(update(table).where(table.c.id == row.id).values(attachments=rows.to_json(after)))

    async def found(self, sha256s: Iterable[str]) -> dict[str, FoundInFile]:
        """What was found in files, of those that were searched or could not be."""
        query = select(file.c.sha256, file.c.found).where(file.c.sha256.in_(list(sha256s)), file.c.found.is_not(None))
        async with self._reader.connect() as connection:
            return {row.sha256: found_in_file(row.found) for row in await connection.execute(query)}

    async def beginnings(self, sha256s: Iterable[str], size: int) -> dict[str, bytes]:
        """The first ``size`` bytes of files, which tell what they are."""
        query = select(file.c.sha256, func.substr(file.c.content, 1, size).label("head")).where(
            file.c.sha256.in_(list(sha256s))
        )
        async with self._engine.connect() as connection:
            return {row.sha256: bytes(row.head) for row in await connection.execute(query)}


async def keep(connection: AsyncConnection, content: ClearedContent, found: FoundInFile | None) -> str:
    """Keeps a file's content within a transaction; the SHA-256 that names it."""
    sha256 = hashlib.sha256(content).hexdigest()
    added = upsert(file).values(sha256=sha256, content=content, found=None if found is None else found.as_json)
    # Given again, it is new again: or it would be forgotten before the message that will name it is written.
    again = {"created_at": func.now(), "found": func.coalesce(file.c.found, added.excluded.found)}
    await connection.execute(added.on_conflict_do_update(index_elements=["sha256"], set_=again))
    return sha256
