"""A text without what says nothing of what a customer wants."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.forms.detail import NUMBER, PLACEHOLDERS, Detail

_LONG_NUMBER = re.compile(r"(?<![\w.,])\+?\d(?:[\d ]?\d){6,40}(?![\w]|[.,]\d)", re.ASCII)


def masked(text: str, details: Sequence[Detail]) -> str:
    """Hashes, addresses (with the explorer's link around them), mailboxes, telephone and ticket numbers and any other
    long number replaced by ``PLACEHOLDERS`` and ``NUMBER``; everything else as it is. ``details`` are those of the
    text, as ``recognise`` gave them. What is masked has nothing left to mask."""
    parts: list[str] = []
    done = 0
    for detail in details:
        parts.append(_without_numbers(text[done : detail.start]))
        parts.append(PLACEHOLDERS.get(detail.kind) or text[detail.start : detail.end])
        done = detail.end
    parts.append(_without_numbers(text[done:]))
    return "".join(parts)


def _without_numbers(text: str) -> str:
    return _LONG_NUMBER.sub(NUMBER, text)
