"""Amounts: a number with a coin or a currency, on either side."""

from __future__ import annotations

import re
from decimal import Decimal

from bot.domain.forms import numbers
from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import Reading
from bot.domain.forms.vocabulary import Vocabulary

_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z.,/:_#-])(?P<sign>[$€£¥₽₩₺])?\s?"
    rf"(?:(?P<digits>{numbers.WRITTEN})\s?(?P<scale>(?:k|w|m|mio|mil|тыс)(?![a-zа-я])|[kw](?=\s?u(?![a-z]))|百万|"
    rf"[千万萬百]|亿)?"
    rf"|(?<![第另哪某同每几数十百千万])(?P<chinese>{numbers.CHINESE}))",
)
_ENGLISH = re.compile(r"(?<![a-z])(half an?|half|one|two|three|four|five|six|ten|a hundred)\s(?=[a-z])")
_CLASSIFIER = re.compile(r"\s?(?:个|個|枚|颗|顆|只|pcs\b|units?\b|of\b|adet\b|多个|多)?\s?")
_THING = re.compile(r"\s?(?:地址|钱包|账户|帐户|交易|转账|wallet|address|account|transaction|transfer)")
"""One of these is no amount of the coin in front of it."""
_CURRENCIES = {
    "$": "USD",
    "usd": "USD",
    "dollars": "USD",
    "dollar": "USD",
    "bucks": "USD",
    "刀": "USD",
    "美金": "USD",
    "美元": "USD",
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "欧元": "EUR",
    "£": "GBP",
    "gbp": "GBP",
    "pounds": "GBP",
    "¥": "CNY",
    "cny": "CNY",
    "rmb": "CNY",
    "人民币": "CNY",
    "元": "CNY",
    "块钱": "CNY",
    "块": "CNY",
    "塊": "CNY",
    "₽": "RUB",
    "rub": "RUB",
    "руб": "RUB",
    "рублей": "RUB",
    "₩": "KRW",
    "원": "KRW",
    "₺": "TRY",
    "tl": "TRY",
    "日元": "JPY",
    "円": "JPY",
    "港币": "HKD",
    "hkd": "HKD",
    "reais": "BRL",
    "brl": "BRL",
    "pesos": "pesos",
    "idr": "IDR",
}
_CURRENCY = re.compile("(?:" + "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True)) + ")(?![a-zа-я])")
_SCALES = {"k": 10**3, "тыс": 10**3, "mil": 10**3, "千": 10**3, "百": 100, "w": 10**4, "万": 10**4, "萬": 10**4}
_SCALES |= {"m": 10**6, "mio": 10**6, "百万": 10**6, "亿": 10**8}
_COUNTED = re.compile(
    r"\s?(?:%|[天日号月年点时分秒次遍人条笔岁]|个(?:月|小时|钟|人|词|单词|字|号|地址|钱包)|小时|分钟|"
    r"st\b|th\b|days?\b|hours?\b|hrs?\b|min|weeks?\b|months?\b)"
)
_ALONE = re.compile(rf"\s*(?:about|around|大概|大约|约|就)?\s*(?P<digits>{numbers.WRITTEN})\s?[个個枚颗]?\s*")


def find(reading: Reading, vocabulary: Vocabulary) -> None:
    """Takes every amount. The coins were found before."""
    coins = {detail.start: detail for detail in reading.found if detail.kind is Kind.COIN}
    behind = {detail.end: detail for detail in reading.found if detail.kind is Kind.COIN}
    lower = reading.lower
    for match in _NUMBER.finditer(lower):
        number = _value(match["digits"], match["scale"], match["chinese"])
        if number is not None:
            _with_unit(reading, vocabulary, coins, behind, match, number)
    for match in _ENGLISH.finditer(lower):
        word = match[1].split()[-1] if match[1] == "a hundred" else match[1].split()[0]
        coin = coins.get(match.end()) or coins.get(match.end() + _article(lower, match.end()))
        if coin is not None:
            value = numbers.shown(numbers.ENGLISH[word])
            reading.take(Detail(Kind.AMOUNT, f"{value} {coin.value}", match.start(), match.end()))
    if Kind.AMOUNT in reading.expecting and not any(detail.kind is Kind.AMOUNT for detail in reading.found):
        alone = _ALONE.fullmatch(lower)
        if alone is not None:
            reading.take(
                Detail(Kind.AMOUNT, numbers.plain(alone["digits"]), alone.start("digits"), alone.end("digits"))
            )


def _article(lower: str, start: int) -> int:
    return next((len(article) for article in ("a ", "an ") if lower.startswith(article, start)), 0)


def _value(digits: str | None, scale: str | None, chinese: str | None) -> str | None:
    if digits is not None:
        number = numbers.plain(digits)
        return numbers.times(number, _SCALES[scale]) if scale else number
    value = numbers.chinese(chinese or "")
    return None if value is None else numbers.shown(value)


def _with_unit(
    reading: Reading,
    vocabulary: Vocabulary,
    coins: dict[int, Detail],
    behind: dict[int, Detail],
    match: re.Match[str],
    number: str,
) -> None:
    lower, start, end = reading.lower, match.start(), match.end()
    if match["sign"]:
        reading.take(Detail(Kind.AMOUNT, f"{number} {_CURRENCIES[match['sign']]}", start, end))
        return
    while start < end and lower[start].isspace():
        start += 1
    between = _CLASSIFIER.match(lower, end)
    unit = between.end() if between else end
    if unit > end and lower.startswith("半", unit):  # 三个半
        number, unit = numbers.shown(Decimal(number) + Decimal("0.5")), unit + 1
    coin = coins.get(unit) or coins.get(end)
    if coin is not None:
        if number == "1" and _THING.match(lower, coin.end):
            return
        reading.take(Detail(Kind.AMOUNT, f"{number} {coin.value}", start, _trimmed(lower, coin.start)))
        return
    for alias, value in vocabulary.behind_number.items():
        if lower.startswith(alias, unit) and not _letter(lower, unit + len(alias)) and reading.free(start, unit):
            if reading.take(Detail(Kind.AMOUNT, f"{number} {value}", start, _trimmed(lower, unit))):
                reading.take(Detail(Kind.COIN, value, unit, unit + len(alias)))
            return
    currency = _CURRENCY.match(lower, unit)
    if currency is not None:
        reading.take(Detail(Kind.AMOUNT, f"{number} {_CURRENCIES[currency[0]]}", start, currency.end()))
        return
    _behind_coin(reading, behind, match, number)


def _behind_coin(reading: Reading, behind: dict[int, Detail], match: re.Match[str], number: str) -> None:
    """``USDT 300``, ``btc：0.02``."""
    if not match["digits"]:
        return
    lower, start, end = reading.lower, match.start("digits"), match.end()
    before = start
    while before and lower[before - 1] in " :：=" and start - before < 3:
        before -= 1
    coin = behind.get(before)
    if coin is None or _COUNTED.match(lower, end) or _letter(lower, end):
        return
    reading.take(Detail(Kind.AMOUNT, f"{number} {coin.value}", start, end))


def _letter(lower: str, position: int) -> bool:
    return lower[position : position + 1].isascii() and lower[position : position + 1].isalnum()


def _trimmed(lower: str, end: int) -> int:
    while lower[end - 1].isspace():
        end -= 1
    return end
