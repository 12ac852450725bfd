"""What a customer typed → what is looked at: the same words in one spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import opencc

MAX_CHARACTERS = 512
"""Embedding time grows with length; what a customer wants stands in the first few sentences."""

_STRETCHED = re.compile(r"(\D)\1{2,}")
_SPACE = re.compile(r"\s+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3041-\u30fa]")
_simplified = opencc.OpenCC("t2s")


@lru_cache(maxsize=64)
def normalise(text: str) -> str:
    """At most ``MAX_CHARACTERS``, without outer or repeated white space.

    Full-width forms become ordinary ones (NFKC) and traditional Chinese simplified; invisible characters go,
    and so do emoji beside words; three or more of the same character become two ("heeelp", "。。。。"), except
    digits, since amounts have zeros. Japanese keeps its characters.
    """
    text = unicodedata.normalize("NFKC", text)
    # Cs: half a surrogate pair, which no encoder could take.
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cs"))
    text = _STRETCHED.sub(r"\1\1", _SPACE.sub(" ", text).strip())[:MAX_CHARACTERS]
    if any(c.isalnum() for c in text):
        text = _SPACE.sub(" ", "".join(" " if _pictorial(c) else c for c in text)).strip()
    if is_chinese(text):
        # OpenCC keeps both spellings of an account apart; customers do not.
        text = _simplified.convert(text).replace("帐", "账")
    return text


def spelling(text: str) -> str:
    """Normalised and without capitals: what is compared character by character."""
    return normalise(text).casefold()


def is_chinese(text: str) -> bool:
    """Whether Han characters stand in it, and none that only Japanese has."""
    return _HAN.search(text) is not None and _KANA.search(text) is None


def _pictorial(character: str) -> bool:
    # So: pictures and dingbats. Beyond: skin tones, the selector between text and picture, and the frame of a key.
    beyond = "\U0001f3fb" <= character <= "\U0001f3ff" or character in "\ufe0f\u20e3"
    return beyond or unicodedata.category(character) == "So"
