"""The stand-in for Discord as discord.py sees it: messages, connections lost and resumed."""

from __future__ import annotations

import asyncio

import discord
import pytest

from tests.peers.discord import DiscordPeer
from tests.support.discord_peer import DM_ONLY, Bot, running
from tests.support.waiting import until


async def test_messages_go_both_ways(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user("Ann")
        asked = ann.writes(" where is my card? ", [("bill.pdf", b"%PDF", "application/pdf")])
        await until(lambda: bot.texts == ["where is my card?"])
        message = bot.told[0]
        assert message.guild is None
        assert isinstance(message.channel, discord.DMChannel)
        assert (message.id, message.author.id, message.channel.id) == (asked, ann.id, ann.channel_id)
        assert message.author.display_name == "Ann"
        assert await message.attachments[0].read() == b"%PDF"

        sent = await message.reply(
            "on its way, <@" + str(ann.id) + ">", nonce="n-1", allowed_mentions=discord.AllowedMentions.none()
        )
        assert [seen["content"] for seen in ann.sees] == [f"on its way, <@{ann.id}>"]
        assert ann.sees[0]["message_reference"]["message_id"] == str(asked)
        assert ann.sees[0]["mentions_pinged"] == []
        await until(lambda: len(bot.told) == 2)
        assert (bot.told[1].id, bot.told[1].nonce) == (sent.id, "n-1")

        await sent.edit(content="it came")
        assert ann.sees[0]["content"] == "it came"
        await until(lambda: len(bot.edited) == 1)
        assert bot.edited[0].message.edited_at is not None
        assert await message.channel.fetch_message(sent.id) == sent
        await sent.delete()
        assert ann.sees == []
        await until(lambda: bot.deleted == [sent.id])


async def test_users_edit_and_delete(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        first = ann.writes("helo")
        ann.edits(first, "hello")
        ann.deletes(first)
        await until(lambda: bot.deleted == [first])
        assert bot.texts == ["helo"]
        assert bot.edited[0].message.content == "hello"
        assert bot.edited[0].guild_id is None


async def test_odd_messages_are_told(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        ann.sends_sticker("wave")
        ann.starts_call()
        ann.writes("", [("foto 日本.png", b"\x89PNG", "image/png")])
        await until(lambda: len(bot.told) == 3)
        assert bot.told[0].stickers[0].name == "wave"
        assert bot.told[1].type is discord.MessageType.call
        picture = bot.told[2].attachments[0]
        assert (picture.filename, picture.title) == ("foto_.png", "foto 日本")


async def test_history_after_a_mark(peer: DiscordPeer) -> None:
    ann = peer.user()
    ids = [ann.writes(f"m{number}") for number in range(250)]
    async with running(peer) as bot:
        channel = await bot.create_dm(discord.Object(ann.id))
        mark = discord.Object(ids[9])
        found = [message.content async for message in channel.history(limit=None, after=mark, oldest_first=True)]
        assert found == [f"m{number}" for number in range(10, 250)]
        found = [message.content async for message in channel.history(limit=3)]
        assert found == ["m249", "m248", "m247"]
        around = [message.content async for message in channel.history(limit=5, around=discord.Object(ids[100]))]
        assert len(around) == 5
        assert "m100" in around
    assert bot.texts == []


async def test_resume_replays_what_was_missed(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        ann.writes("before")
        await until(lambda: bot.texts == ["before"])
        for number in range(50):
            ann.writes(f"m{number}")
            if number == 20:
                peer.cut()
        await until(lambda: len(bot.texts) == 51)
        assert bot.texts[1:] == [f"m{number}" for number in range(50)]
        assert (peer.identifies, peer.resumes) == (1, 1)


async def test_a_burst_survives_cuts_in_its_middle(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        for number in range(200):
            ann.writes(f"m{number}")
            await asyncio.sleep(0.002)
            if number % 60 == 30:
                peer.cut()
        await until(lambda: len(bot.texts) >= 200)
        assert bot.texts == [f"m{number}" for number in range(200)]
        assert peer.identifies == 1
        assert peer.resumes >= 1


async def test_an_expired_session_identifies_anew_and_misses(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        peer.expire_sessions()
        ann.writes("still here")
        await until(lambda: bot.texts == ["still here"])
        peer.cut()
        ann.writes("missed")
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (2, 0)
        ann.writes("after")
        await until(lambda: len(bot.texts) == 2)
        assert bot.texts == ["still here", "after"]
        assert [message["content"] for message in ann.history] == ["still here", "missed", "after"]


async def test_the_ways_to_lose_a_connection(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        peer.ask_to_reconnect()
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (1, 1)
        peer.invalidate(resumable=True)
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (1, 2)
        peer.close(4000)
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (1, 3)
        peer.invalidate(resumable=False)
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (2, 3)
        peer.close(4009)
        await peer.connected()
        assert (peer.identifies, peer.resumes) == (3, 3)
        peer.user().writes("still there?")
        await until(lambda: bot.texts == ["still there?"])


async def test_zombies_are_noticed(peer: DiscordPeer) -> None:
    peer.heartbeat_interval = 200
    async with running(peer, Bot(heartbeat_timeout=1.0)) as bot:
        await asyncio.sleep(0.5)
        assert len(peer.live_sessions) == 1  # heartbeats keep it
        peer.freeze()
        peer.user().writes("held back")
        await until(lambda: bot.texts == ["held back"])
        assert (peer.identifies, peer.resumes) == (1, 1)
        peer.mute_heartbeats()
        await until(lambda: peer.resumes >= 2)
        peer.mute_heartbeats(False)


async def test_an_outage_keeps_port_and_sessions(peer: DiscordPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.shard.ExponentialBackoff, "delay", lambda _: 0.1)
    async with running(peer) as bot:
        ann = peer.user()
        await peer.stop()
        ann.writes("during")
        await asyncio.sleep(0.3)
        await peer.start()
        await peer.connected()
        ann.writes("after")
        # discord.py gives up the session after a refused connection.
        await until(lambda: "after" in bot.texts)


async def test_wrong_token_and_intents_end_the_client(peer: DiscordPeer) -> None:
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start("wrong")
    async with Bot(intents=discord.Intents(dm_messages=True, message_content=True)) as bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(peer.token)
    peer.privileged_allowed = True
    async with running(peer, Bot(intents=discord.Intents.all())) as bot:
        await until(lambda: bot.get_guild(peer.guild_id) is not None and not bot.get_guild(peer.guild_id).unavailable)
        ann = peer.user()
        ann.writes_in(peer.guild_channel_id, "in the guild")
        await until(lambda: bot.texts == ["in the guild"])
    async with running(peer, Bot(intents=discord.Intents(guild_messages=True))) as bot:
        ann.writes_in(peer.guild_channel_id, "to others")
        ann.writes_in(peer.guild_channel_id, f"to <@{peer.bot_id}>")
        await until(lambda: bot.texts == ["", f"to <@{peer.bot_id}>"])


async def test_without_the_intent_nothing_is_told(peer: DiscordPeer) -> None:
    async with running(peer, Bot(intents=discord.Intents.none())) as bot:
        peer.user().writes("hello")
        await asyncio.sleep(0.1)
        assert bot.told == []


async def test_shards_get_direct_messages_once(peer: DiscordPeer) -> None:
    peer.shards = 2
    async with running(peer) as bot:
        await until(lambda: len(peer.live_sessions) == 2)
        peer.user().writes("hello")
        await until(lambda: bot.texts == ["hello"])
        await asyncio.sleep(0.05)
        assert len(bot.told) == 1


async def test_the_plain_client_works_too(peer: DiscordPeer) -> None:
    client = discord.Client(intents=DM_ONLY)
    told: list[str] = []

    @client.event
    async def on_message(message: discord.Message) -> None:
        told.append(message.content)

    task = asyncio.create_task(client.start(peer.token))
    await peer.connected()
    peer.user().writes("hello")
    await until(lambda: told == ["hello"])
    await client.close()
    await task
    await until(lambda: peer.live_sessions == [])
    # It means to close with 1000, but its reader is quicker and says 4000: the session stays.
    assert len(peer.sessions) == 1
