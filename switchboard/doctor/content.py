"""Checks of what a deployment lets its answers say."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.findings import Finding, Level
from bot.settings import Settings

DANGER = "person_in_danger"
"""The topic of who hints at ending their life."""


def crisis(settings: Settings, topics: Collection[str]) -> list[Finding]:
    """Whether who is in danger is told where to find help at once."""
    if DANGER not in topics or settings.config.brand.crisis:
        return []
    words = f"customers in danger of their life ({DANGER}) are told of no one who helps at once"
    fix = "set brand.crisis in config.yml to a crisis line of your customers' country, by locale if there are several"
    return [Finding("crisis contact", Level.WARNING, words, fix)]
