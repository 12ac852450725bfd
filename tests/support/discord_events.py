"""Events as Discord sends them, to be changed by tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from discord.utils import time_snowflake

ACCOUNT = "900"


AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


ID = str(time_snowflake(AT))


ANN = {"id": "11", "username": "ann_1", "global_name": "Ann", "discriminator": "0", "avatar": None, "public_flags": 0}


def message(**changes: Any) -> dict[str, Any]:
    """A direct message as the gateway brings it."""
    return {
        "id": ID,
        "type": 0,
        "channel_id": "22",
        "author": dict(ANN),
        "content": "where is my money",
        "timestamp": "2026-11-22T12:00:00.000000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "pinned": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "flags": 0,
        "channel_type": 1,
        **changes,
    }


def attachment(**changes: Any) -> dict[str, Any]:
    return {
        "id": "33",
        "filename": "bill.pdf",
        "size": 6,
        "url": "https://cdn.discordapp.com/attachments/22/33/bill.pdf?ex=1",
        "proxy_url": "https://media.discordapp.net/attachments/22/33/bill.pdf",
        "content_type": "application/pdf",
        **changes,
    }


def press(**changes: Any) -> dict[str, Any]:
    """A button of the desk's, pressed in direct messages."""
    buttons = [
        {"type": 2, "style": 2, "label": "是", "custom_id": "helped:yes"},
        {"type": 2, "style": 2, "label": "否", "custom_id": "helped:no"},
    ]
    return {
        "id": ID,
        "application_id": "900",
        "type": 3,
        "token": "secret-token",
        "version": 1,
        "data": {"component_type": 2, "custom_id": "helped:no", "id": 2},
        "channel_id": "22",
        "channel": {"id": "22", "type": 1},
        "user": dict(ANN),
        "locale": "zh-CN",
        "message": message(author={"id": "900", "bot": True}, components=[{"type": 1, "components": buttons}]),
        **changes,
    }


def command(name: str = "human", **changes: Any) -> dict[str, Any]:
    return {**press(), "type": 2, "data": {"id": "44", "name": name, "type": 1}, "message": None, **changes}


def on_server(event: dict[str, Any]) -> dict[str, Any]:
    event = dict(event)
    event["member"] = {"user": event.pop("user"), "roles": [], "permissions": "1"}
    return {**event, "guild_id": "55", "guild_locale": "en-US"}
