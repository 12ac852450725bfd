"""The web chat over HTTP: the transcript, live events, files, and how streams end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.domain.message import Author, Message
from bot.domain.said import Fault
from bot.ports import NullHealth
from connectors.web.visitors import COOKIE, contact_of
from tests.support.stand_in_desk import Site, StandInDesk, message
from tests.support.web_chat import PNG, said


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

        def trouble(self, error: Fault | str) -> None:
            said.append(str(error))

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
