"""Mailboxes, telephone numbers, ticket numbers, and what an error says of itself."""

from __future__ import annotations

import re

from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import BEGIN, Reading, Scan, beginnings

_LOCAL = "abcdefghijklmnopqrstuvwxyz0123456789._%+-"
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}\.){1,6}[a-z]{2,24}(?![a-z0-9])")
_TICKET = Scan(
    r"(?:(?<![a-z])(?:ticket|case|request|reference|ref)(?:\s?(?:number|no|nr|id))?|工单(?:号码|编号|号)?|"
    r"工單(?:號)?|单号|單號|编号|編號|тикет|заявк[аеу]|№)"
    r"[\s.:：#№是]{0,4}(?P<number>\d{3,12})(?![\d.]?\d)(?!\s?(?:usd|个|天))",
    "工单單编編№",
    numbers=False,
)
_HASHED = Scan(r"(?<![0-9a-z_#/&])#\s?(?P<number>\d{3,12})(?![0-9a-z_])", "#", words=False, numbers=False)
_BARE = Scan(r"(?<![0-9a-z.,:/@$€£¥+-])(?P<number>\d{3,12})(?![0-9a-z%@/:]|[.,]\d)", words=False)
_PHONE = Scan(
    r"(?<![0-9a-z.+])(?:\+\d{1,3}[\s().-]{0,2}(?:\d[\s().-]{0,2}){6,12}\d|"
    r"(?:\(?86\)?[\s-]?)?1[3-9]\d[\s-]?\d{4}[\s-]?\d{4})(?![0-9a-z]|\.\d)",
    "+(",
    words=False,
)
_CODE = Scan(
    r"(?:(?<![a-z])(?:http\s)?(?:error|err|status|exception|fehler|ошибка)(?:\s?(?:code|no|number|status))?|"
    r"错误(?:代?码|码|号)?|報錯|报错|錯誤(?:代?碼)?|代码|状态码)"
    r"[\s.:：#=是为]{0,3}(?P<code>-?\d{3,6}|0x[0-9a-f]{1,8}|[a-z]{1,8}[_-]?\d{2,6})(?![\w.])",
    "错報报錯代状",
    numbers=False,
)
_BEFORE = Scan(
    r"(?<![\d.])(?P<code>4\d\d|5\d\d)\s(?:error|错误|bad gateway|forbidden|not found|service unavailable)", words=False
)
_SAID = {
    "insufficient funds for gas": "insufficient funds for gas",
    "insufficient fund": "insufficient funds",
    "out of gas": "out of gas",
    "gas required exceeds": "gas required exceeds allowance",
    "execution reverted": "execution reverted",
    "nonce too low": "nonce too low",
    "replacement transaction underpriced": "replacement transaction underpriced",
    "transaction underpriced": "transaction underpriced",
    "already known": "already known",
    "out_of_energy": "OUT_OF_ENERGY",
    "out of energy": "OUT_OF_ENERGY",
    "bandwidth_error": "BANDWIDTH_ERROR",
    "bandwith_error": "BANDWIDTH_ERROR",
    "sigerror": "SIGERROR",
    "account resource insufficient": "account resource insufficient",
    "contract_validate_error": "CONTRACT_VALIDATE_ERROR",
    "txn-mempool-conflict": "txn-mempool-conflict",
    "min relay fee not met": "min relay fee not met",
    "dust": "dust",
    "blockhash not found": "blockhash not found",
    "tapos_error": "TAPOS_ERROR",
    "err_network": "ERR_NETWORK",
    "能量不足": "能量不足",
    "带宽不足": "带宽不足",
    "手续费不足": "手续费不足",
    "余额不足": "余额不足",
    "矿工费不足": "矿工费不足",
}
_PHRASE = Scan(
    BEGIN + "(?:" + "|".join(sorted(map(re.escape, _SAID), key=len, reverse=True)) + ")",
    beginnings("|".join(_SAID)),
    numbers=False,
)


def find_mailboxes(reading: Reading) -> None:
    lower, at = reading.lower, reading.lower.find("@")
    while at >= 0:
        before = lower[max(0, at - 64) : at]
        length = len(before) - len(before.rstrip(_LOCAL))
        name = before[len(before) - length :].lstrip("._%+-")
        domain = _DOMAIN.match(lower, at + 1)
        if name and domain is not None:
            start, end = at - len(name), domain.end()
            reading.take(Detail(Kind.MAILBOX, lower[start:end], start, end))
        at = lower.find("@", at + 1)


def find_errors(reading: Reading) -> None:
    lower = reading.lower
    for match in _PHRASE.find(lower):
        reading.take(Detail(Kind.ERROR, _SAID[match[0]], *match.span()))
    if reading.has_digit:
        for pattern in (_CODE, _BEFORE):
            for match in pattern.find(lower):
                reading.take(Detail(Kind.ERROR, reading.plain[slice(*match.span("code"))], *match.span()))


def find_tickets(reading: Reading) -> None:
    """Numbers that say themselves that they are one."""
    for pattern in (_TICKET, _HASHED):
        for match in pattern.find(reading.lower):
            start = match.start("number")
            start -= reading.lower[start - 1] == "#"
            reading.take(Detail(Kind.TICKET, match["number"], start, match.end()))


def find_phones(reading: Reading) -> None:
    for match in _PHONE.find(reading.lower):
        digits = "".join(character for character in match[0] if character in "+0123456789")
        if len(digits.lstrip("+")) <= 15:
            reading.take(Detail(Kind.PHONE, digits, *match.span()))


def find_bare_tickets(reading: Reading) -> None:
    """Where a ticket's number was asked for, any number that is nothing else is one."""
    if Kind.TICKET in reading.expecting:
        for match in _BARE.find(reading.lower):
            reading.take(Detail(Kind.TICKET, match["number"], *match.span()))
