"""Every word that somebody reads, as the rest of the desk asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

Phrase = str | Mapping[str, str]
"""A text, or its texts by plural category (``one``, ``other`` …), of which the value ``n`` chooses."""


class Words(Protocol):
    """What customers and agents read. A phrase is known by its key (``chat.send``), a locale by its tag (``zh``,
    ``pt-BR``). Where the desk lacks the ``locale``, its nearest is meant; without one, the default."""

    @property
    def locales(self) -> tuple[str, ...]:
        """The default first."""
        ...

    def negotiate(self, asked: Iterable[str | None]) -> str:
        """The locale for whoever asks for these languages, favourite first; the default if there is none of them."""
        ...

    def match(self, tag: str | None) -> str | None:
        """The locale for a language with or without script and region; None if the desk has none for it."""
        ...

    def accepted(self, header: str) -> str:
        """The locale for a browser, by its ``Accept-Language``."""
        ...

    def name(self, locale: str) -> str:
        """What the language calls itself."""
        ...

    def direction(self, locale: str) -> str:
        """``ltr`` or ``rtl``."""
        ...

    def say(self, key: str, locale: str | None = None, /, **values: object) -> str:
        """The phrase, its placeholders filled, numbers as the locale writes them; in the default locale where this one
        has none. Placeholders without a value stay as they are."""
        ...

    def has(self, key: str) -> bool:
        """Whether any locale has the phrase."""
        ...

    def by_locale(self, key: str, /, **values: object) -> Mapping[str, str]:
        """The phrase in every locale, the default also under ``""``, and that of a locale with a region also under its
        language."""
        ...

    def section(self, prefix: str, locale: str) -> Mapping[str, Phrase]:
        """The phrases below ``prefix`` by their whole keys, for the scripts of a page."""
        ...

    def number(self, value: float, locale: str | None = None) -> str: ...

    def percent(self, share: float, locale: str | None = None) -> str: ...

    def size(self, size: int, locale: str | None = None) -> str:
        """A file's size, from its bytes."""
        ...

    def duration(self, seconds: float, locale: str | None = None) -> str: ...

    def moment(self, at: datetime, locale: str | None = None) -> str:
        """A date with its time, in UTC and saying so."""
        ...

    def ago(self, at: datetime, locale: str | None = None) -> str:
        """How long ago something was."""
        ...
