"""What is held against a request before a page acts on it: where it comes from, and how its form is written."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE = ("GET", "HEAD", "OPTIONS")
_CHARSET = re.compile(rb';\s*charset[^=;]*=\s*("[^"]*"|[^;]*)', re.IGNORECASE)


def is_same_origin(request: Request) -> bool:
    """Whether nothing can have sent this request but a page of this site, the person at the browser, or no browser.

    Requests that change nothing pass. Browsers say where every other one comes from, and pages cannot forge it; a
    request that says nothing comes from no browser, and so carries nobody else's cookie.
    """
    if request.method in _SAFE:
        return True
    # Browsers say it to https and localhost only. Unlike Host it survives every proxy.
    site = request.headers.get("sec-fetch-site")
    if site == "none":
        # Sent by the person, who had a form sent again; a script's request never says so.
        return request.headers.get("sec-fetch-mode") == "navigate"
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    # The scheme is left out: behind a proxy that ends TLS the desk does not know it. Not by urlsplit, which raises for
    # some of what a header may hold.
    _, is_address, host = origin.partition("://")
    return bool(is_address) and host in _hosts(request)


def _hosts(request: Request) -> list[str | None]:
    """By which the browser may know this site: what it named itself, and what a proxy that changed that says it named.
    Pages cannot have a browser send either to another site: it would first ask whether it may, and be told nothing."""
    forwarded = request.headers.get("x-forwarded-host", "")
    return [request.headers.get("host"), *(name.strip() for name in forwarded.split(",") if name.strip())]


class FormsInUtf8:
    """Has the forms that ``app`` takes read as UTF-8, whatever their sender names, as every browser sends them here:
    other codecs make text that neither PostgreSQL nor an answer can hold, or fail in ways of their own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (name, _CHARSET.sub(b"", value) if name == b"content-type" else value)
            for name, value in scope.get("headers", ())
        ]
        await self._app({**scope, "headers": headers}, receive, send)
