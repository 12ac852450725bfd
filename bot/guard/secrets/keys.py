"""Private keys by their form: WIF, xprv, BIP-38, Solana, Stellar, Ripple, bech32 and 64 hexadecimal digits."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from base58_bech32 import base58
from base58_bech32.exceptions import Base58Bech32Exception
from Crypto.PublicKey import ECC

from bot.domain.forms.chains import EXPLORERS
from bot.guard.secrets.finding import Certainty, Finding, Kind, Known, SecretKind, Span
from bot.guard.secrets.view import Around, View

KEY_WORDS = re.compile(
    r"私[钥鑰密]|秘[钥鑰密]|密[钥鑰](?!派)|助记[词詞]|助記詞|种子|导入|導入|明文|钱包密码|"
    r"(?<![a-z])(?:private|priv|secret|signing|spend|master|seed|import|export(?:ed)?)[ _-]?(?:keys?|hex|"
    r"wallet)?(?![a-z])|"
    r"(?<![a-z])(?:pk|prv|privkey|privatekey|secretkey|sk|mnemonic|keypair|my key|the key|wallet key|account key|"
    r"key is|"
    r"key:|key=|key phrase|raw key|hex key)(?![a-z])|"
    r"clave|llave privada|cl[ée] priv|(?:приват|секрет|закрыт)\w*|chave|chiave|schlüssel|"
    r"秘密鍵|비밀[ ]?키|개인[ ]?키|프라이빗|"
    r"anahtar|"
    r"khóa (?:riêng|bí)|kunci (?:pribadi|privat)|klucz"
)
HASH_WORDS = re.compile(
    r"哈希|hash|(?<![a-z])(?:tx|txn|txs|tx[ _-]?id|transaction|transfer|public[ _-]?key|pubkey|fingerprint|md5|"
    r"sha-?\d{3}sum|block|deposit|withdrawal|receipt|topic|trx id|"
    r"signature|sha-?256|checksum|commit|digest)(?![a-z])|交易(?!密码|密碼|所|私)|公[钥鑰]|流水|转账|轉帳|轉賬|转帐|"
    r"提币|提现|充值|到账|区块|區塊|凭证|签名|校验|транзакц|хеш|хэш|transacci|transaç|transazione|transaktion|"
    r"トランザクション|ハッシュ|取引|트랜잭션|해시|işlem|giao dịch|transaksi"
)
_HASH_GAP = 14
"""Characters between a word for a hash and the digits, where it names them: "hash is: "."""

HEX_LENGTH = 64
"""Hexadecimal digits of a private key."""
_HEX = re.compile(r"(?<![0-9A-Za-z])(0[xX])?([0-9a-fA-F]{60,68}|[0-9a-fA-F]{128})(?![0-9A-Za-z])")
_HEX_APART = re.compile(
    r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9a-fA-F]{2,62}[\s-]{1,2}){1,31}[0-9a-fA-F]{2,62}(?![0-9A-Za-z])"
)
_HEX_SHORT = re.compile(r"(?<![0-9A-Za-z-])[0-9a-fA-F]{32}(?![0-9A-Za-z-])")
_ALL, _LETTERS = frozenset("0123456789abcdef"), frozenset("abcdef")
_DIFFERENT = 9
"""Different digits among 64: of a key there are fewer once in 10 to the power of 15 times."""
_LINK_END = re.compile(r"[\s\"'<>，。]")
_BASE58 = re.compile(r"(?<![0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{28,120}(?![0-9A-Za-z])")
_WIF = re.compile(r"5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51}")
_BECH32 = re.compile(
    r"(?<![0-9a-z])(?:nsec1|suiprivkey1|age-secret-key-1|secret-extended-key-main1|(?:root|acct|addr|stake|"
    r"policy)_x?sk1|"
    r"ed25519e?_sk1|sprv1)[02-9ac-hj-np-z]{38,300}(?![0-9a-z])"
)
_STELLAR = re.compile(r"(?<![0-9A-Za-z])S[A-Z2-7]{55}(?![0-9A-Za-z])")
_ARRAY = re.compile(r"\[\s{0,4}(?:\d{1,3}\s{0,4},\s{0,6}){31,63}\d{1,3}\s{0,4},?\s{0,4}\]")
_ROW = re.compile(r"(?<![\d,.])(?:\d{1,3},[ \t\n]{0,2}){63}\d{1,3}(?![\d,.])")
_RIPPLE = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_MOST_CURVES = 200
"""Solana's keys are compared with their public half at 0.3 ms each; behind so many of them, the form decides."""


