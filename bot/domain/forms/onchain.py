"""Hashes and addresses in a text: by themselves, in links, with gaps, abbreviated."""

from __future__ import annotations

import re

from bot.domain.forms import checksums
from bot.domain.forms.chains import EVM, EXPLORERS
from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.judge import LEAST, Verdict, judge, mixed
from bot.domain.forms.reading import SEPARATOR, Reading

_WORD = re.compile(r"[0-9A-Za-z]+")
_TON = re.compile(r"(?<![\w-])[EUk0]Q[A-Za-z0-9_-]{46}(?![\w-])", re.ASCII)
_KASPA = re.compile(r"kaspa:[qp][02-9ac-hj-np-z]{60,63}(?![0-9A-Za-z])")
_SHORT = re.compile(
    r"(?<![0-9A-Za-z])([0-9A-Za-z]{3,45})"
    r"(?:\.{2,6}|…{1,3}|\*{2,12}|。{2,6}|·{2,6}|-{3,6})"
    r"([0-9A-Za-z]{3,45})?(?![0-9A-Za-z])"
)
_SHORT_MARKS = ("..", "…", "**", "。。", "··", "---")
_HEX = re.compile(r"[0-9a-fA-F]+")
_PREFIX_APART = re.compile(r"(?<![0-9A-Za-z])0[xX][\s\u200b]{1,3}\Z")
_GAP = re.compile(r"[\s\u200b]{1,4}")
_LINK = "!#$%&*+-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_LONGEST_LINK = 300
_MOST_JOINED = 200
"""How often parts of one text are put together to see whether they are an address: 20 to 30 microseconds each."""
_LONG_PART = 20
_MOST_PARTS = 24
"""Into how many parts spaces may break one hash."""


def find(reading: Reading) -> None:
    """Takes every hash and address."""
    if len(reading.text) < 8:
        return
    plain = reading.plain
    _abbreviated(reading)
    if len(plain) < LEAST - 11:
        return
    if "Q" in plain:
        for match in _TON.finditer(plain):
            if checksums.ton(match[0]):
                _take(reading, match.start(), match.end(), Verdict(Kind.ADDRESS, match[0], ("ton",)))
    if "kaspa:" in plain:
        for match in _KASPA.finditer(plain):
            _take(reading, match.start(), match.end(), Verdict(Kind.ADDRESS, match[0], ("kaspa",)))
    parts: list[tuple[int, int]] = []
    for match in _WORD.finditer(plain):
        start, end = match.span()
        if end - start >= LEAST - 11:
            glued = plain.lower().find("0x", start, end) if end - start in range(43, 80) else -1
            if glued > start and end - glued in (42, 66):
                start = glued
            prefix = _PREFIX_APART.search(plain, max(0, start - 5), start) if end - start in (40, 64) else None
            verdict = judge(f"0x{plain[start:end]}" if prefix else plain[start:end])
            start = prefix.start() if prefix and verdict else start
            if verdict is not None and (verdict.valid or not _goes_on(plain, end)):
                _take(reading, start, end, verdict)
                continue
        if end - start >= 2:
            parts.append((start, end))
    if len(parts) > 1:
        _broken_hex(reading, parts)
        _broken_base58(reading, parts)


def _goes_on(plain: str, end: int) -> bool:
    """Whether what seems too short is only broken by a gap: then the parts are looked at together first."""
    gap = _GAP.match(plain, end)
    following = gap and _WORD.match(plain, gap.end())
    return bool(following and (_HEX.fullmatch(following[0]) or mixed(following[0])))


def _take(reading: Reading, start: int, end: int, verdict: Verdict) -> bool:
    plain = reading.plain
    chains = verdict.chains
    if start and plain[start - 1] in "/=#:":
        before = plain[max(0, start - _LONGEST_LINK) : start]
        link = len(before) - len(before.rstrip(_LINK))
        head = before[len(before) - link :].lower()
        site = next((site for site in EXPLORERS if site in head), None)
        if site is not None:
            begin = max(head.rfind("http://"), head.rfind("https://"))
            start -= len(head) - begin if begin >= 0 else len(head)
            after = plain[end : end + _LONGEST_LINK]
            end += len(after) - len(after.lstrip(_LINK))
            while plain[end - 1] in ".,;:!?":
                end -= 1
            chains = (EXPLORERS[site],) if EXPLORERS[site] else chains
    return reading.take(Detail(verdict.kind, verdict.value, start, end, chains, verdict.valid))


