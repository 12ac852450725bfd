"""What a customer typed → what is embedded."""

import re
import unicodedata

MAX_CHARACTERS = 512
"""Embedding time grows with length; what a customer wants stands in the first few sentences."""

_STRETCHED = re.compile(r"(\D)\1{2,}")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """The same words in one spelling: at most ``MAX_CHARACTERS``, no outer or repeated white space.

    Full-width forms become ordinary ones (NFKC), invisible characters go, and three or more of the
    same character become two ("heeelp", "。。。。"); digits are kept, since amounts have zeros.
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = _SPACE.sub(" ", text).strip()
    return _STRETCHED.sub(r"\1\1", text)[:MAX_CHARACTERS]
