"""A language is content only: a file of phrases in a data folder shows wherever customers read, with no other change.

One is a language of nobody (``tlh``), one a language that Telegram and Discord know (``fi``), in words made up here.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import os
import re
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from bot.content.words import Words
from bot.runtime import http
from bot.settings import Config, Environment, Settings
from connectors.discord.interactions import commands
from connectors.telegram import TelegramConnector, TelegramSettings
from connectors.terminal import TerminalConnector, chat, socket_path
from connectors.web import WebConnector, WebSettings
from switchboard import wiring
from tests.peers.telegram import TelegramPeer
from tests.support.stand_in_desk import StandInDesk, message
from tests.support.words import made_up


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for locale, mark in (("en", "EN"), ("tlh", "TLH"), ("fi", "FI")):
        made_up(tmp_path, locale, mark)
    return tmp_path


@pytest.fixture
def words(data: Path) -> Words:
    return Words(data, facts={"brand": "BitPie"})


def settings(data: Path, **config: object) -> Settings:
    environment = Environment(switchboard_config=data / "config.yml")
    return Settings(config=Config.model_validate({"data": data, **config}), environment=environment, secrets={})


def test_every_file_of_phrases_is_a_language_of_the_desk(data: Path) -> None:
    assert wiring.locales(settings(data)) == ("en", "fi", "tlh")
    assert wiring.locales(settings(data, locales={"default": "tlh"})) == ("tlh", "en", "fi")
    assert wiring.locales(settings(data, locales={"default": "en", "available": ["en", "fi"]})) == ("en", "fi")


async def test_the_chat_page(words: Words) -> None:
    desk = StandInDesk()
    connector = WebConnector(
        WebSettings(max_length=50), desk, "BitPie", uploads=desk, streams=http.Streams(), words=words
    )
    app = http.application([connector.routes(desk.receive)], {})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as visitor:
        page = await visitor.get("/chat", headers={"Accept-Language": "tlh, en;q=0.5"})
        assert '<html lang="tlh" dir="ltr">' in page.text
        assert "<title>TLH BitPie support</title>" in page.text
        match = re.search(r'data-switchboard-chat="([^"]*)"', page.text)
        assert match is not None
        options = json.loads(html.unescape(match[1]))
        assert options["languages"] == {"en": "EN English", "fi": "FI English", "tlh": "TLH English"}
        texts = [
            text for one in options["phrases"].values() for text in ([one] if isinstance(one, str) else one.values())
        ]
        assert len(texts) > 30
        assert all(text.startswith("TLH ") for text in texts)
        asked = await visitor.get("/chat?lang=fi")
        assert "<title>FI BitPie support</title>" in asked.text
        refused = await visitor.post(
            "/chat/messages",
            json={"id": "1f0c2f6e-4a51-4c8e-9a57-3d1f5b0f9c61", "text": "x" * 51},
            headers={"Accept-Language": "tlh"},
        )
        assert refused.json()["message"].startswith("TLH This message is too long: at most 50")


async def test_telegrams_menu(words: Words) -> None:
    desk = StandInDesk()
    async with TelegramPeer() as peer:
        connector = TelegramConnector(TelegramSettings(base_url=peer.base_url), peer.token, words=words)
        running = asyncio.create_task(connector.run(desk.receive))
        try:
            await peer.wait_calls("setMyCommands", 2)
            await peer.wait_until(lambda: "fi" in peer.commands)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await connector.close()
    # Telegram has two-letter languages only; who reads another one gets the default.
    assert {language: said[0]["description"] for language, said in peer.commands.items()} == {
        "": "EN Start",
        "fi": "FI Start",
    }


def test_discords_commands(words: Words) -> None:
    for command in commands(words):
        assert command["description"].startswith("EN ")
        assert command["description_localizations"].keys() == {"fi"}
        assert command["description_localizations"]["fi"].startswith("FI ")
        # "FI support" is no name for a command there.
        assert command["name_localizations"] == {}


async def test_the_terminal(words: Words, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "tlh.UTF-8")
    desk = StandInDesk(answer=lambda said: [message(f"heard {said.text}")])
    serving = asyncio.create_task(TerminalConnector(desk, var, words=words).run(desk.receive))
    async with asyncio.timeout(10):
        while not socket_path(var).exists():
            await asyncio.sleep(0.01)
    output, (reading, writing) = io.StringIO(), os.pipe()
    screen = Console(file=output, width=200, highlight=False)
    chatting = asyncio.create_task(chat(var, words, stdin=reading, console=screen, quiet=0.2, patience=5.0))
    os.write(writing, b"hi\n")
    os.close(writing)
    await asyncio.wait_for(chatting, 15)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert [one.sender.language for one in desk.received] == ["tlh"]
    assert "TLH Assistant" in output.getvalue()