def _abbreviated(reading: Reading) -> None:
    """``0x6d1f…34d2``, ``TLZq***UAEs``: what an app shows where there is no room."""
    if not any(mark in reading.plain for mark in _SHORT_MARKS):
        return
    address = Kind.ADDRESS in reading.expecting and Kind.HASH not in reading.expecting
    for match in _SHORT.finditer(reading.plain):
        head, tail = match[1], match[2] or ""
        chains: tuple[str, ...] = ()
        kind = Kind.ADDRESS
        if head[:2] in ("0x", "0X"):
            if not _HEX.fullmatch(head, 2) or (tail and not _HEX.fullmatch(tail)):
                continue
            kind, chains = Kind.ADDRESS if address else Kind.HASH, EVM
        elif not tail:
            continue
        elif head[:3].lower() in ("bc1", "ltc"):
            chains = ("bitcoin" if head[0] in "bB" else "litecoin",)
        elif _HEX.fullmatch(head + tail) and len(head) >= 4 and len(tail) >= 4 and not (head + tail).isalpha():
            if (head + tail).isdigit():
                continue
            kind = Kind.HASH
        elif head[0] == "T" and _random(head[1:]) and _random(tail):
            chains = ("tron",)
        elif len(head) >= 4 and len(tail) >= 4 and mixed(head) and mixed(tail):
            chains = ("solana",)
        else:
            continue
        reading.take(Detail(kind, f"{head}…{tail}", match.start(), match.end(), chains, valid=False))


def _random(word: str) -> bool:
    """A capital or a digit where words of a language have small letters."""
    return word.lower() != word or any("0" <= character <= "9" for character in word)


def _broken_hex(reading: Reading, parts: list[tuple[int, int]]) -> None:
    """64 digits, or ``0x`` and 40 or 64, with gaps between them."""
    plain = reading.plain
    run: list[tuple[int, int]] = []
    for start, end in [*parts, (-1, -1)]:
        is_hex = start >= 0 and _is_hex(plain, start, end)
        if run and not (is_hex and _GAP.fullmatch(plain, run[-1][1], start)):
            _hex_in_run(reading, run)
            run = []
        if is_hex:
            run.append((start, end))


def _is_hex(plain: str, start: int, end: int) -> bool:
    if plain[start : start + 2] in ("0x", "0X"):
        start += 2
    return start == end or _HEX.fullmatch(plain, start, end) is not None


def _hex_in_run(reading: Reading, run: list[tuple[int, int]]) -> None:
    if len(run) < 2:
        return
    plain = reading.plain
    lengths = [0]
    for start, end in run:
        prefixed = plain[start : start + 2] in ("0x", "0X")
        lengths.append(lengths[-1] + end - start - 2 * prefixed)
    where = {length: index for index, length in reversed(list(enumerate(lengths)))}
    done = 0
    for first, (start, _) in enumerate(run):
        if first < done:
            continue
        prefixed = plain[start : start + 2] in ("0x", "0X")
        for size in (64, 40) if prefixed else (64,):
            last = where.get(lengths[first] + size, 0)
            if first + 1 < last <= first + _MOST_PARTS:
                end = run[last - 1][1]
                joined = "".join(plain[start:end].replace(SEPARATOR, "").split())
                verdict = judge(joined)
                if verdict is not None and not joined.isalpha() and _take(reading, start, end, verdict):
                    done = last
                    break
        else:
            if prefixed and (verdict := judge(plain[start : run[first][1]])) is not None:
                _take(reading, start, run[first][1], verdict)


def _broken_base58(reading: Reading, parts: list[tuple[int, int]]) -> None:
    """An address or signature over two or three lines, if joined its checksum (or its length) is right."""
    plain, left = reading.plain, _MOST_JOINED
    for index, (start, end) in enumerate(parts):
        if left <= 0:
            break
        head = plain[start:end]
        if not (head[0] in "13TLMDXrbla" and len(head) >= 6 and not head.isalpha()) and not (
            len(head) >= _LONG_PART and mixed(head)
        ):
            continue
        joined, last = head, end
        for begin, stop in parts[index + 1 : index + 4]:
            if not _GAP.fullmatch(plain, last, begin):
                break
            joined, last = joined + plain[begin:stop], stop
            if len(joined) < LEAST:
                continue
            left -= 1
            verdict = judge(joined)
            # Solana's have no checksum: only of two long parts.
            if verdict is not None and verdict.valid and (verdict.chains != ("solana",) or len(head) >= _LONG_PART):
                _take(reading, start, last, verdict)
                break
    for start, end in parts:
        if end - start >= LEAST - 11 and reading.free(start, end):
            verdict = judge(plain[start:end])
            if verdict is not None:
                _take(reading, start, end, verdict)
