"""Customers' files on their way in: searched for secrets before their content is kept anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from bot import guard
from bot.domain.message import Attachment, ClearedContent
from bot.domain.secret import FoundInFile, Removed, SecretKind, united
from bot.domain.uploads import DailyBounds, Upload
from bot.ports.pictures import ReadsPictures
from bot.store.files import Files
from bot.store.uploads import Uploads
from bot.web.media import picture_type

log = structlog.get_logger(__name__)

SMALL = 2_000
"""Bytes up to which a file is searched at once, as a message is; a larger one in a thread, beside what else goes on."""
READ_WITHIN = 20.0
"""Seconds that a picture may take to be read."""


class FileSearch:
    def __init__(self, lets_pass: Iterable[SecretKind] = (), pictures: ReadsPictures | None = None) -> None:
        """Kinds of secret that this deployment ``lets_pass`` are left as they are. Without somebody who reads
        ``pictures`` those are kept unsearched."""
        self._lets_pass = frozenset(lets_pass)
        self._pictures = pictures
        # One at a time: the search keeps a processor busy, and strangers choose what is searched.
        self._searching = asyncio.Semaphore(1)

    async def __call__(self, content: bytes) -> tuple[ClearedContent, FoundInFile]:
        """The content as it may be kept, and what was found in it."""
        if picture_type(content) is not None:
            return guard.picture(content, await self._read(content), self._lets_pass)
        if len(content) <= SMALL and not content.startswith(b"PK"):
            return guard.file(content, self._lets_pass)
        async with self._searching:
            return await asyncio.to_thread(guard.file, content, self._lets_pass)

    def named(self, brought: Upload) -> tuple[Upload, tuple[Removed, ...]]:
        """A file's name as it may be kept, and what was removed from it."""
        return guard.upload(brought, self._lets_pass)

    async def _read(self, picture: bytes) -> str | None:
        if self._pictures is None:
            return None
        try:
            async with asyncio.timeout(READ_WITHIN):
                return await self._pictures.read(picture)
        except Exception as error:
            # Only the kind: its words may hold what stands in the picture.
            log.warning("a picture could not be read", action="picture_not_read", error=type(error).__name__)
            return None


class SearchedFiles:
    """``bot.ports.Files`` over the store."""

    def __init__(self, files: Files, search: FileSearch) -> None:
        self._files = files
        self._search = search

    async def add(self, content: bytes) -> str:
        return await self._files.add(*await self._search(content))


class SearchedUploads:
    """``bot.ports.Uploads`` over the store."""

    def __init__(self, uploads: Uploads, search: FileSearch) -> None:
        self._uploads = uploads
        self._search = search

    async def admit(self, channel: str, account: str, contact: str, size: int, bounds: DailyBounds) -> None:
        await self._uploads.admit(channel, account, contact, size, bounds)

    async def add(
        self, channel: str, account: str, contact: str, brought: Upload, content: bytes, bounds: DailyBounds
    ) -> Attachment:
        cleared, found = await self._search(content)
        brought, more = self._search.named(brought)
        found = replace(found, removed=united(found.removed, more))
        return await self._uploads.add(channel, account, contact, brought, cleared, bounds, found)

    async def named(self, channel: str, account: str, contact: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
        return await self._uploads.named(channel, account, contact, ids)
