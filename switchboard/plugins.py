"""The connectors that are installed, their settings, and those that this deployment runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from bot.content.answers import Answers
from bot.domain.message import Button
from bot.ports import (
    Access,
    Connector,
    ConnectorContext,
    Files,
    Health,
    Notices,
    Plugin,
    Receipts,
    Records,
    Streams,
    Transcript,
    Uploads,
)
from bot.ports.pictures import ReadsPictures
from bot.settings import Settings, load


def installed() -> dict[str, Plugin]:
    """The installed connectors by name, from the entry point group ``switchboard.connectors``."""
    return {entry.name: entry.load() for entry in entry_points(group="switchboard.connectors")}


def picture_reader() -> ReadsPictures | None:
    """What reads the text in customers' pictures, from the entry point group ``switchboard.picture_readers``; of
    several the first by name. None comes with the desk."""
    found = sorted(entry_points(group="switchboard.picture_readers"), key=lambda entry: entry.name)
    return found[0].load()() if found else None


def load_settings(config: Path | None = None) -> Settings:
    """Settings with a section for every installed connector. Raises ``SettingsError``."""
    found = installed()
    return load(
        {name: plugin.settings for name, plugin in found.items()},
        {name: plugin.secret_variable for name, plugin in found.items() if plugin.secret_variable},
        config,
        {name: plugin.secret_variables for name, plugin in found.items() if plugin.secret_variables},
    )


def build_connectors(
    settings: Settings,
    answers: Answers,
    records: Records,
    files: Files,
    notices: Notices,
    receipts: Receipts,
    uploads: Uploads,
    transcript: Transcript,
    health: Mapping[str, Health],
    streams: Streams,
) -> dict[str, Connector]:
    """The channels that are enabled and, where they need a token, have one."""
    built = {}
    for name, plugin in installed().items():
        section = settings.channel(name)
        if not section.enabled or not has_secret(settings, name, plugin):
            continue
        built[name] = plugin.build(
            section,
            ConnectorContext(
                access=access(settings, name, plugin),
                var=settings.var,
                brand=settings.config.brand.name,
                words=answers.words,
                transcript=transcript,
                records=records,
                files=files,
                notices=notices,
                receipts=receipts,
                uploads=uploads,
                health=health[name],
                streams=streams,
                suggestions=_suggestions(settings, answers),
            ),
        )
    return built


def access(settings: Settings, name: str, plugin: Plugin) -> Access:
    """What the channel may use."""
    secret = settings.secrets.get(plugin.secret_variable or "", "")
    secrets = settings.secrets_of(variables(settings, name, plugin))
    return Access(secret, secrets, settings.config.egress.allow, list(installed()))


def variables(settings: Settings, name: str, plugin: Plugin) -> list[str]:
    """The environment variables of a channel's secrets, where its settings say which there are."""
    return [] if plugin.secret_variables is None else list(plugin.secret_variables(settings.channel(name)))


def unset(settings: Settings, name: str, plugin: Plugin) -> list[str]:
    """The variables of which one would switch the channel on; none if it is on, or nothing could."""
    return [] if has_secret(settings, name, plugin) else variables(settings, name, plugin)


def has_secret(settings: Settings, name: str, plugin: Plugin) -> bool:
    """Whether the channel has what it is on with; one that needs nothing has it."""
    if plugin.secret_variables is not None:
        return bool(settings.secrets_of(variables(settings, name, plugin)))
    return not plugin.secret_variable or plugin.secret_variable in settings.secrets


def _suggestions(settings: Settings, answers: Answers) -> dict[str, list[Button]]:
    return {
        locale: [button for topic in settings.config.suggestions if (button := answers.topic_button(topic, locale))]
        for locale in answers.locales
    }


def fingerprint(settings: Settings, plugin: Plugin) -> str:
    """Tells bot accounts apart before any has said who it is; an account has one valid token at a time."""
    return hashlib.sha256(settings.secrets.get(plugin.secret_variable or "", "").encode()).hexdigest()[:16]
