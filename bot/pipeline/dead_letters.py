"""Work that fails by its own fault is tried some times, and is then a dead letter: nothing behind it waits for ever.

The tries are counted in the database, so restarts and other replicas count on. What is not the work's fault never
counts: a platform that is away, a database that cannot be reached, a full disk, a desk that is stopped or killed. Work
that is given up (a dead letter) waits for a person, who sees it in the console and has it tried again, or dismisses it.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from traceback import extract_tb

import structlog

from bot.domain.channel import TemporaryError
from bot.domain.conversation import EscalationReason
from bot.domain.message import Cleared
from bot.queue import TURN, JobLease, JobLeaseLost, Task, TryAgain
from bot.runtime.metrics import NullMetrics
from bot.settings import ROOT
from bot.store.dead_letters import DeadLetters
from bot.store.errors import is_transient

log = structlog.get_logger(__name__)

MOST = 5
"""Tries of work that fails by its own fault."""
INTERRUPTED = 10
"""Desks that died with the work in their hands, after which it counts as what they die of."""

_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS})
"""The machine's trouble: its disk, its memory, its limits."""


class _EndsDesks(Exception):
    def __str__(self) -> str:
        return f"{INTERRUPTED} desks died at it"


class RetryLimit:
    def __init__(
        self, dead_letters: DeadLetters, notice: Mapping[str, Cleared], metrics: NullMetrics | None = None
    ) -> None:
        """``notice``: by locale, what a customer is told whose turn is given up and who is queued for a person."""
        self._dead_letters = dead_letters
        self._notice = notice
        self._metrics = metrics or NullMetrics()

    def limited(self, name: str, task: Task) -> Task:
        """The task, given up where it fails too often. A turn is told how often it failed, not how often it began."""

        async def run(message_id: int, job: JobLease) -> None:
            attempts = job.attempts
            if name == TURN and attempts:
                job.failures = await self._dead_letters.failures(name, message_id)
            try:
                if job.interrupted >= INTERRUPTED:
                    raise _EndsDesks
                await task(message_id, job)
            except Exception as error:
                if isinstance(error, TryAgain):
                    await self._forget(name, message_id, attempts)
                    raise
                if not own_fault(error):
                    raise
                try:
                    await job.confirm()
                except JobLeaseLost:
                    return
                ends_desks = isinstance(error, _EndsDesks)
                if not await self._failed(name, message_id, error, job.interrupted if ends_desks else 1):
                    raise
            else:
                await self._forget(name, message_id, attempts)

        return run

    async def _forget(self, name: str, message_id: int, attempts: int) -> None:
        if attempts:
            await self._dead_letters.forget_failure(name, message_id)

    async def _failed(self, name: str, message_id: int, error: Exception, times: int) -> bool:
        """Counts it; true if that was the last try."""
        what = described(error)
        tries = await self._dead_letters.record_failure(name, message_id, what, times)
        if tries < MOST:
            log.warning("failed; trying again", action="failed", task=name, message=message_id, error=what, tries=tries)
            return False
        channel = await self._dead_letters.add(name, message_id, self._notice)
        if channel is not None:
            self._metrics.escalated(channel, EscalationReason.TURN_FAILED)
        log.error(
            "given up; a person is told", action="dead_letter", task=name, message=message_id, error=what, tries=tries
        )
        return True


def own_fault(error: Exception) -> bool:
    """Whether the work is to blame, and not the desk's surroundings."""
    if isinstance(error, (TemporaryError, MemoryError, ConnectionError, TimeoutError)) or is_transient(error):
        return False
    return not (isinstance(error, OSError) and error.errno in _MACHINE)


def described(error: Exception) -> str:
    """The error's kind and the desk's line it came through: its own words may quote the customer's."""
    if isinstance(error, _EndsDesks):
        return str(error)
    kind = type(error).__name__
    for frame in reversed(extract_tb(error.__traceback__)):
        if frame.filename.startswith(f"{ROOT}/") and "site-packages" not in frame.filename:
            return f"{kind} in {frame.name}, {frame.filename.removeprefix(f'{ROOT}/')}:{frame.lineno}"
    return kind
