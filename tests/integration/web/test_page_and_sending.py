"""The web chat over HTTP: its page, and what visitors send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.domain.channel import Outgoing
from bot.domain.message import Command, File
from bot.ports import Connector, Editing, Routes
from bot.runtime.http import Streams
from connectors.web import WebConnector, WebSettings
from connectors.web.visitors import COOKIE, contact_of
from tests.support.stand_in_desk import Site, StandInDesk
from tests.support.web_chat import PNG, said
from tests.support.words import WORDS

ID = "1f0c2f6e-4a51-4c8e-9a57-3d1f5b0f9c61"


def test_it_is_a_connector_with_routes() -> None:
    connector = WebConnector(
        WebSettings(), StandInDesk(), "BitPie", uploads=StandInDesk(), streams=Streams(), words=WORDS
    )
    assert isinstance(connector, Connector)
    assert isinstance(connector, Routes)
    assert isinstance(connector, Editing)


async def test_a_send_is_done_at_once() -> None:
    connector = WebConnector(
        WebSettings(), StandInDesk(), "BitPie", uploads=StandInDesk(), streams=Streams(), words=WORDS
    )
    assert await connector.send(Outgoing("web", "web", "visitor", "hello"))
    assert await connector.send(Outgoing("web", "web", "visitor", "", file=File("a.png", "image/png", PNG)))


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
