"""The stand-in's buttons, commands, files and limits, as discord.py sees them."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from tests.peers.discord import DiscordPeer
from tests.support.discord_peer import call, messages_url, running
from tests.support.waiting import until


async def test_buttons_are_deferred_and_answered(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user(locale="zh-CN")
        channel = await bot.create_dm(discord.Object(ann.id))
        view = discord.ui.View(timeout=None)
        view.add_item(discord.ui.Button(label="Yes", custom_id="answer:yes"))
        sent = await channel.send("Did that help?", view=view)
        pressed = ann.presses(sent.id, "answer:yes")
        await until(lambda: len(bot.pressed) == 1)
        interaction = bot.pressed[0]
        assert (interaction.id, interaction.user.id, interaction.guild_id) == (pressed, ann.id, None)
        assert interaction.locale is discord.Locale.chinese
        assert interaction.channel_id == ann.channel_id
        assert interaction.message == sent
        await interaction.response.defer()
        await interaction.edit_original_response(content="Thank you", view=None)
        await interaction.followup.send("Bye", ephemeral=True)
        with pytest.raises(discord.InteractionResponded):
            await interaction.response.send_message("again")
        answers = ann.interaction_answers(pressed)
        assert [answer["type"] for answer in answers] == [6, "edit", "followup"]
        assert answers[0]["at"] < 1
        assert answers[2]["ephemeral"]
        assert [seen["content"] for seen in ann.sees] == ["Thank you"]
        with pytest.raises(AssertionError, match="no button"):
            ann.presses(sent.id, "answer:yes")


async def test_commands_are_registered_and_run(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        with pytest.raises(AssertionError, match="never registered"):
            ann.runs("support")
        tree = app_commands.CommandTree(bot)

        @tree.command(name="support", description="Talk to us")
        @app_commands.allowed_contexts(guilds=True, dms=True)
        async def support(interaction: discord.Interaction, topic: str | None = None) -> None:
            await interaction.response.defer(ephemeral=True)
            await interaction.followup.send(f"about {topic}: see your messages")
            await interaction.user.send("Hello")

        first = await tree.sync()
        again = await tree.sync()
        assert [command.id for command in first] == [command.id for command in again]
        ran = ann.runs("support", guild_id=peer.guild_id, options={"topic": "cards"})
        await ann.wait_sees(1)
        answers = ann.interaction_answers(ran)
        assert [answer["type"] for answer in answers] == [5, "followup"]
        # The follow-up took the place of the deferred answer, and is as private.
        assert [shown["content"] for shown in ann.interaction_shows(ran)] == ["about cards: see your messages"]
        assert answers[1]["ephemeral"]
        assert peer.messages(peer.guild_channel_id) == []
        ran = ann.runs("support")
        await until(lambda: len(ann.interaction_answers(ran)) == 2)


async def test_a_button_in_a_guild(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user("Ann")
        channel = await bot.fetch_channel(peer.guild_channel_id)
        assert isinstance(channel, discord.TextChannel)
        view = discord.ui.View(timeout=None)
        view.add_item(discord.ui.Button(label="Support", custom_id="support"))
        sent = await channel.send("Need help?", view=view)
        pressed = ann.presses(sent.id, "support")
        await until(lambda: len(bot.pressed) == 1)
        interaction = bot.pressed[0]
        assert (interaction.guild_id, interaction.channel_id) == (peer.guild_id, peer.guild_channel_id)
        assert isinstance(interaction.user, discord.Member)
        await interaction.response.send_message("See your messages", ephemeral=True)
        assert ann.interaction_answers(pressed)[0]["ephemeral"]
        assert len(peer.messages(peer.guild_channel_id)) == 1
        await interaction.user.send("Hello")
        assert [seen["content"] for seen in ann.sees] == ["Hello"]


async def test_interactions_must_be_answered_in_time_and_once(peer: DiscordPeer) -> None:
    peer.interaction_window = 0.1
    async with running(peer) as bot:
        ann = peer.user()
        channel = await bot.create_dm(discord.Object(ann.id))
        view = discord.ui.View(timeout=None)
        view.add_item(discord.ui.Button(label="Yes", custom_id="yes"))
        sent = await channel.send("?", view=view)
        ann.presses(sent.id, "yes")
        await until(lambda: len(bot.pressed) == 1)
        await asyncio.sleep(0.15)
        with pytest.raises(discord.NotFound) as late:
            await bot.pressed[0].response.defer()
        assert late.value.code == 10062
        ann.presses(sent.id, "yes")
        await until(lambda: len(bot.pressed) == 2)
        twin = discord.Interaction(data=_event(peer, "INTERACTION_CREATE"), state=bot._connection)
        await bot.pressed[1].response.edit_message(content="!", view=None)
        with pytest.raises(discord.HTTPException) as twice:
            await twin.response.defer()
        assert twice.value.code == 40060
        assert ann.sees[0]["content"] == "!"


def _event(peer: DiscordPeer, name: str) -> Any:
    return [event["d"] for event in peer.sessions[0].events if event["t"] == name][-1]


async def test_closed_messages_are_refused(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        channel = await bot.create_dm(discord.Object(ann.id))
        ann.closes_dms()
        with pytest.raises(discord.Forbidden) as refused:
            await channel.send("hello")
        assert refused.value.code == 50007
        ann.opens_dms()
        await channel.send("hello")
        ann.leaves()
        with pytest.raises(discord.Forbidden):
            await channel.send("hello?")
        with pytest.raises(discord.NotFound) as unknown:
            await bot.fetch_channel(12345)
        assert unknown.value.code == 10003
        assert len(ann.sees) == 1


async def test_files_from_the_bot(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        channel = await bot.create_dm(discord.Object(ann.id))
        file = discord.File(io.BytesIO(b"%PDF-1"), "bill.pdf", description="The bill")
        sent = await channel.send("here", file=file, nonce=7)
        shown = ann.sees[0]["attachments"][0]
        assert (shown["filename"], shown["size"], shown["description"]) == ("bill.pdf", 6, "The bill")
        assert shown["content_type"] == "application/pdf"
        assert await sent.attachments[0].read() == b"%PDF-1"
        peer.expire_links()
        with pytest.raises(discord.NotFound):
            await sent.attachments[0].read()
        fresh = await channel.fetch_message(sent.id)
        assert await fresh.attachments[0].read() == b"%PDF-1"
        assert fresh.nonce is None
        peer.upload_limit = 10
        with pytest.raises(discord.HTTPException) as large:
            await channel.send(file=discord.File(io.BytesIO(b"x" * 11), "large.bin"))
        assert (large.value.status, large.value.code) == (413, 40005)


async def test_limits_and_faults_as_discord_py_reads_them(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        channel = await bot.create_dm(discord.Object(ann.id))
        loop = asyncio.get_running_loop()
        for is_global in (False, True):
            peer.limit_next("POST /channels", 0.3, is_global=is_global)
            started = loop.time()
            await channel.send("waited")
            assert loop.time() - started >= 0.3
        peer.fail_next("POST /channels", 503)
        with pytest.raises(discord.DiscordServerError):
            await channel.send("failed")
        peer.limit_next("POST /channels", 30, cloudflare=True)
        with pytest.raises(discord.HTTPException, match="1015"):
            await channel.send("banned")
        peer.drop_next("POST /channels")
        with pytest.raises(aiohttp.ClientError):
            await channel.send("lost")
        peer.drop_next("POST /channels", after_effect=True)
        with pytest.raises(aiohttp.ClientError):
            await channel.send("unanswered", nonce="same")
        again = await channel.send("unanswered", nonce="same")
        assert [seen["content"] for seen in ann.sees] == ["waited", "waited", "unanswered"]
        assert int(ann.sees[-1]["id"]) == again.id
        assert len(peer.called("POST", f"/channels/{ann.channel_id}/messages")) == 9


async def test_buckets_run_empty(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    peer.route_limit = (2, 0.4)
    url = messages_url(peer, peer.user())
    for left in ("1", "0"):
        async with http.get(url) as answer:
            assert answer.headers["X-RateLimit-Remaining"] == left
            assert answer.headers["X-RateLimit-Limit"] == "2"
    async with http.get(url) as answer:
        body = await answer.json()
        assert answer.status == 429
        assert answer.headers["Via"]
        assert answer.headers["X-RateLimit-Scope"] == "user"
        assert answer.headers["Retry-After"] == "1"
        assert 0 < body["retry_after"] <= 0.4
        assert body["global"] is False
    assert (await call(http, "GET", url.removesuffix("/messages")))[0] == 200  # another bucket
    await asyncio.sleep(0.4)
    assert (await call(http, "GET", url))[0] == 200


async def test_discord_py_keeps_within_its_buckets(peer: DiscordPeer) -> None:
    async with running(peer) as bot:
        ann = peer.user()
        channel = await bot.create_dm(discord.Object(ann.id))
        peer.route_limit = (3, 0.2)
        for number in range(8):
            await channel.send(str(number))
        assert [seen["content"] for seen in ann.sees] == [str(number) for number in range(8)]
