"""Attachments over HTTP: customers choose the bytes and the names, and nothing of them may run."""

from __future__ import annotations

import struct
from urllib.parse import unquote

import pytest

from bot.domain.message import Attachment
from bot.domain.said import Fault
from bot.domain.staff import Agent
from bot.store import Store
from bot.web.media import safe_name
from tests.support.console import HOSTILE, PNG, Browser, said, sign_in

OGG = b"OggS\0\2" + bytes(200)
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + bytes(30)


async def attached(store: Store, content: bytes, name: str = "a.bin", media_type: str = "", kind: str = "file") -> str:
    """The address of what a customer sent."""
    sha256 = await store.files.add(content)
    attachment = Attachment(kind, "ref", name, media_type, len(content), sha256)
    conversation_id = await said(store, "look", channel="discord", attachments=(attachment,))
    return f"/console/files/{(await store.messages.of(conversation_id))[-1].id}/0"


async def test_only_agents_get_files(browser: Browser, store: Store, mei: Agent) -> None:
    address = await attached(store, PNG)
    assert (await browser().get(address)).status_code == 303
    assert (await (await sign_in(browser())).get(address)).content == PNG


async def test_a_picture_is_shown_and_can_do_nothing_else(browser: Browser, store: Store, mei: Agent) -> None:
    address = await attached(store, PNG, "evil.html", "text/html", "photo")
    client = await sign_in(browser())
    answer = await client.get(address)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''evil.html"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["content-length"] == str(len(PNG))
    again = await client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("content", "claimed"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (b"<script>alert(1)</script>", "image/png"),
        (b"<!doctype html><script>alert(1)</script>", "text/html"),
        (b"%PDF-1.7", "application/pdf"),
        (b"", "audio/ogg"),
    ],
)
async def test_all_else_is_a_download(browser: Browser, store: Store, mei: Agent, content: bytes, claimed: str) -> None:
    address = await attached(store, content, "x", claimed, "photo")
    client = await sign_in(browser())
    answer = await client.get(address)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    message_id = address.split("/")[3]
    page = (await client.get("/console/conversations/1")).text
    assert f'<a class="attachment" href="/console/files/{message_id}/0" download>' in page
    assert "<img" not in page
    assert "<audio" not in page


@pytest.mark.parametrize(("content", "kind", "tag"), [(OGG, "voice", "audio"), (WAV, "audio", "audio")])
async def test_sounds_are_played_in_the_page(
    browser: Browser, store: Store, mei: Agent, content: bytes, kind: str, tag: str
) -> None:
    address = await attached(store, content, kind=kind)
    client = await sign_in(browser())
    page = await client.get("/console/conversations/1")
    assert f'<{tag} controls preload="none" src="{address}">' in page.text
    policy = page.headers["content-security-policy"]
    assert "media-src 'self';" in policy
    assert "img-src 'self';" in policy


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=4-", 206, slice(4, None)),
        ("bytes=-6", 206, slice(-6, None)),
        ("bytes=2-999999", 206, slice(2, None)),
        ("bytes=9999-", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
    ],
)
async def test_players_get_the_part_they_ask_for(
    browser: Browser, store: Store, mei: Agent, asked: str, status: int, part: slice
) -> None:
    address = await attached(store, OGG)
    client = await sign_in(browser())
    answer = await client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, OGG[part])
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(answer.content))
    if status == 206:
        first = range(len(OGG))[part].start
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(OGG)}"


@pytest.mark.parametrize("path", ["/files/1/1", "/files/999/0", "/files/0/0", "/files/1/-1", f"/files/{2**63}/0"])
async def test_what_is_not_there_is_not_found(browser: Browser, store: Store, mei: Agent, path: str) -> None:
    await attached(store, PNG)
    assert (await (await sign_in(browser())).get(f"/console{path}")).status_code == 404


async def test_what_is_still_to_come_says_so_and_what_never_comes_says_why(
    browser: Browser, store: Store, mei: Agent
) -> None:
    attachments = (
        Attachment("file", "r", "later.zip"),
        Attachment("video", "r", "long.mp4", problem=Fault("larger than 25 MB")),
        Attachment("location", "48.2,16.3"),
    )
    conversation_id = await said(store, attachments=attachments)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert page.count("being fetched …") == 1
    assert "not available: <bdi>larger than 25 MB</bdi>" in page
    assert "<code>48.2,16.3</code>" in page
    message_id = (await store.messages.of(conversation_id))[-1].id
    assert (await client.get(f"/console/files/{message_id}/0")).status_code == 404


@pytest.mark.parametrize(
    "name", [HOSTILE, 'a"\r\nSet-Cookie: x=1;.png', "发票\u202egnp.exe", "../../etc/passwd", "\x00", ""]
)
async def test_hostile_names_stay_names(browser: Browser, store: Store, mei: Agent, name: str) -> None:
    # PostgreSQL refuses NUL in what is recorded, so that one is only named.
    address = await attached(store, b"x", name.replace("\x00", ""))
    answer = await (await sign_in(browser())).get(address)
    assert "set-cookie" not in answer.headers
    head, _, quoted = answer.headers["content-disposition"].partition("filename*=UTF-8''")
    assert head == "attachment; "
    assert quoted.isascii()
    shown = unquote(quoted)
    assert shown
    assert not set(shown) & set("/\\\r\n\u202e\x00")
    assert safe_name(name) == (shown if shown != "file.bin" else "")
