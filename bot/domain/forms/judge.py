"""What one word is by itself: a hash, an address, a broken one of these, or none."""

from __future__ import annotations

import re
from typing import NamedTuple

from bot.domain.forms import checksums
from bot.domain.forms.chains import BARE_HASH, BASE58_BEGINNINGS, BECH32_PREFIXES, CAPITAL_HASH, EVM
from bot.domain.forms.detail import Kind

LEAST = 25
"""Characters: a shorter word is judged only where it is a part of something longer."""

_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]+")
_CAPITAL_BASE32 = re.compile(r"[A-Z2-7]+")
_CASHADDR = re.compile(r"[qp][02-9ac-hj-np-z]{41}")
_BECH32_DATA = re.compile(r"[02-9ac-hj-np-z]+")
_KEY = re.compile(r"5[1-9A-HJ-NP-Za-km-z]{50}|[KL][1-9A-HJ-NP-Za-km-z]{51}")
"""A private key as wallets export it. Not ours to name, and no address."""


class Verdict(NamedTuple):
    kind: Kind
    value: str
    chains: tuple[str, ...]
    valid: bool = True


def mixed(word: str) -> bool:
    """Small and capital letters and digits, as in no word of a language."""
    return word.upper() != word and word.lower() != word and any("0" <= character <= "9" for character in word)


def judge(word: str) -> Verdict | None:
    """``word`` is of ASCII letters and digits."""
    if len(word) < LEAST - 11 or len(word) > 128:
        return None
    if word[:2] in ("0x", "0X"):
        return _prefixed(word[2:])
    if _HEX.fullmatch(word) and not word.isdigit():
        return _bare_hex(word)
    if len(word) < LEAST:
        return _half_bech32(word)
    return _base58(word) if _BASE58.fullmatch(word) else _other(word)


def _prefixed(digits: str) -> Verdict | None:
    length = len(digits)
    if not _HEX.fullmatch(digits):
        # A digit misread or mistyped: of the right length it is a broken one, and else nothing.
        strange = sum(not _HEX.fullmatch(character) for character in digits)
        if strange > 3 or length not in (40, 64):
            return None
        return Verdict(Kind.HASH if length == 64 else Kind.ADDRESS, "0x" + digits, EVM, valid=False)
    if length == 64:
        return Verdict(Kind.HASH, "0x" + digits.lower(), EVM)
    if length == 40:
        return Verdict(Kind.ADDRESS, "0x" + digits, EVM, checksums.evm(digits))
    if 36 <= length < 44:
        return Verdict(Kind.ADDRESS, "0x" + digits, EVM, valid=False)
    return Verdict(Kind.HASH, "0x" + digits.lower(), EVM, valid=False) if 12 <= length <= 72 else None


def _bare_hex(digits: str) -> Verdict | None:
    length = len(digits)
    if length == 64:
        return Verdict(Kind.HASH, digits, CAPITAL_HASH if digits == digits.upper() else BARE_HASH)
    if digits.isalpha():
        return None
    if length == 42 and digits.startswith("41"):
        return Verdict(Kind.ADDRESS, checksums.tron_hex(digits), ("tron",))
    if length == 40:
        return Verdict(Kind.ADDRESS, "0x" + digits, EVM, checksums.evm(digits))
    return Verdict(Kind.HASH, digits, BARE_HASH, valid=False) if 48 <= length <= 72 else None


def _base58(word: str) -> Verdict | None:
    length = len(word)
    if _KEY.fullmatch(word):
        return None
    if 80 <= length <= 90:
        if checksums.base58_length(word) == 64:
            return Verdict(Kind.HASH, word, ("solana",))
        return Verdict(Kind.HASH, word, ("solana",), valid=False) if mixed(word) else None
    if length <= 36:
        chains = checksums.base58check(word)
        if chains is not None:
            return Verdict(Kind.ADDRESS, word, chains)
        if word[0] == "r" and checksums.ripple(word):
            return Verdict(Kind.ADDRESS, word, ("ripple",))
    if 46 <= length <= 48 and (chain := checksums.substrate(word)):
        return Verdict(Kind.ADDRESS, word, (chain,))
    if 32 <= length <= 44 and (mixed(word) or not word.strip("1")) and checksums.base58_length(word) == 32:
        return Verdict(Kind.ADDRESS, word, ("solana",))
    return _other(word)


def _other(word: str) -> Verdict | None:
    length = len(word)
    small = word.lower()
    head, one, data = small.rpartition("1")
    if one and head in BECH32_PREFIXES:
        chain = checksums.bech32_chain(word)
        if chain:
            return Verdict(Kind.ADDRESS, small, (chain,))
        if 26 <= length <= 110 and _BECH32_DATA.fullmatch(data):
            return Verdict(Kind.ADDRESS, word, (BECH32_PREFIXES[head],), valid=False)
    if length == 56 and word[0] == "G" and _CAPITAL_BASE32.fullmatch(word):
        if checksums.stellar(word):
            return Verdict(Kind.ADDRESS, word, ("stellar",))
        return Verdict(Kind.ADDRESS, word, ("stellar",), valid=False) if not word.isalpha() else None
    if _CASHADDR.fullmatch(word) and checksums.bitcoin_cash(word):
        return Verdict(Kind.ADDRESS, f"bitcoincash:{word}", ("bitcoin-cash",))
    return _mistyped(word)


def _mistyped(word: str) -> Verdict | None:
    """The form of an address without its checksum: a typo, lost capitals, half of it."""
    if word[:3].lower() in ("bc1", "ltc"):
        return _half_bech32(word)
    chain, least, most = BASE58_BEGINNINGS.get(word[0], ("", 1, 0))
    if least <= len(word) <= most and mixed(word):
        return Verdict(Kind.ADDRESS, word, (chain,), valid=False)
    if word[0] == "t" and len(word) == 34 and word == word.lower() and not word.isalpha():
        return Verdict(Kind.ADDRESS, word, ("tron",), valid=False)
    return None


def _half_bech32(word: str) -> Verdict | None:
    head, one, data = word.lower().partition("1")
    if one and head in ("bc", "ltc") and len(data) >= 10 and data[0] in "qp" and not data.isalpha():
        return Verdict(Kind.ADDRESS, word, (BECH32_PREFIXES[head],), valid=False)
    return None
