"""The console speaks the agent's language, the browser's until they choose; and any that there is a file of."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from bot.content.words import Words
from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.message import Attachment
from bot.domain.said import Fault
from bot.domain.staff import Agent
from bot.pipeline.faults import NO_ANSWER, channel_off, given_up
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from connectors.discord.api import REFUSED
from connectors.telegram.api import too_large
from connectors.telegram.request import UNREADABLE
from handoff.console import console
from handoff.desk import Desk
from tests.support.console import CAPABILITIES, HTMX, Browser, queued, sign_in
from tests.support.words import made_up

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


async def test_the_browser_proposes(browser: Browser, mei: Agent) -> None:
    page = (await browser().get("/console/sign-in", headers=CHINESE)).text
    assert '<html lang="zh" dir="ltr">' in page
    assert "<h1>登录</h1>" in page
    refused = await browser().post("/console/sign-in", data={"name": "Mei", "password": "no"}, headers=CHINESE)
    assert "名字或密码错误。" in refused.text
    assert '<html lang="en" dir="ltr">' in (await browser().get("/console/sign-in")).text


async def test_the_agent_chooses_and_it_follows_them(browser: Browser, mei: Agent, store: Store) -> None:
    client = await sign_in(browser())
    assert '<html lang="en"' in (await client.get("/console/")).text
    chosen = await client.post(
        "/console/language", data={"language": "zh"}, headers={"Referer": "http://desk/console/agents"}
    )
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/agents")
    other = await sign_in(browser())
    page = (await other.get("/console/", headers={"Accept-Language": "en"})).text
    assert '<html lang="zh"' in page
    assert "没有人在等待" in page
    assert '<option value="zh" lang="zh" selected>中文</option>' in page
    await client.post("/console/language", data={"language": ""})
    assert '<html lang="zh"' in (await other.get("/console/", headers=CHINESE)).text
    assert '<html lang="en"' in (await other.get("/console/")).text
    # Nobody chooses what there is not, or is led elsewhere.
    led = await client.post(
        "/console/language", data={"language": "xx"}, headers={"Referer": "http://elsewhere.example/console"}
    )
    assert led.headers["location"] == "/console/"
    assert [one.locale for one in await store.agents.all()] == [None]


async def test_refusals_and_problems_are_said_in_it(browser: Browser, mei: Agent, ada: Agent, store: Store) -> None:
    client = await sign_in(browser())
    client.headers.update(CHINESE)
    conversation_id = await queued(store)
    address = f"/console/conversations/{conversation_id}"
    refused = await client.post(f"{address}/messages", data={"text": "hi"}, headers=HTMX)
    assert "此对话不在您手上，请先认领。" in refused.text
    await client.post(f"{address}/claim")
    empty = await client.post(f"{address}/messages", data={"text": " "}, headers={"Accept": "application/json"})
    assert empty.json() == {"problem": "消息是空的，没有可发送的内容。"}
    assert "这里没有内容" in (await client.get("/console/conversations/999")).text
    taken = await client.post("/console/agents", data={"name": "Ada", "role": "agent"})
    assert "已有名为 Ada 的客服。" in taken.text
    weak = await client.post("/console/password", data={"old": "correct horse", "password": "1234567890123"})
    assert "这个密码很容易被猜到：全是数字" in weak.text
    agent = await sign_in(browser(), "Ada")
    not_allowed = await agent.post(f"/console/agents/{mei.id}/link", headers=CHINESE)
    assert "仅限管理员" in not_allowed.text


async def test_every_agent_reads_the_desks_lines_in_their_own_language(
    browser: Browser, mei: Agent, store: Store
) -> None:
    client = await sign_in(browser())
    address = f"/console/conversations/{await queued(store)}"
    await client.post(f"{address}/claim")
    await client.post(f"{address}/put-back", data={"why": "lunch"})
    english, chinese = (await client.get(address)).text, (await client.get(address, headers=CHINESE)).text
    assert "Mei put this back into the queue: lunch" in english
    assert "Mei 将对话退回队列：lunch" in chinese
    assert "Escalated: the customer asked for a person." in english
    assert "已转人工：客户要求人工客服。" in chinese


async def ailing(store: Store, desk: Desk, agent: Agent) -> int:
    """A desk on which things went wrong. The conversation in which they did."""
    now = datetime.now(UTC)
    off = ChannelStatus("discord", "42", ChannelState.OFF, now, now, error=REFUSED, error_at=now)
    await store.channels.record(off)
    # So it was written before there were phrases, and a connector of somebody else's says it still.
    foreign = replace(off, channel="web", state=ChannelState.CONNECTED, error=Fault("1006 & out"))
    await store.channels.record(foreign)
    files = tuple(Attachment("photo", str(index)) for index in range(3))
    conversation_id = await queued(store, attachments=files)
    (asked, *_) = await store.messages.of(conversation_id)
    problems = (too_large(25 * 2**20).fault, given_up(timedelta(hours=1), NO_ANSWER), Fault("1007 & out"))
    await store.files.record_fetched(
        asked.id, [replace(file, problem=problem) for file, problem in zip(files, problems, strict=True)]
    )
    await desk.claim(conversation_id, agent)
    for number, fault in enumerate((UNREADABLE, channel_off("web"))):
        reply = await desk.reply(conversation_id, agent, "hello")
        begun = await store.deliveries.begin(reply.id)
        assert begun is not None
        if number == 0:
            await store.deliveries.fail(begun, fault)
        else:
            await store.deliveries.postpone(begun, now, fault)
    return conversation_id


async def test_every_agent_reads_what_went_wrong_in_their_own_language(
    browser: Browser, mei: Agent, store: Store, desk: Desk
) -> None:
    client = await sign_in(browser())
    address = f"/console/conversations/{await ailing(store, desk, mei)}"
    english, chinese = (await client.get(address)).text, (await client.get(address, headers=CHINESE)).text
    assert "not delivered: What answered in Telegram&#39;s place could not be understood." in english
    assert "未送达：对方的回应不像是 Telegram 的，无法理解" in chinese
    assert "trying again: the channel web is off" in english
    assert "正在重试：渠道 web 未开启" in chinese
    assert "<bdi>The file is larger than 25 MB, the most that the desk keeps.</bdi>" in english
    assert "无法获取：<bdi>文件超过了客服台保存的上限 25 MB。</bdi>" in chinese
    assert "<bdi>given up after 1 hour: the platform did not answer in time</bdi>" in english
    assert "<bdi>1 小时后放弃：平台没有及时回应</bdi>" in chinese
    assert "<bdi>1007 &amp; out</bdi>" in chinese
    english = (await client.get("/console/channels")).text
    chinese = (await client.get("/console/channels", headers=CHINESE)).text
    assert "<bdi>Discord refused the bot token. Set DISCORD_BOT_TOKEN to" in english
    assert "<bdi>Discord 拒绝了机器人令牌。请把 DISCORD_BOT_TOKEN 设为" in chinese
    assert "<bdi>1006 &amp; out</bdi>" in chinese


async def test_an_error_without_a_phrase_is_not_told_by_the_phrase_of_the_last_one(
    mei: Agent, store: Store, desk: Desk, database_url: str
) -> None:
    conversation_id = await ailing(store, desk, mei)
    known = {one.channel: one for one in await store.channels.all()}
    await store.channels.record(replace(known["discord"], error=None, error_at=None))
    assert (await store.channels.all())[0].error == REFUSED
    await store.channels.record(replace(known["discord"], error=Fault("1006")))
    assert (await store.channels.all())[0].error == Fault("1006")
    waiting = (await store.messages.of(conversation_id))[-1]
    assert waiting.delivery_error == channel_off("web")
    begun = await store.deliveries.begin(waiting.id)
    assert begun is not None
    await store.deliveries.postpone(begun, datetime.now(UTC), Fault("502"))
    assert (await store.messages.of(conversation_id))[-1].delivery_error == Fault("502")
    await store.deliveries.postpone(begun, datetime.now(UTC), NO_ANSWER)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE delivery SET error = 'by an older replica' WHERE error IS NOT NULL")
    assert (await store.messages.of(conversation_id))[-1].delivery_error == Fault("by an older replica")
    await store.deliveries.record_sent(begun, 0, "7")
    assert (await store.messages.of(conversation_id))[-1].delivery_error is None


async def test_a_phrase_is_markup_only_where_it_says_so(browser: Browser, mei: Agent, ada: Agent, store: Store) -> None:
    client = await sign_in(browser())
    address = f"/console/conversations/{await queued(store, name='<i>Ann</i>')}"
    await (await sign_in(browser(), "Ada")).post(f"{address}/claim")
    page = (await client.get(address)).text
    assert "<b><bdi>Ada</bdi> has this conversation now.</b> Your words are kept" in page
    assert "<bdi>&lt;i&gt;Ann&lt;/i&gt;</bdi> never does" in page


@pytest.fixture
async def stranger(store: Store, desk: Desk, feed: Feed, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """At a desk with a language of nobody's."""
    made_up(tmp_path, "en", "EN")
    made_up(tmp_path, "tlh", "TLH")
    words = Words(tmp_path, facts={"brand": "BitPie"})
    router = console(
        store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=words
    )
    transport = httpx.ASGITransport(http.application([router], {}))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        client.headers["Accept-Language"] = "tlh"
        yield client


