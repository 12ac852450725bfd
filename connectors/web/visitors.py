"""Who a visitor is: a random token in a cookie, of which the desk keeps only the hash."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "switchboard_visitor"
VISITOR = "Switchboard-Visitor"
"""The header in which a page says whose transcript it shows, and the desk whose the cookie is: by ``mark_of``."""
FIRST = "switchboard_first_"
"""Begins the name of a second cookie that a new visitor gets, which ends with the ``mark_of`` their token.

Two first pages that are opened at once get a token each, and the browser keeps the cookie that came last, whatever was
written with the other. By these cookies, which do not replace one another, both pages are found to be one visitor.
"""
_FIRST_FOR = 600
"""Seconds that they are kept: longer than it takes to load a page on a bad line."""
_FIRST_AT_MOST = 8
_LIFETIME = 180 * 24 * 3600
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)


def mark_of(token: str) -> str:
    """By what a page knows its visitor from another, and nobody else does."""
    return hashlib.sha256(f"mark of {token}".encode()).hexdigest()[:16]


def contact_of(token: str) -> str:
    """The contact's external id. Who reads the database cannot turn it back into a cookie."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks."""

    token: str
    moved: bool = False
    """The browser's cookie is another's: of a page that was opened at the same time. It is to get this one."""

    @property
    def contact(self) -> str:
        return contact_of(self.token)


Whom = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Of these contacts those who have written to the desk."""


async def visitor_of(request: Request, known: Whom) -> Visitor | None:
    """Who asks; None without a cookie, with one that this desk never set, or with another's than the page shows: the
    browser got a new cookie meanwhile, in another tab. Of several tokens that one browser was given at its first pages
    always the same one counts: of who has written (``known``), else the one given first."""
    given = request.cookies.get(COOKIE, "")
    if not _TOKEN.fullmatch(given):
        return None
    first = _first_tokens(request)
    token = given
    if given in first and len(first) > 1:
        have_written = await known([contact_of(one) for one in first])
        token = next((one for one in first if contact_of(one) in have_written), first[0])
    shown = request.headers.get(VISITOR)
    return Visitor(token, moved=token != given) if shown is None or shown == mark_of(token) else None


def _first_tokens(request: Request) -> list[str]:
    """Those of the cookies whose name begins with ``FIRST``, in the order in which they were given."""
    found = []
    for name, value in request.cookies.items():
        given, _, token = value.partition(".")
        ours = given.isascii() and given.isdecimal() and len(given) < 20 and _TOKEN.fullmatch(token)
        if ours and name == FIRST + mark_of(token):
            found.append((int(given), token))
    return [token for _, token in sorted(found)[:_FIRST_AT_MOST]]


def is_shown_to(request: Request, token: str) -> bool:
    """Whether the request names the mark of the visitor's own page. No other site's page can know it, nor send the
    header without being asked whether it may: so it proves the page, where a proxy changes ``Host`` and the browser
    says nothing of its own (plain HTTP)."""
    shown = request.headers.get(VISITOR, "").encode()
    return "sec-fetch-site" not in request.headers and secrets.compare_digest(shown, mark_of(token).encode())


def new_token() -> str:
    return secrets.token_urlsafe(32)


def welcome(request: Request, response: Response, token: str, *, fresh: bool = False) -> None:
    """Gives the visitor their token for another 180 days. ``fresh`` is who came without any."""
    response.headers[VISITOR] = mark_of(token)
    _give(request, response, COOKIE, token, _LIFETIME)
    if fresh:
        _give(request, response, FIRST + mark_of(token), f"{time.time_ns() // 1_000_000}.{token}", _FIRST_FOR)


def farewell(request: Request, response: Response) -> None:
    """Takes every cookie back that ``welcome`` gave."""
    for name in request.cookies:
        if name == COOKIE or name.startswith(FIRST):
            _give(request, response, name, "", 0)


def _give(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


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

    def __init__(self, look: Whom, *, at_once: int = 4, remembered: int = 10_000) -> None:
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

    def forget(self, contact: str) -> None:
        """Nobody is known by it any more."""
        self._lately.pop(contact, None)

    async def has(self, contact: str) -> bool:
        if contact not in self._lately:
            if self._looking >= self._at_once:
                return False
            self._looking += 1
            try:
                if contact not in await self._look([contact]):
                    return False
            finally:
                self._looking -= 1
        self.add(contact)
        return True
