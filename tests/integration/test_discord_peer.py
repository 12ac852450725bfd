"""The stand-in for Discord, driven by the real discord.py, and by plain HTTP for what discord.py never does wrong."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.peers.discord import DiscordPeer, PeerUser
from tests.support.waiting import until

DM_ONLY = discord.Intents(dm_messages=True)


@pytest.fixture
async def peer() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture(autouse=True)
def _pointed(peer: DiscordPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "BASE", peer.api_base)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(peer.gateway_url))


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


@pytest.fixture
async def http(peer: DiscordPeer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {peer.token}"}) as session:
        yield session


async def call(http: aiohttp.ClientSession, method: str, url: str, **options: Any) -> tuple[int, Any]:
    async with http.request(method, url, **options) as answer:
        text = await answer.text()
        if answer.status != 204:
            assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if text else None


def messages_url(peer: DiscordPeer, user: PeerUser) -> str:
    peer.state.dm(user)
    return f"{peer.api_base}/channels/{user.channel_id}/messages"


# --- with discord.py


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


async def test_a_client_that_says_goodbye_logs_out_and_one_that_dies_does_not(peer: DiscordPeer) -> None:
    async with running(peer):
        assert len(peer.sessions) == 1
    await until(lambda: peer.sessions == [])
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await until(lambda: len(peer.live_sessions) == 1)
        it.socket._response.connection.transport.close()  # the line ends, without a frame
        await until(lambda: peer.live_sessions == [])
    assert len(peer.sessions) == 1


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


# --- without discord.py


async def test_only_a_bot_token_is_taken(peer: DiscordPeer) -> None:
    for given in (
        {},
        {"Authorization": peer.token},
        {"Authorization": "Bot x"},
        {"Authorization": f"Bearer {peer.token}"},
    ):
        async with aiohttp.ClientSession(headers=given) as session:
            status, body = await call(session, "GET", f"{peer.api_base}/users/@me")
            assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})
            assert (await call(session, "GET", f"{peer.api_base}/gateway"))[0] == 200
    assert all(made.path == "/gateway" for made in peer.calls)


async def test_messages_are_validated(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    url = messages_url(peer, peer.user())

    async def refused(body: Any) -> tuple[int, Any]:
        status, answer = await call(http, "POST", url, json=body)
        assert status == 400, answer
        return answer["code"], answer.get("errors")

    async def reason(body: Any, *path: str) -> str:
        code, errors = await refused(body)
        assert code == 50035
        for name in path:
            errors = errors[name]
        return errors["_errors"][0]["code"]

    assert await refused({"content": " \n "}) == (50006, None)
    assert await refused({"content": ""}) == (50006, None)
    code, errors = await refused({"content": "x" * 2001})
    assert code == 50035
    told = {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
    assert errors == {"content": {"_errors": [told]}}
    assert (await call(http, "POST", url, json={"content": "😀" * 2000}))[0] == 200
    assert await reason({"content": "x", "nonce": "n" * 26}, "nonce") == "BASE_TYPE_MAX_LENGTH"

    def rows(*buttons: Any, count: int = 1) -> Any:
        return {"content": "x", "components": [{"type": 1, "components": list(buttons)}] * count}

    def button(custom_id: str, label: str = "l") -> Any:
        return {"type": 2, "style": 1, "label": label, "custom_id": custom_id}

    row = ("components", "0", "components")
    assert await reason(rows(button("")), *row, "0", "custom_id") == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c" * 101)), *row, "0", "custom_id") == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c", "l" * 81)), *row, "0", "label") == "BASE_TYPE_MAX_LENGTH"
    assert await reason(rows(button("c"), button("c")), *row, "1", "custom_id") == "COMPONENT_CUSTOM_ID_DUPLICATED"
    assert await reason(rows(*[button(str(n)) for n in range(6)]), *row) == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(), *row) == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c"), count=6), "components") == "BASE_TYPE_BAD_LENGTH"
    status, message = await call(http, "POST", url, json=rows(button("c")))
    assert status == 200
    assert message["components"][0]["components"][0]["id"] == 2

    unknown = {"content": "x", "message_reference": {"message_id": "5"}}
    assert await reason(unknown, "message_reference") == "REPLIES_UNKNOWN_MESSAGE"
    unknown["message_reference"]["fail_if_not_exists"] = False
    status, message = await call(http, "POST", url, json=unknown)
    assert (status, message["type"]) == (200, 0)

    async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)
    async with http.post(url, data=b'{"content":"\\ud800"}', headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)
    async with http.post(url, data=b"x", headers={"Content-Type": "text/plain"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50035)


async def test_nonces(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = messages_url(peer, ann)
    once = {"content": "x", "nonce": "5", "enforce_nonce": True}
    _, first = await call(http, "POST", url, json=once)
    _, again = await call(http, "POST", url, json=once)
    assert (again["id"], again["nonce"]) == (first["id"], "5")
    _, other = await call(http, "POST", url, json={"content": "x", "nonce": "5"})
    assert other["id"] != first["id"]  # not asked to compare
    peer.nonce_window = 0
    _, later = await call(http, "POST", url, json=once)
    assert later["id"] not in (first["id"], other["id"])
    assert len(ann.sees) == 3


async def test_mentions(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = messages_url(peer, ann)
    asked = ann.writes("hello")
    text = f"@everyone @here <@{ann.id}> <@999>"
    reply = {"message_id": asked}

    async def pinged(**body: Any) -> list[str]:
        status, message = await call(http, "POST", url, json=body)
        assert status == 200
        assert "mentions_pinged" not in message
        assert (bool(message["mentions"]), message["mention_everyone"]) == (
            f"<@{ann.id}>" in ann.sees[-1]["mentions_pinged"],
            "@everyone" in ann.sees[-1]["mentions_pinged"],
        )
        return list(ann.sees[-1]["mentions_pinged"])

    assert await pinged(content=text) == ["@everyone", "@here", f"<@{ann.id}>"]
    assert await pinged(content=text, allowed_mentions={"parse": []}) == []
    assert await pinged(content=text, allowed_mentions={"parse": ["users"]}) == [f"<@{ann.id}>"]
    assert await pinged(content=text, allowed_mentions={"parse": [], "users": [ann.id]}) == [f"<@{ann.id}>"]
    assert await pinged(content="x", message_reference=reply) == [f"<@{ann.id}>"]
    assert await pinged(content="x", message_reference=reply, allowed_mentions={"parse": []}) == []
    allowed = {"parse": [], "replied_user": True}
    assert await pinged(content="x", message_reference=reply, allowed_mentions=allowed) == [f"<@{ann.id}>"]
    both = {"parse": ["users"], "users": [str(ann.id)]}
    assert (await call(http, "POST", url, json={"content": "x", "allowed_mentions": both}))[0] == 400


async def test_only_own_messages_change(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    theirs = ann.writes("mine")
    url = messages_url(peer, ann)
    assert (await call(http, "PATCH", f"{url}/{theirs}", json={"content": "x"}))[1]["code"] == 50005
    assert (await call(http, "DELETE", f"{url}/{theirs}"))[1]["code"] == 50003
    for method, options in (("GET", {}), ("PATCH", {"json": {"content": "x"}}), ("DELETE", {})):
        assert (await call(http, method, f"{url}/77", **options))[1] == {"message": "Unknown Message", "code": 10008}
    _, own = await call(http, "POST", url, json={"content": "a"})
    status, changed = await call(http, "PATCH", f"{url}/{own['id']}", json={"content": "b"})
    assert (status, changed["content"]) == (200, "b")
    assert changed["edited_timestamp"]
    assert (await call(http, "PATCH", f"{url}/{own['id']}", json={"content": ""}))[1]["code"] == 50006
    assert (await call(http, "DELETE", f"{url}/{own['id']}"))[0] == 204
    assert (await call(http, "DELETE", f"{url}/{own['id']}"))[0] == 404


async def test_history_as_listed(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    ids = [ann.writes(str(number)) for number in range(10)]
    url = messages_url(peer, ann)

    async def listed(query: str) -> list[str]:
        status, messages = await call(http, "GET", f"{url}?{query}")
        assert status == 200
        return [message["content"] for message in messages]

    assert await listed("limit=2") == ["9", "8"]
    assert await listed(f"after={ids[3]}&limit=2") == ["5", "4"]
    assert await listed("after=0&limit=2") == ["1", "0"]
    assert await listed(f"before={ids[3]}&limit=2") == ["2", "1"]
    assert await listed(f"around={ids[5]}&limit=3") == ["6", "5", "4"]
    for limit in ("0", "101", "x"):
        assert (await call(http, "GET", f"{url}?limit={limit}"))[1]["code"] == 50035
    assert (await call(http, "GET", f"{url}?after=x"))[1]["code"] == 50035
    assert (await call(http, "GET", f"{peer.api_base}/channels/x/messages"))[1]["code"] == 50035


async def test_opening_direct_messages(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = f"{peer.api_base}/users/@me/channels"
    ann.closes_dms()
    _, first = await call(http, "POST", url, json={"recipient_id": ann.id})
    _, again = await call(http, "POST", url, json={"recipient_id": str(ann.id)})
    assert first == again
    assert (first["id"], first["recipients"][0]["id"]) == (str(ann.channel_id), str(ann.id))
    assert (await call(http, "POST", url, json={"recipient_id": 5}))[1]["code"] == 50033
    assert (await call(http, "POST", f"{url}/typing"))[0] == 404
    typing = f"{peer.api_base}/channels/{ann.channel_id}/typing"
    assert (await call(http, "POST", typing))[0] == 204
    assert [channel for channel, _ in peer.typings] == [ann.channel_id]
    assert (await call(http, "PUT", typing))[0] == 405


async def test_links_are_refreshed(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    ann.writes("", [("a.txt", b"abc", "text/plain")])
    _, listed = await call(http, "GET", messages_url(peer, ann))
    url = listed[0]["attachments"][0]["url"]

    async def opens(link: str) -> int:
        async with aiohttp.ClientSession() as anybody, anybody.get(yarl.URL(link, encoded=True)) as answer:
            return answer.status

    assert await opens(url) == 200
    assert await opens(url.replace("hm=", "hm=0")) == 404
    assert await opens(url.partition("?")[0]) == 404
    peer.expire_links()
    assert await opens(url) == 404
    refresh = f"{peer.api_base}/attachments/refresh-urls"
    status, body = await call(http, "POST", refresh, json={"attachment_urls": [url]})
    assert status == 200
    assert body["refreshed_urls"][0]["original"] == url
    assert await opens(body["refreshed_urls"][0]["refreshed"]) == 200


async def test_commands_are_validated(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    url = f"{peer.api_base}/applications/{peer.application_id}/commands"
    good = {"name": "人工", "description": "d", "contexts": [0, 1]}
    assert (await call(http, "PUT", url, json=[good]))[0] == 200
    for wrong in (
        {"name": "Support"},
        {"name": "a b"},
        {"name": "x" * 33},
        {"description": ""},
        {"description": "d" * 101},
        {"contexts": [3]},
        {"name_localizations": {"zh": "x"}},
    ):
        status, body = await call(http, "PUT", url, json=[{**good, **wrong}])
        assert (status, body["code"]) == (400, 50035)
        assert "0" in body["errors"]
    assert (await call(http, "PUT", url, json=[good, good]))[0] == 400
    assert (await call(http, "GET", url))[1][0]["name"] == "人工"
    assert (await call(http, "GET", f"{peer.api_base}/applications/5/commands"))[1]["code"] == 20012
    peer.user().runs("人工")
    only_guilds = {**good, "contexts": [0]}
    await call(http, "PUT", url, json=[only_guilds])
    with pytest.raises(AssertionError, match="not offered here"):
        peer.user().runs("人工")


# --- the gateway's rules


class Wire:
    """A gateway connection in the hand."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Any:
        frame = await self.socket.receive(timeout=5)
        return json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else frame.data

    async def says(self, op: int, data: Any = None) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def closed(self) -> int | None:
        async for _ in self.socket:
            pass
        return self.socket.close_code


