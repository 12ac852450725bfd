"""Locks between the desks that share a ``var`` folder. The system lets go of them when their holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.store.embedded.files import NO_LINK, give_to_owner_of
from bot.store.errors import DatabaseError

_PAUSE = 0.05
_SLOTS = 64
"""On Windows: how many may share a lock."""


class FileLock:
    """Held by one, or shared by many. The file stays open, so that a desk without file handles can still lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._slot = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
        try:
            give_to_owner_of(path.parent, self._descriptor)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def held(self, within: float, give_up: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Waits up to ``within`` seconds, or until ``give_up()``, while somebody else has it; then DatabaseError."""
        deadline = time.monotonic() + within
        while not self._try(shared=False):
            if give_up() or time.monotonic() > deadline:
                raise DatabaseError(
                    f"another desk on this folder starts or stops its PostgreSQL and has held {self.path} for"
                    f" {within:.0f} s: see whether it hangs, and end it"
                )
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            self._release()

    def share(self) -> None:
        """Until ``alone`` or ``close``. Who looks whether it is alone is in the way for a moment."""
        while not self._try(shared=True):
            time.sleep(_PAUSE)

    def alone(self) -> bool:
        """Whether nobody else shares it. Gives the own share up."""
        self._release()
        return self._try(shared=False)

    def close(self) -> None:
        os.close(self._descriptor)

    if sys.platform == "win32":
        import msvcrt

        # Ranges of bytes can be locked there, each by one only: a share is any one byte, all are everybody's.

        def _try(self, *, shared: bool) -> bool:
            starts = range(_SLOTS) if shared else (0,)
            for start in starts:
                os.lseek(self._descriptor, start, os.SEEK_SET)
                try:
                    self.msvcrt.locking(self._descriptor, self.msvcrt.LK_NBLCK, 1 if shared else _SLOTS)
                except OSError:
                    continue
                self._slot, self._size = start, 1 if shared else _SLOTS
                return True
            return False

        def _release(self) -> None:
            os.lseek(self._descriptor, self._slot, os.SEEK_SET)
            self.msvcrt.locking(self._descriptor, self.msvcrt.LK_UNLCK, self._size)

    else:

        def _try(self, *, shared: bool) -> bool:
            import fcntl

            try:
                fcntl.flock(self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def _release(self) -> None:
            import fcntl

            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
