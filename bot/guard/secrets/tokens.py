"""API secrets: by the form that some services give theirs, and by the words before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.view import View

_FORMS = re.compile(
    r"(?<![0-9A-Za-z_-])(?:"
    r"gh[pousr]_[0-9A-Za-z]{36,80}|github_pat_\w{60,100}|sk-[0-9A-Za-z_-]{20,200}|[sr]k_live_[0-9A-Za-z]{20,100}|"
    r"xox[abpsr]-[0-9A-Za-z-]{20,120}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|\d{8,10}:[0-9A-Za-z_-]{35}|"
    r"glpat-[0-9A-Za-z_-]{20,40}|eyJ[0-9A-Za-z_-]{16,4000}\.eyJ[0-9A-Za-z_-]{16,4000}\.[0-9A-Za-z_-]{16,1000}|"
    r"PVT_(?:K1|R1)_[1-9A-HJ-NP-Za-km-z]{40,60}"
    r")(?![0-9A-Za-z_-])"
)
"""Tokens of GitHub, OpenAI, Stripe, Slack, AWS, Google, Telegram, GitLab, JSON web tokens, keys of EOS."""
_FORM_MARKS = ("gh", "sk", "rk_", "xox", "akia", "aiza", ":", "glpat", "eyj", "pvt_")
_OTP_LINK = re.compile(r"otpauth(?:-migration)?://[^\s\"'<>]{8,2000}", re.IGNORECASE)
_LONG = re.compile(r"(?<![0-9A-Za-z_./+-])[0-9A-Za-z]{64}(?![0-9A-Za-z_/+-])")
"""Binance's keys and secrets: 64 letters of both kinds and digits, as nothing else is."""

LABEL = re.compile(
    r"(?:api|app|access|client|secret|webhook|auth|bearer|trading|binance|okx|bybit|kucoin|bitget|gate|huobi|"
    r"coinbase|kraken|币安|欧易|交易所)"
    r"[ _-]{0,2}(?:api[ _-]{0,2})?(?:secret[ _-]?(?:access[ _-]?)?key|secret|keys?|token|passphrase|密[钥鑰]|秘[钥鑰]|"
    r"私[钥鑰]|口令)"
    r"(?:[ _-]?(?:key|密钥))?|api[ _-]{0,2}(?:密[钥鑰]|秘[钥鑰]|口令)|密[钥鑰]|秘[钥鑰]|"
    r"(?<![a-z])(?:secret(?: key|nya|s)?|sec|pass ?phrase)(?![a-z])|секрет(?:ный ключ)?|secreto|апи[ -]?ключ|"
    r"(?<![a-z])token(?![a-z])|"
    r"clave secreta|cl[ée] secr[èe]te|シークレット(?:キー)?|시크릿 ?키"
)
_GAP = (
    r"[\s\"'“”「」*`(（|]{0,3}(?:是|为|為|就是|is|was|es|est|ist|это|は|는|=>|[:：=—-])?"
    r"[\s:：=\"'“”「」*`(（]{0,4}(?:是|is)?\s?"
)
_LABELLED = re.compile(f"({LABEL.pattern}){_GAP}([0-9A-Za-z+/][0-9A-Za-z+/=_.-]{{14,199}})")
_BASE32 = re.compile(
    r"(?:谷歌|google|authenticator|2fa|totp|otp|验证器|驗證器|身份验证|两步验证|二次验证|setup|设置|绑定|备份|backup)"
    r"[^\n。.;；]{0,24}?(?:密[钥鑰]|秘[钥鑰]|key|secret|码|code)[^\n0-9a-z]{0,3}(?:是|为|is)?[\s:：=]{0,3}"
    r"([a-z2-7]{16,64}|(?:[a-z2-7]{4}[ -]){3,15}[a-z2-7]{4})(?![0-9a-z])"
)


def find(views: list[View]) -> Iterator[Finding]:
    """Every API secret, and every secret of an authenticator."""
    for message, view in enumerate(views):
        if len(view.plain) < 16:
            continue
        lower = view.lower
        if any(mark in lower for mark in _FORM_MARKS):
            for match in _FORMS.finditer(view.plain):
                yield _found(message, *match.span(), Certainty.CERTAIN)
        if "otpauth" in lower:
            for match in _OTP_LINK.finditer(view.plain):
                yield _found(message, *match.span(), Certainty.CERTAIN)
        for match in _LONG.finditer(view.plain):
            if _mixed(match[0]) and not re.fullmatch("[0-9a-fA-F]+", match[0]):
                yield _found(message, *match.span(), Certainty.CERTAIN)
        for match in _LABELLED.finditer(lower):
            value = view.plain[match.start(2) : match.end(2)].rstrip(".")
            if is_random(value):
                yield _found(message, match.start(2), match.start(2) + len(value), Certainty.LIKELY)
        for match in _BASE32.finditer(lower):
            if any(digit in match[1] for digit in "234567") or " " in match[1]:
                yield _found(message, *match.span(1), Certainty.LIKELY)


def _found(message: int, start: int, end: int, certainty: Certainty) -> Finding:
    return Finding(SecretKind.API_SECRET, (Span(message, start, end),), certainty)


def _mixed(word: str) -> bool:
    return any(c.isdigit() for c in word) and any("a" <= c <= "z" for c in word) and any("A" <= c <= "Z" for c in word)


def is_random(word: str) -> bool:
    """Digits and letters mixed, as no word, version or link is. Addresses are no secrets, whatever is before them."""
    digits = sum(c.isdigit() for c in word)
    letters = sum(c.isalpha() for c in word)
    address = re.match(r"0x[0-9a-fA-F]{40}$|(?:T|1|3)[1-9A-HJ-NP-Za-km-z]{32,33}$|bc1", word) is not None
    mixed = digits >= 2 or (digits and len(re.findall("[a-z][A-Z]", word)) > 1) or _scrambled(word)
    return bool(mixed) and letters >= 2 and not address and word.count(".") < 2


def _scrambled(word: str) -> bool:
    """Small and capital letters in turns, more often than in any name."""
    return len(word) >= 24 and len(re.findall("[a-z][A-Z]", word)) > 4
