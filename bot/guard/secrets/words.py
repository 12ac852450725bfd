"""The word lists of seed phrases: who has a word, and which checksum a row of words has.

Words are compared by ``key``: small letters, without the accents that people leave out, composed as they are typed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from zlib import crc32

from btclib_mnemonics import electrum
from btclib_mnemonics.mnemonic import BIP39_LANGUAGE_FILES, WORDLISTS

SIZES = (12, 15, 18, 21, 24)
"""Words of a BIP-39 phrase. Electrum's and SLIP-39's other sizes are found without their checksum."""
CHINESE = ("zh", "zh_tw")
OLD = "electrum_old"
SHORT = "en_short"
"""The first four letters of the English words: they tell each of them, and some devices and people write no more."""
_LETTERS_TOLD = 4
_ENGLISH = ("en", OLD, "slip39", SHORT)
_BITS = 11
_ACCENTS = re.compile("[\u0300-\u036f]")
_LETTERS = 1626
_REPEATED = 3
"""Of 24 words drawn from Monero's 1,626, more are there twice or more often once in 15,000 times."""
_BIP39 = 2048
"""Words of a list whose phrases have a checksum of BIP-39."""

COMMON = frozenset(
    """about above accident account across act action actually actual add address advice after again against age agree
    ahead air all allow almost alone already also always amount anger angry another answer any anyone anyway apart
    app area around arrive ask attempt aware away back balance bank because become been before begin behind being
    believe benefit best better between beyond big bill bit block both bring business buy call can cancel card care
    case cash catch cause certain chair chance change charge check child choice choose city claim class clear clearly
    click clock close code cold come common company complete computer confirm connect consider control cost could
    country couple course cover create credit current customer daily date day deal debit decide deposit detail device
    different difficult direct doctor dollar door double down drop during each early easily easy else email
    end enough enter entire error even ever every everyone everything exact exactly example except exchange exist
    expect explain eye face fact fail family far fast favorite fee feel few figure file fill final finally find fine
    first fix follow food force forget former forward found free friend from full fun future game gas general get
    gift girl give given glad go good goes got great grow guess guy half hand happen happy hard has have head health
    hear heart help here hold home hope hotel hour house how however human idea important include indeed industry
    inform information inside into issue it item itself join just keep key kid kind knock know known language large
    last late later learn least leave legal less let letter level life like limit line list listen little live long
    look lot love low luck machine main make man manage market matter maybe mean meant medium member memory mention
    message middle might million mind minimum minute miss mistake mobile moment money month more morning most mother
    move much must myself name near need network never new news next nice nobody none normal nothing notice now number
    obviously of off offer office often okay old once one only open option or order other our out outside over own page
    paid paper parent part party pass past pay payment people perfect perhaps permit person phone photo picture piece
    place plan please point possible power present pretty price private probably problem process program proof proper
    protect prove provide public purchase put question quick quickly quite rate rather reach read ready real realize
    really reason receive recall receipt record reduce release remain remember remind remove repeat replace reply
    report request require return right room rule run safe same save say school screen search season second secret
    security seed seem sell send sent serious service set seven several share short should show shut sick side sign
    simple simply since single sister site situation six slow small so social some somehow someone something sometimes
    soon sorry sort sound space special spend spot stand start state stay step still stock stop store story street
    strong student stuff such sudden suddenly sure surprise system take talk teach team tell term test text than thank
    that their them then there these they thing think this those thought three through time tired today together told
    tomorrow tonight too top total touch toward town track trade transfer travel trip trouble true trust truth try turn
    twenty twice two type unable under understand until update upgrade upon upset use useless usual usually
    valid value very view visit voice wait walk wallet want warn waste watch water way we weekend welcome well
    went were what whatever when where whether which while who whole why wife will wish with within without woman
    wonder word work world worry worth would write wrong yard year yes yesterday yet you young your yours""".split()  # noqa: SIM905
)
"""Words of the English lists that ordinary sentences are full of, and this domain's. Chosen by hand; a phrase drawn
from the list of BIP-39 has on average one in six of them, a sentence made of list words at least two in three."""

FUNCTION = frozenset(
    """the a an and or of to in is are was were be am my me we us he she it its his her him our i at on by as if do did
    does not no so up but for this that with from has had have you your they them then there these than when what who
    will would can could should may been being also just some any all one too very now get got let say see out
    off""".split()  # noqa: SIM905
)
"""Never a misspelt word of a phrase."""


_ILLEGIBLE = frozenset("blurry unreadable illegible unclear smudged missing unknown xxx xxxx".split())  # noqa: SIM905
"""What people write in the place of a word that they cannot read."""


def is_word(word: str) -> bool:
    """Whether it may be a misspelt word of some list: it is long enough, and none that sentences are full of."""
    return len(word) > (2 if word.isascii() else 1) and word not in FUNCTION and word not in COMMON


def key(word: str) -> str:
    """The form in which words are compared."""
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart)).casefold()


