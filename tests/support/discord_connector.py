"""What the tests of the Discord connector share: a desk in memory, and the connector running against the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.domain.channel import Outgoing, PermanentError
from bot.domain.message import Button, Incoming, Receipt
from bot.domain.said import Fault
from connectors.discord import DiscordConnector, DiscordSettings
from tests.peers.discord import DiscordPeer, PeerUser
from tests.peers.discord.entities import Message
from tests.support.records import MemoryRecords
from tests.support.stand_in_desk import StandInDesk
from tests.support.waiting import until
from tests.support.words import WORDS


class Desk(StandInDesk):
    """Keeps what is committed, once each, with its records; may be slow, fail, and answer through the connector."""

    def __init__(self) -> None:
        super().__init__()
        self.records = MemoryRecords(self.received)
        self.before: Callable[[Incoming], Awaitable[None]] | None = None
        self.after: Callable[[Incoming], Awaitable[None]] | None = None

    async def receive(self, incoming: Incoming) -> Receipt:
        if self.before is not None:
            await self.before(incoming)
        receipt = await super().receive(incoming)
        if self.after is not None:
            await self.after(incoming)
        return receipt

    @property
    def texts(self) -> list[str]:
        """What was written, without edits, deletions and presses."""
        return [event.text for event in self.received if event.external_id.isdecimal()]

    def texts_of(self, user: PeerUser) -> list[str]:
        return [event.text for event in self.received if event.chat_id == str(user.channel_id) and not event.deletes]


@dataclass
class Doing:
    """A ``Health`` that is read."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def connecting(self) -> None:
        self.said.append(("connecting", ""))

    def connected(self, account: str) -> None:
        self.said.append(("connected", account))

    def trouble(self, error: Fault | str) -> None:
        self.said.append(("trouble", str(error)))

    @property
    def troubles(self) -> list[str]:
        return [what for kind, what in self.said if kind == "trouble"]

    @property
    def states(self) -> list[str]:
        """Without repetitions."""
        kinds = [kind for kind, _ in self.said if kind != "trouble"]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


def numbered(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last)]


def settings(peer: DiscordPeer) -> DiscordSettings:
    return DiscordSettings(api_base=peer.api_base)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, wait: bool = True
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(connector.run(desk.receive))
    try:
        if wait:
            await peer.connected()
        yield task
    finally:
        await ended(task)


@asynccontextmanager
async def restarted(peer: DiscordPeer, desk: Desk, wait: bool = True) -> AsyncIterator[DiscordConnector]:
    """A new desk's connector, with what the old one left in the records."""
    connector = DiscordConnector(settings(peer), peer.token, desk.records, words=WORDS)
    try:
        async with running(peer, connector, desk, wait):
            yield connector
    finally:
        await connector.close()


async def acquainted(peer: DiscordPeer, desk: Desk, name: str = "Ann", locale: str = "en-US") -> PeerUser:
    """Somebody whose first words the running desk has."""
    user = peer.user(name, locale=locale)
    user.writes(f"hello from {name}")
    await until(lambda: f"hello from {name}" in desk.texts)
    return user


def outgoing(user: PeerUser | str, text: str, key: str = "1", **fields: Any) -> Outgoing:
    chat_id = user if isinstance(user, str) else str(user.channel_id)
    return Outgoing("discord", "900", chat_id, text, key=key, **fields)


def shown(user: PeerUser) -> list[str]:
    return [seen["content"] for seen in user.sees]


LOSSES: dict[str, Callable[[DiscordPeer], object]] = {
    "cut": lambda peer: peer.cut(),
    "4000": lambda peer: peer.close(4000),
    "4009": lambda peer: peer.close(4009),
    "op 7": lambda peer: peer.ask_to_reconnect(),
    "invalid, resumable": lambda peer: peer.invalidate(True),
    "invalid": lambda peer: peer.invalidate(False),
    "expired": lambda peer: (peer.expire_sessions(), peer.cut()),
    "1000": lambda peer: peer.close(1000),
}


async def asked(connector: DiscordConnector, user: PeerUser) -> int:
    buttons = (Button("Yes", "helped:yes"), Button("No", "helped:no"))
    return int(await connector.send(outgoing(user, "Did that help?", buttons=buttons)))


def answering(connector: DiscordConnector, text: str = "How can we help?") -> Callable[[Incoming], Awaitable[None]]:
    """A desk that answers each event by a send, from somewhere else."""
    tasks: set[asyncio.Task[Any]] = set()

    async def answer(incoming: Incoming) -> None:
        async def send() -> None:
            with contextlib.suppress(PermanentError):
                await connector.send(outgoing(incoming.chat_id, text, incoming.external_id))

        tasks.add(asyncio.create_task(send()))

    return answer


def from_server(peer: DiscordPeer, user: PeerUser, way: str) -> int:
    if way != "button":
        return user.runs(way, guild_id=peer.guild_id)
    posted = Message(peer.state.new_id(), peer.state.channels[peer.guild_channel_id], peer.state.bot, "Questions?")
    button = {"type": 2, "style": 1, "label": "Contact", "custom_id": "support", "id": 2}
    posted.components = [{"type": 1, "id": 1, "components": [button]}]
    return user.presses(peer.state.post(posted).id, "support")
