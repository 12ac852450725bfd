"""The console's pages: each is a folder of its own, found and served without being named anywhere else."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fastapi import APIRouter

from handoff.console import pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page, or one part of the console that has routes.

    It stands as ``PAGE`` in its own package. ``templates/`` beside it are read as ``<name>/<file>``, and what lies in
    ``static/`` is loaded by every page whose template is one of those.
    """

    name: str
    """As its folder."""
    router: APIRouter


def discover() -> list[Page]:
    """Every page there is, by name."""
    found = [import_module(f"{pages.__name__}.{name}").PAGE for _, name, _ in pkgutil.iter_modules(pages.__path__)]
    return sorted(found, key=lambda page: page.name)


def folder_of(page: Page) -> Path:
    """Where the page's files lie."""
    return Path(import_module(f"{pages.__name__}.{page.name}").__path__[0])