@dataclass(eq=False)
class Words:
    """One list."""

    name: str
    bit: int
    index: dict[str, int]
    is_english: bool = False
    is_short: bool = False
    """Whether it has beginnings of words; one edit makes one of them of nearly anything."""
    _near: dict[str, list[str]] = field(default_factory=dict)

    def numbers(self, keys: Sequence[str]) -> list[int]:
        """The place of each word in the list, -1 for one that is not in it."""
        place = self.index.get
        return [place(word, -1) for word in keys]

    def valid(self, numbers: Sequence[int]) -> bool:
        """Whether words at these places of the list have a checksum of BIP-39 for as many words, and it is right."""
        return len(numbers) in SIZES and -1 not in numbers and len(self.index) >= _BIP39 and _bip39(numbers)

    def near(self, word: str) -> bool:
        """Whether the word is one edit from a word of the list: a letter too many, too few, another, or two swapped."""
        if len(word) < 2 or self.is_short or (self.is_english and word in FUNCTION):
            return False
        if word in _ILLEGIBLE:
            return True
        if not self._near:
            for known in self.index:
                for short in _shortened(known):
                    self._near.setdefault(short, []).append(known)
        return any(_one_edit(word, known) for short in _shortened(word) for known in self._near.get(short, ()))


def _bip39(numbers: Sequence[int]) -> bool:
    bits = 0
    for number in numbers:
        bits = bits << _BITS | number
    check = len(numbers) // 3
    entropy = (bits >> check).to_bytes(check * 4, "big")
    return hashlib.sha256(entropy).digest()[0] >> (8 - check) == bits & ((1 << check) - 1)


def _shortened(word: str) -> set[str]:
    """The word, and what it is without any one of its letters."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _one_edit(one: str, other: str) -> bool:
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, others = one[start:], other[start:]
    return (
        rest[1:] == others[1:]
        or rest[1:] == others
        or rest == others[1:]
        or (rest[:2] == others[1::-1] and len(others) > 1 and rest[2:] == others[2:])
    )


@cache
def lists() -> tuple[Words, ...]:
    """All lists whose words are words: BIP-39's but the Chinese ones, Electrum's own two, SLIP-39's. 0.2 s, once."""
    named = {name: WORDLISTS.wordlist(name) for name in (*BIP39_LANGUAGE_FILES, "slip39") if name not in CHINESE}
    named["electrum_pt"] = electrum.ELECTRUM_WORDLISTS.wordlist("pt")
    # Three words carry 32 bits, the first of them the remainder by the size of the list.
    named[OLD] = [electrum.old_mnemonic_from_hex_seed(f"{n:08x}" * 4).split()[0] for n in range(_LETTERS)]
    named[SHORT] = [word[:_LETTERS_TOLD] for word in named["en"]]
    return tuple(
        Words(
            name, 1 << place, {key(word): number for number, word in enumerate(words)}, name in _ENGLISH, name == SHORT
        )
        for place, (name, words) in enumerate(named.items())
    )


@cache
def owners() -> dict[str, int]:
    """By key: the bits of the lists that have it."""
    found: dict[str, int] = {}
    for words in lists():
        for word in words.index:
            found[word] = found.get(word, 0) | words.bit
    return found


@cache
def chinese() -> tuple[dict[str, int], dict[str, int]]:
    """The simplified and the traditional list: number by character. The same number is the same character in both."""
    simplified, traditional = (WORDLISTS.wordlist(name) for name in CHINESE)
    return {c: n for n, c in enumerate(simplified)}, {c: n for n, c in enumerate(traditional)}


def valid_chinese(characters: Sequence[str]) -> bool:
    """Whether the row of characters is a phrase of either list with its checksum."""
    if len(characters) not in SIZES:
        return False
    for numbers in chinese():
        row = [numbers.get(character, -1) for character in characters]
        if -1 not in row and _bip39(row):
            return True
    return False


def monero(words: Sequence[str]) -> bool:
    """Whether the last of 25 (or, of MyMonero's, 13) words is the one that Monero's checksum names.

    Without Monero's lists, which no well-kept small package has: their words are told apart by their first three or
    four letters, and the checksum is over these. The words are compared as they are given: German ones have capitals.
    """
    *others, last = words
    if len(others) not in (12, 24) or len(set(others)) < len(others) - _REPEATED:
        return False
    for cut in (3, 4):
        beginnings = [word[:cut] for word in others]
        apart = len(set(beginnings)) == len(set(others))
        if apart and others[crc32("".join(beginnings).encode()) % len(others)] == last:
            return True
    return False


def electrum_seed(keys: Sequence[str]) -> bool:
    """Whether Electrum takes the words for a seed of its own: a hash of them begins with a version. One in 220 random
    rows of words does."""
    digest = hmac.digest(b"Seed version", " ".join(keys).encode(), "sha512").hex()
    return digest.startswith(("01", "100", "101", "102"))
