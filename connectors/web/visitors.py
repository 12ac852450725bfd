"""Who a visitor is: a random token in a cookie, of which the desk keeps only the hash."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "switchboard_visitor"
VISITOR = "Switchboard-Visitor"
"""The header in which a page says whose transcript it shows, and the desk whose the cookie is: by ``mark_of``."""
_LIFETIME = 180 * 24 * 3600
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)


def token_of(request: Request) -> str | None:
    """The visitor's token; None without a cookie, with one that this desk never set, or with another's than the page
    shows: the browser got a new cookie meanwhile, in another tab."""
    token = request.cookies.get(COOKIE, "")
    if not _TOKEN.fullmatch(token):
        return None
    shown = request.headers.get(VISITOR)
    return token if shown is None or shown == mark_of(token) else None


def mark_of(token: str) -> str:
    """By what a page knows its visitor from another, and nobody else does."""
    return hashlib.sha256(f"mark of {token}".encode()).hexdigest()[:16]


def contact_of(token: str) -> str:
    """The contact's external id. Who reads the database cannot turn it back into a cookie."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def token_for(request: Request) -> str:
    """The visitor's token, or a new one."""
    return token_of(request) or secrets.token_urlsafe(32)


def welcome(request: Request, response: Response, token: str | None = None) -> None:
    """Gives a new visitor their token (``token_for``), and a known one another 180 days."""
    token = token or token_for(request)
    response.headers[VISITOR] = mark_of(token)
    response.set_cookie(
        COOKIE,
        token,
        max_age=_LIFETIME,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


class Signals:
    """Tells the open pages of a visitor something that nobody keeps."""

    def __init__(self) -> None:
        self._awaited: dict[str, set[asyncio.Event]] = {}

    def give(self, contact: str) -> None:
        for signal in self._awaited.get(contact, ()):
            signal.set()

    @contextmanager
    def awaited(self, contact: str) -> Iterator[asyncio.Event]:
        """Set by ``give`` while entered; whoever waits clears it."""
        signal = asyncio.Event()
        pages = self._awaited.setdefault(contact, set())
        pages.add(signal)
        try:
            yield signal
        finally:
            pages.discard(signal)
            if not pages and self._awaited.get(contact) is pages:
                del self._awaited[contact]


class Known:
    """Which visitors have written to the desk: who did lately is remembered, others are looked for.

    Only a few at once, so that strangers who come by the thousand keep nobody from the database; whoever comes
    meanwhile counts as a stranger.
    """

    def __init__(self, look: Callable[[str], Awaitable[bool]], *, at_once: int = 4, remembered: int = 10_000) -> None:
        self._look = look
        self._at_once = at_once
        self._remembered = remembered
        self._looking = 0
        self._lately: dict[str, None] = {}
        """The one heard of last at the end."""

    def add(self, contact: str) -> None:
        self._lately.pop(contact, None)
        self._lately[contact] = None
        if len(self._lately) > self._remembered:
            del self._lately[next(iter(self._lately))]

    async def has(self, contact: str) -> bool:
        if contact not in self._lately:
            if self._looking >= self._at_once:
                return False
            self._looking += 1
            try:
                if not await self._look(contact):
                    return False
            finally:
                self._looking -= 1
        self.add(contact)
        return True
