"""Looks for mistakes in the phrases: keys that nothing says, that no locale has or that one lacks, and placeholders
that differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from bot.content.usage import Usage, usage
from bot.content.words import COMPLETE, PLACEHOLDER, Words, plural_categories
from bot.ports import Phrase

NUMBER = "n"
"""The placeholder that chooses a plural form: ``one`` may spell it out."""
NAME = "language"
"""What the language calls itself: said wherever languages are listed."""

MOST_NAMED = 20
"""Missing phrases that are named one by one; of more, their number."""


def phrase_problems(words: Words, said: Usage | None = None) -> Iterator[str]:
    """Every mistake in the phrases, a line each, with the file where it is mended. ``said`` is what the sources say."""
    known = words.keys()
    said = said or _said(known)
    for key, path in sorted(said.keys.items()):
        is_section = any(other.startswith(f"{key}.") for other in known)
        if key not in known and not is_section:
            yield f"{path}: no locale has the phrase {key}; add it to {words.folder / f'{words.locales[0]}.yml'}"
    for locale in words.locales:
        yield from _locale_problems(words, locale, _wanted(words, said))


def untranslated(words: Words, locale: str, said: Usage | None = None) -> tuple[int, int]:
    """How many phrases the locale lacks, and of how many: the default locale's are said in their place."""
    wanted = _wanted(words, said or _said(words.keys()))
    return len(wanted - words.translated(locale)), len(wanted)


@cache
def _said(known: frozenset[str]) -> Usage:
    return usage({key.partition(".")[0] for key in known if "." in key})


def _wanted(words: Words, said: Usage) -> frozenset[str]:
    return frozenset(filter(lambda key: key == NAME or said.has(key), words.keys()))


def _locale_problems(words: Words, locale: str, wanted: Collection[str]) -> Iterator[str]:
    path = words.folder / f"{locale}.yml"
    own = words.own(locale)
    if locale in words.complete:
        yield from _missing(path, sorted(set(wanted) - words.translated(locale)), locale == words.default)
    for key, phrase in sorted(own.items()):
        if key not in wanted:
            yield f"{path}: nothing says the phrase {key}"
            continue
        yield from _form_problems(path.as_posix(), locale, key, phrase)
        other = words.own(words.locales[0]).get(key)
        if other is not None and placeholders(phrase) != placeholders(other):
            names = (
                ", ".join(f"{{{name}}}" for name in sorted(placeholders(one))) or "none" for one in (phrase, other)
            )
            yield f"{path}: {key} has the placeholders {next(names)}; in {words.locales[0]} it has {next(names)}"


def _missing(path: Path, keys: list[str], is_default: bool) -> Iterator[str]:
    for key in keys[:MOST_NAMED]:
        yield f"{path}: missing phrase {key}"
    why = "the default language must have every one" if is_default else f"the file says `{COMPLETE}: true`"
    if len(keys) > MOST_NAMED:
        yield f"{path}: {len(keys) - MOST_NAMED} more phrases are missing; {why}"


def _form_problems(path: str, locale: str, key: str, phrase: Phrase) -> Iterator[str]:
    if isinstance(phrase, str):
        return
    for form in sorted(plural_categories(locale) - phrase.keys()):
        yield f"{path}: {key} has no text for the plural form {form}, which {locale} has: add it beside other"


def placeholders(phrase: Phrase) -> frozenset[str]:
    """What a phrase is filled with, in whichever form; ``n`` aside where it chooses one."""
    texts = [phrase] if isinstance(phrase, str) else phrase.values()
    found = frozenset(name for text in texts for name in PLACEHOLDER.findall(text))
    return found if isinstance(phrase, str) else found - {NUMBER}
