"""The platform's copy of what held a secret is deleted, where a platform lets us: the customer's chat keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from bot.domain.channel import PermanentError, TemporaryError
from bot.ports import Erasing
from bot.queue import JobLease, TryAgain

log = structlog.get_logger(__name__)

PAUSE = timedelta(seconds=2)
MAX_PAUSE = timedelta(minutes=10)
TRIES = 60
"""Some nine hours; Telegram lets a bot delete for two days."""


class Erasable(Protocol):
    """The store, as erasures need it."""

    async def erasable(self, message_id: int) -> tuple[str, str, list[str]] | None:
        """The channel, the chat and the platform's ids of a customer's message that held secrets."""
        ...


class Erasures:
    def __init__(self, messages: Erasable, erasers: Mapping[str, Erasing]) -> None:
        """``erasers`` by channel; on one without, only the customer can delete what they sent."""
        self._messages = messages
        self._erasers = erasers

    async def erase(self, message_id: int, job: JobLease) -> None:
        """Deletes one message. Raises ``TryAgain`` when it cannot be done now."""
        found = await self._messages.erasable(message_id)
        eraser = None if found is None else self._erasers.get(found[0])
        if found is None or eraser is None:
            return
        channel, chat_id, external_ids = found
        for external_id in external_ids:
            try:
                await eraser.erase(chat_id, external_id)
            except PermanentError as error:
                log.warning("not deleted there", action="not_erased", message=message_id, error=error.fault.words)
            except TemporaryError as error:
                if job.attempts >= TRIES:
                    log.warning("not deleted there", action="not_erased", message=message_id, error=error.fault.words)
                    return
                pause = min(PAUSE * 2 ** min(job.attempts, 10), MAX_PAUSE)
                wish = timedelta(seconds=error.retry_after or 0)
                raise TryAgain(datetime.now(UTC) + max(pause, wish)) from error
        log.info("deleted there", action="erased", channel=channel, message=message_id)
