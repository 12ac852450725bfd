"""The connector with the real discord.py against the stand-in, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
import structlog
import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route
from discord.utils import time_snowflake

from bot.domain.channel import Chat, Outgoing, PermanentError, TemporaryError
from bot.domain.message import Attachment, Button, Command, File, Incoming, MessageFormat, Receipt, Sender
from connectors import discord as connector_module
from connectors.discord import DiscordConnector, DiscordSettings, api, background, connection, gateway, intake, messages
from connectors.discord.interactions import words
from tests.peers.desk import StandInDesk
from tests.peers.discord import DiscordPeer, PeerUser
from tests.peers.discord.world import Message
from tests.peers.records import MemoryRecords


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

    def trouble(self, error: str) -> None:
        self.said.append(("trouble", error))

    @property
    def troubles(self) -> list[str]:
        return [what for kind, what in self.said if kind == "trouble"]

    @property
    def states(self) -> list[str]:
        """Without repetitions."""
        kinds = [kind for kind, _ in self.said if kind != "trouble"]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


async def until(holds: Callable[[], bool], timeout: float = 20.0) -> None:
    async with asyncio.timeout(timeout):
        while not holds():
            await asyncio.sleep(0.01)


def numbered(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last)]


@pytest.fixture
async def peer() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture(autouse=True)
def _quick(peer: DiscordPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the connector sets them; here only so that they are put back.
    monkeypatch.setattr(Route, "BASE", peer.api_base)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(peer.gateway_url))
    monkeypatch.setattr(gateway, "IDENTIFY_EVERY", 0.01)
    monkeypatch.setattr(connection, "KEEP_EVERY", 0.02)
    monkeypatch.setattr(connector_module, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connector_module, "_LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(intake, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(intake, "_LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(intake, "SWEEP_PAUSE", 0.001)
    monkeypatch.setattr(discord.shard.ExponentialBackoff, "delay", lambda _: 0.05)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def doing() -> Doing:
    return Doing()


def settings(peer: DiscordPeer) -> DiscordSettings:
    return DiscordSettings(api_base=peer.api_base)


@pytest.fixture
async def connector(peer: DiscordPeer, desk: Desk, doing: Doing) -> AsyncIterator[DiscordConnector]:
    connector = DiscordConnector(settings(peer), peer.token, desk.records, doing)
    yield connector
    await connector.close()


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
    connector = DiscordConnector(settings(peer), peer.token, desk.records)
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


@pytest.fixture
def ann(peer: DiscordPeer) -> PeerUser:
    """Somebody with a chat, where nothing was said."""
    user = peer.user("Ann")
    peer.state.dm(user)
    return user


def shown(user: PeerUser) -> list[str]:
    return [seen["content"] for seen in user.sees]


# --- receiving


async def test_messages_of_every_kind(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk, "安")
        first = ann.writes("账单不对 😡")
        ann.edits(first, "账单不对！")
        ann.writes("", [("foto 日本.png", b"\x89PNG", "image/png")])
        ann.sends_sticker("wave")
        ann.starts_call()
        ann.writes("as I said", reply_to=first)
        ann.writes("/human")
        ann.deletes(first)
        ann.writes_in(peer.guild_channel_id, f"in public <@{peer.bot_id}>")
        ann.writes("end")
        await until(lambda: desk.texts[-1:] == ["end"])
        wrote, edited, photo, sticker, reply, human, deleted, end = desk.received[1:]
        assert (wrote.text, wrote.sender.name, wrote.mark) == ("账单不对 😡", "安", str(first))
        assert (wrote.account, wrote.chat_id) == (str(peer.bot_id), str(ann.channel_id))
        assert (edited.text, edited.edits, edited.mark) == ("账单不对！", str(first), None)
        assert (photo.attachments[0].kind, photo.attachments[0].name) == ("photo", "foto 日本")
        assert sticker.attachments[0].kind == "sticker"
        assert reply.replies_to == str(first)
        assert human.command is Command.HUMAN
        assert deleted.deletes == str(first)
        assert end.sent_at is not None
        assert abs(datetime.now(UTC) - end.sent_at) < timedelta(seconds=5)
        assert peer.sessions[0].intents == discord.Intents(dm_messages=True).value


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


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_burst_of_200_with_the_connection_lost_in_its_middle(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, loss: str
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        for number in range(200):
            ann.writes(f"m{number}")
            if number in (60, 130):
                LOSSES[loss](peer)
            await asyncio.sleep(0.001)
        await until(lambda: len(desk.received) >= 201)
        await peer.connected()
        ann.writes("end")
        await until(lambda: desk.texts[-1] == "end")
        assert desk.texts_of(ann) == ["hello from Ann", *numbered(0, 200), "end"]


async def test_zombie_connections_are_noticed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.heartbeat_interval = 150
    made = gateway.Gateway.__init__

    def impatient(self: gateway.Gateway, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        self._connection.heartbeat_timeout = 0.5

    monkeypatch.setattr(gateway.Gateway, "__init__", impatient)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        peer.freeze()
        for number in range(20):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.received) == 21)
        assert (peer.identifies, peer.resumes) == (1, 1)
        peer.mute_heartbeats()
        ann.writes("m20")
        await until(lambda: peer.resumes >= 2)
        peer.mute_heartbeats(False)
        ann.writes("m21")
        await until(lambda: len(desk.received) == 23)
        assert desk.texts_of(ann)[1:] == numbered(0, 22)


async def test_an_outage_of_discord(peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await peer.stop()
        for number in range(20):
            ann.writes(f"m{number}")
        await until(lambda: doing.states[-1] == "connecting")
        with pytest.raises(TemporaryError, match="could not be reached"):
            await connector.send(outgoing(ann, "anybody there?"))
        await peer.start()
        await peer.connected()
        for number in range(20, 40):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.received) == 41)
        assert desk.texts_of(ann)[1:] == numbered(0, 40)
        assert doing.states == ["connecting", "connected", "connecting", "connected"]
        assert await connector.send(outgoing(ann, "here again"))


# --- restarts


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
    connector = DiscordConnector(settings(peer), peer.token, mortal.records)
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


async def test_first_contact_while_the_desk_was_down_and_the_session_expired(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        await acquainted(peer, desk)
    peer.expire_sessions()
    bea, cid = peer.user("Bea"), peer.user("Cid")
    old = Message(time_snowflake(datetime.now(UTC) - timedelta(hours=25)), peer.state.dm(cid), cid.profile, "long ago")
    peer.state.post(old)
    for number in range(3):
        bea.writes(f"m{number}")
        cid.writes(f"m{number}")
    async with restarted(peer, desk):
        await asyncio.sleep(0.2)
        assert len(desk.received) == 1  # nobody can tell a bot of them
        bea.writes("m3")
        cid.writes("m3")
        await until(lambda: len(desk.received) == 9)
        assert desk.texts_of(bea) == numbered(0, 4)
        assert desk.texts_of(cid) == numbered(0, 4)


async def test_words_that_the_bot_has_answered_are_no_first_words(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, ann: PeerUser
) -> None:
    ann.writes("to a desk of long ago")
    await connector.send(outgoing(ann, "answered then"))
    ann.writes("unanswered")
    async with running(peer, connector, desk):
        ann.writes("new")
        await until(lambda: desk.texts == ["unanswered", "new"])


@pytest.mark.parametrize("missed", [99, 100, 101, 200, 260])
async def test_what_was_missed_is_read_from_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, missed: int
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(missed):
        ann.writes(f"m{number}")
        if number % 40 == 20:
            # Of the bot's own, as from a desk on another machine.
            peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "own"))
    async with restarted(peer, desk):
        await until(lambda: len(desk.texts) >= missed + 1)
        ann.writes("live")
        await until(lambda: desk.texts[-1] == "live")
        assert desk.texts == ["hello from Ann", *numbered(0, missed), "live"]
        assert [event.mark for event in desk.received] == [event.external_id for event in desk.received]


async def test_a_page_of_the_bots_own_messages_is_passed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for _ in range(210):
        peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "own"))
    ann.writes("behind them")
    async with restarted(peer, desk):
        await until(lambda: desk.texts[-1] == "behind them")
    peer.calls.clear()
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages")
        await asyncio.sleep(0.1)
        assert len(peer.called("GET", "/messages")) == 2  # behind the mark, and what changed before it


async def test_edits_and_deletions_while_away(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        ids = [ann.writes(f"m{number}") for number in range(60)]
        await until(lambda: len(desk.received) == 60)
    peer.expire_sessions()
    ann.edits(ids[58], "changed")
    ann.edits(ids[3], "too long ago")
    ann.deletes(ids[57])
    ann.writes("new, deleted soon")
    new = ann.writes("new")
    ann.edits(new, "new and changed")
    async with restarted(peer, desk):
        await until(lambda: len(desk.received) == 64)
        changes = [(event.text, event.edits, event.deletes) for event in desk.received[60:]]
        assert changes == [
            ("new, deleted soon", None, None),
            ("new and changed", None, None),
            ("changed", str(ids[58]), None),
            ("", None, str(ids[57])),
        ]
    desk.before = None
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages", 6)
        await asyncio.sleep(0.1)
        assert len([event for event in desk.received if event.deletes]) == 1
        assert len({event.external_id for event in desk.received}) == len(desk.received)


async def test_an_edit_that_names_no_author_is_read_from_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        first = ann.writes("m0")
        await until(lambda: len(desk.received) == 1)
        message = peer.state.find(first)
        message.content, message.edited = "m0 changed", datetime.now(UTC)
        about = {"id": str(first), "channel_id": str(ann.channel_id), "edited_timestamp": message.edited.isoformat()}
        peer.sessions[0].add("MESSAGE_UPDATE", about)
        await until(lambda: len(desk.received) == 2)
        assert (desk.received[1].text, desk.received[1].edits) == ("m0 changed", str(first))


async def test_words_behind_a_command_and_its_answer_are_found_after_a_restart(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        await peer.wait_until(lambda: len(peer.commands) == 2)
        ann = peer.user("Ann")
        await ann.wait_answers(ann.runs("human"))
        assert len(desk.received) == 1
    peer.expire_sessions()
    ann.writes("m0")
    peer.state.post(Message(peer.state.new_id(), peer.state.dm(ann), peer.state.bot, "How can we help?"))
    ann.writes("m1")
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["m0", "m1"])


async def test_many_first_words_while_away_are_all_read(peer: DiscordPeer, desk: Desk) -> None:
    ann = peer.user("Ann")
    for number in range(230):
        ann.writes(f"m{number}")
    async with restarted(peer, desk):
        ann.writes("m230")
        await until(lambda: len(desk.received) >= 231)
        assert desk.texts == numbered(0, 231)


async def test_chats_that_were_long_quiet_are_not_searched_for_changes(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        first = ann.writes("m0")
        await until(lambda: len(desk.received) == 1)
    peer.expire_sessions()
    ann.edits(first, "changed")
    desk.records.active_at = datetime.now(UTC) - timedelta(days=8)
    peer.calls.clear()
    async with restarted(peer, desk):
        await peer.wait_calls("GET", "/messages", 2)  # at the start, and when the new session began
        await asyncio.sleep(0.1)
        assert all("after" in call.payload for call in peer.called("GET", "/messages"))
        assert len(desk.received) == 1


async def test_live_events_do_not_overtake_what_was_missed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(150):
        ann.writes(f"m{number}")
    peer.delay_next(f"GET /channels/{ann.channel_id}", 0.3, times=2)
    async with restarted(peer, desk):
        for number in range(150, 160):
            ann.writes(f"m{number}")
            await asyncio.sleep(0.02)
        await until(lambda: len(desk.received) >= 161)
        assert desk.texts == ["hello from Ann", *numbered(0, 160)]


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


async def test_a_known_chat_without_a_mark_is_read_although_history_fails_at_first(
    peer: DiscordPeer, desk: Desk, ann: PeerUser
) -> None:
    """Somebody who opened the chat by a command, and wrote when nobody was there."""
    desk.records.extra[str(ann.channel_id)] = Chat(str(ann.channel_id), None, datetime.now(UTC))
    ann.writes("m0")
    peer.fail_next("GET /channels", 503, times=2)
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["m0"])


# --- when the desk cannot take it


async def test_what_is_not_committed_stays_in_order_and_blocks_nobody_else(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann, bea = await acquainted(peer, desk), await acquainted(peer, desk, "Bea")
        failing = {"left": 5}

        async def fail(incoming: Incoming) -> None:
            if incoming.chat_id == str(ann.channel_id) and failing["left"]:
                failing["left"] -= 1
                raise ConnectionError("database lost while writing something")

        desk.before = fail
        for number in range(10):
            ann.writes(f"m{number}")
            bea.writes(f"m{number}")
        await until(lambda: len(desk.texts_of(bea)) == 11)
        assert failing["left"] > 0
        assert len(desk.texts_of(ann)) == 1
        await until(lambda: len(desk.received) == 22)
        assert desk.texts_of(ann)[1:] == desk.texts_of(bea)[1:] == numbered(0, 10)


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


async def test_more_events_than_are_kept_in_memory(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 20)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        desk.failures = 10
        for number in range(150):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.received) >= 151)
        ann.writes("end")
        await until(lambda: desk.texts[-1] == "end")
        assert desk.texts == ["hello from Ann", *numbered(0, 150), "end"]


async def test_what_no_history_brings_is_always_kept(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 5)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        question = await asked(connector, ann)
        desk.failures = 10
        for number in range(30):
            ann.writes(f"m{number}")
        pressed = ann.presses(question, "helped:no")
        await until(lambda: len(desk.received) == 32)
        assert desk.texts == ["hello from Ann", *numbered(0, 30)]
        assert desk.received[-1].external_id == f"interaction:{pressed}"


async def test_the_first_words_of_a_new_chat_do_not_wait_for_its_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        peer.fail_next("GET /channels", 503)
        await acquainted(peer, desk)
        peer.fail_next("GET /channels", 200, body="<html>")
        await acquainted(peer, desk, "Bea")
        peer.fail_next("GET /channels", 200, body={"not": "a list"})
        await acquainted(peer, desk, "Cid")
        assert len(desk.received) == 3


async def test_the_first_words_of_a_new_chat_do_not_wait_long_for_its_history(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FIRST_WORDS_WITHIN", 0.1)
    async with running(peer, connector, desk):
        peer.delay_next("GET /channels", 1.0)
        ann = await acquainted(peer, desk)
        ann.writes("more")
        await until(lambda: desk.texts[-1] == "more", 0.5)


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


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (404, 10003), (400, 50035)])
async def test_history_that_is_refused_blocks_nobody(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, status: int, code: int
) -> None:
    async with running(peer, connector, desk):
        ann, bea = await acquainted(peer, desk), await acquainted(peer, desk, "Bea")
    peer.expire_sessions()
    bea.writes("missed")
    peer.fail_next(f"GET /channels/{ann.channel_id}", status, times=5, body={"code": code, "message": "no"})
    async with restarted(peer, desk):
        await until(lambda: "missed" in desk.texts)
        ann.writes("live")
        await until(lambda: "live" in desk.texts)


@pytest.mark.parametrize(
    "fault",
    [
        lambda peer: peer.fail_next("GET /channels", 503, times=3),
        lambda peer: peer.fail_next("GET /channels", 500),  # repeated by discord.py, after a second
        lambda peer: peer.limit_next("GET /channels", 0.2),
        lambda peer: peer.limit_next("GET /channels", 0.2, is_global=True),
        lambda peer: peer.limit_next("GET /channels", 40),
        lambda peer: peer.limit_next("GET /channels", 40, cloudflare=True),
        lambda peer: peer.drop_next("GET /channels", times=3),
        lambda peer: peer.fail_next("GET /channels", 200, body="<html>", times=2),
        lambda peer: peer.fail_next("GET /channels", 200, body={"x": 1}, times=2),
    ],
    ids=["503", "500", "429", "429 global", "429 long", "cloudflare", "dropped", "html", "no list"],
)
async def test_history_is_read_whatever_goes_wrong_at_first(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, fault: Callable[[DiscordPeer], None]
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
    peer.expire_sessions()
    for number in range(3):
        ann.writes(f"m{number}")
    fault(peer)
    async with restarted(peer, desk):
        await until(lambda: desk.texts == ["hello from Ann", *numbered(0, 3)])


async def test_malformed_events_are_passed_over(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(peer, connector, desk):
            ann = await acquainted(peer, desk)
            session = peer.sessions[0]
            for event in ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "INTERACTION_CREATE"):
                for data in (
                    {"id": "secret words"},
                    [],
                    None,
                    "x",
                    5,
                    {"author": "secret words", "edited_timestamp": "1"},
                ):
                    session.add(event, data)
            session.add("TYPING_START", {"x": 1})
            session.add("A_NEW_KIND", {"x": 1})
            ann.writes("fine")
            await until(lambda: desk.texts[-1] == "fine")
            assert (peer.identifies, peer.resumes) == (1, 0)
    assert sum(entry["action"] == "discord_event_malformed" for entry in logs if "action" in entry) >= 15
    assert "secret words" not in str(logs)
    assert "secret words" not in caplog.text


@pytest.mark.parametrize(
    "raw",
    ["[" * 50_000 + "]" * 50_000, "1" * 5_000, '{"op": 10, "d": null}', "[]"],
    ids=["deep", "digits", "a bad hello", "no frame"],
)
async def test_a_frame_that_breaks_the_connection_is_not_resumed_into_for_ever(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, raw: str
) -> None:
    # Wherever it is, it breaks the whole frame; what is no part of one is the frame.
    peer.as_sent = lambda frame: raw if "<raw>" in frame and raw[0] in "{[" else frame.replace('"<raw>"', raw)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await until(lambda: "session" in desk.records.memory)
        ann.writes("before")
        peer.sessions[0].add("MESSAGE_CREATE", {"content": "<raw>"})
        ann.writes("after")
        await until(lambda: desk.texts[-2:] == ["before", "after"])
        await until(lambda: bool(peer.live_sessions))
        ann.writes("and live")
        await until(lambda: desk.texts[-1] == "and live")
        assert peer.identifies == 2


async def test_a_number_that_is_none_does_no_harm(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    peer.as_sent = lambda frame: frame.replace('"s": 2,', '"s": "two",')
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await asyncio.sleep(0.1)
        ann.writes("after")
        await until(lambda: desk.texts[-1] == "after")
        await until(lambda: json.loads(desk.records.memory.get("session", "{}")).get("sequence", 0) >= 3)
        assert peer.identifies == 1


# --- sending


async def test_a_send_reaches_the_customer(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    asked = ann.writes("?")
    buttons = (Button("是", "helped:yes"), Button("x" * 100, "topic:b"), *(Button(str(n), f"n{n}") for n in range(5)))
    number = await connector.send(
        outgoing(ann, "**bold** <x>", format=MessageFormat.MARKDOWN, buttons=buttons, reply_to=str(asked))
    )
    (seen,) = ann.sees
    assert seen["id"] == number
    assert seen["content"] == r"**bold** \<x>"
    assert seen["message_reference"]["message_id"] == str(asked)
    labels = [[button["label"] for button in row["components"]] for row in seen["components"]]
    assert labels == [["是", "x" * 80, "0", "1", "2"], ["3", "4"]]
    assert seen["flags"] & 4  # no previews
    await connector.send(outgoing(ann, "*stars* #1", "2", reply_to="404404"))
    await connector.send(outgoing(ann, "x", "3", reply_to="interaction:5"))
    assert ann.sees[1]["content"] == r"\*stars\* #1"
    assert "message_reference" not in ann.sees[2]


@pytest.mark.parametrize("format", MessageFormat)
async def test_nobody_is_ever_pinged(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, format: MessageFormat
) -> None:
    asked = ann.writes("?")
    text = f"@everyone @here <@{ann.id}> <@!{ann.id}> <@&5> <#6> \\<@{ann.id}> `<@{ann.id}>`"
    number = await connector.send(outgoing(ann, text, format=format, reply_to=str(asked)))
    await connector.edit(outgoing(ann, f"{text} @everyone", format=format), number)
    await connector.send(outgoing(ann, "", "2", file=File("@everyone.txt", "text/plain", b"x"), reply_to=str(asked)))
    assert [seen["mentions_pinged"] for seen in ann.sees] == [[], []]


@pytest.mark.parametrize("text", ["*" * 1000, "字" * 2000, "😀" * 1000, "x" * 2000], ids=lambda text: text[0])
async def test_the_longest_texts_are_taken(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, text: str
) -> None:
    await connector.send(outgoing(ann, text))
    assert ann.sees[0]["content"].replace("\\", "") == text


async def test_what_no_second_try_changes(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    async def refused(message: Outgoing, match: str) -> None:
        with pytest.raises(PermanentError, match=match):
            await connector.send(message)

    await refused(outgoing(ann, "x" * 2001), "refused it")
    await refused(outgoing(ann, "  "), "empty")
    await refused(outgoing("404404", "hello"), "no such channel")
    await refused(outgoing("../users/@me", "hello"), "not a Discord channel")
    await refused(outgoing("", "hello"), "not a Discord channel")
    ann.closes_dms()
    await refused(outgoing(ann, "hello"), "switched off direct messages")
    ann.leaves(50278)
    await refused(outgoing(ann, "hello"), "share no server")
    for code, words_for_agents in ((50001, "may not see"), (50013, "may not send"), (10013, "no longer exists")):
        peer.fail_next("POST /channels", 403, body={"code": code, "message": "no"})
        await refused(outgoing(ann, "hello"), words_for_agents)
    assert ann.sees == []


@pytest.mark.parametrize(
    ("fault", "match", "retry_after"),
    [
        (lambda peer: peer.fail_next("POST /channels", 503), "answered 503", None),
        (lambda peer: peer.fail_next("POST /channels", 404, body="<html>"), "answered 404", None),
        (lambda peer: peer.fail_next("POST /channels", 401), "DISCORD_BOT_TOKEN", 60.0),
        (lambda peer: peer.limit_next("POST /channels", 45.5), "more slowly", 45.5),
        (lambda peer: peer.limit_next("POST /channels", 45.5, is_global=True), "more slowly", 45.5),
        (lambda peer: peer.limit_next("POST /channels", 45, cloudflare=True), "more slowly", 60.0),
        (lambda peer: peer.drop_next("POST /channels"), "could not be reached", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body="<html>"), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body=[1]), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 200, body={}), "could not be understood", None),
        (lambda peer: peer.fail_next("POST /channels", 403, body={"code": 20026}), "for spam", 600.0),
        (lambda peer: peer.fail_next("POST /channels", 403, body={"code": 40003}), "for now", 60.0),
        (lambda peer: peer.fail_next("POST /channels", 429, body="<html>"), "more slowly", 60.0),
    ],
)
async def test_what_a_later_try_may_change(
    peer: DiscordPeer,
    connector: DiscordConnector,
    ann: PeerUser,
    fault: Callable[[DiscordPeer], None],
    match: str,
    retry_after: float | None,
) -> None:
    fault(peer)
    with pytest.raises(TemporaryError, match=match) as raised:
        await connector.send(outgoing(ann, "hello"))
    assert raised.value.retry_after == retry_after
    assert peer.token not in str(raised.value)
    await connector.send(outgoing(ann, "hello"))
    assert shown(ann) == ["hello"]


async def test_short_limits_are_waited_out(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    loop = asyncio.get_running_loop()
    for number, is_global in enumerate((False, True)):
        peer.limit_next("POST /channels", 0.2, is_global=is_global)
        started = loop.time()
        await connector.send(outgoing(ann, f"m{number}", str(number)))
        assert loop.time() - started >= 0.2
    peer.fail_next("POST /channels", 500)
    await connector.send(outgoing(ann, "m2", "2"))
    assert shown(ann) == numbered(0, 3)


async def test_a_send_that_is_given_up_does_not_block_later_ones(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.limit_next("POST /channels", 0.4, is_global=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connector.send(outgoing(ann, "m0", "0"))
    async with asyncio.timeout(10):
        await connector.send(outgoing(ann, "m1", "1"))
        await connector.send(outgoing(ann, "m0", "0", repeated=True))
    assert sorted(shown(ann)) == ["m0", "m1"]


async def test_nobody_there_to_answer(desk: Desk) -> None:
    connector = DiscordConnector(DiscordSettings(api_base="http://127.0.0.1:9/api/v10"), "a.b.c", desk.records)
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.send(outgoing("5", "hello"))
    for step in (connector.edit(outgoing("5", "x"), "6"), connector.delete("5", "6")):
        with pytest.raises(TemporaryError):
            await step
    await connector.typing("5")
    await connector.close()


@pytest.mark.parametrize("token", ["wrong", "with space", "tökén", "", "a\nb"])
async def test_a_wrong_token_keeps_messages_waiting(peer: DiscordPeer, desk: Desk, ann: PeerUser, token: str) -> None:
    connector = DiscordConnector(settings(peer), token, desk.records)
    with pytest.raises(TemporaryError, match="DISCORD_BOT_TOKEN") as raised:
        await connector.send(outgoing(ann, "hello"))
    assert raised.value.retry_after == 60.0
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        await connector.run(desk.receive)
    await connector.close()


# --- nothing goes out twice


async def test_a_send_whose_answer_was_lost_is_there_once(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "hello", "9:1"))
    number = await connector.send(outgoing(ann, "hello", "9:1", repeated=True))
    assert [seen["id"] for seen in ann.sees] == [number]
    other = await connector.send(outgoing(ann, "hello", "9:2"))
    assert [seen["id"] for seen in ann.sees] == [number, other]


@pytest.mark.parametrize("known", ["after", "reply_to", "interaction"])
async def test_also_when_discord_has_forgotten_the_nonce(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser, known: str
) -> None:
    peer.nonce_window = 0.0
    asked = ann.writes("?")
    before = await connector.send(outgoing(ann, "hello", "0"))
    answered = str(ann.writes("and?"))
    fields = {
        "after": {"after": before},
        "reply_to": {"reply_to": answered},
        "interaction": {"reply_to": f"interaction:{answered}", "after": str(asked)},
    }[known]
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, " *hello*  ", "1", **fields))
    ann.writes("*hello*")  # the customer's, not ours
    number = await connector.send(outgoing(ann, " *hello*  ", "1", repeated=True, **fields))
    assert shown(ann) == ["hello", r"\*hello\*"]
    assert ann.sees[1]["id"] == number
    # One that never arrived is sent now, though there is an older one like it.
    fields = {"after": number}
    assert await connector.send(outgoing(ann, "*hello*", "2", repeated=True, **fields)) != number
    assert len(ann.sees) == 3
    # And what the customer said in the same words is not ours.
    theirs = str(ann.writes("the same words"))
    assert await connector.send(outgoing(ann, "the same words", "3", repeated=True, after=number)) != theirs
    assert shown(ann)[3:] == ["the same words"]


async def test_a_file_is_found_again(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    peer.nonce_window = 0.0
    asked = str(ann.writes("?"))
    file = File("bill.pdf", "application/pdf", b"%PDF-1")
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "", reply_to=asked, file=file))
    await connector.send(outgoing(ann, "", reply_to=asked, file=file, repeated=True))
    await connector.send(outgoing(ann, "", "2", reply_to=asked, file=replace(file, content=b"more"), repeated=True))
    assert [seen["attachments"][0]["size"] for seen in ann.sees] == [6, 4]


async def test_a_message_that_was_edited_before_it_was_known_to_be_there(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    peer.drop_next("POST /channels", after_effect=True)
    with pytest.raises(TemporaryError):
        await connector.send(outgoing(ann, "wrong price"))
    await connector.send(outgoing(ann, "right price", repeated=True))
    assert shown(ann) == ["right price"]


async def test_history_that_cannot_be_searched_sends_nothing(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    asked = str(ann.writes("?"))
    for fault in (
        lambda: peer.fail_next("GET /channels", 503),
        lambda: peer.fail_next("GET /channels", 200, body="<html>"),
        lambda: peer.fail_next("GET /channels", 200, body={"a": 1}),
    ):
        fault()
        with pytest.raises(TemporaryError):
            await connector.send(outgoing(ann, "hello", repeated=True, reply_to=asked))
    assert ann.sees == []


# --- files, edits, deletions, typing


async def test_files_go_out(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    await connector.send(outgoing(ann, "", file=File("账单.pdf", "application/pdf", b"%PDF-1\r\n\x00")))
    (file,) = ann.sees[0]["attachments"]
    assert file["size"] == 9
    assert file["content_type"] == "application/pdf"
    await connector.send(outgoing(ann, "", "2", file=File("", "", b"x")))
    peer.upload_limit = 10
    with pytest.raises(PermanentError, match="no file of this size"):
        await connector.send(outgoing(ann, "", "3", file=File("a", "text/plain", b"x" * 11)))
    peer.limit_next("POST /channels", 0.1)
    await connector.send(outgoing(ann, "", "4", file=File("again.txt", "text/plain", b"twice")))
    assert ann.sees[-1]["attachments"][0]["size"] == 5


async def test_sent_messages_are_edited_and_taken_back(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    number = await connector.send(outgoing(ann, "one", buttons=(Button("yes", "helped:yes"),)))
    await connector.edit(outgoing(ann, "two *2*"), number)
    assert shown(ann) == [r"two \*2\*"]
    assert ann.sees[0]["components"] == []
    await connector.delete(str(ann.channel_id), number)
    assert ann.sees == []
    await connector.delete(str(ann.channel_id), number)  # gone already is what was wanted
    with pytest.raises(PermanentError, match="gone"):
        await connector.edit(outgoing(ann, "three"), number)
    theirs = str(ann.writes("mine"))
    with pytest.raises(PermanentError):
        await connector.edit(outgoing(ann, "not yours"), theirs)
    with pytest.raises(PermanentError):
        await connector.delete(str(ann.channel_id), theirs)
    with pytest.raises(PermanentError, match="no such channel"):
        await connector.delete("404404", number)
    for status in (503, 429):
        peer.fail_next("DELETE /channels", status)
        peer.fail_next("PATCH /channels", status)
        with pytest.raises(TemporaryError):
            await connector.delete(str(ann.channel_id), number)
        with pytest.raises(TemporaryError):
            await connector.edit(outgoing(ann, "x"), number)


async def test_typing_is_shown_and_never_fails(peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser) -> None:
    await connector.typing(str(ann.channel_id))
    assert [channel for channel, _ in peer.typings] == [ann.channel_id]
    for chat_id in ("404404", "no chat", ""):
        await connector.typing(chat_id)


async def received_attachment(peer: DiscordPeer, desk: Desk, user: PeerUser, content: bytes) -> Incoming:
    user.writes("", [("a.bin", content, None)])
    await until(lambda: any(event.attachments for event in desk.received))
    return desk.received[-1]


async def test_attachments_are_fetched(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, ann: PeerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 1000
    async with running(peer, connector, desk):
        incoming = await received_attachment(peer, desk, ann, content)
    attachment, place = incoming.attachments[0], (incoming.chat_id, incoming.external_id)
    assert await connector.fetch(attachment, *place, len(content)) == content
    with pytest.raises(PermanentError, match="larger than"):
        await connector.fetch(attachment, *place, len(content) - 1)
    peer.expire_links()
    assert await connector.fetch(attachment, *place, len(content)) == content
    for hostile in ("file:///etc/passwd", "ftp://x", "", "javascript:alert(1)"):
        with pytest.raises(PermanentError, match="no address"):
            await connector.fetch(replace(attachment, reference=hostile), *place, 10)
    peer.fail_next("GET /channels", 503)
    peer.expire_links()
    with pytest.raises(TemporaryError):
        await connector.fetch(attachment, *place, len(content))
    ann.deletes(int(incoming.external_id))
    with pytest.raises(PermanentError, match="gone"):
        await connector.fetch(attachment, *place, len(content))
    with pytest.raises(TemporaryError, match="could not be reached"):
        await connector.fetch(replace(attachment, reference="http://127.0.0.1:9/a"), *place, 10)


async def test_a_forwarded_file_whose_link_expired(
    peer: DiscordPeer, connector: DiscordConnector, ann: PeerUser
) -> None:
    other = peer.user("Bea")
    original = peer.state.find(other.writes("", [("b.txt", b"abc", "text/plain")]))
    shown_then = peer.state.show_attachment(original.attachments[0], original)
    peer.expire_links()
    fresh = peer.state.show_attachment(original.attachments[0], original)
    number = ann.writes("", message_snapshots=[{"message": {"content": "", "attachments": [fresh]}}])
    attachment = Attachment("file", shown_then["url"])
    assert await connector.fetch(attachment, str(ann.channel_id), str(number), 10) == b"abc"


async def test_stickers_and_a_failing_file_server(connector: DiscordConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(request: web.Request) -> web.Response:
        if request.path == "/500":
            return web.Response(status=500)
        if request.path == "/endless":
            return web.Response(body=b"x" * 5000)
        return web.Response(body=b"png of " + request.path.encode())

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setattr(messages, "_STICKERS", base + "/stickers/{}.png")
    assert await connector.fetch(Attachment("sticker", "5"), "1", "2", 99) == b"png of /stickers/5.png"
    with pytest.raises(TemporaryError):
        await connector.fetch(Attachment("file", f"{base}/500"), "1", "2", 99)
    with pytest.raises(PermanentError, match="larger"):
        await connector.fetch(Attachment("file", f"{base}/endless"), "1", "2", 4999)
    await runner.cleanup()


# --- interactions


async def asked(connector: DiscordConnector, user: PeerUser) -> int:
    buttons = (Button("Yes", "helped:yes"), Button("No", "helped:no"))
    return int(await connector.send(outgoing(user, "Did that help?", buttons=buttons)))


async def test_a_press_is_answered_in_time_though_the_desk_is_slow(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk, locale="zh-CN")
        question = await asked(connector, ann)

        async def slow(incoming: Incoming) -> None:
            await asyncio.sleep(2.4)

        desk.before = slow
        first = ann.presses(question, "helped:no")
        second = ann.presses(question, "helped:no")
        for pressed in (first, second):
            (answer,) = await ann.wait_answers(pressed)
            assert (answer["type"], answer["at"] < 2.9) == (6, True)
        desk.before = None
        await until(lambda: len(desk.received) == 3, 4)
        await asyncio.sleep(0.1)
        assert len(ann.interaction_answers(first)) == len(ann.interaction_answers(second)) == 1
        assert len(peer.called("POST", "/interactions")) == 2
        press = desk.received[1]
        assert (press.button, press.text, press.external_id) == ("helped:no", "No", f"interaction:{first}")
        assert press.sender.language == "zh-CN"


async def test_a_press_is_answered_once_it_is_committed(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        pressed = ann.presses(await asked(connector, ann), "helped:yes")
        (answer,) = await ann.wait_answers(pressed)
        assert answer["at"] < 1
        assert desk.received[-1].button == "helped:yes"
        ran = ann.runs("human")
        (answer,) = await ann.wait_answers(ran)
        assert (answer["type"], answer["ephemeral"]) == (4, True)
        assert answer["data"]["content"] == words("here", "en-US")
        assert desk.received[-1].command is Command.HUMAN
        assert desk.received[-1].text == "/human"


async def test_buttons_work_after_a_restart(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        question = await asked(connector, ann)
    during = ann.presses(question, "helped:no")
    async with restarted(peer, desk):
        await until(lambda: desk.received[-1].external_id == f"interaction:{during}")
        pressed = ann.presses(question, "helped:yes")
        await ann.wait_answers(pressed)
        assert desk.received[-1].button == "helped:yes"
        assert len(desk.received) == 3


async def test_unknown_buttons_and_late_answers_disturb_nobody(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        strange = int(await connector.send(outgoing(ann, "?", buttons=(Button("old", "from:an:older:desk"),))))
        peer.interaction_window = 0.0
        ann.presses(strange, "from:an:older:desk")
        await until(lambda: desk.received[-1].button == "from:an:older:desk")
        await peer.wait_calls("POST", "/interactions")
        peer.interaction_window = 3.0
        for fault in (
            lambda: peer.fail_next("POST /interactions", 503),
            lambda: peer.drop_next("POST /interactions", after_effect=True),
            lambda: peer.limit_next("POST /interactions", 40),
            lambda: peer.fail_next("POST /interactions", 200, body="<html>"),
        ):
            fault()
            pressed = ann.presses(strange, "from:an:older:desk")
            await until(lambda number=pressed: desk.received[-1].external_id == f"interaction:{number}")
        for fault in (
            lambda: peer.limit_next("POST /interactions", 0.1),
            lambda: peer.fail_next("POST /interactions", 500),
        ):
            fault()
            pressed = ann.presses(strange, "from:an:older:desk")
            assert len(await ann.wait_answers(pressed)) == 1
        assert (peer.identifies, peer.resumes) == (1, 0)
        assert [event.external_id for event in desk.received] == list(
            dict.fromkeys(event.external_id for event in desk.received)
        )


async def test_commands_are_announced(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk):
        await peer.wait_until(lambda: len(peer.commands) == 2)
        assert sorted(command["name"] for command in peer.commands) == ["human", "support"]
        for command in peer.commands:
            assert command["contexts"] == [0, 1]
            assert set(command["description_localizations"]) == {"zh-CN", "zh-TW"}
    async with restarted(peer, desk):
        await peer.wait_calls("PUT", "/commands", 2)


async def test_commands_that_cannot_be_announced_are_told(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    peer.fail_next("PUT /applications", 403, body={"code": 20012, "message": "Not authorized"})
    async with running(peer, connector, desk):
        await until(lambda: bool(doing.troubles))
        assert "slash commands" in doing.troubles[0]
        await acquainted(peer, desk)


def answering(connector: DiscordConnector, text: str = "How can we help?") -> Callable[[Incoming], Awaitable[None]]:
    """A desk that answers each event by a send, from somewhere else."""
    tasks: set[asyncio.Task[Any]] = set()

    async def answer(incoming: Incoming) -> None:
        async def send() -> None:
            with contextlib.suppress(PermanentError):
                await connector.send(outgoing(incoming.chat_id, text, incoming.external_id))

        tasks.add(asyncio.create_task(send()))

    return answer


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("de", "en")])
@pytest.mark.parametrize("way", ["support", "human", "button"])
async def test_the_chat_is_opened_from_a_server(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, way: str, locale: str, language: str
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale=locale)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        before = len(ann.sees)
        number = from_server(peer, ann, way)
        answers = await ann.wait_answers(number, 2)
        assert [answer["type"] for answer in answers] == [5, "edit"]
        assert all(answer["ephemeral"] for answer in answers)
        assert answers[0]["at"] < 1
        link = f"https://discord.com/channels/@me/{ann.channel_id}"
        assert answers[1]["data"]["content"] == words("there", language, link=link)
        assert shown(ann)[before:] == ["How can we help?"]
        (event,) = desk.received
        assert event.command is (Command.HUMAN if way == "human" else Command.START)
        assert (event.chat_id, event.sender.external_id) == (str(ann.channel_id), str(ann.id))
        assert event.sender.language == locale
        # And they go on there.
        ann.writes("my card")
        await until(lambda: desk.texts == ["my card"])


def from_server(peer: DiscordPeer, user: PeerUser, way: str) -> int:
    if way != "button":
        return user.runs(way, guild_id=peer.guild_id)
    posted = Message(peer.state.new_id(), peer.state.channels[peer.guild_channel_id], peer.state.bot, "Questions?")
    button = {"type": 2, "style": 1, "label": "Contact", "custom_id": "support", "id": 2}
    posted.components = [{"type": 1, "id": 1, "components": [button]}]
    return user.presses(peer.state.post(posted).id, "support")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_closed_messages_are_said_honestly(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, locale: str
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale=locale)
        ann.closes_dms()
        await peer.wait_until(lambda: len(peer.commands) == 2)
        impatient = [from_server(peer, ann, "button") for _ in range(3)]
        for number in impatient:
            answers = await ann.wait_answers(number, 2)
            assert answers[-1]["data"]["content"] == words("closed", locale)
        ann.opens_dms()
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert str(ann.channel_id) in answers[-1]["data"]["content"]


async def test_a_chat_that_a_person_has_is_only_linked(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "WRITTEN_WITHIN", 0.3)
    async with running(peer, connector, desk):
        ann = await acquainted(peer, desk)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        link = f"https://discord.com/channels/@me/{ann.channel_id}"
        assert answers[-1]["data"]["content"] == words("continue", "en", link=link)


async def test_a_chat_that_cannot_be_opened_is_said(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "WRITTEN_WITHIN", 0.3)
    async with running(peer, connector, desk):
        ann = peer.user("Ann", locale="zh-CN")
        await peer.wait_until(lambda: len(peer.commands) == 2)
        for body in ("<html>", [1], {"id": None}):
            peer.fail_next("POST /users/@me/channels", 200, body=body)
            answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
            assert answers[-1]["data"]["content"] == words("failed", "zh")
        peer.fail_next("POST /users/@me/channels", 503)
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert answers[-1]["data"]["content"] == words("failed", "zh")
        desk.failures = 10_000
        answers = await ann.wait_answers(from_server(peer, ann, "support"), 2)
        assert answers[-1]["data"]["content"] == words("failed", "zh")
        desk.failures = 0
        await until(lambda: len(desk.received) == 1)  # and yet it was not lost
        assert desk.received[0].chat_id == str(ann.channel_id)


async def test_an_interaction_on_a_server_that_cannot_be_answered_opens_the_chat_all_the_same(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk
) -> None:
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        await peer.wait_until(lambda: len(peer.commands) == 2)
        peer.interaction_window = 0.0
        from_server(peer, ann, "support")
        await ann.wait_sees(1)
        assert shown(ann) == ["How can we help?"]


# --- how it is doing


async def test_a_refused_token_ends_it_with_what_to_do(peer: DiscordPeer, desk: Desk, doing: Doing) -> None:
    connector = DiscordConnector(settings(peer), "not.the.token", desk.records, doing)
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        async with asyncio.timeout(10):
            await connector.run(desk.receive)
    await connector.close()
    assert peer.identifies == 0
    assert ("connected", "") not in doing.said


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (4004, "DISCORD_BOT_TOKEN"),
        (4010, "shard"),
        (4011, "shards"),
        (4012, "Update"),
        (4013, "Update"),
        (4014, "intents"),
    ],
)
async def test_final_close_codes_end_it_with_what_to_do(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, code: int, match: str
) -> None:
    async with running(peer, connector, desk) as task:
        peer.close(code)
        with pytest.raises(PermanentError, match=match):
            async with asyncio.timeout(10):
                await asyncio.shield(task)


async def test_a_gateway_that_refuses_what_rest_accepts(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = peer._gateway._identify
    token = peer.state.token

    def refuse(connection: Any, data: Any) -> None:
        take(connection, {**data, "token": "reset meanwhile"})

    monkeypatch.setattr(peer._gateway, "_identify", refuse)
    with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
        async with asyncio.timeout(10):
            await connector.run(desk.receive)
    assert peer.state.token == token
    assert peer.identifies == 0


async def test_a_token_that_is_reset_while_it_runs(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    async with running(peer, connector, desk) as task:
        ann = await acquainted(peer, desk)
        peer.state.token = "another.token.now"
        with pytest.raises(TemporaryError, match="DISCORD_BOT_TOKEN"):
            await connector.send(outgoing(ann, "hello"))
        peer.cut()
        with pytest.raises(PermanentError, match="DISCORD_BOT_TOKEN"):
            async with asyncio.timeout(10):
                await asyncio.shield(task)


async def test_used_up_session_starts_are_told_and_not_tried(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    peer.session_starts_left = 0
    async with running(peer, connector, desk, wait=False) as task:
        await until(lambda: bool(doing.troubles))
        assert "used up" in doing.troubles[0]
        assert peer.identifies == 0
        assert not task.done()


async def test_a_gateway_that_is_down_at_the_start_is_told(peer: DiscordPeer, desk: Desk, doing: Doing) -> None:
    nowhere = DiscordSettings(api_base=peer.api_base, gateway_url="ws://127.0.0.1:9")
    connector = DiscordConnector(nowhere, peer.token, desk.records, doing)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: len(doing.troubles) >= 2)
        assert "could not be reached" in doing.troubles[0]
        assert doing.states == ["connecting"]
    await connector.close()


async def test_a_gateway_that_says_nothing_is_told(
    peer: DiscordPeer, desk: Desk, doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECTED_WITHIN", 0.2)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    silent = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = DiscordSettings(api_base=peer.api_base, gateway_url=silent)
    connector = DiscordConnector(given, peer.token, desk.records, doing)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: bool(doing.troubles))
        assert "has not let the bot in" in doing.troubles[0]
        assert doing.states == ["connecting"]
    await connector.close()
    server.close()


async def test_discord_is_down_at_the_start(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    await peer.stop()
    async with running(peer, connector, desk, wait=False):
        await until(lambda: len(doing.troubles) >= 2)
        assert "could not be reached" in doing.troubles[0]
        await peer.start()
        await peer.connected()
        await until(lambda: doing.said[-1] == ("connected", str(peer.bot_id)))
        await acquainted(peer, desk)


@pytest.mark.parametrize("body", ["<html>", [], {}, {"url": 5}, {"shards": "x", "url": "y"}, {"shards": 1, "url": "%"}])
async def test_odd_answers_at_the_start_are_told_and_tried_again(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing, body: Any
) -> None:
    peer.fail_next("GET /gateway/bot", 200, body=body)
    async with running(peer, connector, desk, wait=False):
        await until(lambda: ("connected", str(peer.bot_id)) in doing.said)
    peer.fail_next("GET /users/@me", 200, body=body)
    async with running(peer, DiscordConnector(settings(peer), peer.token, desk.records, doing), desk):
        pass


async def test_it_stops_at_once_also_while_discord_is_down(
    peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing
) -> None:
    async with running(peer, connector, desk) as task:
        await peer.stop()
        await until(lambda: doing.states[-1] == "connecting")
        async with asyncio.timeout(10):
            await ended(task)


async def test_reconnecting_is_told(peer: DiscordPeer, connector: DiscordConnector, desk: Desk, doing: Doing) -> None:
    async with running(peer, connector, desk):
        await until(lambda: doing.states == ["connecting", "connected"])
        peer.cut()
        await until(lambda: doing.states == ["connecting", "connected", "connecting", "connected"])
        peer.invalidate(False)
        await until(lambda: len(doing.states) == 6)
        assert doing.states[-1] == "connected"


async def test_the_token_and_customers_words_are_in_no_log(
    peer: DiscordPeer, desk: Desk, doing: Doing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as logs:
        connector = DiscordConnector(settings(peer), peer.token, desk.records, doing)
        async with running(peer, connector, desk):
            ann = await acquainted(peer, desk)
            question = await asked(connector, ann)
            desk.failures = 3
            ann.writes("my seed phrase")
            peer.limit_next("POST /interactions", 0.05)
            pressed = ann.presses(question, "helped:yes")
            await ann.wait_answers(pressed)
            token = peer.state.interactions[pressed].token
            peer.fail_next("POST /interactions", 503)
            ann.presses(question, "helped:no")
            peer.drop_next("POST /channels")
            with pytest.raises(TemporaryError):
                await connector.send(outgoing(ann, "x"))
            LOSSES["expired"](peer)
            await peer.connected()
            LOSSES["4000"](peer)
            await peer.connected()
            await peer.stop()
            await until(lambda: doing.said[-1][0] != "connected")
            await peer.start()
            await peer.connected()
            await until(lambda: "my seed phrase" in desk.texts)
        await connector.close()
    everything = f"{logs} {caplog.text} {doing.said}"
    assert "discord_connected" in everything
    for secret in (peer.token, token, "my seed phrase"):
        assert secret not in everything


async def test_three_shards(peer: DiscordPeer, connector: DiscordConnector, desk: Desk) -> None:
    peer.shards = 3
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        await until(lambda: len(peer.live_sessions) == 3)
        ann = await acquainted(peer, desk)
        await peer.wait_until(lambda: len(peer.commands) == 2)
        bea = peer.user("Bea")
        answers = await bea.wait_answers(from_server(peer, bea, "support"), 2)
        assert str(bea.channel_id) in answers[-1]["data"]["content"]
        peer.cut()
        for number in range(20):
            ann.writes(f"m{number}")
        await until(lambda: len(desk.texts) == 21)
        assert desk.texts == ["hello from Ann", *numbered(0, 20)]
    ann.writes("m20")
    async with restarted(peer, desk):
        await until(lambda: desk.texts[-1] == "m20")
        await until(lambda: len(peer.live_sessions) == 3)
        assert len(desk.received) == len({event.external_id for event in desk.received})
    peer.shards = 2
    peer.expire_sessions()
    async with restarted(peer, desk):
        ann.writes("m21")
        await until(lambda: desk.texts[-1] == "m21")


# --- the operator's command


_COMMANDS = """
import contextlib, io, json, os, sys
from switchboard import cli
for token, arguments in json.load(sys.stdin):
    os.environ["DISCORD_BOT_TOKEN"] = token
    sys.argv = ["switchboard", "discord", "post-button", *arguments]
    code, out = 0, io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue()]))
