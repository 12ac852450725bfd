"""The console's pages: each is a folder of its own, found without being named anywhere else. Navigation, routes and
permissions come from here."""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from fastapi import APIRouter

from bot.domain.said import Said
from bot.domain.staff import Agent, OwnPermission, Permission, may
from handoff.console import pages

ENTRY_POINTS = "switchboard.console_pages"
"""The group in which an installed package names its pages: ``reports = "my_package.reports:PAGE"``."""
_TAKEN = frozenset({"components", "vendor", "words"})

T = TypeVar("T", bound=Callable[..., Any])


class Access(StrEnum):
    """For what no role is asked."""

    ANYBODY = "anybody"
    """Also who is not signed in."""
    SIGNED_IN = "signed in"
    """Whatever their role: their own account, and what every page is made of."""


Needed: TypeAlias = Permission | OwnPermission | Access


@dataclass(frozen=True, slots=True)
class HeaderStatus:
    """What the navigation says behind the name of a page."""

    count: int = 0
    words: Sequence[Said] = ()
    """What is wrong there; it is marked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """One page, or another part of the console that has routes.

    It stands as ``PAGE`` in a package of its own. ``templates/`` beside it are known as ``<name>/<file>``; the styles
    and scripts in ``static/`` are loaded by every page whose template is one of those.
    """

    name: str
    """As its folder."""
    router: APIRouter
    permission: Needed
    """What its routes ask for, unless they say otherwise (``needs``)."""
    changes: Needed | None = None
    """What those ask for that change something (every method but GET); the same, if None."""
    label: str = ""
    """In the navigation, which has no page without one: the key of a phrase."""
    icon: str = ""
    """One of ``components/icons.html``, or the path of an own one, drawn in 24 by 24."""
    path: str = ""
    """Where the navigation leads to; ``/<name>``, if empty."""
    place: int = 100
    """In the navigation: the lowest is first."""
    status: Callable[[Any], Awaitable[HeaderStatus]] | None = None
    """What the navigation says behind its name; it is given the console (``context.Console``)."""

    @property
    def home(self) -> str:
        return self.path or f"/{self.name}"

    def needed(self, method: str, endpoint: Callable[..., Any]) -> Needed:
        """What a route of this page asks for."""
        own: Needed | None = getattr(endpoint, "needed", None)
        if own is not None:
            return own
        reads = method in ("GET", "HEAD")
        return self.permission if reads or self.changes is None else self.changes


def needs(needed: Needed) -> Callable[[T], T]:
    """Says that a route asks for something else than its page."""

    def mark(endpoint: T) -> T:
        endpoint.needed = needed  # type: ignore[attr-defined]
        return endpoint

    return mark


@dataclass(frozen=True, slots=True)
class Registry:
    pages: Sequence[Page]
    folders: Sequence[Path]
    """Where the files of each lie."""

    def navigation(self, agent: Agent) -> list[Page]:
        """The pages that the agent may open, in their order."""
        shown = [page for page in self.pages if page.label and allows(page.permission, agent)]
        return sorted(shown, key=lambda page: (page.place, page.label))


def allows(needed: Needed, agent: Agent | None) -> bool:
    """Whether this agent, or nobody who is signed in, may have it."""
    if needed is Access.ANYBODY:
        return True
    if agent is None:
        return False
    return needed is Access.SIGNED_IN or (not isinstance(needed, Access) and may(agent, needed))


def discover() -> Registry:
    """Every page in ``handoff/console/pages``, and those that installed packages name. Raises ``ValueError`` where two
    have one name."""
    console = [(f"{pages.__name__}.{name}", "PAGE") for _, name, _ in pkgutil.iter_modules(pages.__path__)]
    others = [(point.module, point.attr) for point in metadata.entry_points(group=ENTRY_POINTS)]
    found: dict[str, tuple[Page, Path]] = {}
    for module_name, attribute in sorted(console) + sorted(others):
        module = import_module(module_name)
        page: Page = getattr(module, attribute)
        if page.name in found or page.name in _TAKEN:
            raise ValueError(f"there is already a page named {page.name}: give that in {module_name} another name")
        assert module.__file__ is not None
        found[page.name] = page, Path(module.__file__).parent
    return Registry([page for page, _ in found.values()], [folder for _, folder in found.values()])
