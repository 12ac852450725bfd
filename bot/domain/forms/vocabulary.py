"""The deployment's words for coins, networks and exchanges, found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from bot.domain.forms.detail import Detail, Kind
from bot.domain.forms.reading import Reading

_ALONE = re.compile(r"[0-9a-z]+|[\u00aa-\u0e00\u0e80-\u10ff\u1e00-\u1fff]+")
"""Words of scripts that set spaces between them. Others' aliases (Chinese, Japanese, Korean, Thai) count anywhere."""
_SPLIT = re.compile(r"(\d*)([a-z]+)(\d*)")
_ON = re.compile(r"(?:\b(?:on|via|over|through|using|por|через)\s|[走用经选链])\s*\Z")
_PLACE = re.compile(r"(?:\b(?:on|via|over|through|using|from|to|in|at|por|через)\s|[走用在从到经选链])\s*\Z")
_NETWORK_AFTER = re.compile(
    r"\s*(?:network|chain|mainnet|main net|only|链|鏈|网络|網絡|網路|主网|主網|上|地址|[这那這]?条|[这那這]?條)"
)
_COIN_AFTER = re.compile(r"\s*(?:coins?\b|tokens?\b|币|幣|代币|network\b|chain\b|链|网络)")


@dataclass(frozen=True, slots=True)
class Term:
    """A coin, network or exchange, and what customers call it. ``value`` counts as an alias."""

    value: str
    aliases: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    """Aliases that are ordinary words, too: they count in capitals, behind a number, or where the text around
    them is about a coin or network."""
    behind_number: tuple[str, ...] = ()
    """Aliases that count only behind a number: ``300u``."""
    networks: tuple[str, ...] = ()
    """Of a coin: those it moves on, its own first."""
    evm: bool = False
    """Of a network: hashes and addresses have Ethereum's form."""


