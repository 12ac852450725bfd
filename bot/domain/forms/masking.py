"""A text without what says nothing of what a customer wants."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.forms.detail import NUMBER, PLACEHOLDERS, Detail

_LONG_NUMBER = re.compile(r"(?<![\w.,])\+?\d[\d ]{5,40}\d(?!\w|[.,]\d)", re.ASCII)
_LEAST_DIGITS = 7


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
    return _LONG_NUMBER.sub(_masked_number, text)


def _masked_number(match: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in match[0])
    return NUMBER if digits >= _LEAST_DIGITS else match[0]
