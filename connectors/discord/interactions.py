"""Slash commands and buttons: what Discord offers for them, and what it must be answered within three seconds."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot.domain.message import Button
from bot.ports import Words
from connectors.discord.api import Api
from connectors.discord.events import HUMAN, SUPPORT, Interaction

ON_SERVER, IN_DIRECT_MESSAGES = 0, 1
_CHAT_INPUT = 1
_EPHEMERAL = 1 << 6
_REPLY, _REPLY_LATER, _CHANGE_LATER = 4, 5, 6
_ROW, _BUTTON, _PRIMARY, _SECONDARY = 1, 2, 1, 2
_PER_ROW = 5
MAX_LABEL = 80

_NAME = re.compile(r"[-_'\w]{1,32}")
"""What Discord takes as a command's name in some language."""


def commands(words: Words) -> list[dict[str, Any]]:
    """The slash commands, for everybody, on servers and in direct messages, in every language of the desk that Discord
    has."""
    return [
        {
            "type": _CHAT_INPUT,
            "name": name,
            "name_localizations": {
                theirs: said
                for theirs, said in _localized(words, f"discord.command.{name}.name").items()
                if _NAME.fullmatch(said) and said == said.lower()
            },
            "description": words.say(f"discord.command.{name}.description"),
            "description_localizations": _localized(words, f"discord.command.{name}.description"),
            "contexts": [ON_SERVER, IN_DIRECT_MESSAGES],
            "integration_types": [0],
        }
        for name in (SUPPORT, HUMAN)
    ]


def _localized(words: Words, key: str) -> dict[str, str]:
    """The phrase by Discord's own name of each language but the default, which is everybody else's."""
    spoken = {theirs.value: words.match(theirs.value) for theirs in discord.Locale}
    return {theirs: words.say(key, ours) for theirs, ours in spoken.items() if ours not in (None, words.locales[0])}


def components(buttons: tuple[Button, ...]) -> list[dict[str, Any]]:
    """Rows of buttons. What they do is in their ids, so they work after any restart."""
    made = [
        {"type": _BUTTON, "style": _SECONDARY, "label": button.label[:MAX_LABEL], "custom_id": button.payload}
        for button in buttons
    ]
    return [{"type": _ROW, "components": made[at : at + _PER_ROW]} for at in range(0, len(made), _PER_ROW)]


def support_button(label: str) -> list[dict[str, Any]]:
    button = {"type": _BUTTON, "style": _PRIMARY, "label": label, "custom_id": SUPPORT}
    return [{"type": _ROW, "components": [button]}]


class Answers:
    """Answers to one interaction; each may fail with what ``Api.call`` raises."""

    def __init__(self, api: Api, interaction: Interaction) -> None:
        self._api = api
        self._interaction = interaction

    async def taken(self) -> None:
        """A pressed button stops waiting; its message stays as it is."""
        await self._callback({"type": _CHANGE_LATER})

    async def said(self, text: str) -> None:
        """Seen by the customer alone."""
        await self._callback({"type": _REPLY, "data": {"content": text, "flags": _EPHEMERAL}})

    async def later(self) -> None:
        """Something follows (``finally_said``), seen by the customer alone."""
        await self._callback({"type": _REPLY_LATER, "data": {"flags": _EPHEMERAL}})

    async def finally_said(self, text: str) -> None:
        await self._api.call(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            json={"content": text, "allowed_mentions": {"parse": []}},
            webhook_id=self._interaction.application_id,
            webhook_token=self._interaction.token,
        )

    async def _callback(self, answer: dict[str, Any]) -> None:
        await self._api.call(
            "POST",
            "/interactions/{webhook_id}/{webhook_token}/callback",
            json=answer,
            webhook_id=self._interaction.id,
            webhook_token=self._interaction.token,
        )
