"""How a customer reads a reply: its language, what it asks for, whether it is false, whether it says the same again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from benchmarks.cases.model import Asks, Cause, Falsehood

_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？\n；;]+")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")


def sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(text) if sentence and sentence.strip()]


def locale(reply: str) -> str:
    """`zh`, or `en` for all else: the languages that the checks are written in."""
    letters = sum(character.isalpha() for character in reply) or 1
    han = len(_HAN.findall(reply))
    return "zh" if han / letters > 0.3 and not _KANA_OR_HANGUL.search(reply) else "en"


def readable(reply: str, language: str) -> bool:
    """Chinese customers read Chinese; the others their own language, or English."""
    return (locale(reply) == "zh") == (language == "zh")


def asked_for(reply: str, asks: dict[str, Asks]) -> list[str]:
    """Kinds of what the reply asks for, in the order of the list; a sentence that forbids asks for nothing."""
    form = asks[locale(reply)]
    # A question mark is what tells a question, so sentences keep theirs.
    parts = [
        part for part in re.findall(r"[^。！？!?.\n；;]+(?:[。！？!?；;]|\.(?=\s|$)|\.\d+)*", reply) if part.strip()
    ]
    asking = [part for part in parts if form.cue.search(part) and not form.forbids.search(part)]
    return [kind for kind, about in form.about.items() if any(about.search(part) for part in asking)]


def false(reply: str, falsehoods: dict[str, list[Falsehood]]) -> str | None:
    """The first sentence that is false, if there is one."""
    for sentence in sentences(reply):
        if any(one.told(sentence) for one in falsehoods.get(locale(reply), [])):
            return sentence.strip()
    return None


def right(replies: Iterable[str], cause: Cause) -> bool:
    """Everything this customer has to know was said, be it over several replies."""
    by_locale: dict[str, str] = {}
    for reply in replies:
        by_locale[locale(reply)] = by_locale.get(locale(reply), "") + "\n" + reply
    return any(
        cause.right.get(language) and all(pattern.search(text) for pattern in cause.right[language])
        for language, text in by_locale.items()
    )


def plain(text: str) -> str:
    """For comparing: letters and digits only, in one case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum() or character == ".")


def kept(value: str, kind: str, details: Iterable[str]) -> bool:
    """Whether what the customer gave stands in the details; of an amount, its number."""
    if kind == "amount":
        numbers = re.findall(r"\d+(?:[.,]\d+)*", value)
        found = {number.replace(",", "") for detail in details for number in re.findall(r"\d+(?:[.,]\d+)*", detail)}
        return all(number.replace(",", "") in found for number in numbers)
    wanted = plain(value)
    return any(wanted in plain(detail) or (len(plain(detail)) > 3 and plain(detail) in wanted) for detail in details)
