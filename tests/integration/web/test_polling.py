"""The web chat over HTTP where no stream passes: answers that wait for news."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from bot.domain.message import Author
from connectors.web.visitors import COOKIE, contact_of
from tests.support.stand_in_desk import Site, StandInDesk, message
from tests.support.web_chat import said

WAITS = {"after": 0, "wait": 20}


async def followed(desk: StandInDesk, number: int) -> None:
    async with asyncio.timeout(5):
        while desk.followers != number:
            await asyncio.sleep(0.01)


async def test_a_poll_comes_with_the_first_news(site: Site, desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    who = contact_of(visitor.cookies[COOKIE])
    polling = asyncio.create_task(visitor.get("/chat/messages", params=WAITS))
    await followed(desk, 1)
    await desk.deliver(who, message("news", Author.AGENT))
    [news] = (await polling).json()["messages"]
    assert news["text"] == "news"
    polling = asyncio.create_task(visitor.get("/chat/messages", params=WAITS | {"after": news["revision"]}))
    await followed(desk, 1)
    await site.connector.typing(who)
    assert (await polling).json() == {"messages": [], "typing": True}
    assert (await visitor.get("/chat/messages", params=WAITS)).json()["messages"] == [news], (
        "what is there comes at once"
    )
    await followed(desk, 0)


async def test_a_poll_ends_without_news_in_its_time_or_with_the_desk(
    site: Site, desk: StandInDesk, visitor: httpx.AsyncClient
) -> None:
    began = time.monotonic()
    answer = await visitor.get("/chat/messages", params=WAITS | {"wait": 1})
    assert (answer.json()["messages"], answer.headers["cache-control"]) == ([], "no-store")
    assert 0.9 < time.monotonic() - began < 3
    assert (await visitor.get("/chat/messages", params=WAITS | {"wait": 26})).status_code == 422
    polling = asyncio.create_task(visitor.get("/chat/messages", params=WAITS))
    await followed(desk, 1)
    site.running.cancel()
    assert (await polling).json()["messages"] == []


async def test_polls_have_as_few_places_as_streams_and_others_of_their_own(
    site: Site, desk: StandInDesk, visitor: httpx.AsyncClient
) -> None:
    each = site.connector._streams.limits.streams_of_visitor  # type: ignore[attr-defined]
    polling = [asyncio.create_task(visitor.get("/chat/messages", params=WAITS)) for _ in range(each)]
    await followed(desk, each)
    refused = await visitor.get("/chat/messages", params=WAITS)
    assert (refused.status_code, refused.json()["error"]) == (503, "too_many_open")
    assert int(refused.headers["retry-after"]) > 0
    async with visitor.stream("GET", "/chat/events") as stream:
        assert stream.status_code == 200
    assert (await visitor.post("/chat/messages", json=said("x"))).status_code == 202
    assert all(one.json()["messages"] for one in await asyncio.gather(*polling))


async def test_a_poll_that_cannot_be_read_says_so(
    desk: StandInDesk, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(desk, "read", away)
    assert (await visitor.get("/chat/messages", params=WAITS)).json()["error"] == "unavailable"
