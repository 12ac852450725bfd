"""Card numbers and Chinese identity numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.view import Around, View

_DIGITS = re.compile(r"(?<![0-9A-Za-z.,])\d(?:[ -]?\d){12,18}(?![0-9A-Za-z]|[.,]\d)")
_IDENTITY = re.compile(r"(?<![0-9A-Za-z.,])[1-8]\d{5} ?(?:19|20)\d{2} ?\d{4} ?\d{3}[0-9Xx](?![0-9A-Za-z])")
_PROVINCES = frozenset(
    """11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71
    81 82 83""".split()  # noqa: SIM905
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"(?:6011|64[4-9]\d|65\d{2})\d{12}|62\d{14,17}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]\d|[68]\d{2})\d{10}|"
    r"(?:81\d{2}|220[0-4])\d{12}"
)
"""First digits and lengths: Visa, Mastercard, American Express, Discover, UnionPay, JCB, Diners, RuPay, Mir."""
_CARD_WORDS = re.compile(
    r"卡号|卡號|银行卡|信用卡|借记卡|储蓄卡|\b(?:cards?|visa|mastercard|debit|credit|amex|pan)\b|tarjeta|carte|карт|カード|카드"
)
_OTHER_WORDS = re.compile(
    r"订单|單號|单号|工单|流水|编号|號碼|快递|物流|运单|交易号|"
    r"\b(?:order|ticket|case|reference|ref|tracking|invoice|transaction|receipt|id|uid|serial|imei|no)\b|pedido|"
    r"commande|заказ"
)
_GAP = 12
_CVV = re.compile(r"(?<![a-z])(?:cvv2?|cvc2?|cid|卡背面?三位(?:数|码)?|安全码)[\s:：=是为]{0,3}(?:is )?(\d{3,4})(?!\d)")


def find(views: list[View]) -> Iterator[Finding]:
    """Every card and identity number, by checksum and form."""
    for message, view in enumerate(views):
        for match in _IDENTITY.finditer(view.plain):
            if identity(match[0].replace(" ", "")):
                yield _found(SecretKind.IDENTITY_NUMBER, message, match, Certainty.CERTAIN)
        for match in _CVV.finditer(view.lower):
            yield Finding(SecretKind.CARD_NUMBER, (Span(message, *match.span(1)),), Certainty.LIKELY)
        for match in _DIGITS.finditer(view.plain):
            digits = re.sub(r"[ -]", "", match[0])
            if not card(digits) or not _grouped(match[0]):
                continue
            around = Around(views, message, *match.span())
            named = around.says(_CARD_WORDS)
            if named or not around.names(_OTHER_WORDS, _GAP):
                yield _found(SecretKind.CARD_NUMBER, message, match, Certainty.CERTAIN if named else Certainty.LIKELY)


def _found(kind: SecretKind, message: int, match: re.Match[str], certainty: Certainty) -> Finding:
    return Finding(kind, (Span(message, *match.span()),), certainty)


def card(digits: str) -> bool:
    """An issuer's first digits and length, and the checksum of Luhn."""
    if not _ISSUERS.fullmatch(digits) or len(set(digits)) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 * (number > 9)
    return total % 10 == 0


def _grouped(written: str) -> bool:
    """In no groups, or in groups of three to seven: not single digits or dates with numbers behind."""
    groups = re.split(r"[ -]", written)
    return len(groups) == 1 or (all(1 < len(group) < 8 for group in groups) and len(groups) <= 5)


def identity(number: str) -> bool:
    """A province, a day that can be, and the checksum."""
    month, day = int(number[10:12]), int(number[12:14])
    if number[:2] not in _PROVINCES or not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()
