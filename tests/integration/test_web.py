"""The web chat over real HTTP, against a desk in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.model import Author, Button, Command, Incoming, Message, Outgoing
from connectors.base import Connector, Routes
from connectors.web import WebConnector, WebSettings
from connectors.web.visitors import COOKIE, contact_of
from tests.peers.desk import Site, StandInDesk, message


def echo(incoming: Incoming) -> Iterable[Message]:
    return [message(f"you said **{incoming.text}**", buttons=[Button("Fees", "topic:fees")])]


@pytest.fixture
async def desk() -> StandInDesk:
    return StandInDesk(answer=echo)


@pytest.fixture
async def site(desk: StandInDesk) -> AsyncIterator[Site]:
    async with Site(desk).serving() as site:
        yield site


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.visitor() as visitor:
        yield visitor


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "text": text, **more}


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    """The (event, data) pairs of a stream."""
    name = "message"
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        elif not line:
            name = "message"


async def next_message(stream: AsyncIterator[tuple[str, Any]]) -> Any:
    async with asyncio.timeout(5):
        async for name, data in stream:
            if name == "message":
                return data
    raise AssertionError("the stream ended")


def test_it_is_a_connector_with_routes() -> None:
    connector = WebConnector(WebSettings(), StandInDesk(), "BitPie")
    assert isinstance(connector, Connector)
    assert isinstance(connector, Routes)


async def test_a_send_is_done_at_once() -> None:
    connector = WebConnector(WebSettings(), StandInDesk(), "BitPie")
    assert await connector.send(Outgoing("web", "web", "visitor", "hello"))


# --- the page -------------------------------------------------------------------------------------


async def test_the_page_runs_no_foreign_script_and_cannot_be_framed(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/chat")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<style" not in page.text
    assert " style=" not in page.text


async def test_its_files_are_cached_by_version(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/chat")
    script = page.text.split('<script type="module" src="')[1].split('"')[0]
    assert "immutable" in (await visitor.get(script)).headers["cache-control"]
    assert (await visitor.get("/chat/static/chat.js?v=old")).headers["cache-control"] == "no-cache"
    assert (await visitor.get("/chat/static/phrases.json")).status_code == 404
    assert (await visitor.get("/chat/static/..%2fphrases.json")).status_code == 404


# --- sending --------------------------------------------------------------------------------------


async def test_a_message_is_recorded_once_under_the_pages_id(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    body = said("hello")
    first = await visitor.post("/chat/messages", json=body, headers={"Accept-Language": "zh"})
    again = await visitor.post("/chat/messages", json=body)
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    [recorded] = desk.received
    contact = contact_of(visitor.cookies[COOKIE])
    assert (recorded.channel, recorded.account, recorded.external_id) == ("web", "web", body["id"])
    assert (recorded.sender.external_id, recorded.chat_id, recorded.sender.language) == (contact, contact, "zh")


async def test_commands_and_buttons_arrive_as_such(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    await visitor.post("/chat/messages", json=said("/start transfer_delay"))
    await visitor.post("/chat/messages", json=said("", button={"payload": "human", "label": "/help"}))
    start, button = desk.received
    assert (start.command, start.argument) == (Command.START, "transfer_delay")
    assert (button.command, button.button, button.text) == (None, "human", "/help")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "malformed"),
        (b"[" * 50_000, "malformed"),
        (b"\xff", "malformed"),
        (b'{"id": ' + b"9" * 10_000 + b"}", "malformed"),
        (json.dumps(said(" \n\x00 ")).encode(), "empty"),
        (json.dumps(said("长" * 10_001), ensure_ascii=False).encode(), "too_long"),
    ],
)
async def test_what_cannot_be_taken_is_refused_for_good(
    desk: StandInDesk, visitor: httpx.AsyncClient, body: bytes, error: str
) -> None:
    refused = await visitor.post("/chat/messages", content=body)
    assert (refused.status_code, refused.json()["error"]) == (422, error)
    assert desk.received == []


async def test_a_refusal_speaks_the_visitors_language(visitor: httpx.AsyncClient) -> None:
    refused = await visitor.post("/chat/messages", json=said("x" * 10_001), headers={"Accept-Language": "zh"})
    assert refused.json()["message"] == "消息太长了，一次最多发送 10,000 字。"


async def test_the_longest_message_passes_in_any_script(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    for text in ("\n" + "\x01" * 9_998 + "x", "😀" * 10_000):
        assert (await visitor.post("/chat/messages", content=json.dumps(said(text), ensure_ascii=False))).is_success
    assert len(desk.received) == 2


async def test_a_body_too_large_is_refused_with_or_without_its_length(visitor: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    assert (await visitor.post("/chat/messages", content=b"x" * 65_537)).status_code == 413
    assert (await visitor.post("/chat/messages", content=chunks())).status_code == 413


async def test_another_sites_page_cannot_speak_for_the_visitor(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    foreign = await visitor.post("/chat/messages", json=said("x"), headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    own = await visitor.post("/chat/messages", json=said("x"), headers={"Origin": str(visitor.base_url).rstrip("/")})
    assert own.status_code == 202
    assert len(desk.received) == 1


async def test_without_a_cookie_nobody_speaks_or_reads(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.base_url) as stranger:
        for answer in (
            await stranger.post("/chat/messages", json=said("x")),
            await stranger.get("/chat/messages"),
            await stranger.get("/chat/events"),
        ):
            assert (answer.status_code, answer.json()["error"]) == (401, "no_visitor")


async def test_what_was_not_recorded_is_not_acknowledged(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    desk.failures = 1
    body = said("hello")
    failed = await visitor.post("/chat/messages", json=body)
    assert failed.status_code == 503
    assert int(failed.headers["retry-after"]) > 0
    assert (await visitor.post("/chat/messages", json=body)).status_code == 202


async def test_a_flood_is_slowed_down_for_its_visitor_alone(site: Site, visitor: httpx.AsyncClient) -> None:
    answers = [await visitor.post("/chat/messages", json=said(str(number))) for number in range(21)]
    assert [answer.status_code for answer in answers] == [202] * 20 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    async with site.visitor() as other:
        assert (await other.post("/chat/messages", json=said("x"))).status_code == 202


# --- reading --------------------------------------------------------------------------------------


async def test_the_transcript_is_read_behind_a_cursor(visitor: httpx.AsyncClient) -> None:
    await visitor.post("/chat/messages", json=said("one"))
    own, answer = (await visitor.get("/chat/messages")).json()["messages"]
    assert (own["author"], own["text"]) == ("customer", "one")
    assert answer["html"] == "<p>you said <strong>one</strong></p>\n"
    assert answer["buttons"] == [{"label": "Fees", "payload": "topic:fees"}]
    behind = await visitor.get("/chat/messages", params={"after": own["cursor"]})
    assert behind.json()["messages"] == [answer]
    assert (await visitor.get("/chat/messages", params={"after": 2**63})).status_code == 422


async def test_visitors_do_not_read_one_another(site: Site, visitor: httpx.AsyncClient) -> None:
    await visitor.post("/chat/messages", json=said("mine"))
    async with site.visitor() as other:
        assert (await other.get("/chat/messages")).json() == {"messages": []}


async def test_events_come_live_and_reconnecting_loses_nothing(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    async with visitor.stream("GET", "/chat/events") as response:
        stream = events(response.aiter_lines())
        assert await anext(stream) == ("alive", {})
        await visitor.post("/chat/messages", json=said("one"))
        own, answer = await next_message(stream), await next_message(stream)
    assert [own["author"], answer["author"]] == ["customer", "bot"]
    await desk.deliver(contact_of(visitor.cookies[COOKIE]), message("meanwhile", Author.AGENT))
    headers = {"Last-Event-ID": str(answer["cursor"])}
    async with visitor.stream("GET", "/chat/events", params={"after": 0}, headers=headers) as response:
        assert (await next_message(events(response.aiter_lines())))["text"] == "meanwhile"


async def test_a_silent_line_is_kept_alive() -> None:
    async with (
        Site(StandInDesk(keepalive=0.05)).serving() as site,
        site.visitor() as visitor,
        visitor.stream("GET", "/chat/events", headers={"Last-Event-ID": "not a number"}) as response,
    ):
        stream = events(response.aiter_lines())
        assert [await anext(stream) for _ in range(3)] == [("alive", {})] * 3


async def test_a_visitor_who_leaves_is_forgotten(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    async with visitor.stream("GET", "/chat/events") as response:
        await anext(events(response.aiter_lines()))
        async with asyncio.timeout(5):
            while not desk.followers:
                await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while desk.followers:
            await asyncio.sleep(0.01)


async def test_streams_end_with_the_connector(desk: StandInDesk, site: Site, visitor: httpx.AsyncClient) -> None:
    async with visitor.stream("GET", "/chat/events") as response:
        stream = events(response.aiter_lines())
        await anext(stream)
        site.running.cancel()
        async with asyncio.timeout(1):
            assert [event async for event in stream] == []
    assert desk.followers == 0


async def test_a_stream_ends_quietly_when_the_transcript_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    class Away(StandInDesk):
        async def read(self, channel: str, account: str, contact: str, after: int) -> list[Message]:
            raise RuntimeError("the database is away")

    async with (
        Site(Away()).serving() as site,
        site.visitor() as visitor,
        visitor.stream("GET", "/chat/events") as response,
    ):
        assert [name async for name, _ in events(response.aiter_lines())] == ["alive"]
    assert not [record for record in caplog.records if record.exc_info]
