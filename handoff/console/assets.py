"""What the console's pages load: styles, scripts and pictures of the components and of each page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import structlog

from bot.ports import Words
from bot.web import SHARED
from bot.web.assets import Assets

log = structlog.get_logger(__name__)

COMPONENTS = Path(__file__).parent / "components"
_VENDOR = ("htmx.org/dist/htmx.min.js", "idiomorph/dist/idiomorph.min.js")
_ON_DEMAND = frozenset(name for name in SHARED if name.endswith(".js"))
"""Loaded by other scripts: one of them runs in a worker."""


def console_assets(folders: Mapping[str, Path], vendor: Path, words: Words) -> Assets:
    """The console's files by ``<part>/<name>``: ``components/console.js``, ``agents/agents.css``.

    ``folders`` are the parts that have some, by name; ``vendor`` is the ``node_modules`` folder. What all pages of the
    desk share is among the components; what scripts say is a script for each language, ``words/zh.js``.
    """
    files = {
        f"{part}/{file.name}": file
        for part, folder in {"components": COMPONENTS, **folders}.items()
        if (folder / "static").is_dir()
        for file in sorted((folder / "static").iterdir())
        if file.is_file()
    }
    files |= {f"components/{name}": file for name, file in SHARED.items()}
    files |= {f"vendor/{Path(name).name}": vendor / name for name in _VENDOR}
    for path, file in files.items():
        if not file.is_file():
            log.warning("a file of the console is missing; run npm ci", action="asset_missing", path=path)
    return Assets(files, {f"words/{locale}.js": _phrases(words, locale) for locale in words.locales})


def _phrases(words: Words, locale: str) -> bytes:
    said = {**words.section("console.script", locale), **words.section("time", locale)}
    # A classic script: modules that waited for it would be late for the page.
    return f"globalThis.switchboardWords = {json.dumps(said, ensure_ascii=False)};\n".encode()


def loaded(assets: Assets, part: str, ending: str) -> list[str]:
    """The addresses of a part's files that end so and that its pages load themselves, in the order of their names."""
    return [
        assets.address(name)
        for name in assets.names
        if name.startswith(f"{part}/") and name.endswith(ending) and name.rpartition("/")[2] not in _ON_DEMAND
    ]
