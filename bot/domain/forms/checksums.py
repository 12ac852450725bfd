"""Addresses by their checksums. Each function says which chains an address is of; none where it is not one."""

from __future__ import annotations

import base64
import binascii

from base58_bech32 import base58, bech32, cashaddr, ss58
from base58_bech32.exceptions import Base58Bech32Exception
from Crypto.Hash import keccak

from bot.domain.forms.chains import BASE58_VERSIONS, BECH32_PREFIXES, SEGWIT

_RIPPLE = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_SUBSTRATE = {0: "polkadot", 2: "kusama", 42: "polkadot"}
_MOST_BASE58 = 90
"""Characters: decoding takes time by the square of them."""


def evm(digits: str) -> bool:
    """EIP-55: the case of the letters is the checksum; all small or all capital has none, and stands."""
    if digits == digits.lower() or digits == digits.upper():
        return True
    expected = keccak.new(digest_bits=256, data=digits.lower().encode()).hexdigest()
    return all(
        character.isdigit() or (character.isupper() == (nibble >= "8"))
        for character, nibble in zip(digits, expected, strict=False)
    )


def base58check(text: str) -> tuple[str, ...] | None:
    """Bitcoin's family and TRON. A version that is not known here is an address all the same, of no known chain."""
    try:
        payload = base58.b58decode_check(text)
    except Base58Bech32Exception:
        return None
    version = payload[:-20]
    return BASE58_VERSIONS.get(version, ()) if 1 <= len(version) <= 3 else None


def ripple(text: str) -> bool:
    try:
        payload = base58.b58decode_check(text, alphabet=_RIPPLE)
    except Base58Bech32Exception:
        return False
    return len(payload) == 21 and payload[0] == 0


def base58_length(text: str) -> int:
    """How many bytes the text stands for; 0 where it is not base58."""
    try:
        return len(base58.b58decode(text, max_length=_MOST_BASE58))
    except Base58Bech32Exception:
        return 0


def bech32_chain(text: str) -> str | None:
    """Bech32 (BIP 173) and bech32m (BIP 350)."""
    try:
        prefix, data, constant = bech32.bech32_decode(text, limit=128)
        if prefix not in BECH32_PREFIXES:
            return None
        if prefix in SEGWIT:
            if not data or data[0] > 16:
                return None
            version, program = data[0], bech32.convertbits(data[1:], 5, 8, False)
            right = bech32.BECH32_M_CONST if version else bech32.BECH32_1_CONST
            sized = len(program) in (20, 32) if version == 0 else 2 <= len(program) <= 40
            if constant != right or not sized or len(text) > 90:
                return None
    except Base58Bech32Exception:
        return None
    return BECH32_PREFIXES[prefix]


def bitcoin_cash(text: str) -> bool:
    try:
        cashaddr.cashaddr_decode(text, prefix="bitcoincash")
    except Base58Bech32Exception:
        return False
    return True


def substrate(text: str) -> str | None:
    try:
        prefix, _ = ss58.ss58_decode(text)
    except Base58Bech32Exception:
        return None
    return _SUBSTRATE.get(prefix)


def stellar(text: str) -> bool:
    """A public key: 35 bytes in base32, the last two a CRC of the others."""
    try:
        raw = base64.b32decode(text)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 35 and raw[0] == 6 << 3 and binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little")


def ton(text: str) -> bool:
    """The form for people: 36 bytes in base64, the last two a CRC of the others."""
    try:
        raw = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 36 and binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "big")


def tron_hex(digits: str) -> str:
    """The usual form of a TRON address that was given in hexadecimal."""
    return base58.b58encode_check(bytes.fromhex(digits)).decode()
