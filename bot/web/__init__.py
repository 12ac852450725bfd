"""What every page of the desk shares: headers, the check of a request's origin, throttles, answers with files,
Markdown, assets and the design tokens. It touches no database: what it needs from one is handed to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SHARED: Mapping[str, Path] = {
    name: Path(__file__).parent / "static" / name
    for name in ("holder.js", "maybe_secret.js", "pairs.js", "stream.js", "tokens.css", "words.js")
}
"""Files of ``bot/web/static`` by name, which each page serves among its own (``bot.web.assets``): the scripts by which
all tabs of a browser share one event stream, the colours and text sizes of every page, the script that says
phrases, which the page hands it by their keys, and the one that tells what may be a secret, with the pairs of
characters that it reads Chinese by."""
