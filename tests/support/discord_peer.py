"""Clients of the stand-in for Discord: a bot of discord.py, and plain HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord

from tests.peers.discord import DiscordPeer, PeerUser

DM_ONLY = discord.Intents(dm_messages=True)


class Bot(discord.AutoShardedClient):
    """Keeps all that it is told."""

    def __init__(self, **options: Any) -> None:
        # Without its memory of messages: discord.py changes those in place, before on_message has seen them.
        intents = options.pop("intents", DM_ONLY)
        super().__init__(intents=intents, guild_ready_timeout=0.05, max_messages=None, **options)
        self.told: list[discord.Message] = []
        self.texts: list[str] = []
        """What others wrote."""
        self.edited: list[discord.RawMessageUpdateEvent] = []
        self.deleted: list[int] = []
        self.pressed: list[discord.Interaction] = []
        self.failed: BaseException | None = None

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        pass  # the real one waits five seconds

    async def on_message(self, message: discord.Message) -> None:
        self.told.append(message)
        if message.author != self.user:
            self.texts.append(message.content)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.edited.append(event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.deleted.append(event.message_id)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self.pressed.append(interaction)


@asynccontextmanager
async def running(peer: DiscordPeer, bot: Bot | None = None) -> AsyncIterator[Bot]:
    bot = bot or Bot()

    async def run() -> None:
        try:
            await bot.start(peer.token)
        except Exception as error:
            bot.failed = error

    task = asyncio.create_task(run())
    try:
        await peer.connected()
        yield bot
    finally:
        await bot.close()
        await asyncio.wait_for(task, 5)


async def call(http: aiohttp.ClientSession, method: str, url: str, **options: Any) -> tuple[int, Any]:
    async with http.request(method, url, **options) as answer:
        text = await answer.text()
        if answer.status != 204:
            assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if text else None


def messages_url(peer: DiscordPeer, user: PeerUser) -> str:
    peer.state.dm(user)
    return f"{peer.api_base}/channels/{user.channel_id}/messages"
