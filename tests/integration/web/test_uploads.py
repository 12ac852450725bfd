"""Files that visitors send, over HTTP and a real store: whose they are, how often, how many, and as what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.pipeline.intake import Intake
from bot.pipeline.transcript import StoredTranscript
from bot.runtime import http
from bot.runtime.channel_status import ChannelHealth
from bot.runtime.feed import Feed
from bot.store import Store
from connectors.web import WebConnector, WebSettings
from connectors.web.bounds import MB
from connectors.web.visitors import COOKIE
from tests.support.lifecycle import Sql
from tests.support.serving import served
from tests.support.web_chat import PNG
from tests.support.words import WORDS

HTML = b"<!doctype html><script>alert(1)</script>"
Open = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def site(store: Store, feed: Feed) -> Open:
    """The chat over the store, served anew each time that it is entered; its address."""

    @asynccontextmanager
    async def site(**settings: int) -> AsyncIterator[str]:
        connector = WebConnector(
            WebSettings(**settings),
            StoredTranscript(store.contacts, store.messages, store.files, feed),
            "BitPie",
            uploads=store.uploads,
            streams=http.Streams(),
            words=WORDS,
            health=ChannelHealth("web"),
        )
        receive = Intake(store.incoming.record).receive
        async with served(http.application([connector.routes(receive)], {})) as url:
            yield url

    return site


@asynccontextmanager
async def visitor(url: str, of: httpx.AsyncClient | None = None) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        if of is not None:
            client.cookies.set(COOKIE, of.cookies[COOKIE])
        await client.get("/chat")
        yield client


async def bring(
    client: httpx.AsyncClient, content: bytes, name: str = "a.png", upload_id: str = "", **headers: str
) -> httpx.Response:
    address = f"/chat/uploads/{upload_id or uuid4()}"
    return await client.post(address, content=content, headers={"Switchboard-File-Name": name, **headers})


async def say(client: httpx.AsyncClient, *files: httpx.Response | str, text: str = "") -> httpx.Response:
    ids = [file if isinstance(file, str) else file.json()["id"] for file in files]
    return await client.post("/chat/messages", json={"id": str(uuid4()), "text": text, "files": ids})


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_files_arrive_with_their_message_as_what_they_are(site: Open, sql: Sql) -> None:
    async with site() as url, visitor(url) as ann, visitor(url) as ben:
        picture = await bring(ann, PNG, "%E5%8F%91%E7%A5%A8.html", content_type="text/html")
        page = await bring(ann, HTML, "..%2F..%2Fcat%E2%80%AEgnp.png", content_type="image/png")
        assert [one.status_code for one in (picture, page)] == [201, 201]
        assert page.json() == {"id": page.json()["id"], "name": "catgnp.png", "size": len(HTML), "picture": False}
        # A message may be all files; it has its turn.
        assert (await say(ann, picture, page)).status_code == 202
        assert sql("SELECT count(*) FROM turn") == [(1,)]
        [(kept,)] = sql("SELECT attachments FROM message WHERE author = 'customer'")
        assert [(one["kind"], one["name"], one["media_type"]) for one in kept] == [
            ("photo", "发票.html", "image/png"),
            ("file", "catgnp.png", "application/octet-stream"),
        ]

        [shown] = (await ann.get("/chat/messages")).json()["messages"]
        assert [(one["name"], one["picture"]) for one in shown["files"]] == [("发票.html", True), ("catgnp.png", False)]
        address = f"/chat/files/{shown['cursor']}"
        seen, saved = await ann.get(f"{address}/0"), await ann.get(f"{address}/1")
        assert (seen.content, seen.headers["content-type"]) == (PNG, "image/png")
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["content-disposition"].startswith("attachment")
        assert saved.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert (await ben.get(f"{address}/0")).status_code == 404


async def test_nobody_sends_anothers_upload_or_one_of_yesterday(site: Open, sql: Sql, store: Store) -> None:
    async with site() as url, visitor(url) as ann, visitor(url) as ben, httpx.AsyncClient(base_url=url) as nobody:
        brought = await bring(ann, PNG)
        assert refused(await say(ben, brought, text="look")) == (422, "no_upload")
        # Under the same id as Ann's: a file of his own, of which she sees nothing, nor he of hers.
        his = await bring(ben, b"another", "b.txt", brought.json()["id"])
        assert (await say(ben, his)).status_code == 202
        assert [one["name"] for one in (await ben.get("/chat/messages")).json()["messages"][0]["files"]] == ["b.txt"]
        assert refused(await say(ann, str(uuid4()))) == (422, "no_upload")
        assert refused(await bring(nobody, PNG)) == (401, "no_visitor")
        assert refused(await bring(ann, PNG, origin="https://evil.example")) == (403, "foreign_page")
        sql("UPDATE upload SET created_at = created_at - interval '25 hours'")
        assert refused(await say(ann, brought)) == (422, "no_upload")
        assert await store.uploads.forget_old() == 2
        # His message keeps its file, whatever becomes of uploads.
        [message] = (await ben.get("/chat/messages")).json()["messages"]
        assert (await ben.get(f"/chat/files/{message['cursor']}/0")).content == b"another"


async def test_a_file_is_kept_once_however_often_it_comes(site: Open, sql: Sql) -> None:
    content, upload_id = PNG + bytes(300_000), str(uuid4())
    async with site() as url, visitor(url) as ann:
        # Its line is cut in the middle.
        _, writer = await half_an_upload(ann, url, upload_id, content)
        writer.close()
        await writer.wait_closed()
        assert sql("SELECT (SELECT count(*) FROM upload), (SELECT count(*) FROM file)") == [(0, 0)]
        # Then it comes twice at once, as from a page that took its line for lost; and once more.
        answers = await asyncio.gather(*(bring(ann, content, "a.png", upload_id) for _ in range(2)))
        answers.append(await bring(ann, content, "a.png", upload_id))
        assert [answer.status_code for answer in answers] == [201] * 3
        assert sql("SELECT count(*), sum(size) FROM upload") == [(1, len(content))]
        assert refused(await bring(ann, b"another", "a.png", upload_id)) == (409, "malformed")
        # A desk that crashed meanwhile, or another replica, knows it.
        body = {"id": str(uuid4()), "files": [upload_id, upload_id]}
        async with site() as anew, visitor(anew, ann) as again:
            first = await again.post("/chat/messages", json=body)
            assert first.status_code == 202
        assert (await ann.post("/chat/messages", json=body)).json() == first.json()
        [shown] = (await ann.get("/chat/messages")).json()["messages"]
        assert len(shown["files"]) == 1


async def half_an_upload(
    client: httpx.AsyncClient, url: str, upload_id: str, content: bytes, size: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends half of the content, and leaves the line open."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /chat/uploads/{upload_id} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {COOKIE}={client.cookies[COOKIE]}"
    )
    writer.write(f"{head}\r\nContent-Length: {size or len(content)}\r\n\r\n".encode() + content[: len(content) // 2])
    await writer.drain()
    return reader, writer


async def test_what_is_too_large_is_refused_before_it_is_sent(site: Open) -> None:
    async with site(max_file_mb=1, max_files=2) as url, visitor(url) as ann:
        assert (await bring(ann, bytes(MB))).status_code == 201
        reader, writer = await half_an_upload(ann, url, str(uuid4()), bytes(100_000), size=MB + 1)
        async with asyncio.timeout(10):
            assert b" 413 " in await reader.readline()
        writer.close()
        chinese = {"Accept-Language": "zh"}
        assert (await bring(ann, bytes(MB + 1), **chinese)).json()["message"] == "文件太大，最大只能发送 1 MB。"
        assert refused(await bring(ann, b"")) == (422, "file_empty")

        async def unannounced() -> AsyncIterator[bytes]:
            yield PNG

        endless = await ann.post(f"/chat/uploads/{uuid4()}", content=unannounced())
        assert endless.status_code == 411
        three = [await bring(ann, PNG) for _ in range(3)]
        assert refused(await say(ann, *three)) == (422, "too_many_files")
        assert (await say(ann, *three[:2])).status_code == 202
    async with site(max_files=0) as url, visitor(url) as ann:
        assert refused(await bring(ann, PNG)) == (403, "no_files")
        assert refused(await say(ann, str(uuid4()))) == (422, "too_many_files")


def test_bounds_leave_room_for_one_file() -> None:
    for settings in ({"visitor_files_a_day_mb": 9}, {"files_a_day_mb": 39}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            WebSettings(**settings)


async def test_a_visitor_brings_three_files_at_once(site: Open) -> None:
    async with site() as url, visitor(url) as ann, visitor(url) as ben:
        lines = [await half_an_upload(ann, url, str(uuid4()), bytes(100_000)) for _ in range(3)]
        async with asyncio.timeout(10):
            while (fourth := await bring(ann, PNG)).status_code == 201:
                await asyncio.sleep(0.05)  # the desk has not begun to read all
        assert refused(fourth) == (429, "too_fast")
        assert (await bring(ben, PNG)).status_code == 201
        for _, writer in lines:
            writer.close()
        async with asyncio.timeout(10):
            while (await bring(ann, PNG)).status_code != 201:
                await asyncio.sleep(0.05)


async def test_strangers_do_not_fill_the_database(site: Open, sql: Sql) -> None:
    def kept() -> Any:
        return sql("SELECT (SELECT count(*) FROM upload), (SELECT count(*) FROM file)")[0]

    settings = {"max_file_mb": 1, "visitor_files_a_day_mb": 2, "files_a_day_mb": 4}
    async with site(**settings) as url, visitor(url) as ann, visitor(url) as ben:
        # A quarter is for those who have not written yet.
        assert (await bring(ann, b"a" * MB)).status_code == 201
        assert refused(await bring(ben, b"b" * 1000)) == (503, "no_room_for_files")
        for client in (ann, ben):
            await say(client, text="hello")
        # Of many at once, on two replicas, no more are kept than there is room for, and of the others nothing.
        async with site(**settings) as other, visitor(other, ben) as bens:
            several = [bring(client, b"%d" % number * MB) for number, client in enumerate((ann, ann, ben, bens))]
            answers = await asyncio.gather(*several)
        assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 429]
        assert kept() == (4, 4)
        assert refused(await bring(ann, b"x")) == (429, "too_much_today")
        async with visitor(url) as eve:
            await say(eve, text="hello")
            full = await bring(eve, b"x")
            assert refused(full) == (503, "no_room_for_files")
            assert full.json()["message"] == "No files can be taken right now. Please describe it in words."
        assert kept() == (4, 4)
        sql("UPDATE upload SET created_at = created_at - interval '25 hours'")
        assert (await bring(ann, b"x")).status_code == 201
