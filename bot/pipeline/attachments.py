"""What customers attach is fetched and kept: platforms' links expire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from bot import guard
from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.message import WITHOUT_CONTENT, Attachment, Message
from bot.domain.secret import Removed
from bot.pipeline.faults import NO_ANSWER, given_up
from bot.pipeline.files import FileSearch
from bot.ports import Fetching
from bot.queue import JobLease, TryAgain
from bot.runtime.metrics import NullMetrics
from bot.store.files import Files

log = structlog.get_logger(__name__)

MAX_BYTES = 25 * 1024 * 1024
"""Larger files are not kept; the agent sees that there was one."""
FETCH_TIMEOUT = 120.0
PAUSE = timedelta(seconds=5)
MAX_PAUSE = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(hours=20)
"""Before the platforms' links are a day old."""


class Marks(Protocol):
    """The store, as fetching needs it where it finds a secret."""

    async def mark_removed(self, of: Message, removed: Sequence[Removed]) -> None:
        """The customer of the message is to be told; its turn comes anew."""
        ...


class Attachments:
    def __init__(
        self,
        files: Files,
        fetchers: Mapping[str, Fetching],
        metrics: NullMetrics | None = None,
        *,
        marks: Marks,
        search: FileSearch | None = None,
    ) -> None:
        """``fetchers`` by channel; a channel without one keeps only what its platform calls the content."""
        self._files = files
        self._fetchers = fetchers
        self._marks = marks
        self._search = search or FileSearch()
        self._metrics = metrics or NullMetrics()

    async def fetch(self, message_id: int, job: JobLease) -> None:
        """Fetches what one message holds. Raises ``TryAgain`` when some of it could not be had now."""
        begun = await self._files.begin_fetch(message_id)
        if begun is None:
            return
        message, contact = begun
        fetcher = self._fetchers.get(contact.channel)
        if fetcher is None:
            return
        late = datetime.now(UTC) - message.created_at > GIVE_UP_AFTER
        found: list[Attachment] = []
        removed: list[Removed] = []
        again = False
        for attachment in _wanted(message):
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    content = await fetcher.fetch(attachment, contact.chat_id, message.external_id or "", MAX_BYTES)
            except PermanentError as error:
                found.append(replace(attachment, problem=error.fault))
            except (TemporaryError, TimeoutError) as error:
                told = error.fault if isinstance(error, TemporaryError) else NO_ANSWER
                log.info("attachment not fetched", action="fetch_failed", message=message_id, error=told.words)
                if late:
                    found.append(replace(attachment, problem=given_up(GIVE_UP_AFTER, told)))
                else:
                    again = True
            else:
                cleared, within = await self._search(content)
                removed += within.removed
                # Nothing of what is withheld is kept, its hash neither.
                sha256 = "" if within.withheld else await self._files.add(cleared, within)
                found.append(guard.as_found(replace(attachment, sha256=sha256, size=len(content)), within))
        if removed:
            # First: a desk that dies behind it does this once more, and one that died before would never tell.
            await self._marks.mark_removed(message, removed)
        if found:
            await self._files.record_fetched(message_id, found)
        for one in found:
            if one.sha256:
                self._metrics.fetched(contact.channel)
            else:
                self._metrics.fetch_failed(contact.channel)
        if again:
            raise TryAgain(datetime.now(UTC) + min(PAUSE * 2 ** min(job.attempts, 10), MAX_PAUSE))


def _wanted(message: Message) -> list[Attachment]:
    """What is not there yet, of the message as it is and as it was before edits; each once."""
    known = (message.attachments, *(version.attachments or () for version in message.versions))
    missing = (
        one
        for attachments in known
        for one in attachments
        if not (one.sha256 or one.problem or one.kind in WITHOUT_CONTENT)
    )
    return list({(one.kind, one.reference): one for one in missing}.values())