@dataclass(frozen=True, slots=True)
class _Entry:
    words: tuple[str, ...]
    kind: Kind
    term: Term
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The coins, networks and exchanges that are recognised. An empty one recognises none, and all else."""

    coins: tuple[Term, ...] = ()
    networks: tuple[Term, ...] = ()
    exchanges: tuple[Term, ...] = ()
    _words: dict[str, list[_Entry]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _anywhere: dict[str, list[tuple[str, _Entry]]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _begins: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    behind_number: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Short words for a coin behind a number, and the coin."""
    coin_networks: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    evm: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        groups = ((Kind.COIN, self.coins), (Kind.NETWORK, self.networks), (Kind.EXCHANGE, self.exchanges))
        for kind, terms in groups:
            for term in terms:
                self._add(kind, term)
        for entries in self._words.values():
            entries.sort(key=lambda entry: -len(entry.words))
        for found in self._anywhere.values():
            found.sort(key=lambda pair: -len(pair[0]))
        if self._anywhere:
            begins = re.compile("[" + "".join(re.escape(first) for first in self._anywhere) + "]")
            object.__setattr__(self, "_begins", begins)
        object.__setattr__(self, "evm", frozenset(term.value for term in self.networks if term.evm))

    def _add(self, kind: Kind, term: Term) -> None:
        doubtful = {alias.lower() for alias in term.doubtful}
        for alias in {term.value.lower(), *(alias.lower() for alias in term.aliases), *doubtful}:
            words = tuple(_ALONE.findall(alias))
            entry = _Entry(words, kind, term, alias in doubtful)
            if words and "".join(words) == re.sub(r"[\s.\-/+&']", "", alias):
                self._words.setdefault(words[0], []).append(entry)
            else:
                self._anywhere.setdefault(alias[0], []).append((alias, entry))
        if kind is Kind.COIN:
            self.behind_number.update({alias.lower(): term.value for alias in term.behind_number})
            self.coin_networks[term.value] = term.networks

    def find(self, reading: Reading) -> None:
        """Takes every coin, network and exchange."""
        for start, end, entries in sorted(self._matches(reading), key=lambda match: (match[0], -match[1])):
            entry = _choose(reading, start, end, entries)
            if entry is not None:
                chains = (entry.term.value,) if entry.kind is Kind.NETWORK else ()
                reading.take(Detail(entry.kind, entry.term.value, start, end, chains))

    def _matches(self, reading: Reading) -> Iterator[tuple[int, int, list[_Entry]]]:
        lower = reading.lower
        if self._words:
            words = [match.span() for match in _ALONE.finditer(lower)]
            for index, (start, end) in enumerate(words):
                entries = self._words.get(lower[start:end])
                if entries is not None:
                    yield from self._longest(lower, words, index, entries)
                elif end - start > 2:
                    yield from self._inside(lower, start, end)
        if self._begins is not None:
            for match in self._begins.finditer(lower):
                start = match.start()
                found = self._anywhere[match[0]]
                longest = next((alias for alias, _ in found if lower.startswith(alias, start)), None)
                if longest is not None:
                    yield start, start + len(longest), [entry for alias, entry in found if alias == longest]

    @staticmethod
    def _longest(
        lower: str, words: list[tuple[int, int]], index: int, entries: list[_Entry]
    ) -> Iterator[tuple[int, int, list[_Entry]]]:
        found: list[_Entry] = []
        for entry in entries:
            count = len(entry.words)
            if found and count < len(found[0].words):
                break
            spans = words[index : index + count]
            near = all(b[0] - a[1] <= 1 for a, b in pairwise(spans))
            if near and tuple(lower[start:end] for start, end in spans) == entry.words:
                found.append(entry)
        if found:
            yield words[index][0], words[index + len(found[0].words) - 1][1], found

    def _inside(self, lower: str, start: int, end: int) -> Iterator[tuple[int, int, list[_Entry]]]:
        """``300usdt``, ``usdt300``, ``usdttrc20``: a name with a number, or with another name, and no space "
        "between."""
        word = lower[start:end]
        match = _SPLIT.fullmatch(word)
        if match is not None and match[2] != word:
            entries = [entry for entry in self._words.get(match[2], ()) if len(entry.words) == 1]
            if entries:
                yield start + match.start(2), start + match.end(2), entries
                return
        if not 5 <= len(word) <= 16:
            return
        for cut in range(2, len(word) - 1):
            one, other = self._words.get(word[:cut]), self._words.get(word[cut:])
            if one and other:
                sides = [[entry for entry in side if len(entry.words) == 1] for side in (one, other)]
                if all(sides) and not any(entry.doubtful for side in sides for entry in side):
                    kinds = {entry.kind for side in sides for entry in side}
                    if Kind.NETWORK in kinds and Kind.COIN in kinds:
                        yield start, start + cut, sides[0]
                        yield start + cut, end, sides[1]
                        return


def _choose(reading: Reading, start: int, end: int, entries: list[_Entry]) -> _Entry | None:
    """What the name means here: a name may be that of a coin and of its network, or an ordinary word."""
    before, after = reading.lower[max(0, start - 12) : start], reading.lower[end : end + 12]
    counted = before.rstrip(" 个個枚颗k万")[-1:].isdigit() or before.rstrip()[-1:] in "个個枚颗"
    counted = counted and before.strip() != ""
    on = _ON.search(before) is not None
    sure = [entry for entry in entries if not entry.doubtful]
    if not sure:
        written = reading.plain[start:end]
        capitals = written.isupper() and not reading.plain.isupper()
        expected = reading.expects({entry.kind for entry in entries}) and len(reading.text) < 40
        places = [entry for entry in entries if entry.kind is not Kind.COIN]
        if capitals or counted or expected or _COIN_AFTER.match(after):
            sure = entries
        elif places and _PLACE.search(before):
            sure = places
        else:
            return None
    if len(sure) > 1:
        kinds = {entry.kind: entry for entry in reversed(sure)}
        wants = Kind.NETWORK in reading.expecting and Kind.COIN not in reading.expecting
        if Kind.NETWORK in kinds and not counted and (on or wants or _NETWORK_AFTER.match(after)):
            return kinds[Kind.NETWORK]
        return kinds.get(Kind.COIN) or sure[0]
    return sure[0]
