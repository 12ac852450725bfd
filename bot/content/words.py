"""Every word that a customer or an agent reads, by locale: ``data/phrases/<locale>.yml``.

A file is a tree of sections; its leaves are phrases, known by their path: ``chat.send``. A phrase that depends
on a number has one text for each of CLDR's plural categories that its language has (``one``, ``few`` … ``other``), and
is chosen by the value ``n``. A line of a phrase that names a fact which this deployment does not have is left out.

A phrase that a locale lacks is said in the default locale. A deployment with content of its own need not have every
phrase: those that come along with the desk stand behind its own. ``complete: true`` at the head of a file says that its
language is to have everything, and ``switchboard check`` holds it to that; any other language may be partial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import yaml
from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_skeleton, format_timedelta
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from bot.content.opening import distance_from_greenwich
from bot.content.problems import ContentError
from bot.domain.said import Size
from bot.ports import Phrase
from bot.settings import ROOT

SHIPPED = ROOT / "data" / "phrases"
MOST_ASKED = 20
"""Languages of one browser that are looked at: a header may hold thousands, and each is compared with ours."""
LAST_RESORT = "en"
"""Whose phrases and formats stand behind all others."""
PLURALS = ("zero", "one", "two", "few", "many", "other")
"""CLDR's categories. A map with only these, ``other`` among them, is one phrase."""
COMPLETE = "complete"
"""What says of a file's language that it is to have every phrase and every answer."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")

Facts = Mapping[str, str | Mapping[str, str] | None]
"""What a deployment says of itself, by the name of its placeholder: in one text, or by locale."""

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Reads every value as text: ``off`` is a word here, and no truth value."""
_JUST_NOW = timedelta(minutes=1)
_MOMENT = ("MMMd", "Hm")
"""CLDR skeletons of a date without its year, and of a time of day."""


def locales_in(folder: Path) -> tuple[str, ...]:
    """The languages that have phrases in a content folder, in the order of their names."""
    return tuple(sorted(path.stem for path in (folder / "phrases").glob("*.yml")))


