"""Slash commands and buttons: what Discord offers for them, and what it must be answered within three seconds."""

from __future__ import annotations

from typing import Any

from bot.domain.message import Button
from connectors.discord.api import Api
from connectors.discord.events import HUMAN, SUPPORT, Interaction

ON_SERVER, IN_DIRECT_MESSAGES = 0, 1
_CHAT_INPUT = 1
_EPHEMERAL = 1 << 6
_REPLY, _REPLY_LATER, _CHANGE_LATER = 4, 5, 6
_ROW, _BUTTON, _PRIMARY, _SECONDARY = 1, 2, 1, 2
_PER_ROW = 5
MAX_LABEL = 80

_WORDS = {
    "en": {
        SUPPORT: "Write to our customer care in private",
        HUMAN: "Talk to a person of our customer care",
        "here": "Our customer care answers right here.",
        "there": "We have written to you in private: {link}",
        "continue": "Your conversation with our customer care is here: {link}",
        "closed": (
            "We cannot write to you in private. Allow direct messages from this server (server name, Privacy"
            " Settings), then try again."
        ),
        "failed": "That did not work just now. Please try again in a minute.",
    },
    "zh": {
        SUPPORT: "私信联系我们的客服",
        HUMAN: "联系人工客服",
        "here": "客服会直接在这里回复您。",
        "there": "我们已经给您发了私信：{link}",
        "continue": "您与客服的对话在这里：{link}",
        "closed": "我们无法给您发私信。请允许来自本服务器的私信（点服务器名称，选“隐私设置”），然后再试一次。",
        "failed": "刚才没有成功，请过一分钟再试。",
    },
}
_CHINESE = ("zh-CN", "zh-TW")


def words(key: str, locale: str, **fill: str) -> str:
    """What the customer reads beside the chat; the desk's own words come in the chat itself."""
    return _WORDS["zh" if locale.startswith("zh") else "en"][key].format(**fill)


def commands() -> list[dict[str, Any]]:
    """The slash commands, for everybody, on servers and in direct messages."""
    return [
        {
            "type": _CHAT_INPUT,
            "name": name,
            "description": _WORDS["en"][name],
            "description_localizations": dict.fromkeys(_CHINESE, _WORDS["zh"][name]),
            "contexts": [ON_SERVER, IN_DIRECT_MESSAGES],
            "integration_types": [0],
        }
        for name in (SUPPORT, HUMAN)
    ]


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
