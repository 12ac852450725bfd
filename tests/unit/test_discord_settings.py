"""The section ``channels.discord``."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.ports import Closing, Connector, Editing, Fetching, Typing
from connectors.discord import DiscordConnector, DiscordSettings, plugin
from switchboard.plugins import installed
from tests.support.records import MemoryRecords
from tests.support.words import WORDS


def test_defaults() -> None:
    settings = DiscordSettings()
    assert settings.enabled
    assert settings.api_base == "https://discord.com/api/v10"
    assert settings.gateway_url is None


def test_addresses_lose_their_last_slash() -> None:
    settings = DiscordSettings(api_base="http://127.0.0.1:3001/api/v10/", gateway_url="ws://127.0.0.1:3002/")
    assert (settings.api_base, settings.gateway_url) == ("http://127.0.0.1:3001/api/v10", "ws://127.0.0.1:3002")


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"api_base": "discord.com/api"}, "api_base"),
        ({"api_base": "ftp://example.com"}, "api_base"),
        ({"api_base": "wss://example.com"}, "api_base"),
        ({"api_base": ""}, "api_base"),
        ({"api_base": None}, "api_base"),
        ({"api_base": "http://"}, "api_base"),
        ({"api_base": "http://[::1"}, "api_base"),
        ({"api_base": "http://example.com:99999"}, "api_base"),
        ({"api_base": "http://example.com:port"}, "api_base"),
        ({"gateway_url": "https://gateway.discord.gg"}, "gateway_url"),
        ({"gateway_url": "gateway.discord.gg"}, "gateway_url"),
        ({"gateway_url": ""}, "gateway_url"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"token": "x.y.z"}, "token"),
    ],
)
def test_an_error_names_the_key(section: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        DiscordSettings.model_validate(section)


def test_an_error_shows_what_is_wanted() -> None:
    with pytest.raises(ValidationError, match=r"such as https://discord\.com/api/v10"):
        DiscordSettings(api_base="discord.com")
    with pytest.raises(ValidationError, match=r"such as wss://gateway\.discord\.gg"):
        DiscordSettings(gateway_url="https://x.example")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        DiscordSettings().api_base = "http://x.example"


def test_the_plugin_is_installed() -> None:
    assert installed()["discord"] is plugin
    assert plugin.secret_variable == "DISCORD_BOT_TOKEN"
    assert plugin.settings() == DiscordSettings()


async def test_it_is_a_connector() -> None:
    connector = DiscordConnector(DiscordSettings(), "a.b.xyz\n", MemoryRecords(), words=WORDS)
    for promised in (Connector, Typing, Editing, Fetching, Closing):
        assert isinstance(connector, promised)
    assert (connector.name, connector.account) == ("discord", "")
    assert connector.capabilities.max_length == 2000
    assert connector.capabilities.idempotent
    assert connector.capabilities.exclusive
    assert "xyz" not in repr(connector)
    await connector.close()
