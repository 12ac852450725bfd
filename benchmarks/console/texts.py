"""What customers, bot and agents of a made-up desk write: short messages, with words as often as the shipped content
has them, and rare ones beside them. The same seed makes the same texts."""

from __future__ import annotations

import random
import re
from pathlib import Path

RARE = 0.03
"""The share of words that are made up, and so mostly stand in one message alone."""
_LATIN = re.compile(r"[A-Za-z][a-z']+")
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")


class Texts:
    def __init__(self, data: Path, seed: int = 1) -> None:
        """``data`` is the folder with the desk's content, of which the words are."""
        found = "\n".join(
            path.read_text(encoding="utf-8")
            for path in sorted(data.rglob("*"))
            if path.suffix in (".md", ".yml") and path.name != "README.md"
        )
        self._random = random.Random(seed)
        self.latin = [word for word in _LATIN.findall(found) if len(word) < 20]
        self.han = _HAN.findall(found)

    def name(self) -> str:
        if self._random.random() < 0.5:
            return "".join(self._han() for _ in range(self._random.randint(2, 3)))
        return f"{self._made_up().title()} {self._random.choice(self.latin).title()}"

    def message(self, language: str) -> str:
        """One short message, in Chinese, English or both."""
        if language == "mixed":
            text = f"{self._chinese(2)} {self._english(4)}"
        else:
            text = self._chinese(6) if language == "zh" else self._english(16)
        chance = self._random.random()
        if chance < 0.01:
            return f"{text} {self.hash()}"
        return f"{text} #{self._random.randrange(10**7)}" if chance < 0.03 else text

    def hash(self) -> str:
        return f"0x{self._random.getrandbits(256):064x}"

    def _chinese(self, most: int) -> str:
        pieces = []
        for _ in range(self._random.randint(1, most)):
            run = self._random.choice(self.han)
            begin = self._random.randrange(len(run) - 1)
            pieces.append(run[begin : begin + self._random.randint(2, 6)])
            if self._random.random() < RARE:
                pieces.append(self._han() + self._han())
        return "".join(pieces) + self._random.choice(("", "。", "？", "！"))

    def _english(self, most: int) -> str:
        words = [
            self._made_up() if self._random.random() < RARE else self._random.choice(self.latin)
            for _ in range(self._random.randint(2, most))
        ]
        return " ".join(words) + self._random.choice(("", ".", "?"))

    def _han(self) -> str:
        return chr(self._random.randrange(0x4E00, 0x8000))

    def _made_up(self) -> str:
        return "".join(self._random.choices("etaoinshrdlucmfwypvbgkjqxz", k=self._random.randint(4, 9)))