class Words:
    """The phrases of a deployment; ``bot.ports.Words`` says what it promises.

    ``locales`` has the default first; without it, every file in ``folder/phrases`` is one, English first. ``facts``
    fill placeholders of any phrase; what has no value there is None. ``complete`` has the locales that are to have
    every phrase: the default, behind which there is nothing, and those whose file says so. Raises ``ContentError``,
    also for a locale in which there is not one phrase.
    """

    def __init__(
        self,
        folder: Path,
        locales: Sequence[str] = (),
        facts: Facts | None = None,
        *,
        shipped: Path = SHIPPED,
    ) -> None:
        self.folder = folder / "phrases"
        own = {path.stem: read_phrases(path) for path in sorted(self.folder.glob("*.yml"))}
        others = shipped.glob("*.yml") if shipped.resolve() != self.folder.resolve() else ()
        self._shipped = {path.stem: read_phrases(path) for path in sorted(others)}
        self.locales = tuple(locales or sorted(own or self._shipped, key=lambda locale: locale != LAST_RESORT))
        for locale in self.locales:
            if locale not in own and locale not in self._shipped:
                raise ContentError(
                    f"{self.folder / f'{locale}.yml'}: there are no phrases in {locale}; write them there"
                )
        marks = {**_marks(shipped, self._shipped), **_marks(self.folder, own)}
        self.complete = frozenset({self.default, *(locale for locale in self.locales if marks.get(locale))})
        self._facts = {locale: self._in_locale(facts or {}, locale) for locale in self.locales}
        self._own = {locale: own.get(locale, {}) for locale in self.locales}
        self._keys = frozenset(key for phrases in self._all() for key in phrases)
        self._found: dict[tuple[str, str], tuple[Phrase, str]] = {}

    @property
    def default(self) -> str:
        return self.locales[0]

    # --- which locale -----------------------------------------------------------------------------

    def negotiate(self, asked: Iterable[str | None]) -> str:
        """The locale for whoever asks for these languages, favourite first; the default if there is none of them."""
        return next((found for tag in asked if (found := self.match(tag))), self.default)

    def match(self, tag: str | None) -> str | None:
        """The locale for a language, region or script: the same, else the language; None if the desk has neither."""
        parts = (tag or "").replace("_", "-").split("-")
        # The region goes first, then the script: who reads zh-Hant-TW reads zh-Hant, and rather zh than English.
        wanted = ["-".join(parts[:length]) for length in range(len(parts), 0, -1) if parts[0]]
        regional = {locale.partition("-")[0].lower(): locale for locale in reversed(self.locales)}
        best = negotiate_locale(wanted, self.locales, sep="-", aliases=regional)
        return next((locale for locale in self.locales if locale.lower() == (best or "").lower()), None)

    def accepted(self, header: str) -> str:
        """The locale for a browser, by its ``Accept-Language``."""
        return self.negotiate(_languages(header))

    def locale(self, asked: str | None) -> str:
        """The locale of this desk that is nearest to ``asked``, such as ``pt-BR`` for ``pt``; else the default."""
        return asked if asked in self.locales else self.match(asked) or self.default

    def name(self, locale: str) -> str:
        """What the language calls itself."""
        own = self._own.get(locale, {}).get("language") or self._shipped.get(locale, {}).get("language")
        return own if isinstance(own, str) else _babel(locale, locale).get_display_name() or locale

    def direction(self, locale: str) -> str:
        """``ltr`` or ``rtl``."""
        return self._formats(locale).text_direction

    # --- phrases ----------------------------------------------------------------------------------

    def say(self, key: str, locale: str | None = None, /, **values: object) -> str:
        """The phrase in the locale, its placeholders filled; those without a value stay as they are."""
        phrase, spoken = self._phrase(key, self.locale(locale))
        return self.fill(phrase if isinstance(phrase, str) else self._form(phrase, spoken, values), spoken, **values)

    def by_locale(self, key: str, /, **values: object) -> Mapping[str, str]:
        """The phrase in every locale, the default also under ``""``; that of ``pt-BR`` also under ``pt``, where that
        is no locale: what customers write tells their language, and no region."""
        texts = {locale: self.say(key, locale, **values) for locale in self.locales}
        for locale in self.locales:
            texts.setdefault(locale.partition("-")[0], texts[locale])
        return {**texts, "": texts[self.default]}

    def section(self, prefix: str, locale: str) -> Mapping[str, Phrase]:
        """The phrases below ``prefix``, facts filled in, by their whole keys: for scripts of a page."""
        return {
            key: self._with_facts(*self._phrase(key, self.locale(locale)))
            for key in sorted(self._keys)
            if key.startswith(f"{prefix}.")
        }

    def has(self, key: str) -> bool:
        return key in self._keys

    def keys(self) -> frozenset[str]:
        return self._keys

    def own(self, locale: str) -> Mapping[str, Phrase]:
        """What the locale's own file says."""
        return self._own[locale]

    def translated(self, locale: str) -> frozenset[str]:
        """What is said in the locale itself, and not in another's words."""
        return frozenset(self._own[locale]) | frozenset(self._shipped.get(locale, {}))

    def fill(self, template: str, locale: str | None = None, /, **values: object) -> str:
        """The template with its placeholders filled, numbers as the locale writes them; lines that name something this
        deployment does not have are left out."""
        spoken = self.locale(locale)
        given: dict[str, object] = {**self._facts[spoken], **values}
        kept = []
        for line in template.splitlines():
            names = set(PLACEHOLDER.findall(line))
            if all(given.get(name) is not None or name not in given for name in names):
                kept.append(PLACEHOLDER.sub(lambda match: self._written(given, match, spoken), line))
        return "\n".join(kept).strip()

    def _written(self, given: Mapping[str, object], match: re.Match[str], locale: str) -> str:
        value = given.get(match[1], match[0])
        if isinstance(value, Size):
            return self.size(value, locale)
        if isinstance(value, datetime):
            return self.when(value, locale)
        if isinstance(value, timedelta):
            return self.roughly(value, locale)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return self.number(value, locale) if is_number else str(value)  # type: ignore[arg-type]

    def _in_locale(self, facts: Facts, locale: str) -> dict[str, str | None]:
        """The facts as they are told in that language: in the default one, where they are not told in it."""
        return {
            name: fact if isinstance(fact, str) or fact is None else fact.get(locale, fact.get(self.default))
            for name, fact in facts.items()
        }

    def _with_facts(self, phrase: Phrase, spoken: str) -> Phrase:
        if isinstance(phrase, str):
            return self.fill(phrase, spoken)
        return {category: self.fill(text, spoken) for category, text in phrase.items()}

    def _form(self, phrase: Mapping[str, str], locale: str, values: Mapping[str, object]) -> str:
        n = values.get("n", 0)
        assert isinstance(n, int | float), "a phrase with plural forms is chosen by a number n"
        return phrase.get(self._formats(locale).plural_form(n), phrase["other"])

    def _phrase(self, key: str, locale: str) -> tuple[Phrase, str]:
        """The phrase, and the locale that it is in."""
        known = self._found.get((key, locale))
        if known is None:
            known = next(self._looked_up(key, locale), None)
            if known is None:
                raise ContentError(f"{self.folder / f'{locale}.yml'}: no locale has the phrase {key}")
            self._found[key, locale] = known
        return known

    def _looked_up(self, key: str, locale: str) -> Iterator[tuple[Phrase, str]]:
        for spoken in (locale, self.default, LAST_RESORT):
            for phrases in (self._own, self._shipped):
                if key in phrases.get(spoken, {}):
                    yield phrases[spoken][key], spoken

    def _all(self) -> Iterator[Mapping[str, Phrase]]:
        yield from self._own.values()
        yield from self._shipped.values()

    # --- dates and numbers ------------------------------------------------------------------------

    def number(self, value: float, locale: str | None = None) -> str:
        return str(format_decimal(value, locale=self._formats(locale)))

    def percent(self, share: float, locale: str | None = None) -> str:
        return str(format_percent(share, locale=self._formats(locale)))

    def moment(self, at: datetime, locale: str | None = None) -> str:
        """A date with its time, in UTC and saying so."""
        day, time = (
            format_skeleton(skeleton, at.astimezone(UTC), locale=self._formats(locale)) for skeleton in _MOMENT
        )
        return self.say("time.utc", locale, day=day, time=time)

    def when(self, at: datetime, locale: str | None = None) -> str:
        """A time to come as customers are told it, in the time zone that it has, and saying which: Mon, Nov 30, 09:00
        (GMT+8)."""
        formats = self._formats(locale)
        day, time = (str(format_skeleton(skeleton, at, locale=formats)) for skeleton in ("MMMEd", "Hm"))
        return f"{day} {time} ({distance_from_greenwich(at, formats)})"

    def roughly(self, wait: timedelta, locale: str | None = None) -> str:
        """A wait as one may promise it: whole minutes, from ten on by fives, from an hour on in hours."""
        minutes = max(1, round(wait.total_seconds() / 60))
        minutes = minutes if minutes < 10 else 5 * round(minutes / 5)
        if minutes >= 60:
            return str(format_unit(round(minutes / 60), "duration-hour", length="long", locale=self._formats(locale)))
        return str(format_unit(minutes, "duration-minute", length="long", locale=self._formats(locale)))

    def ago(self, at: datetime, locale: str | None = None) -> str:
        """How long ago something was, from a minute on."""
        passed = max(timedelta(), datetime.now(UTC) - at)
        if passed < _JUST_NOW:
            return self.say("time.just_now", locale)
        return str(
            format_timedelta(-passed, threshold=2, add_direction=True, format="short", locale=self._formats(locale))
        )

    def listed(self, items: Sequence[str], locale: str | None = None) -> str:
        """As the language writes a list: "a, b and c"."""
        return format_list(items, locale=self._formats(locale))

    def duration(self, seconds: float, locale: str | None = None) -> str:
        """A delay as operators speak of it: 0.4 s, 12 s, 5 min."""
        value, unit = (seconds / 60, "minute") if seconds >= 120 else (seconds, "second")
        return self._in_units(value if seconds < 10 else round(value), f"duration-{unit}", locale)

    def size(self, size: int, locale: str | None = None) -> str:
        """A file's size: 900 byte, 3.2 MB."""
        value: float = size
        unit = "byte"
        for larger in ("kilobyte", "megabyte", "gigabyte"):
            if value < 1000:
                break
            value, unit = value / 1000, larger
        return self._in_units(value, f"digital-{unit}", locale)

    def _in_units(self, value: float, unit: str, locale: str | None) -> str:
        rounded = round(value, 1) if value < 10 else int(value)
        return str(format_unit(rounded, unit, length="short", locale=self._formats(locale)))

    def _formats(self, locale: str | None) -> Locale:
        """How the locale writes dates and numbers; one that nobody knows writes them as the default does."""
        return _babel(self.locale(locale), self.default)


