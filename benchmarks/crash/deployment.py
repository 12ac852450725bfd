"""Everything that runs in a campaign: replicas behind a balancer, their database and Rasa, and the platforms."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from benchmarks.crash.machines import Balancer, Database, Rasa, Replica
from bot.domain.staff import Role
from switchboard.cli.agents import staffing
from switchboard.plugins import load_settings
from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.agents import PASSWORD

AGENTS = ("Mei", "Bo", "Ines", "Omar", "Ada", "Jun")


class Deployment:
    """The machines of one campaign, in one folder."""

    balancer: Balancer
    database: Database
    discord: DiscordPeer
    rasa: Rasa
    replicas: list[Replica]
    telegram: TelegramPeer

    def __init__(self, model: Path, folder: Path, replicas: int) -> None:
        self.folder = folder
        self.orders = folder / "orders"
        """Where desks are told at which place to die."""
        self._model = model
        self._count = replicas

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        """Returns when every replica serves; the stack ends all that was begun."""
        self.telegram = await stack.enter_async_context(TelegramPeer())
        self.discord = await stack.enter_async_context(DiscordPeer())
        self.database = Database(self.folder / "postgres")
        await self.database.start()
        stack.push_async_callback(self.database.stop)
        self.rasa = Rasa(self._model, self.folder / "var")
        stack.push_async_callback(self.rasa.stop)
        async with staffing(load_settings(), self.database.url) as (_, staff):
            for name in AGENTS:
                await staff.add(name, Role.AGENT, password=PASSWORD)
        await self.rasa.start()
        config = (
            f"channels:\n  discord:\n    api_base: {self.discord.api_base}\n"
            f"  telegram:\n    base_url: {self.telegram.base_url}\n    poll_timeout: 2\n"
        )
        environment = {
            "DATABASE_URL": self.database.url,
            "DISCORD_BOT_TOKEN": self.discord.token,
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            **self.rasa.environment,
        }
        self.replicas = [
            Replica(number, self.folder / f"replica-{number}", config, environment, self.orders)
            for number in range(1, self._count + 1)
        ]
        for replica in self.replicas:
            stack.push_async_callback(replica.stop)
            replica.run()
        async with asyncio.timeout(120):
            for replica in self.replicas:
                await replica.ready.wait()
            await self.discord.connected()
        self.balancer = Balancer(self.replicas)
        await self.balancer.start()
        stack.push_async_callback(self.balancer.stop)
