"""The channels' page over HTTP: what runs, since when, and what to do where something does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.said import Fault
from bot.domain.staff import Agent
from bot.store import Store
from tests.support.console import HOSTILE, HTMX, Browser, sign_in


async def doing(store: Store, channel: str, state: ChannelState, since: timedelta, **more: Any) -> None:
    now = datetime.now(UTC)
    more.setdefault("updated_at", now)
    await store.channels.record(ChannelStatus(channel, f"@{channel}", state, now - since, **more))


async def shown(client: httpx.AsyncClient) -> dict[str, str]:
    """The words of each channel."""
    page = (await client.get("/console/channels", headers=HTMX)).text
    assert "<html" not in page
    parts = re.findall(r'<li id="channel-([a-z]+)" class="record channel ([a-z ]+)">(.*?)</li>', page, re.S)
    return {name: f"[{kind}] " + " ".join(re.sub("<[^>]+>", " ", words).split()) for name, kind, words in parts}


async def test_a_running_channel_says_since_when_and_what_came_and_went(
    browser: Browser, store: Store, mei: Agent
) -> None:
    ago = datetime.now(UTC) - timedelta(minutes=5, seconds=10)
    await doing(
        store,
        "discord",
        ChannelState.CONNECTED,
        timedelta(hours=3),
        last_received_at=ago,
        lag=0.42,
        last_sent_at=ago,
        error=Fault("the platform did not answer in time"),
        error_at=ago - timedelta(hours=5),
    )
    words = (await shown(await sign_in(browser())))["discord"]
    assert words.startswith("[connected] discord @discord Connected since ")
    assert "(3 hr. ago)" in words
    assert re.search(r"Last message received 5 min. ago \w+ \d+, \d\d:\d\d UTC", words)
    assert "Lag of that message 0.4 s" in words
    assert "Last message sent 5 min. ago" in words
    assert "the platform did not answer in time 5 hr. ago" in words
    assert "before the present connection" in words


async def test_a_channel_that_is_off_says_what_to_do_on_every_page(browser: Browser, store: Store, mei: Agent) -> None:
    error = Fault("Discord refused the token; set DISCORD_TOKEN")
    client = await sign_in(browser())
    assert 'class="dot"' not in (await client.get("/console/")).text
    await doing(store, "discord", ChannelState.OFF, timedelta(seconds=1), error=error, error_at=datetime.now(UTC))
    words = (await shown(client))["discord"]
    assert words.startswith("[off ailing] discord @discord Off since ")
    assert error.words in words
    assert "before the present connection" not in words
    for path in ("/", "/channels", "/navigation"):
        page = (await client.get(f"/console{path}")).text
        assert '<span class="dot"></span><span class="unseen">: discord is off</span>' in page
        assert 'href="/console/channels"' in page


async def test_connecting_is_no_trouble_until_it_takes_long(browser: Browser, store: Store, mei: Agent) -> None:
    client = await sign_in(browser())
    await doing(store, "discord", ChannelState.CONNECTING, timedelta(seconds=20))
    assert (await shown(client))["discord"].startswith("[connecting] discord @discord Connecting since")
    assert 'class="dot"' not in (await client.get("/console/navigation")).text
    await doing(store, "discord", ChannelState.CONNECTING, timedelta(seconds=40))
    assert "discord cannot connect" in (await client.get("/console/navigation")).text


async def test_a_channel_that_nobody_reports_on_runs_nowhere(browser: Browser, store: Store, mei: Agent) -> None:
    client = await sign_in(browser())
    silent = datetime.now(UTC) - timedelta(minutes=2)
    await doing(store, "discord", ChannelState.CONNECTED, timedelta(hours=3), updated_at=silent)
    await doing(store, "fax", ChannelState.CONNECTED, timedelta(hours=3), updated_at=silent)
    found = await shown(client)
    assert "Not running anywhere last heard of 2 min. ago" in found["discord"]
    assert "Is the one that runs it stopped?" in found["discord"]
    assert "not among the channels that this desk is set up to run" in found["fax"]
    assert found["web"].startswith("[expected] web Not started yet")
    sign = (await client.get("/console/navigation")).text
    assert "discord is not running" in sign
    assert "fax" not in sign


async def test_the_page_keeps_itself_up_to_date(browser: Browser, mei: Agent) -> None:
    page = (await (await sign_in(browser())).get("/console/channels")).text
    assert re.search(r'id="all-channels"[^>]* hx-get="/console/channels" hx-trigger="every 5s" hx-swap="merge"', page)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on", page)


async def test_what_platforms_say_stays_text(browser: Browser, store: Store, mei: Agent) -> None:
    await doing(store, "discord", ChannelState.OFF, timedelta(0), error=Fault(HOSTILE), error_at=datetime.now(UTC))
    client = await sign_in(browser())
    page = (await client.get("/console/channels")).text
    assert "<script>alert" not in page
    assert "<img" not in page
