"""Writes ``bot/web/static/pairs.js``: by which pages tell Chinese sentences from rows of characters."""

from __future__ import annotations

import re
from collections import Counter

from benchmarks.secrets.ordinary import ROOT

COUNT = 1_000
SCRIPT = ROOT / "bot" / "web" / "static" / "pairs.js"
HEAD = """\
// The commonest pairs of characters of ordinary Chinese, simplified and traditional: counted in data/nlu by
// benchmarks/secrets/pairs.py.

"""


def commonest() -> list[str]:
    """Of our own training examples."""
    found: Counter[str] = Counter()
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        for row in re.findall("[\u4e00-\u9fff]{2,}", file.read_text("utf-8")):
            found.update(row[at : at + 2] for at in range(len(row) - 1))
    return sorted(pair for pair, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:COUNT])


def script() -> str:
    pairs = commonest()
    lines = ["".join(pairs[at : at + 55]) for at in range(0, len(pairs), 55)]
    quoted = " +\n  ".join(f'"{line}"' for line in lines)
    return f"{HEAD}const LISTED =\n  {quoted};\n\nexport const PAIRS = new Set(LISTED.match(/../gu));\n"


if __name__ == "__main__":
    SCRIPT.write_text(script(), "utf-8")
