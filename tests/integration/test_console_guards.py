"""What a browser must not be made to do at the console, and that what others wrote stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from bot.domain.conversation import ConversationState
from bot.domain.decision import Action, Decision
from bot.domain.delivery import DeliveryReceipt, DeliveryStatus
from bot.domain.message import Attachment, Button, Reply
from bot.domain.said import Fault
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import ASKED, HOSTILE, HTMX, Browser, delivered, queued, said, sign_in


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://desk"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://desk.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
async def test_another_site_cannot_act_for_an_agent(
    browser: Browser, store: Store, mei: Agent, headers: dict[str, str]
) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/claim", headers=headers)
    assert answer.status_code == 403
    assert (await store.conversations.get(conversation_id)).state is ConversationState.QUEUED


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://desk"}, {}])
async def test_the_console_itself_can(browser: Browser, store: Store, mei: Agent, headers: dict[str, str]) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/claim", headers=headers)
    assert answer.status_code == 303
    assert (await store.conversations.get(conversation_id)).agent == mei


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nothing", "/conversations/999", "/static/x/components/base.css"])
async def test_every_response_is_guarded(browser: Browser, mei: Agent, path: str) -> None:
    client = await sign_in(browser())
    headers = (await client.get(f"/console{path}")).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store" or path.startswith("/static")


async def test_pages_have_no_inline_script_or_style(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on", page)
    for address in re.findall(r'(?:src|href)="(/console/(?:static|vendor)/[^"]+)"', page):
        assert (await client.get(unescape(address))).status_code == 200, address


async def test_an_oversized_request_is_refused(browser: Browser) -> None:
    answer = await browser().post("/console/sign-in", data={"name": "x" * 2_000_000})
    assert answer.status_code == 413


async def test_what_customers_write_stays_text(browser: Browser, store: Store, mei: Agent) -> None:
    attachment = Attachment("photo", HOSTILE, HOSTILE, size=1_500_000)
    conversation_id = await queued(store, HOSTILE, name=f"\u202e{HOSTILE}", attachments=(attachment,))
    client = await sign_in(browser())
    for path in ("/", f"/conversations/{conversation_id}"):
        page = (await client.get(f"/console{path}")).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert 'hx-get="/console/"' not in page
        assert "{{ 7*7 }}" in page
    assert "1.5 MB" in page


async def test_the_bots_markdown_is_rendered_without_html_or_script_links(
    browser: Browser, store: Store, mei: Agent
) -> None:
    text = (
        "**bold** <b>raw</b> [docs](https://example.com/a) [x](javascript:alert(1)) [y](/console/sign-out) "
        "![i](https://example.com/i.png) <https://example.com/auto> [d](data:text/html,x)"
    )
    conversation_id = await said(store)
    taken = await store.turns.begin((await store.messages.of(conversation_id))[0].id)
    answer = Decision(Action.ANSWER, topic="fee_explained")
    await store.turns.finish(taken, answer, [Reply(text, buttons=[Button("<i>Yes</i>", "helped:yes")])], language="en")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    rendered = re.search(r'class="words rich" dir="auto">(.*?)</div>', page, re.S)
    assert rendered is not None
    assert "<strong>bold</strong> &lt;b&gt;raw" in rendered[1]
    assert re.findall(r'<a href="([^"]*)"', rendered[1]) == [
        "https://example.com/a",
        "https://example.com/i.png",
        "https://example.com/auto",
    ]
    assert rendered[1].count('target="_blank" rel="noopener noreferrer nofollow"') == 3
    assert "<img" not in page
    assert "&lt;i&gt;Yes" in page


async def test_a_huge_message_is_folded_and_complete(browser: Browser, store: Store, mei: Agent) -> None:
    text = "word " * 4_000
    conversation_id = await said(store, text)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "Show all 20,000 characters" in page
    shown = re.findall(r'<div class="words" dir="auto">(.*?)</div>', page, re.S)
    assert "".join(shown) == text
    assert len(shown[0]) <= 2_000


async def test_an_edited_message_shows_what_it_was(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await said(store, "tranfser")
    await said(store, "transfer", id="2", edits="Ann-1")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "<summary>edited</summary>" in page
    assert "tranfser" in page


async def test_what_the_bot_made_of_a_message_is_shown(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store, decision=replace(ASKED, topic="fee_explained"))
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "escalated fee_explained · 97%" in page
    assert '<rect width="97.4%"' in page


async def test_a_failed_delivery_says_why(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    reply = await desk.reply(conversation_id, mei, "Hello")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.fail(begun, Fault("the customer blocked the bot"))
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "not delivered: the customer blocked the bot" in page


async def test_what_the_channel_tells_of_a_reply_stands_under_it(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    reply = await desk.reply(conversation_id, mei, "Hello")
    await delivered(store, reply.id, "theirs")
    client = await sign_in(browser())
    for status in DeliveryStatus.DELIVERED, DeliveryStatus.READ:
        minute = int(status is DeliveryStatus.READ)
        told = DeliveryReceipt(status, datetime(2026, 11, 1, 8, minute, tzinfo=UTC))
        await store.receipts.record("web", "web", "Ann", "theirs", told)
        page = (await client.get(f"/console/conversations/{conversation_id}")).text
        assert f'{status} <time datetime="2026-11-01T08:0{minute}' in page
    await store.replies.edit(reply.id, mei.id, "Hello, Ann")
    begun = await store.deliveries.begin(reply.id)
    assert begun is not None
    await store.deliveries.record_sent(begun, 0)
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "read <time" not in page, "what was read is not what stands there now"


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("queue", "The queue is empty"),
        ("mine", "Nothing in your hands"),
        ("bot", "The bot is idle"),
        ("resolved", "Nothing resolved yet"),
        ("nonsense", "The queue is empty"),
    ],
)
async def test_an_empty_list_says_what_belongs_there(browser: Browser, mei: Agent, view: str, words: str) -> None:
    client = await sign_in(browser())
    assert words in (await client.get(f"/console/?view={view}")).text


async def test_another_list_is_shown_beside_the_open_conversation(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    shown = {"HX-Current-URL": "http://desk/console/conversations/7?view=queue"}
    answer = await client.get("/console/?view=mine", headers=HTMX | shown)
    assert answer.headers["hx-replace-url"] == "/console/conversations/7?view=mine"
    assert "<html" not in answer.text
