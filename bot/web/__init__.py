"""What every page of the desk shares. Each page serves it from its own address, beside its own files."""

from __future__ import annotations

from pathlib import Path

STREAM = tuple(Path(__file__).parent / "static" / name for name in ("stream.js", "holder.js"))
"""The scripts by which all tabs of a browser share one event stream. They load one another by their names and the
query of their own address, so the addresses of both carry the same version."""

WORDS = Path(__file__).parent / "static" / "words.js"
"""The script that says phrases, which the page hands it by their keys."""
