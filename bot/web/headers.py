"""What protects a page in the browser: the headers of its answers."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SELF = "'self'"
_POLICY = {
    # No inline script or style, no eval, nothing from elsewhere: text that slipped through as HTML stays inert.
    "default-src": "'none'",
    "script-src": _SELF,
    "style-src": _SELF,
    "img-src": _SELF,
    "media-src": "'none'",
    "connect-src": _SELF,
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

FILE_HEADERS = {
    # Kept by the browser and asked for anew: who was signed out, or what was taken back, is shown no more.
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of an answer with bytes that a stranger chose: none of it may run, load or frame anything."""


def content_security_policy(**sources: str) -> str:
    """The policy of a page. ``sources`` change or add directives: ``form_action="'self'"``."""
    directives = _POLICY | {name.replace("_", "-"): source for name, source in sources.items()}
    return "; ".join(f"{name} {source}" for name, source in directives.items())


def page_headers(**sources: str) -> dict[str, str]:
    """The security headers of a page's answers; ``sources`` as for ``content_security_policy``."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": content_security_policy(**sources),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


class SecurityHeaders:
    """Puts ``headers`` on every answer of ``app``, errors included. What an answer says itself stands."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
