"""The web chat over real HTTP, against a desk in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.domain.channel import Outgoing
from bot.domain.message import Author, Button, Command, File, Incoming, Message
from bot.ports import Connector, Editing, NullHealth, Routes
from bot.runtime.http import Streams
from connectors.web import WebConnector, WebSettings
from connectors.web.visitors import COOKIE, contact_of
from tests.support.stand_in_desk import Site, StandInDesk, message


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


ID = "1f0c2f6e-4a51-4c8e-9a57-3d1f5b0f9c61"


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
    connector = WebConnector(WebSettings(), StandInDesk(), "BitPie", streams=Streams())
    assert isinstance(connector, Connector)
    assert isinstance(connector, Routes)
    assert isinstance(connector, Editing)


async def test_a_send_is_done_at_once() -> None:
    connector = WebConnector(WebSettings(), StandInDesk(), "BitPie", streams=Streams())
    assert await connector.send(Outgoing("web", "web", "visitor", "hello"))
    assert await connector.send(Outgoing("web", "web", "visitor", "", file=File("a.png", "image/png", PNG)))


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
    sheets = page.text.split('<link rel="stylesheet" href="')[1:]
    assert [sheet.split('"')[0].rpartition("/")[2] for sheet in sheets] == ["tokens.css", "chat.css"]
    assert "--ink:" in (await visitor.get(sheets[0].split('"')[0])).text
    assert (await visitor.get("/chat/static/old/chat.js")).headers["cache-control"] == "no-store"
    for missing in ("phrases.json", "..%2fphrases.json", "%2e%2e/phrases.json"):
        assert (await visitor.get(f"/chat/static/old/{missing}")).status_code == 404


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
        (json.dumps({"id": ID, "text": " \n\x00 "}).encode(), "empty"),
        (json.dumps({"id": ID, "text": "长" * 10_001}, ensure_ascii=False).encode(), "too_long"),
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
    nonsense = await visitor.post("/chat/messages", json=said("x"), headers={"Origin": "http://[::1"})
    assert nonsense.status_code == 403
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


async def test_a_page_that_shows_another_visitor_must_renew(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    own = {"Switchboard-Visitor": (await visitor.get("/chat")).headers["Switchboard-Visitor"]}
    former = {"Switchboard-Visitor": "0" * 16}
    assert (await visitor.get("/chat/messages", headers=own)).status_code == 200
    assert (await visitor.post("/chat/messages", json=said("x"), headers=own)).status_code == 202
    for answer in (
        await visitor.get("/chat/messages", headers=former),
        await visitor.get("/chat/events", headers=former),
        await visitor.post("/chat/messages", json=said("y"), headers=former),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "no_visitor")
    assert [incoming.text for incoming in desk.received] == ["x"]


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


async def test_edits_and_deletions_come_live_and_to_who_was_away(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    who = contact_of(visitor.cookies[COOKIE])
    first = await desk.deliver(who, message("helo", Author.AGENT))
    second = await desk.deliver(who, message("my secret", Author.AGENT))
    async with visitor.stream("GET", "/chat/events") as response:
        stream = events(response.aiter_lines())
        assert [(await next_message(stream))["text"] for _ in range(2)] == ["helo", "my secret"]
        await desk.edit(who, first, "hello")
        edited = await next_message(stream)
        assert (edited["cursor"], edited["text"], edited["edited"]) == (first.cursor, "hello", True)
        assert edited["revision"] > first.revision
    third = await desk.deliver(who, message("one more", Author.AGENT))
    await desk.delete(who, second)
    headers = {"Last-Event-ID": str(edited["revision"])}
    async with visitor.stream("GET", "/chat/events", headers=headers) as response:
        stream = events(response.aiter_lines())
        deleted, new = await next_message(stream), await next_message(stream)
    assert (deleted["cursor"], deleted["deleted"]) == (second.cursor, True)
    assert (new["cursor"], new["deleted"]) == (third.cursor, False)
    for answer in (await visitor.get("/chat/messages"), await visitor.get("/chat/messages?after=1")):
        assert "my secret" not in answer.text


async def test_who_broke_off_within_what_was_read_together_misses_nothing(
    desk: StandInDesk, visitor: httpx.AsyncClient
) -> None:
    who = contact_of(visitor.cookies[COOKIE])
    first = await desk.deliver(who, message("helo", Author.AGENT))
    await desk.deliver(who, message("more", Author.AGENT))
    await desk.edit(who, first, "hello")
    last_id = ""
    async with visitor.stream("GET", "/chat/events") as response:
        async for line in response.aiter_lines():
            last_id = line.removeprefix("id: ") if line.startswith("id: ") else last_id
            if "hello" in line:
                break
    async with visitor.stream("GET", "/chat/events", headers={"Last-Event-ID": last_id}) as response:
        stream = events(response.aiter_lines())
        assert [(await next_message(stream))["text"] for _ in range(2)] == ["hello", "more"]


# --- files ----------------------------------------------------------------------------------------


PNG = b"\x89PNG\r\n\x1a\n and so on"
HOSTILE = b"<script>alert(1)</script>"


async def test_a_picture_is_shown_and_everything_else_saved(desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    files = (
        desk.keep("看这里.png", "image/png", PNG),
        desk.keep('a".html', "image/png", HOSTILE),
        desk.keep("", "text/html", b"<html>"),
    )
    sent = await desk.deliver(contact_of(visitor.cookies[COOKIE]), message("see", Author.AGENT, attachments=files))
    picture, claimed, unnamed = [await visitor.get(f"/chat/files/{sent.cursor}/{index}") for index in range(3)]
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")
    assert picture.headers["content-disposition"] == "inline; filename*=UTF-8''%E7%9C%8B%E8%BF%99%E9%87%8C.png"
    assert (claimed.content, claimed.headers["content-type"]) == (HOSTILE, "application/octet-stream")
    assert claimed.headers["content-disposition"] == "attachment; filename*=UTF-8''a%22.html"
    assert unnamed.headers["content-disposition"] == "attachment; filename*=UTF-8''file"
    for answer in (picture, claimed, unnamed):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    known = {"If-None-Match": picture.headers["etag"]}
    assert (await visitor.get(f"/chat/files/{sent.cursor}/0", headers=known)).status_code == 304


async def test_a_file_is_its_visitors_alone_and_gone_with_its_message(
    desk: StandInDesk, site: Site, visitor: httpx.AsyncClient
) -> None:
    who = contact_of(visitor.cookies[COOKIE])
    sent = await desk.deliver(who, message("", Author.AGENT, attachments=(desk.keep("a.png", "image/png", PNG),)))
    address = f"/chat/files/{sent.cursor}/0"
    assert (await visitor.get(address)).status_code == 200
    async with site.visitor() as other, httpx.AsyncClient(base_url=site.base_url) as stranger:
        assert (await other.get(address)).status_code == 404
        assert (await stranger.get(address)).status_code == 401
    assert (await visitor.get(f"/chat/files/{sent.cursor}/1")).status_code == 404
    assert (await visitor.get("/chat/files/999/0")).status_code == 404
    for odd in ("0/0", "x/0", "1/-1", f"{2**63}/0"):
        assert (await visitor.get(f"/chat/files/{odd}")).status_code in (404, 422)
    etag = (await visitor.get(address)).headers["etag"]
    await desk.delete(who, sent)
    assert (await visitor.get(address, headers={"If-None-Match": etag})).status_code == 404


async def test_it_says_how_it_is_doing(desk: StandInDesk) -> None:
    said: list[str] = []

    class Observed(NullHealth):
        def connected(self, account: str) -> None:
            said.append(account)

        def trouble(self, error: str) -> None:
            said.append(error)

    async with Site(desk, health=Observed()).serving() as site, site.visitor() as visitor:
        desk.failures = 1
        await visitor.post("/chat/messages", json={"id": str(uuid4()), "text": "my words"})
    assert said[0] == "web"
    assert "could not be recorded (RuntimeError)" in said[1]
    assert "my words" not in str(said)


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
        async with asyncio.timeout(5):
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
