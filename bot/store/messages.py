"""Messages, as pages and the customer's transcript show them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, func, select

from bot.domain.message import Message, MessageVersion, Visibility
from bot.store import rows
from bot.store.base import MESSAGE, Area
from bot.store.tables import message, message_version

_REVISION = func.coalesce(message.c.revision, message.c.cursor)
_SEEN = MESSAGE.where(
    message.c.contact_id == bindparam("contact"),
    message.c.cursor.is_not(None),
    message.c.visibility == Visibility.PUBLIC,
).limit(bindparam("limit"))
_NEWS = _SEEN.where(bindparam("after") < _REVISION).order_by(_REVISION)
_LATEST = _SEEN.order_by(message.c.cursor.desc())
"""Asked for by every open page whenever something happens, and so written down once."""


BEFORE = 100
"""Messages that are shown before one that is older than a page of a conversation has."""


class Messages(Area):
    async def of(self, conversation_id: int, *, limit: int = 500, through: int | None = None) -> list[Message]:
        """The last ``limit`` messages of a conversation, notes included, oldest first, with their versions. Where the
        message ``through`` is older than those: it, ``BEFORE`` of those before it, and what followed it."""
        mine = MESSAGE.where(message.c.conversation_id == conversation_id)
        async with self._engine.connect() as connection:
            found = list(await connection.execute(mine.order_by(message.c.id.desc()).limit(limit)))[::-1]
            if through is not None and len(found) == limit and through < found[0].id:
                earlier = mine.where(message.c.id < through).order_by(message.c.id.desc()).limit(BEFORE)
                later = mine.where(message.c.id >= through).order_by(message.c.id).limit(limit - BEFORE)
                found = list(await connection.execute(earlier))[::-1] + list(await connection.execute(later))
            versions: dict[int, list[MessageVersion]] = {}
            edited = [row.id for row in found if row.edited_at is not None]
            if edited:
                for row in await connection.execute(
                    select(message_version)
                    .where(message_version.c.message_id.in_(edited))
                    .order_by(message_version.c.id)
                ):
                    versions.setdefault(row.message_id, []).append(rows.version(row))
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

    async def some(self, message_ids: Iterable[int]) -> dict[int, Message]:
        """The messages of these ids, of whatever conversation, without their versions."""
        async with self._engine.connect() as connection:
            found = await connection.execute(MESSAGE.where(message.c.id.in_(list(message_ids))))
            return {row.id: rows.message(row) for row in found}

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
