"""Looks for mistakes in the phrases: keys that nothing says, that no locale has or that one lacks, and placeholders
that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.content.usage import Usage, usage
from bot.content.words import PLACEHOLDER, SHIPPED, Words, plural_categories
from bot.ports import Phrase

NUMBER = "n"
"""The placeholder that chooses a plural form: ``one`` may spell it out."""
NAME = "language"
"""What the language calls itself: said wherever languages are listed."""


def phrase_problems(words: Words, said: Usage | None = None) -> Iterator[str]:
    """Every mistake in the phrases, a line each, with the file where it is mended. ``said`` is what the sources say."""
    known = words.keys()
    said = said or usage({key.partition(".")[0] for key in known if "." in key})
    for key, path in sorted(said.keys.items()):
        if key not in known:
            yield f"{path}: no locale has the phrase {key}; add it to {words.folder / f'{words.locales[0]}.yml'}"
    for locale in words.locales:
        yield from _locale_problems(words, locale, {key for key in known if key == NAME or said.has(key)})


def _locale_problems(words: Words, locale: str, wanted: set[str]) -> Iterator[str]:
    path = words.folder / f"{locale}.yml"
    own = words.own(locale)
    if locale in _complete(words):
        for key in sorted(wanted - own.keys()):
            yield f"{path}: missing phrase {key}"
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


def _complete(words: Words) -> Iterable[str]:
    """The locales that have every phrase: the default, and those that come along with the desk."""
    return {words.locales[0], *(path.stem for path in SHIPPED.glob("*.yml"))}


def _form_problems(path: str, locale: str, key: str, phrase: Phrase) -> Iterator[str]:
    if isinstance(phrase, str):
        return
    for form in sorted(plural_categories(locale) - phrase.keys()):
        yield f"{path}: {key} has no text for the plural form {form}, which {locale} has"


def placeholders(phrase: Phrase) -> frozenset[str]:
    """What a phrase is filled with, in whichever form; ``n`` aside where it chooses one."""
    texts = [phrase] if isinstance(phrase, str) else phrase.values()
    found = frozenset(name for text in texts for name in PLACEHOLDER.findall(text))
    return found if isinstance(phrase, str) else found - {NUMBER}
