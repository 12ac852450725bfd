"""Synthetic secrets of every kind, made from a seed: none is anybody's."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
import string
import unicodedata
import uuid
from collections.abc import Callable
from functools import cache
from zlib import crc32

from base58_bech32 import base58
from btclib_mnemonics import bip39, electrum
from btclib_mnemonics.mnemonic import WORDLISTS
from Crypto.PublicKey import ECC

LANGUAGES = ("en", "ja", "ko", "es", "fr", "it", "cs", "pt")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def entropy(rnd: random.Random, words: int) -> str:
    return "".join(rnd.choice("01") for _ in range(words * 32 // 3))


def phrase(rnd: random.Random, language: str = "en", words: int | None = None) -> list[str]:
    words = words or rnd.choice((12, 12, 12, 24, 24, 15, 18, 21))
    return bip39.mnemonic_from_entropy(entropy(rnd, words), language).split()


def electrum_phrase(rnd: random.Random) -> list[str]:
    if rnd.random() < 0.5:
        return electrum.old_mnemonic_from_hex_seed(f"{rnd.getrandbits(128):032x}").split()
    while True:  # as Electrum does: until the hash of the words begins with its version
        words = [rnd.choice(WORDLISTS.wordlist("en")) for _ in range(12)]
        if hmac.digest(b"Seed version", " ".join(words).encode(), "sha512")[0] == 1:
            return words


def monero_phrase(rnd: random.Random) -> list[str]:
    """Monero's scheme over words of four letters and more of the old list of Electrum: its own list is in no small
    package; that one has as many words, also told apart by their beginnings."""
    words = rnd.sample(_apart(), 24)
    return [*words, words[crc32("".join(word[:3] for word in words).encode()) % 24]]


@cache
def _apart() -> list[str]:
    listed: dict[str, str] = {}
    for number in range(1626):
        word = electrum.old_mnemonic_from_hex_seed(f"{number:08x}" * 4).split()[0]
        if len(word) >= 4:
            listed.setdefault(word[:3], word)
    return list(listed.values())


@cache
def _known() -> frozenset[str]:
    return frozenset(
        unicodedata.normalize("NFC", word) for language in LANGUAGES for word in WORDLISTS.wordlist(language)
    )


def misspelt(rnd: random.Random, words: list[str], times: int) -> list[str]:
    """One edit in each of some words; the result is no word of any list."""
    words = [unicodedata.normalize("NFC", word) for word in words]
    damaged = list(words)
    known = _known()
    for place in rnd.sample(range(len(words)), times):
        word = words[place]
        for _ in range(50):
            at = rnd.randrange(len(word))
            other = rnd.choice(string.ascii_lowercase if word.isascii() else word)
            changed = rnd.choice(
                (
                    word[:at] + word[at + 1 :],
                    word[:at] + other + word[at:],
                    word[:at] + other + word[at + 1 :],
                    word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
                )
            )
            if changed not in known and len(changed) > 1:
                damaged[place] = changed
                break
    return damaged


def hex_key(rnd: random.Random) -> str:
    key = f"{rnd.getrandbits(256):064x}"
    return rnd.choice((key, key, key.upper(), f"0x{key}"))


def _bytes(rnd: random.Random, count: int) -> bytes:
    return rnd.getrandbits(8 * count).to_bytes(count, "big")


def wif(rnd: random.Random) -> str:
    return base58.b58encode_check(b"\x80" + _bytes(rnd, 32) + rnd.choice((b"", b"\x01"))).decode()


def extended(rnd: random.Random, *, private: bool = True) -> str:
    version = rnd.choice(("0488ade4", "049d7878", "04b2430c")) if private else "0488b21e"
    lead = b"\x00" if private else rnd.choice((b"\x02", b"\x03"))
    return base58.b58encode_check(bytes.fromhex(version) + _bytes(rnd, 41) + lead + _bytes(rnd, 32)).decode()


def bip38(rnd: random.Random) -> str:
    return base58.b58encode_check(b"\x01\x42\xc0" + _bytes(rnd, 36)).decode()


def solana_pair(rnd: random.Random) -> bytes:
    seed = _bytes(rnd, 32)
    public: bytes = ECC.construct(curve="Ed25519", seed=seed).public_key().export_key(format="raw")
    return seed + public


def stellar(rnd: random.Random) -> str:
    raw = bytes([18 << 3]) + _bytes(rnd, 32)
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode()


def keystore(rnd: random.Random) -> str:
    store = {
        "version": 3,
        "id": str(uuid.UUID(int=rnd.getrandbits(128))),
        "address": f"{rnd.getrandbits(160):040x}",
        "crypto": {
            "ciphertext": f"{rnd.getrandbits(256):064x}",
            "cipherparams": {"iv": f"{rnd.getrandbits(128):032x}"},
            "cipher": "aes-128-ctr",
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "salt": f"{rnd.getrandbits(256):064x}", "n": 131072, "r": 8, "p": 1},
            "mac": f"{rnd.getrandbits(256):064x}",
        },
    }
    return json.dumps(store, indent=rnd.choice((None, 2)))


def pem(rnd: random.Random) -> str:
    body = base64.b64encode(_bytes(rnd, 121)).decode()
    lines = "\n".join(body[place : place + 64] for place in range(0, len(body), 64))
    name = rnd.choice(("EC PRIVATE KEY", "PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----"


def letters(rnd: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rnd.choice(alphabet) for _ in range(count))


def api_secret(rnd: random.Random) -> str:
    return rnd.choice(
        (
            letters(rnd, 64),
            letters(rnd, 32, "0123456789ABCDEF"),
            letters(rnd, 36),
            letters(rnd, 40, string.ascii_letters + string.digits + "+/"),
        )
    )


def password(rnd: random.Random) -> str:
    word = rnd.choice(("sunny", "Dragon", "wang", "liming", "Tiger", "summer", "bitcoin", "Qwer", "abc"))
    return rnd.choice(
        (
            word + str(rnd.randrange(10, 99999)) + rnd.choice(("", "!", "@", "#")),
            letters(rnd, rnd.randrange(8, 16), string.ascii_letters + string.digits + "!@#$%&*"),
            word.capitalize() + rnd.choice("@#!_") + str(rnd.randrange(1000, 9999)),
        )
    )


def code(rnd: random.Random) -> str:
    digits = f"{rnd.randrange(10**6):06d}"
    return rnd.choice((digits, digits, f"{digits[:3]} {digits[3:]}"))


def card(rnd: random.Random) -> str:
    head, length = rnd.choice((("4", 16), ("52", 16), ("37", 15), ("6222", 16), ("6217", 19), ("3530", 16)))
    digits = head + "".join(rnd.choice(string.digits) for _ in range(length - len(head) - 1))
    total = sum((d * 2 - 9 * (d > 4)) if place % 2 == 0 else d for place, d in enumerate(map(int, reversed(digits))))
    digits += str(-total % 10)
    return digits if rnd.random() < 0.5 else " ".join(digits[at : at + 4] for at in range(0, length, 4))


def identity(rnd: random.Random) -> str:
    digits = (
        rnd.choice(("110101", "310115", "440305", "510107", "330106"))
        + f"{rnd.randrange(1955, 2006)}{rnd.randrange(1, 13):02d}{rnd.randrange(1, 29):02d}{rnd.randrange(1000):03d}"
    )
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return digits + "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11]


def address(rnd: random.Random) -> str:
    """What must stay: addresses, signatures, extended public keys, ids of orders."""
    tron = base58.b58encode_check(b"\x41" + _bytes(rnd, 20)).decode()
    bitcoin = base58.b58encode_check(rnd.choice((b"\x00", b"\x05")) + _bytes(rnd, 20)).decode()
    makers: tuple[Callable[[], str], ...] = (
        lambda: f"0x{rnd.getrandbits(160):040x}",
        lambda: tron,
        lambda: bitcoin,
        lambda: base58.b58encode(_bytes(rnd, 32)).decode(),
        lambda: base58.b58encode(_bytes(rnd, 64)).decode(),
        lambda: extended(rnd, private=False),
        lambda: str(uuid.UUID(int=rnd.getrandbits(128))),
        lambda: f"{rnd.randrange(2020, 2027)}{rnd.randrange(10**12):012d}",
        lambda: "bc1q" + letters(rnd, 38, "023456789acdefghjklmnpqrstuvwxyz"),
    )
    return rnd.choice(makers)()


def digest(rnd: random.Random) -> str:
    return hashlib.sha256(_bytes(rnd, 16)).hexdigest()
