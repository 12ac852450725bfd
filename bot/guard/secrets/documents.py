"""Secrets that are a small document: Ethereum's keystore, PEM."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span
from bot.guard.secrets.view import View

_LONGEST = 20_000
"""Characters of a keystore or a PEM block; the longest in use have some 3,000."""

_CIPHER = re.compile(r"[\"'“”]?cipher_?text[\"'“”]?\s{0,4}[:=：]\s{0,4}[\"'“”]?[0-9a-f]{32,}", re.IGNORECASE)
_BRACKET = re.compile("[{}]")
PEM = re.compile(r"[-–—]{2,6}\s?BEGIN ((?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?)\s?[-–—]{2,6}", re.IGNORECASE)
PEM_END = re.compile(r"[-–—]{2,6}\s?END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?\s?[-–—]{2,6}", re.IGNORECASE)
PEM_BODY = re.compile(r"[A-Za-z0-9+/=\s:,.\\-]*")


def find(views: list[View]) -> Iterator[Finding]:
    """Every keystore and every private key in PEM."""
    for message, view in enumerate(views):
        plain = view.plain
        if "cipher" in view.lower:
            yield from _keystores(plain, message)
        if "private key" in view.lower:
            yield from _pem(plain, message)


def _keystores(plain: str, message: int) -> Iterator[Finding]:
    """From the outermost bracket around a cipher text to its counterpart; without them, as much as belongs to it."""
    done = 0
    for match in _CIPHER.finditer(plain):
        if match.start() < done:
            continue
        floor = max(done, match.start() - _LONGEST)
        start = _opening(plain, floor, match.start())
        end = match.end() if start == match.start() else _closing(plain, start)
        done = end
        yield Finding(SecretKind.KEYSTORE, (Span(message, start, end),), Certainty.CERTAIN)


def _opening(plain: str, floor: int, place: int) -> int:
    """Where the outermost bracket around a place opens; the place itself where none does."""
    open_at: list[int] = []
    for match in _BRACKET.finditer(plain, floor, place):
        if match[0] == "{":
            open_at.append(match.start())
        elif open_at:
            open_at.pop()
    return open_at[0] if open_at else place


def _closing(plain: str, start: int) -> int:
    """The end of the bracket that opens at ``start``; where nothing closes it, as far as a keystore may reach."""
    depth = 0
    for match in _BRACKET.finditer(plain, start, start + _LONGEST):
        depth += 1 if match[0] == "{" else -1
        if not depth:
            return match.end()
    return min(len(plain), start + _LONGEST)


def _pem(plain: str, message: int) -> Iterator[Finding]:
    """From BEGIN to END; without an END, what can be a part of it."""
    done = 0
    for match in PEM.finditer(plain):
        if match.start() < done:
            continue
        close = PEM_END.search(plain, match.end(), match.end() + _LONGEST)
        body = PEM_BODY.match(plain, match.end(), match.end() + _LONGEST)
        done = close.end() if close else (body.end() if body else match.end())
        if close or done - match.end() > 16:
            yield Finding(SecretKind.PRIVATE_KEY, (Span(message, match.start(), done),), Certainty.CERTAIN)
