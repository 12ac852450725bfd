"""What protects the console in the browser: response headers, and no writing from foreign pages."""

from __future__ import annotations

import re

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.domain.said import Said

HEADERS = {
    # No inline script or style, no eval, nothing from elsewhere: text that slipped through as HTML stays inert.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Puts ``HEADERS`` on every response of ``app``, errors included. What a response says itself stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


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


_CHARSET = re.compile(rb';\s*charset[^=;]*=\s*("[^"]*"|[^;]*)', re.IGNORECASE)


def same_origin(request: Request) -> None:
    """Refuses state-changing requests that another site made the browser send.

    Browsers say where a request comes from and pages cannot forge it. A request that says nothing comes
    from no browser, and so carries nobody else's cookie.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return
    origin = request.headers.get("origin")
    # Sec-Fetch-Site is sent to https and localhost only; Origin with every POST. The scheme is left out:
    # behind a proxy that ends TLS the desk does not know it.
    if site is None and (origin is None or origin.partition("://")[2] == request.headers.get("host")):
        return
    raise HTTPException(403, Said("console.problem.foreign"))
