"""Whether a text asks its reader for something: ``switchboard check`` compares it with what the front matter says.

A text that asks for a hash, and nothing that takes one, leaves a customer with a promise that nobody keeps. Known are
Chinese and English; texts in other languages are as their front matter says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bot.domain.dialogue import Ask

_SENTENCE = re.compile(r"[.!?。！？；\n]+")

_NEVER = re.compile(
    r"\b(never|not|nobody|don't|won't|cannot)\b|不要|不会|绝不|切勿|请勿|别|无需|不用|不需要", re.IGNORECASE
)
"""A sentence that asks for nothing, or warns."""

_REQUEST = {
    "en": re.compile(
        r"\b(send|tell|give|share|post|paste|reply with|let me know|write)\b.{0,40}?\b(me|us|here|it)\b"
        r"|\b(send|tell|give|paste|post)\s+(me|us|the|your)\b|\bwhat is (the|your)\b|\bwhich\b[^.]*\?",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"请?(把|将).{0,30}(发|告诉|贴|提供|写)|(请|麻烦)(您|你)?(先)?(在这里)?(发|告诉|提供|回复|说明|写|贴)|发(来|给我|过来|到这里)|告诉(我|我们)"
    ),
}

_NOUNS: Mapping[str, Mapping[Ask, re.Pattern[str]]] = {
    "en": {
        Ask.HASH: re.compile(r"\bhash(es)?\b|\btxid\b|transaction id", re.IGNORECASE),
        Ask.ADDRESS: re.compile(r"\baddress(es)?\b", re.IGNORECASE),
        Ask.TICKET: re.compile(r"\bticket number\b|\bcase number\b", re.IGNORECASE),
        Ask.DEVICE: re.compile(
            r"\b(phone|device) model\b|\bmodel of your\b|\bapp version\b|\bsystem version\b", re.IGNORECASE
        ),
        Ask.AMOUNT: re.compile(r"\bamount\b|\bhow much\b", re.IGNORECASE),
        Ask.TIME: re.compile(r"\btime\b|\bwhen\b|\bdate\b", re.IGNORECASE),
    },
    "zh": {
        Ask.HASH: re.compile(r"哈希|交易号|txid", re.IGNORECASE),
        Ask.ADDRESS: re.compile(r"地址"),
        Ask.TICKET: re.compile(r"工单号|单号"),
        Ask.DEVICE: re.compile(r"型号|App ?版本|系统版本|版本号", re.IGNORECASE),
        Ask.AMOUNT: re.compile(r"金额|数量|多少"),
        Ask.TIME: re.compile(r"时间|什么时候|几点|日期"),
    },
}

_COVERED = {Ask.DEVICE: {Ask.DEVICE, Ask.VERSION}}


def asked_in(text: str, locale: str) -> set[Ask]:
    """What the text asks for, as far as its words show; empty for languages that are not known."""
    language = locale.partition("-")[0]
    request = _REQUEST.get(language)
    if request is None:
        return set()
    found = set()
    for sentence in _SENTENCE.split(text):
        if request.search(sentence) and not _NEVER.search(sentence):
            found |= {ask for ask, noun in _NOUNS[language].items() if noun.search(sentence)}
    return found


def undeclared(text: str, locale: str, asks: tuple[Ask, ...]) -> Iterator[Ask]:
    """What the text asks for and ``asks`` does not name. Where any words are taken, so is each of these."""
    if Ask.WORDS in asks:
        return
    for ask in sorted(asked_in(text, locale)):
        if not _COVERED.get(ask, {ask}) & set(asks):
            yield ask
