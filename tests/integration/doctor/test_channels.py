"""What `switchboard doctor` says of Telegram and of Discord."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from bot.domain.findings import Finding, Level
from bot.ports import Access
from connectors.discord import DiscordSettings
from connectors.discord import plugin as discord
from connectors.telegram import TelegramConnector, TelegramSettings
from connectors.telegram import plugin as telegram
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.doctor import OK, WARNING, WRONG
from tests.support.serving import served
from tests.support.words import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


async def ask_telegram(peer: TelegramPeer, token: str = "", **settings: Any) -> dict[str, Finding]:
    assert telegram.check is not None
    return by_name(
        await telegram.check(TelegramSettings(base_url=peer.base_url, **settings), Access(token or peer.token, {}))
    )


async def test_telegram_is_well(bot_api: TelegramPeer) -> None:
    found = await ask_telegram(bot_api)
    assert {finding.level for finding in found.values()} == {OK}
    assert "@desk_bot" in found["telegram"].words
    assert found["telegram"].clock_ahead == 0.0
    # Looking changes nothing.
    assert {call.method.lower() for call in bot_api.calls} == {"getme", "getwebhookinfo"}


@pytest.mark.parametrize("token", ["700100200:AAF-a_wrong-token-of-the-bot-0000000", "no token at all"])
async def test_telegram_refuses_the_token(bot_api: TelegramPeer, token: str) -> None:
    found = await ask_telegram(bot_api, token)
    assert list(found) == ["telegram"]
    assert (found["telegram"].level, "@BotFather" in found["telegram"].fix) == (WRONG, True)
    assert token not in str(found)


async def test_telegram_is_not_there(bot_api: TelegramPeer) -> None:
    await bot_api.stop()
    found = await ask_telegram(bot_api)
    assert (found["telegram"].level, "connection" in found["telegram"].fix) == (WRONG, True)
    assert bot_api.token not in str(found)


async def test_something_else_answers(bot_api: TelegramPeer) -> None:
    bot_api.fail_next("getMe", 502, "Bad Gateway")
    assert (await ask_telegram(bot_api))["telegram"].level is WRONG
    bot_api.fail_next("getWebhookInfo", 500, "Internal")
    assert (await ask_telegram(bot_api))["telegram webhook"].level is WRONG


async def set_webhook(peer: TelegramPeer, url: str) -> None:
    bot = TelegramConnector(TelegramSettings(base_url=peer.base_url), peer.token, words=WORDS)
    await bot._api.call("setWebhook", url=url)
    await bot.close()


async def test_a_webhook_while_polling(bot_api: TelegramPeer) -> None:
    await set_webhook(bot_api, "https://elsewhere.example/secret-path")
    found = (await ask_telegram(bot_api))["telegram webhook"]
    assert (found.level, "elsewhere.example" in found.words) == (WRONG, True)
    assert "secret-path" not in str(found)
    assert "start the desk, which takes the webhook away" in found.fix


async def test_many_wait(bot_api: TelegramPeer) -> None:
    ann = bot_api.user(1)
    for _ in range(100):
        ann.writes("hello")
    found = (await ask_telegram(bot_api))["telegram webhook"]
    assert (found.level, "100 update(s) wait" in found.words) == (WARNING, True)


async def test_a_webhook_and_its_address(bot_api: TelegramPeer, port: int) -> None:
    receiving = FastAPI()
    async with served(receiving, port) as address:
        settings = {"mode": "webhook", "webhook_url": address}
        bot = TelegramConnector(TelegramSettings(base_url=bot_api.base_url, **settings), bot_api.token, words=WORDS)
        found = await ask_telegram(bot_api, **settings)
        assert (found["telegram webhook"].level, "no webhook is set" in found["telegram webhook"].words) == (
            WRONG,
            True,
        )
        address = found["telegram webhook address"]
        assert (address.level, "answers 404" in address.words) == (WARNING, True)

        async def receive(_: Any) -> Any:
            raise OSError("the database is gone")

        receiving.include_router(bot.routes(receive))
        url = bot.settings.webhook_url
        assert url is not None
        await bot._api.call("setWebhook", url=url, secret_token=bot._secret())
        found = await ask_telegram(bot_api, **settings)
        assert {finding.level for finding in found.values()} == {OK}
        assert "leads to a desk" in found["telegram webhook address"].words

        ann = bot_api.user(1)
        ann.writes("hello")
        await bot_api.wait_until(lambda: bool(bot_api.webhook and bot_api.webhook.last_error))
        found = await ask_telegram(bot_api, **settings)
        failing = found["telegram webhook"]
        assert (failing.level, "503; 1 update(s) wait" in failing.words) == (WRONG, True)

        await set_webhook(bot_api, "https://elsewhere.example/x")
        found = await ask_telegram(bot_api, **settings)
        assert "is set to elsewhere.example" in found["telegram webhook"].words
        await bot.close()
    found = await ask_telegram(bot_api, **settings)
    assert "does not answer from here" in found["telegram webhook address"].words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/x", "begins with http://"),
        ("https://example.com:8080/x", "port 8080"),
        ("https://localhost/x", "nobody on the internet"),
        ("https://10.1.2.3:8443/x", "10.1.2.3, which nobody"),
        ("https://no-such-host.invalid/x", "leads nowhere"),
    ],
)
async def test_addresses_that_telegram_cannot_reach(
    bot_api: TelegramPeer, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    # The stand-in in the place of the real one, whose rules hold.
    monkeypatch.setattr("connectors.telegram.check.TELEGRAM", "127.0.0.1")
    found = (await ask_telegram(bot_api, mode="webhook", webhook_url=url))["telegram webhook address"]
    assert (found.level, words in found.words, "webhook_url" in found.fix) == (WRONG, True, True), found


async def ask_discord(peer: DiscordPeer, token: str = "") -> dict[str, Finding]:
    assert discord.check is not None
    return by_name(await discord.check(DiscordSettings(api_base=peer.api_base), Access(token or peer.token, {})))


async def test_discord_is_well(guild: DiscordPeer) -> None:
    found = await ask_discord(guild)
    assert list(found) == ["discord", "discord gateway", "discord buttons"]
    assert {finding.level for finding in found.values()} == {OK}
    assert found["discord"].clock_ahead == 0.0
    assert {call.method for call in guild.calls} == {"GET"}


@pytest.mark.parametrize("token", ["a.wrong.token-of-ours", "with a space"])
async def test_discord_refuses_the_token(guild: DiscordPeer, token: str) -> None:
    found = await ask_discord(guild, token)
    assert list(found) == ["discord"]
    assert (found["discord"].level, "Developer Portal" in found["discord"].fix) == (WRONG, True)
    assert token not in str(found)


async def test_discord_is_not_there(guild: DiscordPeer) -> None:
    await guild.stop()
    found = await ask_discord(guild)
    assert (found["discord"].level, "connection" in found["discord"].fix) == (WRONG, True)


@pytest.mark.parametrize(("left", "level"), [(50, OK), (49, WARNING), (0, WRONG)])
async def test_few_session_starts(guild: DiscordPeer, left: int, level: Level) -> None:
    guild.session_starts_left = left
    found = (await ask_discord(guild))["discord gateway"]
    assert (found.level, f"{left} of 1000" in found.words, "4.0 h" in found.words) == (level, True, True)


async def test_buttons_go_elsewhere(guild: DiscordPeer) -> None:
    where = {"id": "1", "interactions_endpoint_url": "https://elsewhere.example/secret"}
    guild.fail_next("GET /applications/@me", status=200, body=where)
    found = (await ask_discord(guild))["discord buttons"]
    assert (found.level, "Interactions Endpoint URL" in found.fix, "secret" in str(found)) == (WRONG, True, False)


async def test_a_server_without_applications(guild: DiscordPeer) -> None:
    guild.fail_next("GET /applications/@me", status=404, body={"message": "404: Not Found", "code": 0})
    assert (await ask_discord(guild))["discord buttons"].level is OK