@cache
def _babel(tag: str, otherwise: str) -> Locale:
    for one in (tag, otherwise):
        try:
            return Locale.parse(one, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(LAST_RESORT)


def plural_categories(locale: str) -> frozenset[str]:
    """The categories that the language distinguishes; only ``other`` for a language that nobody knows."""
    try:
        return frozenset(Locale.parse(locale, sep="-").plural_form.tags) | {"other"}
    except (UnknownLocaleError, ValueError):
        return frozenset({"other"})


def _languages(header: str) -> list[str]:
    """The tags of an ``Accept-Language`` header, favourite first; of an endless one, those that come first."""
    weighed: list[tuple[float, str]] = []
    for entry in header.split(",", MOST_ASKED)[:MOST_ASKED]:
        tag, _, weight = entry.partition(";q=")
        try:
            weighed.append((float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


# --- files ----------------------------------------------------------------------------------------


def read_phrases(path: Path) -> dict[str, Phrase]:
    """The phrases of one file by their keys. Raises ``ContentError``, which names the line."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise ContentError(f"{path}: must be a map of sections and phrases")
    return dict(_read(path, root, ""))


def _marks(folder: Path, files: Mapping[str, dict[str, Phrase]]) -> dict[str, bool]:
    """Takes out of each file's phrases whether its language is to have everything, where the file says it."""
    found = {}
    for locale, phrases in files.items():
        mark = phrases.pop(COMPLETE, None)
        if mark not in (None, "true", "false"):
            raise ContentError(f"{folder / f'{locale}.yml'}: {COMPLETE} must be true or false, not {mark}")
        if mark is not None:
            found[locale] = mark == "true"
    return found


def _read(path: Path, node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, Phrase]]:
    for name, value in _entries(path, node):
        where = f"{path}, line {value.start_mark.line + 1}"
        if isinstance(value, yaml.ScalarNode):
            yield prefix + name, value.value
        elif not isinstance(value, yaml.MappingNode):
            raise ContentError(f"{where}: {prefix}{name} must be a text, its plural forms, or a section")
        elif (forms := _forms(path, prefix + name, value)) is not None:
            yield prefix + name, forms
        else:
            yield from _read(path, value, f"{prefix}{name}.")


def _entries(path: Path, node: yaml.MappingNode) -> list[tuple[str, yaml.Node]]:
    entries: dict[str, yaml.Node] = {}
    for key, value in node.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or not _KEY.fullmatch(key.value):
            raise ContentError(f"{where}: a key has small letters, digits, _ and -")
        if key.value in entries:
            raise ContentError(f"{where}: {key.value} stands here twice")
        entries[key.value] = value
    return list(entries.items())


def _forms(path: Path, key: str, node: yaml.MappingNode) -> dict[str, str] | None:
    """The texts by plural category, if it is a phrase with plural forms."""
    entries = _entries(path, node)
    if "other" not in dict(entries) or not all(name in PLURALS for name, _ in entries):
        return None
    for name, value in entries:
        if not isinstance(value, yaml.ScalarNode):
            where = f"{path}, line {value.start_mark.line + 1}: {key}"
            raise ContentError(f"{where}: the plural form {name} must be a text")
    return {name: value.value for name, value in entries if isinstance(value, yaml.ScalarNode)}
