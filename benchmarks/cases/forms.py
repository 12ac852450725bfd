"""Hashes and addresses that are well formed, with right checksums, and nobody's: made from the case's own id."""

from __future__ import annotations

from hashlib import sha256

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def made(mark: str, seed: str) -> str:
    """What `@evm`, `@btc`, `@tron`, `@evm_address` or `@tron_address` stands for; every other text is itself."""
    digest = sha256(f"{mark}:{seed}".encode())
    match mark:
        case "@evm":
            return "0x" + digest.hexdigest()
        case "@btc" | "@tron":
            return digest.hexdigest()
        case "@evm_address":
            return "0x" + digest.hexdigest()[:40]
        case "@tron_address":
            return _base58check(b"\x41" + digest.digest()[:20])
        case _:
            return mark


def _base58check(payload: bytes) -> str:
    checked = payload + sha256(sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(checked, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(checked) - len(checked.lstrip(b"\0"))) + text
