"""Messages with planted secrets, by kind; and what of a secret is left in a redacted text."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.secrets import plant, wordings
from bot.guard.secrets import LABELS

CHATTER = ("ok", "wait a moment", "等一下", "还有", "next ones", "稍等", "sorry, the rest:", "下面是后面的")


_LABEL = re.compile("|".join(map(re.escape, LABELS.values())))


@dataclass(frozen=True)
class Planted:
    kind: str
    texts: list[str]
    secret: tuple[str, ...]
    """Its parts: none may be left."""


def left(planted: Planted, redacted: tuple[str, ...]) -> bool:
    """Whether any of it is still there: three words of a phrase or two in a row, four Chinese characters in a row,
    eight characters in a row of anything else."""
    text = _plain(_LABEL.sub("\n", "\n".join(redacted)))
    secret = [_plain(part) for part in planted.secret]
    if len(secret) > 1:
        words = [word for word in re.split(r"[\W\d_]+", text) if word]
        pairs = set(pairwise(words))
        return any(pair in pairs for pair in pairwise(secret)) or len(set(words) & set(secret)) > 2
    size = 8
    if re.match("[\u3400-\u9fff]", secret[0]):
        size, secret[0], text = 4, _APART.sub("", secret[0]), _APART.sub("", text)
    return any(secret[0][at : at + size] in text for at in range(max(1, len(secret[0]) - size + 1)))


_APART = re.compile(r"[\W\d_]+")


def _plain(text: str) -> str:
    wide = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text)
    return unicodedata.normalize("NFC", wide).lower()


def _phrase(rnd: random.Random, kind: str, words: list[str]) -> Planted:
    text = rnd.choice(wordings.PHRASE).format(wordings.written(rnd, words))
    return Planted(kind, [text], tuple(word.lower() for word in words))


def _split(rnd: random.Random, words: list[str], joint: str) -> list[str]:
    count = rnd.randrange(2, 5)
    cuts = sorted(rnd.sample(range(2, len(words) - 1), count - 1))
    parts = [joint.join(words[a:b]) for a, b in zip([0, *cuts], [*cuts, len(words)], strict=True)]
    if len(parts) < 5 and rnd.random() < 0.5:
        parts.insert(rnd.randrange(1, len(parts)), rnd.choice(CHATTER))
    return parts


def _alphabetic(rnd: random.Random) -> Planted:
    return _phrase(rnd, "seed phrase", plant.phrase(rnd, rnd.choice(plant.LANGUAGES)))


def _damaged(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(plant.LANGUAGES))
    return _phrase(rnd, "seed phrase, 1 or 2 misspelt", plant.misspelt(rnd, words, rnd.choice((1, 2))))


def _spread(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(plant.LANGUAGES))
    return Planted("seed phrase over 2 to 5 messages", _split(rnd, words, " "), tuple(words))


def _spaced(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(("zh", "zh_tw")))
    joint = rnd.choice((" ", "\n", "，", "、", ", "))
    return Planted(
        "Chinese phrase, spaced", [rnd.choice(wordings.PHRASE).format(joint.join(words))], (joint.join(words),)
    )


def _unspaced(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(("zh", "zh_tw")))
    return Planted(
        "Chinese phrase, unspaced in a sentence",
        [rnd.choice(wordings.INSIDE).format("".join(words))],
        ("".join(words),),
    )


def _unspaced_damaged(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(("zh", "zh_tw")))
    for place in rnd.sample(range(len(words)), rnd.choice((1, 2))):
        words[place] = chr(rnd.randrange(0x4E00, 0x9000))
    return Planted(
        "Chinese phrase, unspaced, 1 or 2 wrong",
        [rnd.choice(wordings.INSIDE).format("".join(words))],
        ("".join(words),),
    )


def _chinese_spread(rnd: random.Random) -> Planted:
    words = plant.phrase(rnd, rnd.choice(("zh", "zh_tw")))
    return Planted("Chinese phrase over 2 to 5 messages", _split(rnd, words, ""), ("".join(words),))


def _in(kind: str, make: Callable[[random.Random], str], ways: tuple[str, ...]) -> Callable[[random.Random], Planted]:
    def planted(rnd: random.Random) -> Planted:
        secret = make(rnd)
        text = rnd.choice(ways).format(secret)
        return Planted(kind, [text], (re.sub(r"^0x", "", secret).lower(),))

    return planted


def _solana(rnd: random.Random) -> str:
    pair = plant.solana_pair(rnd)
    if rnd.random() < 0.5:
        return "[" + rnd.choice((",", ", ")).join(map(str, pair)) + "]"
    encoded: bytes = plant.base58.b58encode(pair)
    return encoded.decode()


def _bare(rnd: random.Random) -> Planted:
    key = f"{rnd.getrandbits(256):064x}"
    return Planted("hex key, bare", [rnd.choice(("{}", "{} ?", "please help {}", "{} 怎么回事")).format(key)], (key,))


KINDS: tuple[Callable[[random.Random], Planted], ...] = (
    _alphabetic,
    lambda rnd: _phrase(rnd, "seed phrase, Electrum", plant.electrum_phrase(rnd)),
    lambda rnd: _phrase(rnd, "seed phrase, Monero's scheme", plant.monero_phrase(rnd)),
    _damaged,
    _spread,
    _spaced,
    _unspaced,
    _unspaced_damaged,
    _chinese_spread,
    _in("hex key with a word for it", plant.hex_key, wordings.KEY),
    _bare,
    _in("WIF", plant.wif, wordings.FORM),
    _in("xprv, yprv, zprv", plant.extended, wordings.FORM),
    _in("BIP-38", plant.bip38, wordings.FORM),
    _in("Solana, base58 or array", _solana, wordings.FORM),
    _in("Stellar", plant.stellar, wordings.FORM),
    _in("keystore", plant.keystore, wordings.FORM),
    _in("PEM", plant.pem, wordings.FORM),
    _in("API secret", plant.api_secret, wordings.API),
    _in("password", plant.password, wordings.PASSWORD),
    _in("one-time code", plant.code, wordings.CODE),
    _in("card number", plant.card, wordings.CARD),
    _in("identity number", plant.identity, wordings.IDENTITY),
)


def all_of(seed: int, each: int) -> Iterator[Planted]:
    rnd = random.Random(seed)  # noqa: S311  (they are to be the same every time)
    for make in KINDS:
        for _ in range(each):
            yield make(rnd)


def harmless(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """What must stay: (what it is, text)."""
    rnd = random.Random(seed)  # noqa: S311
    for _ in range(count):
        yield (
            "address, signature, xpub, UUID or order number",
            rnd.choice(
                ("{}", "my address is {}", "地址 {}", "订单号 {}", "I sent it to {} yesterday", "ticket {}")
            ).format(plant.address(rnd)),
        )
    for _ in range(count // 4):
        yield "transaction hash, named", rnd.choice(wordings.HASH).format(plant.digest(rnd))
    for _ in range(count // 4):
        yield "transaction hash, 0x", f"0x{plant.digest(rnd)}"
