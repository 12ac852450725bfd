"""Receiving from Discord: what is said while connected, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest

from bot.domain.channel import TemporaryError
from bot.domain.message import Command
from connectors.discord import DiscordConnector, gateway
from tests.peers.discord import DiscordPeer
from tests.support.discord_connector import LOSSES, Desk, Doing, acquainted, numbered, outgoing, running
from tests.support.waiting import until


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
        assert peer.sessions[0].intents == discord.Intents(dm_messages=True, dm_reactions=True).value


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
