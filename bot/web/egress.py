"""HTTP to addresses that others name: the link of a file, a redirect, a webhook.

A name may lead anywhere, also to this machine, its neighbours, or the place where a cloud keeps its machines' secrets;
and it may lead elsewhere the next time it is asked for. So the address is looked at in the moment in which the desk
connects to it, at every redirect anew: it is public, or the operator allowed it.

What the operator wrote into ``config.yml`` (``configured``: the address of a platform's server) is reached as it is, by
the proxy of the environment if there is one. Nothing else goes by a proxy, which would look up the name itself.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from ipaddress import ip_address
from time import time
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.domain.said import Fault, fault
from bot.web.addresses import Allowed, literal

MOST_REDIRECTS = 5
LONGEST_ADDRESS = 8192
"""Characters."""
CONNECT_WITHIN = 10.0
KEPT_OPEN = 2.0
"""Seconds for the next call to the same server; less than servers wait, or a call would meet a line that is closing."""
SILENT_AT_MOST = 20.0
"""Seconds without a byte."""
WITHIN = 60.0
"""Seconds for the whole of it, redirects and a slow drip included."""

_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MARK = "is not public, and not allowed"


class EgressError(Exception):
    """Nothing came of it: ``fault`` says why, without the address, which may hold a secret."""

    def __init__(self, why: Fault) -> None:
        super().__init__(str(why))
        self.fault = why


class NotAllowed(EgressError):
    """Where it leads the desk does not go; trying again changes nothing."""


class TooLarge(EgressError):
    """There is more than was asked for."""


class NoAnswer(EgressError):
    """Nobody answered, or not to the end, or not in time."""


class Packed(NoAnswer):
    """The answer is packed, though it was asked not to be."""


class OtherStatus(EgressError):
    """The answer was another than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(fault("The answer was HTTP {status}.", "fault.egress.status", status=str(status)))
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: float | None = None
    """Seconds, where the answer says so."""


class _Way(Enum):
    GUARDED = "guarded"
    NAMED = "named"
    CONFIGURED = "configured"


class Egress:
    """Holds connections until ``close``; makes none before the first call."""

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        configured: Iterable[str] = (),
        connections: int = 32,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """``allowed`` are host names, addresses and networks that may be reached though they are not public;
        ``configured`` the addresses that the operator set. ``resolver`` looks up names."""
        self._allowed = Allowed.of(allowed)
        self._configured = frozenset(_origin(URL(url)) for url in configured)
        self._connections = connections
        self._resolver = resolver
        self._sessions: dict[_Way, aiohttp.ClientSession] = {}

    async def get(self, url: str, limit: int, *, within: float = WITHIN) -> bytes:
        """The content at an address, of at most ``limit`` bytes. Raises ``EgressError``."""
        try:
            async with asyncio.timeout(within):
                return await self._followed(url, limit)
        except TimeoutError:
            raise NoAnswer(fault("No whole answer in time.", "fault.egress.time")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error) from None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, limit: int, within: float = WITHIN
    ) -> Answer:
        """Whatever is answered; of more than ``limit`` bytes, or of what is packed, the status alone. Redirects are not
        followed: what was meant for one goes to nobody else. Raises ``EgressError``; unless it is ``NotAllowed``, the
        body may have arrived all the same."""
        try:
            async with asyncio.timeout(within), self._request("POST", _parsed(url), data=body, headers=headers) as got:
                return Answer(got.status, await _told(got, limit), _retry_after(got.headers.get("Retry-After")))
        except TimeoutError:
            raise NoAnswer(fault("No whole answer in time.", "fault.egress.time")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error) from None

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def _followed(self, url: str, limit: int) -> bytes:
        target = _parsed(url)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._request("GET", target) as answer:
                if answer.status in _REDIRECTS and (location := answer.headers.get("Location")):
                    target = _next(target, location)
                    continue
                if answer.status != 200:
                    raise OtherStatus(answer.status)
                return await _content(answer, limit)
        raise NoAnswer(fault("It redirects more than {n} times.", "fault.egress.redirects", n=MOST_REDIRECTS))

    def _request(self, method: str, url: URL, **more: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        way = self._way(url)
        address = literal(url.host or "")
        if way is _Way.GUARDED and address is not None and not self._allowed.address(address):
            raise _refused(url.host)
        return self._session(way).request(method, url, allow_redirects=False, **more)

    def _way(self, url: URL) -> _Way:
        if _origin(url) in self._configured:
            return _Way.CONFIGURED
        return _Way.NAMED if self._allowed.host(url.host or "") else _Way.GUARDED

    def _session(self, way: _Way) -> aiohttp.ClientSession:
        if way not in self._sessions:
            self._sessions[way] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    keepalive_timeout=KEPT_OPEN,
                    resolver=self._resolver or aiohttp.ThreadedResolver(),
                    socket_factory=self._socket if way is _Way.GUARDED else None,
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=CONNECT_WITHIN, sock_connect=CONNECT_WITHIN, sock_read=SILENT_AT_MOST
                ),
                # Nothing of the desk's goes along, and nothing packed comes back: a small answer may unpack to a huge.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "Switchboard"},
                auto_decompress=False,
                trust_env=way is _Way.CONFIGURED,
            )
        return self._sessions[way]

    def _socket(self, to: tuple[Any, ...]) -> socket.socket:
        """The socket for one address, in the moment in which it is connected: no name leads elsewhere after this."""
        family, kind, proto, _, address = to
        if not self._allowed.address(ip_address(address[0])):
            raise OSError(f"{address[0]} {_MARK}")
        return socket.socket(family, kind, proto)


