"""A whole desk on Discord, and on Telegram beside it: real connectors, queue, Rasa and console against stand-ins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.agents import signed_in
from tests.support.desk_process import DeskProcess, config_file
from tests.support.shipped import headline

NewDesk = Callable[..., DeskProcess]
BURST = 200


def channel(peer: DiscordPeer) -> str:
    return f"channels:\n  discord:\n    api_base: {peer.api_base}\n    gateway_url: {peer.gateway_url}\n"


@pytest.fixture(scope="module")
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as peer:
        yield peer


@pytest.fixture(scope="module")
async def telegram() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer() as peer:
        yield peer


@pytest.fixture(scope="module")
async def desk(
    discord: DiscordPeer, telegram: TelegramPeer, rasa: dict[str, str], folders: Path
) -> AsyncIterator[DeskProcess]:
    folder = folders / "discord"
    (folder / "var").mkdir(parents=True)
    config = channel(discord) + f"  telegram:\n    base_url: {telegram.base_url}\n    poll_timeout: 2\n"
    tokens = {"DISCORD_BOT_TOKEN": discord.token, "TELEGRAM_BOT_TOKEN": telegram.token}
    desk = DeskProcess(folder / "var", config_file(folder / "config.yml", config), {**tokens, **rasa})
    try:
        await desk.start()
        await desk.staffed()
        # Whoever the bot has never met and writes before it is there is not heard.
        await discord.connected(60)
        yield desk
    finally:
        await desk.end()


def plain(text: str) -> str:
    """Without what marks emphasis in Discord."""
    return re.sub(r"\\(?=[\W_])|\*\*", "", text).strip()


async def test_a_question_in_chinese_gets_the_answer_that_telegram_gets(
    desk: DeskProcess, discord: DiscordPeer, telegram: TelegramPeer
) -> None:
    ann, bert = discord.user("ann", locale="zh-CN"), telegram.user(5, first_name="Bert", language_code="zh-hans")
    asked = ann.writes("忘记密码了怎么办")
    bert.writes("忘记密码了怎么办")
    (answer,) = await ann.wait_sees(1, timeout=30)
    (other,) = await telegram.wait_sent(bert.id, 1, timeout=30)
    assert headline("password_reset", "zh") in plain(answer["content"])
    assert [line.lstrip("- ") for line in plain(answer["content"]).splitlines()] == [
        line.lstrip("• ") for line in other["text"].strip().splitlines()
    ]
    assert answer["message_reference"]["message_id"] == str(asked)
    labels = [button["label"] for row in answer["components"] for button in row["components"]]
    assert labels == [button["text"] for row in other["reply_markup"]["inline_keyboard"] for button in row]
    assert answer["mentions_pinged"] == []


async def test_an_agent_takes_over_edits_and_deletes_and_so_does_the_customer(
    desk: DeskProcess, discord: DiscordPeer
) -> None:
    ann = discord.user("Ann <b>")
    ann.writes("how do i reset my password")
    (answer,) = await ann.wait_sees(1, timeout=30)
    pressed = ann.presses(int(answer["id"]), "helped:no")
    (taken,) = await ann.wait_answers(pressed, 1)
    assert taken["type"] == 6
    assert taken["at"] < 3
    assert "queue" in (await ann.wait_sees(2, timeout=30))[1]["content"]
    async with signed_in(desk) as agent:
        path = await agent.latest()
        await agent.does(path, "claim")
        assert "Mei" in (await ann.wait_sees(3, timeout=20))[2]["content"]
        await agent.does(path, "messages", text="*helo* @everyone <b>", mode="reply")
        reply = (await ann.wait_sees(4, timeout=20))[3]
        assert plain(reply["content"]) == "*helo* @everyone <b>"
        assert reply["mentions_pinged"] == []
        (number,) = set(re.findall(r"[?&;]edit=(\d+)", await agent.page(path)))
        await agent.does(path, f"messages/{number}/edit", text="hello")
        await discord.wait_until(lambda: ann.sees[3]["content"] == "hello", 20)
        typo = ann.writes("my txhash is 0xabd")
        ann.edits(typo, "my txhash is 0xabc")
        secret = ann.writes("please forget this line")
        ann.deletes(secret)
        picture = ann.writes("look", [("shot.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png")])
        await shown(agent, path, "0xabc", "0xabd", "please forget this line", "deleted", "look", "shot.png")
        discord.expire_links()
        files = re.findall(r'src="([^"]*/files/\d+/0)', await agent.page(path))
        assert (await agent.http.get(files[-1])).content == b"\x89PNG\r\n\x1a\n" + bytes(64)
        assert picture
        await agent.does(path, f"messages/{number}/delete")
        await discord.wait_until(lambda: len(ann.sees) == 3, 20)
        assert "hello" in await agent.page(path)
        await agent.does(path, "hand-back")
    await ann.wait_sees(4, timeout=20)


async def shown(agent, path: str, *texts: str) -> None:
    async with asyncio.timeout(20):
        while True:
            page = await agent.page(path)
            missing = [text for text in texts if text not in page]
            if not missing and "being fetched" not in page:
                return
            await asyncio.sleep(0.2)


async def test_the_support_command_opens_the_chat(desk: DeskProcess, discord: DiscordPeer) -> None:
    zoe, shy = discord.user("zoe", locale="zh-CN"), discord.user("shy")
    ran = zoe.runs("support", guild_id=discord.guild_id)
    answers = await zoe.wait_answers(ran, 2, timeout=30)
    assert answers[0]["type"] == 5
    assert answers[0]["at"] < 3
    assert "BitPie" in (await zoe.wait_sees(1, timeout=20))[0]["content"]
    assert f"https://discord.com/channels/@me/{zoe.channel_id}" in answers[1]["data"]["content"]
    shy.closes_dms()
    ran = shy.runs("support", guild_id=discord.guild_id)
    assert "Allow direct messages" in (await shy.wait_answers(ran, 2, timeout=30))[1]["data"]["content"]


async def test_a_burst_with_the_socket_cut_in_the_middle(desk: DeskProcess, discord: DiscordPeer) -> None:
    ann = discord.user("burst")
    asked = await burst(ann, lambda number: discord.cut() if number == BURST // 2 else None)
    await answered_in_order(ann, asked)


async def test_the_channels_page_tells_of_everything(desk: DeskProcess, discord: DiscordPeer) -> None:
    gone = discord.user("gone")
    gone.writes("how do i reset my password")
    await gone.wait_sees(1, timeout=30)
    gone.leaves()
    gone.writes("how do i reset my password")
    async with signed_in(desk, "Bo") as agent, asyncio.timeout(20):
        while "cannot be written to on Discord" not in (page := await agent.page("/console/channels")):
            await asyncio.sleep(0.3)
    for channel_name in ("discord", "telegram", "web", "terminal"):
        assert channel_name in page
    assert str(discord.bot_id) in page
    assert "cannot be written to on Discord" in desk.log
    assert discord.token not in desk.log


async def burst(user, meanwhile: Callable[[int], None]) -> list[int]:
    asked = []
    for number in range(BURST):
        asked.append(user.writes("hello"))  # answered however often it is said
        meanwhile(number)
        await asyncio.sleep(0.005)
    return asked


async def answered_in_order(user, asked: list[int]) -> None:
    """Every question has one answer, in the order in which they were asked."""
    sees = await user.wait_sees(len(asked), timeout=120)
    await asyncio.sleep(1)
    assert len(user.sees) == len(asked)
    assert [int(message["message_reference"]["message_id"]) for message in sees] == asked
    assert len({message["content"] for message in sees}) == 1


# The connector's own tests have every such refusal (integration/discord/test_health.py).
@pytest.mark.parametrize(
    "how", ["rest", *(pytest.param(how, marks=pytest.mark.long) for how in ("gateway", "intents"))]
)
async def test_what_cannot_work_is_said_clearly_and_tried_no_more(
    new_desk: NewDesk, rasa: dict[str, str], how: str
) -> None:
    async with DiscordPeer() as peer:
        token = peer.token if how != "rest" else peer.token[:-1] + "."
        desk = await new_desk(channel(peer), DISCORD_BOT_TOKEN=token, **rasa).start()
        if how != "rest":
            await peer.connected()
            peer.close(4004 if how == "gateway" else 4014)
        async with signed_in(desk) as agent, asyncio.timeout(20):
            expected = "asks for direct messages alone" if how == "intents" else "Discord refused the bot token"
            while expected not in (page := await agent.page("/console/channels")):
                await asyncio.sleep(0.3)
        assert "Off" in page or "off" in page
        assert '"action": "channel_off"' in desk.log
        calls = len(peer.calls) + peer.identifies
        await asyncio.sleep(3)
        assert len(peer.calls) + peer.identifies == calls
        assert token not in desk.log