def find(views: list[View], known: Known) -> Iterator[Finding]:
    """Every private key."""
    for message, view in enumerate(views):
        plain = view.plain
        if len(plain) < 28:
            continue
        yield from _hex(views, message, known)
        yield from _base58(views, message)
        for pattern, text in ((_BECH32, view.lower), (_STELLAR, plain)):
            for match in pattern.finditer(text):
                if pattern is _BECH32 or _stellar(match[0]):
                    yield _key(message, match, Certainty.CERTAIN)
        for match in _arrays(plain):
            count = match[0].count(",") + 1
            numbers = [int(number) for number in re.findall(r"\d+", match[0])]
            if max(numbers) < 256 and (count >= 64 or Around(views, message, *match.span()).says(KEY_WORDS)):
                yield _key(message, match, Certainty.CERTAIN if count >= 64 else Certainty.LIKELY)


def _arrays(plain: str) -> Iterator[re.Match[str]]:
    if plain.count(",") >= 31:
        yield from _ARRAY.finditer(plain)
        yield from _ROW.finditer(plain)


def _key(message: int, match: re.Match[str], certainty: Certainty) -> Finding:
    return Finding(SecretKind.PRIVATE_KEY, (Span(message, *match.span()),), certainty)


def _hex(views: list[View], message: int, known: Known) -> Iterator[Finding]:
    plain = views[message].plain
    for match in _HEX.finditer(plain):
        prefixed, digits = match[1] is not None, match[2]
        if not is_random(digits):
            continue
        certainty = judge_hex(views, message, match.start(), match.end(), known, len(digits), prefixed=prefixed)
        if certainty is not None:
            yield _key(message, match, certainty)
    for match in _HEX_APART.finditer(plain):
        if len(match[0]) > 64 and is_random(match[0]):
            yield from _apart(views, message, match, known)
    for match in _HEX_SHORT.finditer(plain):
        if not match[0].isdigit() and _named_key(Around(views, message, *match.span())):
            yield _key(message, match, Certainty.LIKELY)


def is_random(digits: str) -> bool:
    """Whether they are as mixed as those of a key are."""
    different = set(digits.lower())
    return len(different & _ALL) >= _DIFFERENT and bool(different & _LETTERS)


def _apart(views: list[View], message: int, match: re.Match[str], known: Known) -> Iterator[Finding]:
    """64 digits in groups: found where a row of whole groups has so many."""
    groups = [(m.start() + match.start(), m.end() + match.start()) for m in re.finditer(r"[0-9a-fA-F]+", match[0])]
    for first in range(len(groups)):
        length = 0
        for start, end in groups[first:]:
            length += end - start
            if length >= 64:
                break
        text = views[message].plain[groups[first][0] : end]
        if length == 64 and start != groups[first][0] and is_random(text):
            begin = groups[first][0]
            certainty = judge_hex(views, message, begin, end, known, 64, prefixed=False)
            if certainty is not None:
                yield Finding(SecretKind.PRIVATE_KEY, (Span(message, begin, end),), certainty)
            return


def judge_hex(
    views: list[View], message: int, start: int, end: int, known: Known, length: int, *, prefixed: bool
) -> Certainty | None:
    """Whether these hexadecimal digits are hidden.

    Bare, 64 of them may be a key or a transaction hash. A word for a hash right at them, or an explorer's link, keeps
    them; else a word for a key hides; else a word for a hash around them, ``0x``, or that a hash was asked for keeps
    them; and else they are hidden in doubt.
    """
    around = Around(views, message, start, end)
    if _in_explorer(views[message].lower, start):
        return None
    secret = around.says(KEY_WORDS)
    if _named_key(around):
        return Certainty.LIKELY
    if around.names(HASH_WORDS, _HASH_GAP):
        return None
    if secret:
        return Certainty.LIKELY
    if length not in (HEX_LENGTH, 2 * HEX_LENGTH):
        return None
    if prefixed or Kind.HASH in known.asked or around.says(HASH_WORDS):
        return None
    return Certainty.DOUBTFUL


