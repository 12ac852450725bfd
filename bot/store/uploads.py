"""Files that customers bring before the message that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import NotFound
from bot.domain.message import Attachment, ClearedContent
from bot.domain.secret import FoundInFile
from bot.domain.uploads import DAY, LEAST, DailyBounds, OtherContent, Upload, UploadsFull
from bot.store.base import Area
from bot.store.files import keep
from bot.store.tables import upload

_ONE_AT_A_TIME = 0x75706C6F
"""Names the lock under which uploads are counted and written: or two at once would both find the last room."""
_LATELY = upload.c.created_at > func.now() - DAY


@dataclass(frozen=True, slots=True)
class _Owner:
    channel: str
    account: str
    contact: str

    @property
    def channels(self) -> ColumnElement[bool]:
        """All uploads of this channel."""
        return and_(upload.c.channel == self.channel, upload.c.account == self.account)

    @property
    def mine(self) -> ColumnElement[bool]:
        return and_(self.channels, upload.c.contact == self.contact)


class Uploads(Area):
    """``bot.ports.Uploads``. Content is kept for ``files.UNNAMED_KEPT``, an upload only for ``DAY``: what can still be
    named is still there."""

    async def admit(self, channel: str, account: str, contact: str, size: int, bounds: DailyBounds) -> None:
        async with self._reader.connect() as connection:
            await _admit(connection, _Owner(channel, account, contact), size, bounds)

    async def add(
        self,
        channel: str,
        account: str,
        contact: str,
        brought: Upload,
        content: ClearedContent,
        bounds: DailyBounds,
        found: FoundInFile | None = None,
    ) -> Attachment:
        """``found`` as of ``Files.add``; the rest as of ``bot.ports.Uploads``."""
        owner = _Owner(channel, account, contact)
        sha256 = hashlib.sha256(content).hexdigest()
        async with self._engine.begin() as connection:
            if known := await _known(connection, owner, brought.id, sha256):
                return known
            # Its many bytes first, and only what takes a moment under the lock; if there is no room, neither is kept.
            await keep(connection, content, found)
            await connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            if known := await _known(connection, owner, brought.id, sha256):
                return known  # it came twice at once, and the other was first
            await _admit(connection, owner, len(content), bounds)
            values = {
                "channel": channel,
                "account": account,
                "contact": contact,
                "upload_id": brought.id,
                "kind": brought.kind,
                "name": brought.name,
                "media_type": brought.media_type,
                "size": len(content),
                "sha256": sha256,
            }
            made = await connection.execute(insert(upload).values(values).returning(upload))
            return _attachment(made.one())

    async def named(self, channel: str, account: str, contact: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
        async with self._reader.connect() as connection:
            found = await _found(connection, _Owner(channel, account, contact), ids)
        by_id = {attachment.reference: attachment for attachment in found}
        if missing := [one for one in ids if one not in by_id]:
            raise NotFound(f"there is no upload {missing[0]}")
        return tuple(by_id[one] for one in ids)

    async def forget_old(self) -> int:
        """Deletes what no message can name any more; its content goes by itself. How much there was."""
        async with self._engine.begin() as connection:
            return (await connection.execute(delete(upload).where(~_LATELY))).rowcount


async def _admit(connection: AsyncConnection, owner: _Owner, size: int, bounds: DailyBounds) -> None:
    brought = (
        await connection.execute(
            select(_sum().label("all"), _sum(owner.mine).label("own")).where(owner.channels, _LATELY)
        )
    ).one()
    counted = max(size, LEAST)
    if brought.own + counted > bounds.of_one:
        raise UploadsFull(by_all=False)
    if brought.all + counted > bounds.of_all:
        raise UploadsFull(by_all=True)


def _sum(of: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    counted = func.greatest(upload.c.size, LEAST)
    return func.coalesce(func.sum(counted if of is None else case((of, counted), else_=0)), 0)


async def _known(connection: AsyncConnection, owner: _Owner, upload_id: str, sha256: str) -> Attachment | None:
    """What was brought under this id before; ``OtherContent`` where that is not this file."""
    found = await _found(connection, owner, [upload_id])
    if found and found[0].sha256 != sha256:
        raise OtherContent(f"another file was brought as {upload_id}")
    return found[0] if found else None


async def _found(connection: AsyncConnection, owner: _Owner, ids: Sequence[str]) -> list[Attachment]:
    query = select(upload).where(owner.mine, upload.c.upload_id.in_(list(ids)), _LATELY)
    return [_attachment(row) for row in await connection.execute(query)]


def _attachment(row: Any) -> Attachment:
    return Attachment(
        kind=row.kind,
        reference=row.upload_id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
    )
