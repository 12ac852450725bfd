"""What somebody is called whom nobody has named: a short code of their contact's id, easy to say on the telephone."""

from __future__ import annotations

import re

ALPHABET = "234679CDFHJKMNPRTWX"
"""No two of these look alike, and without vowels they make no words."""
SHORTEST = 4

_STEP = 0.6180339887
"""Neighbours get codes that are far apart."""


def visitor_code(contact_id: int) -> str:
    """``7K4P``: always the same of the same contact, and of no other one. Raises ``ValueError`` for what is no id."""
    if contact_id < 0:
        raise ValueError(f"{contact_id} is no contact's id: ids are not negative")
    length, place = SHORTEST, contact_id
    while place >= len(ALPHABET) ** length:
        place -= len(ALPHABET) ** length
        length += 1
    number = place * _multiplier(length) % len(ALPHABET) ** length
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(reversed(letters))


def contact_of_code(words: str) -> int | None:
    """Whose code it is, in whatever case; None for what is none."""
    code = words.strip().upper()
    if not re.fullmatch(f"[{ALPHABET}]{{{SHORTEST},15}}", code):
        return None
    number = 0
    for letter in code:
        number = number * len(ALPHABET) + ALPHABET.index(letter)
    many = len(ALPHABET) ** len(code)
    place = number * int(pow(_multiplier(len(code)), -1, many)) % many
    found = place + sum(len(ALPHABET) ** length for length in range(SHORTEST, len(code)))
    return found if found < 2**63 else None


def _multiplier(length: int) -> int:
    """Has no factor in common with the alphabet's size, which is prime: every place gets a number of its own."""
    near = int(len(ALPHABET) ** length * _STEP)
    return next(number for number in range(near, near + 10) if number % len(ALPHABET))
