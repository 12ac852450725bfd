"""The console's event stream over a socket: what it names, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.domain.operations import LiveEvent
from bot.domain.staff import Agent
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.console.context import SESSION_COOKIE
from handoff.desk import Desk
from handoff.passwords import hash_password, token_hash
from tests.support.console import HTMX, PASSWORD, Browser, said, sign_in
from tests.support.serving import served
from tests.support.words import WORDS


@pytest.fixture
def stopping() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def address(store: Store, desk: Desk, feed: Feed, stopping: asyncio.Event) -> AsyncIterator[str]:
    """A console on a socket: streams need one."""
    vendor = ROOT / "node_modules"
    router = console(
        store, desk, feed, capabilities={}, vendor=vendor, brand="BitPie", words=WORDS, stopping=stopping.is_set
    )
    app = http.application([router], {})
    async with served(app) as address:
        yield address


async def test_the_stream_names_what_changed(store: Store, mei: Agent, address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with client.stream("GET", "/console/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            names = (line.removeprefix("event: ") async for line in stream.aiter_lines() if line.startswith("event: "))
            assert await anext(names) == "refresh"
            conversation_id = await said(store)
            async with asyncio.timeout(5):
                assert {await anext(names), await anext(names)} == {"list", f"conversation-{conversation_id}"}


async def test_a_silent_desk_says_that_it_lives(mei: Agent, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoff.console.pages.shell.events.KEEPALIVE", 0.2)
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with asyncio.timeout(5), client.stream("GET", "/console/events") as stream:
            names = (line async for line in stream.aiter_lines() if line.startswith("event: "))
            assert [await anext(names) for _ in range(4)] == ["event: refresh", *["event: alive"] * 3]


async def test_a_stream_ends_with_its_reader(feed: Feed, mei: Agent, address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with client.stream("GET", "/console/events") as stream:
            await anext(stream.aiter_lines())
            assert len(feed._watches) == 1
    async with asyncio.timeout(5):
        while feed._watches:
            await asyncio.sleep(0.05)


async def test_a_stream_ends_with_the_desk(stopping: asyncio.Event, mei: Agent, address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with asyncio.timeout(5), client.stream("GET", "/console/events") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            stopping.set()
            assert [line async for line in lines if line.startswith("event: ")] == ["event: refresh"]


async def test_a_stream_ends_with_the_session(
    store: Store, mei: Agent, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoff.console.pages.shell.events.KEEPALIVE", 0.5)
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with asyncio.timeout(10), client.stream("GET", "/console/events") as stream:
            lines = stream.aiter_lines()
            assert "event: alive" in [await anext(lines) for _ in range(7)]
            await store.agents.set_password(mei.id, await hash_password(PASSWORD))
            assert "event: list" not in [line async for line in lines]


@pytest.mark.parametrize("ended", [True, False])
async def test_news_of_an_agent_end_the_streams_of_ended_sessions_at_once(
    store: Store, feed: Feed, mei: Agent, address: str, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    monkeypatch.setattr("handoff.console.pages.shell.events.KEEPALIVE", 60.0)
    async with httpx.AsyncClient(base_url=address) as client:
        await sign_in(client)
        async with asyncio.timeout(5), client.stream("GET", "/console/events") as stream:
            names = (line async for line in stream.aiter_lines() if line.startswith("event: "))
            assert await anext(names) == "event: refresh"
            if ended:
                await store.agents.end_session(token_hash(client.cookies[SESSION_COOKIE]))
            feed.tell(LiveEvent("agent", 0, 0))
            if not ended:
                await said(store)
                assert "conversation-0" not in await anext(names)
                return
            assert [name async for name in names] == []


async def test_a_page_of_another_agent_is_told_so(mei: Agent, ada: Agent, browser: Browser) -> None:
    client = browser()
    assert (await client.get("/console/alive", headers=HTMX)).status_code == 401
    await sign_in(client)
    for path in ("/console/alive", "/console/events"):
        other = await client.get(path, headers={"Switchboard-Agent": str(ada.id)})
        assert other.status_code == 409
        assert "Mei is signed in now" in other.text
    assert (await client.get("/console/alive", headers={"Switchboard-Agent": str(mei.id)})).status_code == 204


async def test_who_signs_in_again_has_one_session(store: Store, mei: Agent, ada: Agent, browser: Browser) -> None:
    client = await sign_in(browser())
    former = token_hash(client.cookies[SESSION_COOKIE])
    await sign_in(client, "Ada")
    assert await store.agents.agent_of_session(former) is None
    assert await store.agents.agent_of_session(token_hash(client.cookies[SESSION_COOKIE])) == ada
