"""The page of the admins in a real browser: with a keyboard, with and without JavaScript, wide and on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.domain.channel import Capabilities
from bot.domain.conversation import ConversationState
from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password, token_hash
from tests.support.console import PASSWORD, queued
from tests.support.serving import served
from tests.support.words import WORDS

PICTURES = os.environ.get("SWITCHBOARD_LOOK")
"""A folder: pictures of the pages are put there, for people to look at."""
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

Opens = Callable[..., Awaitable[Page]]


@pytest.fixture
async def agents(store: Store) -> dict[str, Agent]:
    password_hash = await hash_password(PASSWORD)
    return {
        "Mei": await store.agents.add("Mei", Role.ADMIN, password_hash),
        "ada": await store.agents.add("ada", Role.AGENT, password_hash, "Ada L."),
        "admin": await store.agents.add("admin", Role.ADMIN, None),
    }


@pytest.fixture
async def address(store: Store, desk: Desk, feed: Feed) -> AsyncIterator[str]:
    router = console(
        store,
        desk,
        feed,
        capabilities={"web": Capabilities()},
        vendor=ROOT / "node_modules",
        brand="BitPie",
        words=WORDS,
    )
    async with served(http.application([router], {})) as address:
        yield f"{address}/console"


@pytest.fixture
async def opens(address: str, agents: dict[str, Agent], chromium: Browser) -> AsyncIterator[Opens]:
    """Signs somebody in, in a browser of their own. A script error or a breach of the policy fails the test."""
    contexts = []
    errors: list[str] = []

    async def opens(name: str, **options: object) -> Page:
        context = await chromium.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: "Security Policy" in line.text and errors.append(line.text))
        await page.goto(f"{address}/sign-in")
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_label("Password").press("Enter")
        await page.wait_for_url(f"{address}/")
        return page

    yield opens
    for context in contexts:
        await context.close()
    assert not errors


async def look(page: Page, name: str) -> None:
    if not PICTURES:
        return
    was = page.viewport_size
    for scheme in ("light", "dark"):
        for kind, size in (("wide", WIDE), ("phone", PHONE)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size(size)
            await page.screenshot(path=Path(PICTURES) / f"{name}-{kind}-{scheme}.png", full_page=True)
    await page.set_viewport_size(was)


async def fits(page: Page) -> None:
    """Nothing is wider than the window."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_an_agent_is_helped_and_disabled_while_they_work(
    store: Store, desk: Desk, agents: dict[str, Agent], opens: Opens, address: str, chromium: Browser
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["ada"])
    ada = await opens("ada", viewport=PHONE)
    mei = await opens("Mei")

    # Without a mouse.
    await mei.get_by_role("button", name="Account of Mei").press("Enter")
    await expect(mei.get_by_text("Customers see Mei")).to_be_visible()
    await mei.get_by_role("link", name="Agents").press("Enter")
    row = mei.get_by_role("row").filter(has=mei.get_by_role("link", name="ada"))
    await expect(row).to_contain_text("Ada L.")
    await look(mei, "agents")
    for size in (WIDE, PHONE):
        await mei.set_viewport_size(size)
        await fits(mei)
    await mei.set_viewport_size(WIDE)
    await row.get_by_role("link").press("Enter")
    await expect(mei.get_by_text("Chrome on Linux")).to_be_visible()
    await look(mei, "agent")
    await mei.set_viewport_size(PHONE)
    await fits(mei)
    await mei.set_viewport_size(WIDE)

    await mei.get_by_role("button", name="Make a sign-in link").press("Enter")
    link = await mei.get_by_label("Sign-in link", exact=True).input_value()
    assert link.startswith(f"{address}/sign-in/")
    await mei.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await mei.get_by_role("button", name="Copy").press("Enter")
    await expect(mei.get_by_text("Copied.")).to_be_visible()
    assert await mei.evaluate("navigator.clipboard.readText()") == link
    await look(mei, "link")

    danger = mei.get_by_role("button", name="Disable now")
    await expect(danger).to_be_hidden()
    await mei.get_by_text("Disable this agent …").press("Enter")
    await expect(mei.get_by_text("Their 1 conversation goes back into the queue")).to_be_visible()
    await look(mei, "ask")
    await danger.press("Enter")
    await expect(mei.get_by_text("What was in hand is back in the queue.")).to_be_visible()
    # Out without an act of their own; that streams end at once is tested without a browser.
    await ada.wait_for_url(re.compile(r"/sign-in\?next="))
    await expect(ada.get_by_text("Ask an administrator for a one-time link.")).to_be_visible()
    assert (await store.conversations.get(conversation_id)).state is ConversationState.QUEUED
    await ada.goto(link)
    await ada.get_by_role("button", name="Sign in").click()
    await expect(ada.get_by_role("alert")).to_contain_text("Ask for a new one")


async def test_it_all_works_without_javascript(
    store: Store, agents: dict[str, Agent], opens: Opens, address: str, chromium: Browser
) -> None:
    mei = await opens("Mei", java_script_enabled=False, viewport=PHONE, color_scheme="dark")
    await mei.goto(f"{address}/agents")
    await mei.get_by_label("Name to sign in with").fill("li")
    await mei.get_by_label("Name that customers see").fill("Support")
    await mei.get_by_role("button", name="Add and make a link").click()
    await expect(mei.get_by_role("alert")).to_contain_text("says what somebody does here")
    await look(mei, "refused")
    await mei.get_by_label("Name that customers see").fill("Li Wei")
    await mei.get_by_role("button", name="Add and make a link").click()
    await expect(mei.get_by_text("li is added.")).to_be_visible()
    await expect(mei.get_by_role("button", name="Copy")).to_be_hidden()
    link = await mei.get_by_label("Sign-in link", exact=True).input_value()

    li = await (await chromium.new_context(java_script_enabled=False, viewport=PHONE)).new_page()
    await li.goto(link)
    await li.get_by_role("button", name="Sign in").click()
    await expect(li.get_by_role("link", name="Later")).to_be_visible()
    await li.get_by_label("New password").fill("liwei2024!!")
    await li.get_by_role("button", name="Save password").click()
    await expect(li.get_by_role("alert")).to_contain_text("easy to guess")
    await look(li, "password")
    await li.get_by_label("New password").fill("tidal copper lamp")
    await li.get_by_role("button", name="Save password").click()
    await li.wait_for_url(f"{address}/")
    await li.goto(f"{address}/agents")
    await expect(li.get_by_text("Only admins and auditors may do this.")).to_be_visible()
    await li.context.close()

    await mei.get_by_text("Disable this agent …").click()
    await mei.get_by_role("button", name="Disable now").click()
    await mei.get_by_role("button", name="Enable", exact=True).click()
    await expect(mei.get_by_text("Enabled.")).to_be_visible()


async def test_the_first_admin_gives_themselves_a_name(
    store: Store, agents: dict[str, Agent], address: str, chromium: Browser
) -> None:
    await store.agents.add_sign_in(agents["admin"].id, token_hash("once"), datetime.now(UTC) + timedelta(hours=1))
    context = await chromium.new_context(viewport=PHONE)
    page = await context.new_page()
    await page.goto(f"{address}/sign-in/once")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("New password").fill("tidal copper lamp")
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("heading", name="What shall customers call you?")).to_be_visible()
    await look(page, "public-name")
    await page.get_by_label("Name that customers see").fill("Wang")
    await page.get_by_role("button", name="Save name").click()
    await page.wait_for_url(f"{address}/")
    assert [agent.public_name for agent in await store.agents.all()][-1] == "Wang"
    await context.close()
