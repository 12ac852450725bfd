"""What customers attach is fetched and kept: platforms' links expire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.domain.channel import PermanentError, TemporaryError
from bot.pipeline.faults import NO_ANSWER, given_up
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

WITHOUT_CONTENT = frozenset({"location", "contact", "unsupported"})
"""Kinds of attachments that are all said by ``reference``."""


class Attachments:
    def __init__(self, files: Files, fetchers: Mapping[str, Fetching], metrics: NullMetrics | None = None) -> None:
        """``fetchers`` by channel; a channel without one keeps only what its platform calls the content."""
        self._files = files
        self._fetchers = fetchers
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
        attachments, again = list(message.attachments), False
        for index, attachment in enumerate(attachments):
            if attachment.sha256 or attachment.problem or attachment.kind in WITHOUT_CONTENT:
                continue
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    content = await fetcher.fetch(attachment, contact.chat_id, message.external_id or "", MAX_BYTES)
            except PermanentError as error:
                attachments[index] = replace(attachment, problem=error.fault)
            except (TemporaryError, TimeoutError) as error:
                told = error.fault if isinstance(error, TemporaryError) else NO_ANSWER
                log.info("attachment not fetched", action="fetch_failed", message=message_id, error=told.words)
                if late:
                    attachments[index] = replace(attachment, problem=given_up(GIVE_UP_AFTER, told))
                else:
                    again = True
            else:
                attachments[index] = replace(attachment, sha256=await self._files.add(content), size=len(content))
        if tuple(attachments) != message.attachments:
            await self._files.record_fetched(message_id, attachments)
        for before, after in zip(message.attachments, attachments, strict=True):
            if after.sha256 and not before.sha256:
                self._metrics.fetched(contact.channel)
            elif after.problem and not before.problem:
                self._metrics.fetch_failed(contact.channel)
        if again:
            raise TryAgain(datetime.now(UTC) + min(PAUSE * 2 ** min(job.attempts, 10), MAX_PAUSE))
