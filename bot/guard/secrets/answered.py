"""Passwords and one-time codes in a message of their own, beside one that says what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.guard.secrets.finding import Finding, SecretKind
from bot.guard.secrets.told import BY_WORD, CODE, is_password, told_by
from bot.guard.secrets.view import View, denied

_SHORT = 80
"""Characters of a message that says what the next one is."""
_WAIT = 15
"""Characters of a message that may stand between: "hold on"."""
_PASSWORD = re.compile(BY_WORD)
_CODE = re.compile(f"{CODE}|(?<![a-z])codes?(?![a-z])|收到(?:了)?短信|短信来了")
_NOT_GIVEN = re.compile(
    r"忘|重置|找回|修改|改不|收不到|没收|沒收|没有|错误|不对|错了|几位|多少|怎么|吗|forg[eo]t|reset|chang|wrong|error|expire|invalid|"
    r"(?<![a-z])(?:never|what|which|how|why|where|lost|can'?t|cannot|not?|didn'?t|doesn'?t|promo|zip|country)(?![a-z])|[?？]"
)
"""Where a message names a password and says that it is none: "forgot my password"."""
_SAID_AFTER = re.compile(
    rf"\s*(?:(?:this|that|it)(?:'?s| is)|is|这是|這是|这个是|這個是|就是|是|上面是)?\s?"
    rf"(?:my|the|our|我的?|我们的?|那个)?\s?(?:\w{{1,10}} )?"
    rf"(?:(?P<password>{BY_WORD})|(?P<code>{CODE}|code))[\s.!。！]*"
)
_CODE_ALONE = re.compile(r"\s*(\d{3}[ -]?\d{3}|\d{4,8})\s*[.。!！]?\s*")
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def find(views: list[View]) -> Iterator[Finding]:
    """The value alone, where the message before it or behind it gives it its name."""
    for message, view in enumerate(views):
        value = view.lower.strip()
        if not value or len(value) > 72 or len(value.split()) > 2:
            continue
        kind = _named(views, message)
        start = view.lower.index(value)
        code = _CODE_ALONE.fullmatch(view.lower)
        if kind is SecretKind.ONE_TIME_CODE:
            if code and not _DAY.fullmatch(code[1]):
                yield told_by(kind, message, *code.span(1))
        elif kind and _is_one(value) and is_password(view.lower, view.plain, start, start + len(value), said=True):
            yield told_by(kind, message, start, start + len(value))


def _is_one(value: str) -> bool:
    return " " not in value and value.isascii() and not value.isalpha()


def _named(views: list[View], message: int) -> SecretKind | None:
    if message:
        kind = _announced(views[message - 1].lower)
        if kind is None and message > 1 and len(views[message - 1].lower) <= _WAIT:
            kind = _announced(views[message - 2].lower)
        if kind:
            return kind
    if message + 1 < len(views):
        after = _SAID_AFTER.fullmatch(views[message + 1].lower[:_SHORT])
        if after:
            return SecretKind.PASSWORD if after["password"] else SecretKind.ONE_TIME_CODE
    return None


def _announced(text: str) -> SecretKind | None:
    """What a message says that the next one is."""
    tail = text[-_SHORT:]
    if _NOT_GIVEN.search(tail):
        return None
    for pattern, kind in ((_CODE, SecretKind.ONE_TIME_CODE), (_PASSWORD, SecretKind.PASSWORD)):
        match = pattern.search(tail)
        if match and not denied(tail, match.start()):
            return kind
    return None