"""
"""The commands of one operator, in one process: starting Python takes longer than they do."""


async def post_buttons(peer: DiscordPeer, folder: Path, *commands: tuple[str, list[str]]) -> list[tuple[int, str]]:
    """Exit code and output of each command, given as token and arguments."""
    config = folder / "config.yml"
    config.write_text(f"channels:\n  discord:\n    api_base: {peer.api_base}\n")
    environment = {**os.environ, "NO_COLOR": "1", "SWITCHBOARD_CONFIG": str(config)}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COMMANDS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(30):
        out, _ = await running.communicate(json.dumps(commands).encode())
    return [tuple(json.loads(line)) for line in out.splitlines()]


async def test_post_button(peer: DiscordPeer, connector: DiscordConnector, desk: Desk, tmp_path: Path) -> None:
    channel = str(peer.guild_channel_id)
    arguments = [channel, "--text", "问题？ @everyone", "--label", "联系客服"]
    ((code, said),) = await post_buttons(peer, tmp_path, (peer.token, arguments))
    (posted,) = peer.messages(peer.guild_channel_id)
    number = posted["id"]
    assert said == f"Posted message {number} in channel {channel}. Its button works as long as the message stands.\n"
    assert code == 0
    assert (posted["content"], posted["mentions_pinged"]) == ("问题？ @everyone", [])
    desk.after = answering(connector)
    async with running(peer, connector, desk):
        ann = peer.user("Ann")
        await ann.wait_answers(ann.presses(int(number), "support"), 2)
        assert shown(ann) == ["How can we help?"]


async def test_post_button_says_what_is_wrong(peer: DiscordPeer, tmp_path: Path) -> None:
    channel = str(peer.guild_channel_id)
    peer.fail_next(f"POST /channels/{channel}", 403, body={"code": 50013, "message": "Missing Permissions"})
    results = await post_buttons(
        peer,
        tmp_path,
        (peer.token, [channel]),
        (peer.token, ["404404"]),
        ("wrong.token.here", [channel]),
        ("", [channel]),
        (peer.token, ["general"]),
        (peer.token, [channel, "--label", "x" * 81]),
        (peer.token, [channel, "--text", "x" * 2001]),
    )
    expected = ("permission", "no such channel", "DISCORD_BOT_TOKEN", "DISCORD_BOT_TOKEN", "channel id", "81", "2001")
    for (code, said), wanted in zip(results, expected, strict=True):
        assert code == 2
        assert wanted in said
        assert said.count("\n") == 1, said
        assert "wrong.token" not in said
    assert peer.messages(peer.guild_channel_id) == []


async def test_the_api_names_itself_as_a_bot(peer: DiscordPeer) -> None:
    calls = api.Api(peer.api_base, peer.token)
    assert await calls.me() == str(peer.bot_id)
    await calls.close()
