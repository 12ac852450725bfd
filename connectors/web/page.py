"""The chat page: its words by locale, its template and its files. No state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.domain.message import Button
from bot.web import SHARED
from bot.web.assets import TYPES, Assets
from bot.web.headers import page_headers

_HERE = Path(__file__).parent
_PHRASES: Mapping[str, Mapping[str, str]] = json.loads((_HERE / "phrases.json").read_text(encoding="utf-8"))
_FALLBACK = "en"
_OWN = {path.name: path for path in (_HERE / "static").iterdir() if path.suffix in TYPES}
ASSETS = Assets(_OWN | dict(SHARED))
_HEADERS = page_headers()


class Page:
    """What a visitor's browser loads. ``locales`` has the default first; one without words of its own in
    ``phrases.json`` is not offered."""

    def __init__(
        self, brand: str, locales: Sequence[str], suggestions: Mapping[str, Sequence[Button]], max_length: int
    ) -> None:
        self.locales = [locale for locale in locales if locale in _PHRASES] or [_FALLBACK]
        self._brand = brand
        self._suggestions = suggestions
        self._max_length = max_length
        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._template = templates.get_template("chat.html")

    def locale(self, request: Request) -> str:
        """The locale asked for by ``?lang=``, else the browser's favourite among ours, else the default."""
        asked = [request.query_params.get("lang", ""), *_accepted(request.headers.get("accept-language", ""))]
        for tag in asked:
            language = tag.lower().partition("-")[0]
            if language in self.locales:
                return language
        return self.locales[0]

    def phrases(self, locale: str) -> dict[str, str]:
        limit = f"{self._max_length:,}"
        return {
            key: text.replace("{brand}", self._brand).replace("{limit}", limit)
            for key, text in _PHRASES[locale].items()
        }

    def render(self, locale: str, visitor: str) -> Response:
        """The page, which shows the transcript of ``visitor``."""
        phrases = self.phrases(locale)
        options = {
            "brand": self._brand,
            "locale": locale,
            "visitor": visitor,
            "languages": {other: _PHRASES[other]["language"] for other in self.locales},
            "phrases": phrases,
            "suggestions": [
                {"label": button.label, "payload": button.payload} for button in self._suggestions.get(locale, ())
            ],
            "maxLength": self._max_length,
        }
        html = self._template.render(
            locale=locale,
            phrases=phrases,
            asset=lambda name: f"/chat/{ASSETS.address(name)}",
            options=json.dumps(options, ensure_ascii=False),
        )
        return HTMLResponse(html, headers=_HEADERS)


def _accepted(header: str) -> list[str]:
    """The tags of an ``Accept-Language`` header, favourite first."""
    weighed: list[tuple[float, str]] = []
    for entry in header.split(","):
        tag, _, weight = entry.partition(";q=")
        try:
            weighed.append((float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda pair: -pair[0])]
