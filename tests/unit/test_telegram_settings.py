"""The section ``channels.telegram``."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.ports import Connector, Editing, Fetching, Routes, Typing
from connectors.telegram import TelegramConnector, TelegramSettings
from tests.support.words import WORDS


def test_defaults() -> None:
    settings = TelegramSettings()
    assert settings.enabled
    assert settings.mode == "polling"
    assert settings.base_url == "https://api.telegram.org/bot"
    assert settings.file_url == "https://api.telegram.org/file/bot"


@pytest.mark.parametrize(
    ("given", "base_url", "file_url"),
    [
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        ("http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        ("https://proxy.example/tg/bot", "https://proxy.example/tg/bot", "https://proxy.example/tg/file/bot"),
    ],
)
def test_addresses_are_completed(given: str, base_url: str, file_url: str) -> None:
    settings = TelegramSettings(base_url=given)
    assert (settings.base_url, settings.file_url) == (base_url, file_url)


def test_a_file_address_of_its_own() -> None:
    assert TelegramSettings(base_file_url="http://files.example").file_url == "http://files.example/file/bot"


def test_a_webhook_address_without_path_gets_ours() -> None:
    settings = TelegramSettings(mode="webhook", webhook_url="https://desk.example")
    assert settings.webhook_url == "https://desk.example/telegram/webhook"
    assert TelegramSettings(webhook_url="https://desk.example/a").webhook_url == "https://desk.example/a"


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"mode": "webhook"}, "webhook_url"),
        ({"mode": "carrier pigeon"}, "mode"),
        ({"base_url": "api.telegram.org"}, "base_url"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"webhook_url": ""}, "webhook_url"),
        ({"poll_timeout": 0}, "poll_timeout"),
        ({"token": "1:a"}, "token"),
    ],
)
def test_an_error_names_the_key(section: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TelegramSettings.model_validate(section)


async def test_it_is_a_connector() -> None:
    connector = TelegramConnector(TelegramSettings(), "700:xyz\n", words=WORDS)
    assert isinstance(connector, Connector)
    assert isinstance(connector, Typing)
    assert isinstance(connector, Editing)
    assert isinstance(connector, Fetching)
    assert isinstance(connector, Routes)
    assert (connector.name, connector.account) == ("telegram", "700")
    assert connector.capabilities.max_length == 4096
    assert "xyz" not in repr(connector)
    await connector.close()
