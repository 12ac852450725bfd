"""Amounts: a number with a coin or a currency, on either side."""

from __future__ import annotations

import re
from decimal import Decimal

from bot.domain.forms import numbers
from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import BEGIN, Reading, Scan
from bot.domain.forms.vocabulary import Vocabulary

_DIGITS = (
    rf"(?P<digits>{numbers.WRITTEN})"
    r"\s?(?P<scale>万(?P<rest>\d)千|(?:k|w|m|mio|mil|тыс)(?![a-zа-я])|[kw](?=\s?u(?![a-z]))|百万|[千万萬百]|亿)?"
)
_NUMBER = Scan(
    rf"(?<![.,/:_#-]){BEGIN}(?P<sign>[$€£¥₽₩₺])?\s?"
    rf"(?:{_DIGITS}|(?<![第另哪某同每几数十百千万])(?P<chinese>{numbers.CHINESE}))",
    "$€£¥₽₩₺零〇一二两兩三四五六七八九十百千万亿半",
    words=False,
)
_AFTER = re.compile(rf"[\s:：=]{{0,3}}{_DIGITS}")
_ENGLISH = Scan(r"(?<![a-z])(half an?|half|one|two|three|four|five|six|ten|a hundred)\s(?=[a-z])", numbers=False)
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
_SHORT_ANSWER = 40


def find(reading: Reading, vocabulary: Vocabulary) -> None:
    """Takes every amount. The coins were found before."""
    coins = {detail.start: detail for detail in reading.found if detail.kind is Kind.COIN}
    lower = reading.lower
    for match in _NUMBER.find(lower):
        number = _value(match)
        if number is not None:
            _with_unit(reading, vocabulary, coins, match, number)
    for match in _ENGLISH.find(lower):
        word = match[1].split()[-1] if match[1] == "a hundred" else match[1].split()[0]
        coin = coins.get(match.end()) or coins.get(match.end() + _article(lower, match.end()))
        if coin is not None:
            value = numbers.shown(numbers.ENGLISH[word])
            reading.take(Detail(Kind.AMOUNT, f"{value} {coin.value}", match.start(), match.end()))
    for coin in coins.values():
        _behind_coin(reading, coin)
    if Kind.AMOUNT in reading.expecting and not any(detail.kind is Kind.AMOUNT for detail in reading.found):
        _only_number(reading)


def _only_number(reading: Reading) -> None:
    """The one number in a short answer to "how much?"."""
    if len(reading.text) > _SHORT_ANSWER:
        return
    numbers_there = [
        match
        for match in _NUMBER.find(reading.lower)
        if reading.free(*match.span()) and (match["digits"] or len(match["chinese"]) > 1)
    ]
    if len(numbers_there) == 1:
        match = numbers_there[0]
        number = _value(match)
        if number is not None and not _COUNTED.match(reading.lower, match.end()):
            start, end = match.span("digits") if match["digits"] else match.span("chinese")
            reading.take(Detail(Kind.AMOUNT, number, start, end))


def _article(lower: str, start: int) -> int:
    return next((len(article) for article in ("a ", "an ") if lower.startswith(article, start)), 0)


def _value(match: re.Match[str]) -> str | None:
    if match["digits"] is None:
        value = numbers.chinese(match["chinese"])
        return None if value is None else numbers.shown(value)
    number = numbers.plain(match["digits"])
    if match["rest"]:  # 1万2千
        return numbers.shown(Decimal(number) * 10**4 + int(match["rest"]) * 10**3)
    return numbers.times(number, _SCALES[match["scale"]]) if match["scale"] else number


def _with_unit(
    reading: Reading,
    vocabulary: Vocabulary,
    coins: dict[int, Detail],
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


def _behind_coin(reading: Reading, coin: Detail) -> None:
    """``USDT 300``, ``btc：0.02``."""
    match = _AFTER.match(reading.lower, coin.end)
    if match is None or _COUNTED.match(reading.lower, match.end()) or _letter(reading.lower, match.end()):
        return
    reading.take(Detail(Kind.AMOUNT, f"{_value(match)} {coin.value}", match.start("digits"), match.end()))


def _letter(lower: str, position: int) -> bool:
    return lower[position : position + 1].isascii() and lower[position : position + 1].isalnum()


def _trimmed(lower: str, end: int) -> int:
    while lower[end - 1].isspace():
        end -= 1
    return end
