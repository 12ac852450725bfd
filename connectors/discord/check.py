"""What ``switchboard doctor`` asks Discord: is the token good, may the bot connect, and do buttons reach it?"""

from __future__ import annotations

from typing import Any

import discord

from bot.domain.findings import Finding, Level
from connectors.clocks import clock_ahead
from connectors.discord.api import REFUSED, UNREADABLE, Api, explained
from connectors.discord.events import NAME
from connectors.discord.settings import DiscordSettings

FEW_STARTS = 50
"""Of the 1000 sessions that a bot may start in a day. After the last one Discord takes its token away."""

_NETWORK = "check this machine's connection, its proxy, and channels.discord.api_base if it is set"


async def examine(settings: DiscordSettings, secret: str) -> list[Finding]:
    api = Api(settings.api_base, secret.strip())
    try:
        found = [await _account(api, settings)]
        if found[0].level is Level.OK:
            found += [await _sessions(api), await _buttons(api)]
    finally:
        await api.close()
    return found


async def _account(api: Api, settings: DiscordSettings) -> Finding:
    try:
        await api.me()
        me = await api.call("GET", "/users/@me")
        words = f"the token is good: bot {me['username']}"
    except Exception as error:
        return _failed(NAME, error)
    return Finding(NAME, Level.OK, words, clock_ahead=await clock_ahead(f"{settings.api_base}/gateway"))


async def _sessions(api: Api) -> Finding:
    name = f"{NAME} gateway"
    try:
        limit = (await api.call("GET", "/gateway/bot"))["session_start_limit"]
        remaining, total, hours = int(limit["remaining"]), int(limit["total"]), float(limit["reset_after"]) / 3_600_000
    except Exception as error:
        return _failed(name, error)
    words = f"{remaining} of {total} session starts left, anew in {hours:.1f} h"
    if remaining >= min(FEW_STARTS, total):
        return Finding(name, Level.OK, words)
    return Finding(
        name,
        Level.WARNING if remaining else Level.WRONG,
        words,
        "stop the desk until then if it is not connected, and find out what connects over and over with this token: the"
        " desk's log names every lost connection. After the last start Discord takes the token away",
    )


async def _buttons(api: Api) -> Finding:
    name = f"{NAME} buttons"
    try:
        application: Any = await api.call("GET", "/applications/@me")
        address = application.get("interactions_endpoint_url")
    except discord.NotFound:
        return Finding(name, Level.OK, "this server does not say where buttons go")
    except Exception as error:
        return _failed(name, error)
    if address:
        return Finding(
            name,
            Level.WRONG,
            "the application has an Interactions Endpoint URL: buttons and commands go there, and never to the desk",
            "Discord Developer Portal, your application, General Information: empty Interactions Endpoint URL and save",
        )
    return Finding(name, Level.OK, "they come to the desk")


def _failed(name: str, error: Exception) -> Finding:
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
        return Finding(name, Level.WRONG, UNREADABLE.words, _NETWORK)
    told = explained(error).fault
    if told == REFUSED:
        words, _, fix = REFUSED.words.partition(". ")
        return Finding(name, Level.WRONG, words, fix)
    return Finding(name, Level.WRONG, told.words, _NETWORK)
