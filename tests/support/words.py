"""The shipped phrases, for tests of what says them; and languages made for a test."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.content.words import COMPLETE, SHIPPED, Words
from bot.ports import Phrase
from bot.settings import ROOT

WORDS = Words(ROOT / "data", ("en", "zh"), {"brand": "BitPie"})


def made_up(folder: Path, locale: str, mark: str) -> None:
    """Writes a language into the content folder in which every English phrase stands behind ``mark``."""
    # Every value and key as it stands there: ``off`` is a word, and no truth value.
    tree = yaml.load((SHIPPED / "en.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    del tree[COMPLETE]
    path = folder / "phrases" / f"{locale}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(_marked(tree, mark), allow_unicode=True, width=1000), encoding="utf-8")


def _marked(branch: Phrase | dict[str, object], mark: str) -> object:
    if isinstance(branch, str):
        return f"{mark} {branch}"
    return {key: _marked(value, mark) for key, value in branch.items()}  # type: ignore[arg-type]