def _parsed(url: str) -> URL:
    """Raises ``NotAllowed`` for what no platform would name."""
    try:
        parsed = URL(url) if len(url) <= LONGEST_ADDRESS else URL()
        is_address = parsed.scheme in ("http", "https") and parsed.host and parsed.port
    except ValueError:
        is_address = False
    if not is_address or parsed.user is not None or parsed.password is not None:
        raise NotAllowed(fault("That is no address of http or https that the desk goes to.", "fault.egress.no_address"))
    return parsed.with_fragment(None)


def _next(at: URL, location: str) -> URL:
    target = _parsed(str(at.join(URL(location)))[: LONGEST_ADDRESS + 1])
    if at.scheme == "https" and target.scheme == "http":
        raise NotAllowed(fault("It redirects from https to http, which anybody may read.", "fault.egress.downgrade"))
    return target


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host or "", url.port


async def _told(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """What it says beside its status; empty where nobody is to read it."""
    try:
        return await _content(answer, limit)
    except (TooLarge, Packed):
        return b""


async def _content(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise Packed(fault("The answer is packed, though it was asked not to be.", "fault.egress.packed"))
    if (answer.content_length or 0) > limit:
        raise _too_large(limit)
    content = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > limit:
            raise _too_large(limit)
    return bytes(content)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(fault("It has more than {mb:.3g} MB.", "fault.egress.too_large", mb=limit / 2**20))


def _refused(host: str | None) -> NotAllowed:
    return NotAllowed(
        fault(
            "{host} is not on the public network. If the desk is to reach it, name it in egress.allow of config.yml.",
            "fault.egress.not_allowed",
            host=host or "–",
        )
    )


def _explained(error: Exception) -> EgressError:
    if isinstance(error, aiohttp.ClientConnectorError) and _MARK in str(error.os_error):
        return _refused(error.host)
    # Only the kind: an address in the text may hold a secret.
    return NoAnswer(fault("No answer ({kind}).", "fault.egress.kind", kind=type(error).__name__))


def _retry_after(told: str | None) -> float | None:
    """Seconds, from the number or the date that HTTP allows."""
    if told is None:
        return None
    try:
        seconds = float(told) if told.isascii() and told.isdigit() else parsedate_to_datetime(told).timestamp() - time()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
