"""Secrets of agents: passwords are kept as Argon2id hashes, tokens as their SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.domain.said import Refusal

P = ParamSpec("P")
T = TypeVar("T")

MIN_LENGTH = 10
MAX_LENGTH = 1_000

AT_ONCE = 2
"""Passwords looked at together: each takes tens of milliseconds of two processors, and 64 MiB."""
IN_LINE = 8
"""Passwords that wait. The last to come is looked at first, and the first to come gives way to a ninth: under a flood
those in front have waited too long already, while one person's try among them is answered at once."""

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")


class Busy(Exception):
    """So many passwords are being looked at that this one was not. Try again in a moment."""


class Line:
    """Works off the event loop, ``AT_ONCE`` at a time."""

    def __init__(self) -> None:
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``work`` returns. Raises ``Busy`` if others came that go first."""
        if self._working < AT_ONCE:
            self._working += 1
        else:
            await self._turn()
        working = asyncio.get_running_loop().run_in_executor(_threads, partial(work, *args, **kwargs))
        # Also when nobody waits for it any more: what was begun goes on.
        working.add_done_callback(self._next)
        return await asyncio.shield(working)

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if len(self._waiting) > IN_LINE:
            self._waiting.popleft().set_exception(Busy(Busy.__doc__))
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()
            raise

    def _next(self, ended: asyncio.Future[T]) -> None:
        if not ended.cancelled():
            ended.exception()  # whoever waits for it has it
        self._pass_on()

    def _pass_on(self) -> None:
        """The place of one that is done goes to the last to come."""
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._working -= 1


_line = Line()


async def hash_password(password: str) -> str:
    """The hash to keep. Raises ``ValueError`` for a password that is too short or absurdly long, and ``Busy``."""
    if len(password) < MIN_LENGTH:
        words = f"the password must have at least {MIN_LENGTH} characters"
        raise Refusal(words, "refusal.password_short", least=MIN_LENGTH)
    if len(password) > MAX_LENGTH:
        words = f"the password must have at most {MAX_LENGTH} characters"
        raise Refusal(words, "refusal.password_long", most=MAX_LENGTH)
    return await _line.run(_hasher.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is the right one. Without a hash it is not, and takes as long to say so:
    who asks does not learn whether there is such an agent. Raises ``Busy``."""
    return await _line.run(_verify, password_hash, password)


def _verify(password_hash: str | None, password: str) -> bool:
    if len(password) > MAX_LENGTH:
        return False
    if password_hash is None:
        _hasher.hash(password)
        return False
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """256 random bits, for a one-time link or a session's cookie."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token. It is random, so one round of SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).hexdigest()
