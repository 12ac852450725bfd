"""Application commands, checked as Discord checks them."""

from __future__ import annotations

import re
from typing import Any

from tests.peers.discord.errors import FormErrors, Json

_NAME = re.compile(r"[-_'\w]{1,32}")
# fmt: off
LOCALES = frozenset({
    "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "hi", "hr", "hu", "id", "it",
    "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk", "vi", "zh-CN", "zh-TW",
})
# fmt: on


def check_commands(given: list[Any], *, single: bool = False) -> list[Json]:
    """The commands as they will be listed, without their ids. Every mistake is told, nested under its place."""
    errors = FormErrors()
    commands: list[Json] = []
    if len(given) > 100:
        errors.add("_", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
    for place, command in enumerate(given):
        prefix = "" if single else f"{place}."
        if not isinstance(command, dict):
            errors.add(f"{prefix}_", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            continue
        kind = command.get("type", 1)
        if kind not in (1, 2, 3):
            errors.add(f"{prefix}type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4}.")
        _check_texts(command, prefix, errors, menu=kind in (2, 3))
        for name, allowed in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
            values = command.get(name)
            if values is not None and (not isinstance(values, list) or not values or not set(values) <= allowed):
                errors.add(f"{prefix}{name}", "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")
        options = command.get("options") or []
        _check_options(options, f"{prefix}options", errors)
        commands.append(
            {
                "type": kind,
                "name": command.get("name"),
                "name_localizations": command.get("name_localizations"),
                "description": command.get("description", ""),
                "description_localizations": command.get("description_localizations"),
                "default_member_permissions": command.get("default_member_permissions"),
                "dm_permission": command.get("dm_permission", True),
                "contexts": command.get("contexts"),
                "integration_types": command.get("integration_types") or [0],
                "nsfw": bool(command.get("nsfw", False)),
                **({"options": options} if options else {}),
            }
        )
    names = [(command["type"], command["name"]) for command in commands]
    for place, key in enumerate(names):
        if key in names[:place]:
            errors.add(f"{place}", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    errors.check()
    return commands


def _check_texts(given: Json, prefix: str, errors: FormErrors, *, menu: bool = False) -> None:
    names = {"name": given.get("name")}
    names |= {f"name_localizations.{locale}": text for locale, text in (given.get("name_localizations") or {}).items()}
    for path, name in names.items():
        if not isinstance(name, str):
            errors.add(f"{prefix}{path}", "BASE_TYPE_REQUIRED", "This field is required")
        elif not 1 <= len(name) <= 32:
            errors.add(f"{prefix}{path}", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
        elif not menu and (not _NAME.fullmatch(name) or name != name.lower()):
            errors.add(
                f"{prefix}{path}", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid: it must be lowercase"
            )
    texts = {"description": given.get("description")}
    localized = given.get("description_localizations") or {}
    texts |= {f"description_localizations.{locale}": text for locale, text in localized.items()}
    for path, text in texts.items():
        if menu:
            if text:
                errors.add(f"{prefix}{path}", "APPLICATION_COMMAND_DESCRIPTION", "Context menus have no description")
        elif not isinstance(text, str):
            errors.add(f"{prefix}{path}", "BASE_TYPE_REQUIRED", "This field is required")
        elif not 1 <= len(text) <= 100:
            errors.add(f"{prefix}{path}", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    for field in ("name_localizations", "description_localizations"):
        for locale in given.get(field) or {}:
            if locale not in LOCALES:
                errors.add(f"{prefix}{field}.{locale}", "LOCALIZATION_KEY_INVALID", f"{locale} is not a known locale")


def _check_options(options: Any, path: str, errors: FormErrors) -> None:
    if not isinstance(options, list) or len(options) > 25:
        errors.add(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        return
    optional_seen = False
    for place, option in enumerate(options):
        here = f"{path}.{place}."
        if not isinstance(option, dict) or option.get("type") not in range(1, 12):
            errors.add(f"{here}type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}.")
            continue
        _check_texts(option, here, errors)
        if option.get("required") and optional_seen:
            errors.add(
                f"{here}required",
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )
        optional_seen = optional_seen or not option.get("required")
        if len(option.get("choices") or []) > 25:
            errors.add(f"{here}choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