@asynccontextmanager
async def wire(peer: DiscordPeer, query: str = "v=10&encoding=json") -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{peer.gateway_url}?{query}") as socket:
        yield Wire(socket)


def identity(peer: DiscordPeer, **changes: Any) -> Any:
    return {"token": peer.token, "intents": 1 << 12, "properties": {"os": "x"}, **changes}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": 1 << 15}, 4014),
        ({"intents": 1 << 30}, 4013),
        ({"intents": "512"}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": 0}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_identify_is_checked(peer: DiscordPeer, changes: Any, code: int) -> None:
    async with wire(peer) as it:
        assert (await it.next())["d"]["heartbeat_interval"] == 41250
        await it.says(2, identity(peer, **changes))
        assert await it.closed() == code
    assert peer.sessions == []


async def test_frames_are_checked(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        await it.socket.send_str("{")
        assert await it.closed() == 4002
    async with wire(peer) as it:
        await it.says(3, {})
        assert await it.closed() == 4003
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.says(2, identity(peer))
        assert await it.closed() == 4005
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.says(99)
        assert await it.closed() == 4001
    async with wire(peer) as it:
        for _ in range(121):
            await it.says(1)
        assert await it.closed() == 4008
    async with wire(peer, "v=6") as it:
        assert await it.closed() == 4012
    peer.shards = 2
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        assert await it.closed() == 4011


async def test_ready_and_resume_in_plain_text(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        assert (await it.next())["op"] == 10
        await it.says(1)  # allowed before identifying
        assert (await it.next())["op"] == 11
        await it.says(2, identity(peer, shard=[0, 1]))
        ready = await it.next()
        assert (ready["op"], ready["t"], ready["s"]) == (0, "READY", 1)
        assert ready["d"]["application"] == {"id": str(peer.bot_id), "flags": 0}
        assert ready["d"]["shard"] == [0, 1]
        ann = peer.user()
        ann.writes("one")
        one = await it.next()
        assert (one["t"], one["s"], one["d"]["content"]) == ("MESSAGE_CREATE", 2, "one")
        assert not {"guild_id", "member", "nonce"} & set(one["d"])
        assert isinstance(one["d"]["id"], str)
        peer.cut()
    ann.writes("two")
    ann.writes("three")
    resume = {"token": peer.token, "session_id": ready["d"]["session_id"], "seq": 2}
    async with wire(peer) as it:
        await it.next()
        await it.says(6, resume)
        frames = [await it.next() for _ in range(3)]
        assert [(frame["t"], frame["s"]) for frame in frames] == [
            ("MESSAGE_CREATE", 3),
            ("MESSAGE_CREATE", 4),
            ("RESUMED", 5),
        ]
        assert [frame["d"].get("content") for frame in frames] == ["two", "three", None]
        await it.socket.close(code=1000)
    async with wire(peer) as it:
        await it.next()
        await it.says(6, resume)
        assert await it.next() == {"op": 9, "d": False, "t": None, "s": None}  # it logged out
        await it.says(2, identity(peer))
        assert (await it.next())["t"] == "READY"


async def test_resume_is_checked(peer: DiscordPeer) -> None:
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        await it.next()
        session = (await it.next())["d"]["session_id"]
        peer.cut()
    for wrong, code in (({"token": "x"}, 4004), ({"seq": 99}, 4007)):
        async with wire(peer) as it:
            await it.says(6, {"token": peer.token, "session_id": session, "seq": 1, **wrong})
            assert await it.closed() == code


async def test_silent_clients_are_closed(peer: DiscordPeer) -> None:
    peer.heartbeat_interval = 100
    async with wire(peer) as it:
        await it.says(2, identity(peer))
        assert await it.closed() == 4009
    assert peer.sessions == []


async def test_compression_when_asked_for(peer: DiscordPeer) -> None:
    async with wire(peer, "v=10&encoding=json&compress=zlib-stream") as it:
        unpack = zlib.decompressobj()
        hello = await it.next()
        assert hello.endswith(b"\x00\x00\xff\xff")
        assert json.loads(unpack.decompress(hello))["op"] == 10
        await it.says(1)
        assert json.loads(unpack.decompress(await it.next()))["op"] == 11


async def test_the_world_outlives_its_servers(peer: DiscordPeer) -> None:
    ann = peer.user()
    ann.writes("hello")
    async with DiscordPeer(state=peer.state) as other:
        assert other.token == peer.token
        headers = {"Authorization": f"Bot {other.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            url = f"{other.api_base}/channels/{ann.channel_id}/messages"
            assert (await call(session, "GET", url))[1][0]["content"] == "hello"
