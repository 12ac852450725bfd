"""Commands that platforms bring along: ``switchboard <platform> …``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from bot.ports import Access, Plugin, Words
from switchboard import plugins, wiring
from switchboard.cli.shared import cli, fail, load_settings


def _load(name: str, plugin: Plugin, config: Path | None) -> tuple[Any, Access, Words]:
    """The channel's settings, what it may use, and the desk's words. Ends the command where its token is missing."""
    settings = load_settings(config)
    access = plugins.access(settings, name, plugin)
    if plugin.secret_variable and not access.secret:
        fail(f"{name} has no token: set {plugin.secret_variable}")
    return settings.channel(name), access, wiring.load_words(settings)


for _name, _plugin in plugins.installed().items():
    if _plugin.commands is not None:
        cli.add_typer(_plugin.commands(partial(_load, _name, _plugin)), name=_name)
