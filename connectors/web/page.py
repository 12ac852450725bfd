"""The chat page: its template and its files. No state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.domain.message import Button
from bot.ports import Words
from bot.web import STREAM, WORDS

_HERE = Path(__file__).parent
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_OWN = (path for path in sorted((_HERE / "static").iterdir()) if path.suffix in _TYPES)
_FILES = {path.name: path.read_bytes() for path in (*_OWN, *STREAM, WORDS)}
_VERSION = hashlib.sha256(b"".join(_FILES.values())).hexdigest()[:12]
"""Changes with any file, and is part of their addresses: browsers may keep them for good."""

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """What a visitor's browser loads, in any of the desk's languages."""

    def __init__(self, brand: str, words: Words, suggestions: Mapping[str, Sequence[Button]], max_length: int) -> None:
        self._words = words
        self._brand = brand
        self._suggestions = suggestions
        self._max_length = max_length
        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._template = templates.get_template("chat.html")

    def locale(self, request: Request) -> str:
        """The locale asked for by ``?lang=``, else the browser's favourite among ours, else the default."""
        asked = self._words.match(request.query_params.get("lang"))
        return asked or self._words.accepted(request.headers.get("accept-language", ""))

    def refusal(self, error: str, locale: str) -> str:
        """What a visitor is told of a request that was not taken."""
        return self._words.say(f"chat.error.{error}", locale, limit=self._max_length)

    def render(self, locale: str, visitor: str) -> Response:
        """The page, which shows the transcript of ``visitor``."""
        words = self._words
        options = {
            "brand": self._brand,
            "locale": locale,
            "visitor": visitor,
            "languages": {other: words.name(other) for other in words.locales},
            "phrases": words.section("chat", locale),
            "suggestions": [
                {"label": button.label, "payload": button.payload} for button in self._suggestions.get(locale, ())
            ],
            "maxLength": self._max_length,
        }
        html = self._template.render(
            locale=locale,
            direction=words.direction(locale),
            say=lambda key: words.say(key, locale),
            version=_VERSION,
            options=json.dumps(options, ensure_ascii=False),
        )
        return HTMLResponse(html, headers=_HEADERS)

    def file(self, name: str, version: str | None) -> Response:
        """A script, style sheet or picture of the page."""
        if name not in _FILES:
            return Response(status_code=404)
        # During an upgrade a replica may be asked for a version that is not the one it has.
        caching = "public, max-age=31536000, immutable" if version == _VERSION else "no-cache"
        headers = {"Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
        return Response(_FILES[name], headers=headers, media_type=_TYPES[Path(name).suffix])
