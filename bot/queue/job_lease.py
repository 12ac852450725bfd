"""A job, as the task sees it that does its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime


class TryAgain(Exception):
    """Raised by a task that must be run again; not an error of the desk."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"again at {at:%H:%M:%S}")
        self.at = at


class JobLeaseLost(Exception):
    """The worker was taken for dead, and another has the job."""


class JobLease:
    """A job as its worker has it; this one is for work that is not of a queue: always held, and nothing to end."""

    job_id: int | None = None

    def __init__(self, attempts: int = 0, known: object = None, interrupted: int = 0) -> None:
        self.attempts = attempts
        """How often the job was tried before; grows as well when a job is handed on, so it tells terms apart."""
        self.failures = attempts
        """How often its work failed by its own fault, where somebody counts that (bot/pipeline/dead_letters.py)."""
        self.interrupted = interrupted
        """How often a worker died, or stood still for as long, with this job in its hands."""
        self.known = known
        """What the transaction that made the job knows of its message, for who need not read it again."""

    async def confirm(self) -> None:
        """Raises ``JobLeaseLost`` unless the job is still this worker's: before every step that others see."""

    def ended(self, *, others_wait: bool) -> None:
        """The job was ended by a transaction of the task's own, which is committed. ``others_wait`` for its lock."""


Task = Callable[[int, JobLease], Awaitable[None]]
"""Takes a message id."""
