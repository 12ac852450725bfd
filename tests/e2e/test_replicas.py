"""Three replicas on one PostgreSQL and one Rasa: whatever happens to any of them, every message is answered once, in
order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from bot.settings import ROOT
from bot.store.database import embedded
from intents.paths import EnginePaths
from intents.sidecar import Sidecar
from tests.e2e.desk import DeskProcess, config_file
from tests.peers.discord import DiscordPeer, PeerUser

QUESTION = "how do i reset my password"
REPLICAS = 3
FROZEN_FOR = 15.0
TAKEN_OVER_WITHIN = 10.0


class Database:
    """The embedded PostgreSQL, as a server of its own that can crash."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.url = stack.enter_context(embedded(folder))

    def crash_and_restart(self) -> None:
        postmaster = psutil.Process(int((self._folder / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(signal.SIGQUIT)  # at once, without a word to its clients
        postmaster.wait(20)
        assert self._stack.enter_context(embedded(self._folder)) == self.url


@pytest.fixture
def database(folders: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        yield Database(folders / "replicas" / "postgres", stack)


@pytest.fixture
async def rasa(model: Path, folders: Path) -> AsyncIterator[dict[str, str]]:
    """One Rasa for all, as the environment of a replica names it."""
    sidecar = Sidecar(EnginePaths(ROOT / "data", folders / "replicas" / "var"), model)
    running = asyncio.create_task(sidecar.run())
    await asyncio.wait_for(sidecar.first_ready.wait(), 90)
    endpoint = sidecar.endpoint()
    yield {"RASA_URL": endpoint.url, "RASA_TOKEN": endpoint.token}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture
async def replicas(
    discord: DiscordPeer, database: Database, rasa: dict[str, str], folders: Path
) -> AsyncIterator[list[DeskProcess]]:
    made = []
    for number in range(REPLICAS):
        folder = folders / "replicas" / str(number)
        (folder / "var").mkdir(parents=True)
        config = f"channels:\n  discord:\n    api_base: {discord.api_base}\n"
        environment = {"DATABASE_URL": database.url, "DISCORD_BOT_TOKEN": discord.token, **rasa}
        made.append(DeskProcess(folder / "var", config_file(folder / "config.yml", config), environment))
    try:
        for replica in made:
            await replica.start()
        yield made
    finally:
        for replica in made:
            if replica.process is not None and replica.process.returncode is None:
                os.kill(replica.process.pid, signal.SIGCONT)
            await replica.end()


def terms(replicas: list[DeskProcess]) -> int:
    """How often any of them got the lease."""
    return sum(replica.log.count('"action": "lease_acquired"') for replica in replicas)


def latest_term(replica: DeskProcess) -> int:
    found = [line for line in replica.log.splitlines() if '"action": "lease_acquired"' in line]
    return int(found[-1].partition('"generation": ')[2].split(",")[0].rstrip("}")) if found else 0


def leader(replicas: list[DeskProcess]) -> DeskProcess:
    return max(replicas, key=latest_term)


class Customer:
    """Asks without end, whatever happens to the desk."""

    def __init__(self, user: PeerUser) -> None:
        self._user = user
        self.asked: list[int] = []
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            self.asked.append(self._user.writes(QUESTION))
            await asyncio.sleep(0.3)

    async def stop(self) -> None:
        self._asking.cancel()
        await asyncio.gather(self._asking, return_exceptions=True)

    async def is_answered(self) -> None:
        """Each question once, in order."""
        await self._user.wait_sees(len(self.asked), timeout=90)
        await asyncio.sleep(2)
        answered = [int(seen["message_reference"]["message_id"]) for seen in self._user.sees]
        assert answered == self.asked

    @property
    def answers(self) -> int:
        return len(self._user.sees)


async def taken_over(replicas: list[DeskProcess], before: int) -> None:
    async with asyncio.timeout(TAKEN_OVER_WITHIN):
        while terms(replicas) <= before:
            await asyncio.sleep(0.1)


async def test_frozen_killed_restarted_and_without_a_database(
    replicas: list[DeskProcess], discord: DiscordPeer, database: Database
) -> None:
    await discord.connected()
    assert terms(replicas) == 1
    customers = [Customer(discord.user(f"customer {number}")) for number in range(3)]
    await asyncio.sleep(2)

    # The leader hangs. Another goes on; and when the first one wakes up, it finds that out before it does anything.
    frozen, before = leader(replicas), terms(replicas)
    os.kill(frozen.process.pid, signal.SIGSTOP)
    await taken_over(replicas, before)
    await asyncio.sleep(FROZEN_FOR - TAKEN_OVER_WITHIN)
    os.kill(frozen.process.pid, signal.SIGCONT)
    await asyncio.sleep(4)
    assert leader(replicas) is not frozen
    assert '"action": "lease_lost"' in frozen.log

    # The leader dies.
    killed, before = leader(replicas), terms(replicas)
    await killed.kill()
    await taken_over(replicas, before)
    await killed.start()

    # The database dies under all of them.
    database.crash_and_restart()
    await asyncio.sleep(5)

    # A rolling restart.
    for replica in replicas:
        assert await replica.stop() == 0
        await replica.start()

    for customer in customers:
        await customer.stop()
    for customer in customers:
        await customer.is_answered()