def _named_key(around: Around) -> bool:
    """A word for a key right before, nearer than any word for a hash."""
    if not around.names(KEY_WORDS, _HASH_GAP):
        return False
    one, other = around.last(KEY_WORDS), around.last(HASH_WORDS)
    return other is None or (one is not None and one < other)


def _in_explorer(lower: str, start: int) -> bool:
    """Whether the digits are part of a link to an explorer, or to a page that calls them a transaction."""
    link = _LINK_END.split(lower[max(0, start - 300) : start])[-1]
    if not link or ("." not in link and "/" not in link):
        return False
    return any(site in link for site in EXPLORERS) or any(part in link for part in ("/tx/", "/transaction/", "tx/0x"))


def _base58(views: list[View], message: int) -> Iterator[Finding]:
    plain = views[message].plain
    curves = 0
    for match in _BASE58.finditer(plain):
        word = match[0]
        length = len(word)
        if length in (51, 52) and (_WIF.fullmatch(word) or _payload(word) in (33, 34)):
            yield _key(message, match, Certainty.CERTAIN if _payload(word) else Certainty.LIKELY)
        elif length == 58 and word.startswith("6P"):
            yield _key(message, match, Certainty.CERTAIN if _payload(word) == 39 else Certainty.LIKELY)
        elif (
            (105 <= length <= 115 and _extended_private(word))
            or (length in (54, 98) and word[:4] in ("edsk", "edes") and _payload(word))
            or (word[0] == "s" and length in (29, 31) and _ripple(word))
        ):
            yield _key(message, match, Certainty.CERTAIN)
        elif 85 <= length <= 88:
            curves += 1
            if curves <= _MOST_CURVES and _solana(word):
                yield _key(message, match, Certainty.CERTAIN)
            elif curves > _MOST_CURVES:
                yield _key(message, match, Certainty.DOUBTFUL)
            elif _named_key(Around(views, message, *match.span())):
                yield _key(message, match, Certainty.LIKELY)
        elif 43 <= length <= 44 and _named_key(Around(views, message, *match.span())):
            # 32 bytes: an address of Solana's as well as a seed of its keys.
            named = Around(views, message, *match.span()).before[-40:]
            if not re.search(r"address|地址|public|公钥|pubkey", named):
                yield _key(message, match, Certainty.LIKELY)


def is_key(word: str) -> bool:
    """Whether it is a key by its own form and checksum: WIF, BIP-38, xprv, a key pair of Solana's."""
    length = len(word)
    if length in (51, 52):
        return _WIF.fullmatch(word) is not None and _payload(word) in (33, 34)
    if length == 58:
        return word.startswith("6P") and _payload(word) == 39
    return (105 <= length <= 115 and _extended_private(word)) or (85 <= length <= 88 and _solana(word))


def _payload(word: str) -> int:
    """How many bytes the checksum covers; 0 where it is wrong."""
    try:
        return len(base58.b58decode_check(word))
    except Base58Bech32Exception:
        return 0


def _extended_private(word: str) -> bool:
    """xprv, yprv, zprv, tprv and the like; of their public counterparts the 46th byte is 2 or 3. Also mistyped."""
    try:
        payload = base58.b58decode_check(word)
    except Base58Bech32Exception:
        return re.match(r"[xyzYZtuvUV]prv", word) is not None
    return len(payload) == 78 and payload[45] == 0


def _ripple(word: str) -> bool:
    try:
        payload = base58.b58decode_check(word, alphabet=_RIPPLE)
    except Base58Bech32Exception:
        return False
    return len(payload) in (17, 19)


def _solana(word: str) -> bool:
    """A key pair: 32 bytes of seed and the public key that belongs to it. A signature has the same length."""
    try:
        raw = base58.b58decode(word, max_length=90)
    except Base58Bech32Exception:
        return False
    return len(raw) == 64 and _pair(raw)


def _pair(raw: bytes) -> bool:
    public = ECC.construct(curve="Ed25519", seed=raw[:32]).public_key().export_key(format="raw")
    return bool(public == raw[32:])


def _stellar(word: str) -> bool:
    try:
        raw = base64.b32decode(word)
    except (binascii.Error, ValueError):
        return False
    return raw[0] == 18 << 3 and binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little")