_INLINE = re.compile(r"</?(?:b|bdi|time|a|code)\b[^>]*>")
"""What may stand within a phrase."""
DATA = re.compile(
    r"Mei from BitPie support.*|You are number 1\.|Mei|Ann|Ada|web|discord|apps|hello|BitPie|fee_\w+|python-httpx.*"
    r"|100[67] &amp; out|from BitPie support.*|zh|en|tlh|EN English|min\. ago|ago|UTC"
)
"""What people and platforms call themselves and say, and what was said to a customer."""


async def test_a_language_of_nobodys_shows_on_every_page(
    stranger: httpx.AsyncClient, mei: Agent, ada: Agent, store: Store, desk: Desk
) -> None:
    conversation_id = await ailing(store, desk, mei)
    pages = [(await stranger.get("/console/sign-in")).text]
    await sign_in(stranger)
    paths = ("/", "/?view=mine", f"/conversations/{conversation_id}", "/agents", f"/agents/{ada.id}", "/failed")
    for path in (*paths, "/channels", "/password", "/public-name", "/conversations/999"):
        pages.append((await stranger.get(f"/console{path}")).text)
    script = re.search(r"/console/static/\w+/", pages[1])
    assert script is not None
    said = (await stranger.get(f"{script[0]}words/tlh.js")).text
    assert said.startswith('globalThis.switchboardWords = {"console.script.')
    assert said.count('": "TLH ') > 40
    # A phrase in a phrase, each in the language.
    conversation, channels = pages[3], pages[7]
    assert "TLH not available: <bdi>TLH given up after 1 hour: TLH the platform did not answer" in conversation
    assert "TLH not delivered: TLH What answered" in conversation
    assert "TLH trying again: TLH the channel web is off" in conversation
    assert "<bdi>TLH Discord refused the bot token" in channels
    for page in pages:
        assert '<html lang="tlh" dir="ltr">' in page
        for text in re.findall(r">([^<>]+)<", _INLINE.sub("", page)):
            words = DATA.sub("", text)
            assert "TLH" in text or not re.search(r"[A-Za-z]{2,}", words), text
        for text in re.findall(r' (?:aria-label|title|placeholder)="([^"]+)"', page):
            assert "TLH" in text or not re.search(r"[A-Za-z]{2,}", DATA.sub("", text)), text
