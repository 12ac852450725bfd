"""Which characters a reader sees: pure functions."""

from __future__ import annotations

import re

_NOTHING = re.compile(
    "["
    "\\s\x00-\x1f\x7f-\x9f"  # blanks, and control characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers of Hangul and others
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # of no width, and marks of direction
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffc"  # blank braille, fillers, variation selectors, BOM
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # shorthand, music, tags
    "\ud800-\udfff"
    "]*"
)
"""The characters that Unicode calls ignorable by default, those that are drawn as a blank, and control characters."""


def shows(text: str) -> bool:
    """Whether anything of the text is to be seen."""
    return _NOTHING.fullmatch(text) is None
