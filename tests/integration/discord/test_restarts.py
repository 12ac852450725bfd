"""A desk that was killed or stopped goes on where it was: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.channel import Chat
from bot.domain.message import Incoming, Receipt, Sender
from connectors.discord import DiscordConnector, api, connection, gateway, intake
from tests.peers.discord import DiscordPeer, PeerUser
from tests.support.discord_connector import Desk, acquainted, ended, numbered, restarted, running, settings
from tests.support.records import MemoryRecords
from tests.support.waiting import until
from tests.support.words import WORDS


class Mortal(Desk):
    """A desk whose process can be killed: then nothing that it began is recorded any more."""

    def __init__(self, survivor: Desk) -> None:
        super().__init__()
        self.survivor = survivor
        self.dead = False
        self.records = _MortalRecords(self)

    async def receive(self, incoming: Incoming) -> Receipt:
        await self.alive()
        return await self.survivor.receive(incoming)

    async def alive(self) -> None:
        await asyncio.sleep(0.001)
        if self.dead:
            await asyncio.Event().wait()


class _MortalRecords(MemoryRecords):
    def __init__(self, desk: Mortal) -> None:
        super().__init__(desk.survivor.received)
        self.memory = desk.survivor.records.memory
        self._desk = desk

    async def remember(self, channel: str, account: str, name: str, value: Any) -> None:
        await self._desk.alive()
        await super().remember(channel, account, name, value)


@pytest.mark.parametrize("session", ["alive", "expired"])
async def test_the_desk_is_killed_in_the_middle_of_a_burst(
    peer: DiscordPeer, desk: Desk, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "KEEP_WITHIN", 0.1)
    people = [peer.user(f"user {number}") for number in range(4)]
    mortal = Mortal(desk)
    connector = DiscordConnector(settings(peer), peer.token, mortal.records, words=WORDS)
    task = asyncio.create_task(connector.run(mortal.receive))
    await peer.connected()
    for number in range(50):
        for user in people:
            user.writes(f"m{number}")
        if number == 20:
            await until(lambda: len(desk.received) > 20)
            mortal.dead = True
            peer.cut()
            if session == "expired":
                peer.expire_sessions()
    assert 20 < len(desk.received) < 100
    await asyncio.gather(ended(task), connector.close())
    assert all(desk.texts_of(user) for user in people)
    async with restarted(peer, desk):
        for number in range(50, 60):
            for user in people:
                user.writes(f"m{number}")
        await until(lambda: len(desk.received) >= 240)
        for user in people:
            assert desk.texts_of(user) == numbered(0, 60)
        assert (peer.identifies, peer.resumes > 0) == ((1, True) if session == "alive" else (2, False))


async def test_a_session_is_not_kept_while_something_of_an_earlier_one_is_open(
    peer: DiscordPeer, desk: Desk, ann: PeerUser
) -> None:
    """Numbers of two sessions cannot be compared."""
    calls = api.Api(peer.api_base, peer.token)
    reading = intake.Intake(calls, desk.records, desk.receive, str(peer.bot_id), [])
    desk.failures = 1_000
    press = Incoming("discord", str(peer.bot_id), "interaction:5", Sender(str(ann.id)), str(ann.channel_id))
    event = reading.offer(press, 50)
    assert reading.committed(60) == 49
    reading.begin_session()
    assert reading.committed(3) < 0
    desk.failures = 0
    async with asyncio.timeout(5):
        await event.committed.wait()
    assert reading.committed(3) == 3
    await reading.close()
    await calls.close()


async def test_a_reaction_seen_on_many_pages_of_history_is_committed_once(
    peer: DiscordPeer, desk: Desk, ann: PeerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_FIRST_PAUSE", 0.01)
    first = ann.writes("m0")
    ann.reacts(first, "👀")
    tried: list[str] = []

    async def receive(incoming: Incoming) -> Receipt:
        tried.append(incoming.external_id.partition(":")[0])
        return await desk.receive(incoming)

    chat = Chat(str(ann.channel_id), str(first - 1), datetime.now(UTC))
    calls = api.Api(peer.api_base, peer.token)
    reading = intake.Intake(calls, desk.records, receive, str(peer.bot_id), [chat])
    desk.failures = 3
    reading.begin_session()
    await until(lambda: "reaction" in tried)
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("discord chat")))
    assert (tried.count(str(first)), tried.count("reaction")) == (4, 1)
    await reading.close()
    await calls.close()


async def test_a_clean_stop_leaves_the_session_to_the_next_start(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        await acquainted(peer, desk)
    assert len(peer.sessions) == 1
    assert not peer.live_sessions
    bea = peer.user("Bea")
    bea.writes("first contact while the desk was down")
    async with restarted(peer, desk):
        await until(lambda: desk.texts_of(bea) == ["first contact while the desk was down"])
        assert (peer.identifies, peer.resumes) == (1, 1)


async def test_what_is_said_between_the_reading_of_a_chat_and_the_new_session_is_read(
    peer: DiscordPeer, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """History is read while the gateway connects; what comes in between is read again, also while others are read."""
    monkeypatch.setattr(intake, "SWEEP_PAUSE", 0.02)
    monkeypatch.setattr(intake, "AT_ONCE", 4)
    async with restarted(peer, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(50):
        other = peer.user(f"other {number}")
        channel = peer.state.dm(other).id
        desk.records.extra[str(channel)] = Chat(str(channel), "1", datetime.now(UTC))
    monkeypatch.setattr(gateway, "IDENTIFY_EVERY", 0.4)
    monkeypatch.setattr(gateway.time, "monotonic", _slow_identify(monkeypatch))
    async with restarted(peer, desk, wait=False):
        await peer.wait_calls("GET", f"/channels/{ann.channel_id}/messages", 2)
        await asyncio.sleep(0.1)
        assert not peer.live_sessions
        ann.writes("in between")
        await peer.connected()
        await until(lambda: "in between" in desk.texts)


def _slow_identify(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Identifying waits a while."""
    real = gateway.time.monotonic

    async def wait(self: Any, shard_id: int | None, *, initial: bool = False) -> None:
        await asyncio.sleep(0.5)

    monkeypatch.setattr(gateway.Gateway, "before_identify_hook", wait)
    return real


async def test_what_was_never_committed_comes_again_after_a_restart(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        bea = await acquainted(peer, desk, "Bea")
        desk.failures = 10_000
        first = ann.writes("m0")
        ann.edits(first, "m0 changed")
        peer.user("Cid").writes("the very first word")
        await asyncio.sleep(0.1)
    assert desk.failures < 10_000
    desk.failures = 0
    async with restarted(peer, desk):
        await until(lambda: len(desk.received) >= 4)
        await until(lambda: "the very first word" in desk.texts)
        bea.writes("after")
        await until(lambda: "after" in desk.texts)
        assert desk.texts_of(ann)[1] in ("m0", "m0 changed")
        assert desk.texts_of(ann)[-1] == "m0 changed"
        assert peer.resumes == 1


async def test_a_session_that_is_closed_at_once_whenever_it_is_resumed_is_given_up(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "FRUITLESS_PAUSE", 0.01)
    take = peer._gateway._resume

    def close(connection: Any, data: Any) -> None:
        connection.close(4000)

    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        monkeypatch.setattr(peer._gateway, "_resume", close)
        peer.cut()
        ann.writes("m0")
        await until(lambda: peer.identifies == 2)
        monkeypatch.setattr(peer._gateway, "_resume", take)
        ann.writes("m1")
        await until(lambda: desk.texts == ["hello from Ann", "m0", "m1"])
