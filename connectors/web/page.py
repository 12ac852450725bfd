"""The chat page: its template and its files. No state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.domain.message import Button
from bot.domain.secret import LABELS, in_words
from bot.ports import Words
from bot.web import SHARED
from bot.web.assets import TYPES, Assets
from bot.web.headers import page_headers
from connectors.web.bounds import FileBounds

_HERE = Path(__file__).parent
_OWN = {path.name: path for path in (_HERE / "static").iterdir() if path.suffix in TYPES}
ASSETS = Assets(_OWN | dict(SHARED))
# By "blob:" the page looks at a picture that is not sent yet.
_HEADERS = page_headers(img_src="'self' blob:")
_SCRIPTS = [name for name in ASSETS.names if name.endswith(".js") and name != "chat.js"]
"""What the first script imports, directly or not: asked for at once, not one after the other."""


class Page:
    """What a visitor's browser loads, in any of the desk's languages."""

    def __init__(
        self,
        brand: str,
        words: Words,
        suggestions: Mapping[str, Sequence[Button]],
        max_length: int,
        files: FileBounds,
    ) -> None:
        self._words = words
        self._brand = brand
        self._suggestions = suggestions
        self._max_length = max_length
        self._files = files
        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._template = templates.get_template("chat.html")

    def locale(self, request: Request) -> str:
        """The locale asked for by ``?lang=``, else the browser's favourite among ours, else the default."""
        return self.known(request.query_params.get("lang")) or self._words.accepted(
            request.headers.get("accept-language", "")
        )

    def known(self, language: str | None) -> str | None:
        """The locale for a language that somebody asks for; None if the desk does not speak it."""
        return self._words.match(language)

    def refusal(self, error: str, locale: str) -> str:
        """What a visitor is told of a request that was not taken."""
        size = self._words.size(self._files.size, locale)
        return self._words.say(f"chat.error.{error}", locale, limit=self._max_length, n=self._files.most, size=size)

    def render(self, locale: str, visitor: str) -> Response:
        """The page, which shows the transcript of ``visitor``."""
        words = self._words
        options = {
            "brand": self._brand,
            "locale": locale,
            # Visitors' clocks may be wrong.
            "now": datetime.now(UTC).isoformat(),
            "visitor": visitor,
            "languages": {other: words.name(other) for other in words.locales},
            "phrases": words.section("chat", locale),
            "labels": {label: in_words(label, lambda key: words.say(key, locale)) for label in LABELS.values()},
            "suggestions": [
                {"label": button.label, "payload": button.payload} for button in self._suggestions.get(locale, ())
            ],
            "maxLength": self._max_length,
            "files": {"most": self._files.most, "size": self._files.size},
        }
        html = self._template.render(
            locale=locale,
            direction=words.direction(locale),
            scripts=_SCRIPTS,
            say=lambda key: words.say(key, locale),
            asset=lambda name: f"/chat/{ASSETS.address(name)}",
            options=json.dumps(options, ensure_ascii=False),
        )
        return HTMLResponse(html, headers=_HEADERS)
