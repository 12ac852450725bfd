"""Console and chat in Chinese and English, in a real browser: scripts speak the page's language, and nothing is too
wide for a phone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.domain.message import Button
from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import CAPABILITIES, PASSWORD, queued
from tests.support.serving import served
from tests.support.stand_in_desk import Site, StandInDesk, message
from tests.support.words import WORDS

PICTURES = os.environ.get("SWITCHBOARD_LOOK")
"""A folder: pictures of the pages are put there, for people to look at."""
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
CUT = """() => [...document.querySelectorAll("button, a.button, .badge, .state, summary, label, h1, h2, .place")]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 2
    && getComputedStyle(one).display !== "inline" && !one.closest(".unseen"))
  .map((one) => one.textContent.trim())"""
"""What shows less of its words than there are."""


@pytest.fixture
async def mei(store: Store) -> Agent:
    return await store.agents.add("Mei", Role.ADMIN, await hash_password(PASSWORD))


@pytest.fixture
async def address(store: Store, desk: Desk, feed: Feed) -> AsyncIterator[str]:
    router = console(
        store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS
    )
    async with served(http.application([router], {})) as address:
        yield f"{address}/console"


async def seen(page: Page, name: str) -> None:
    """Nothing is cut, nothing sticks out; and a picture of it, where somebody wants to look."""
    width = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], name
    assert await page.evaluate(CUT) == [], name
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_the_console(
    chromium: Browser, address: str, store: Store, desk: Desk, mei: Agent, language: str, size: dict[str, int]
) -> None:
    mine = await queued(store, "my transfer is gone", channel="discord")
    await desk.claim(mine, mei)
    await queued(store, "my password", id="2", name="Bob")
    context = await chromium.new_context(locale=LANGUAGES[language], viewport=size)
    errors: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    name = f"console-{language}-{size['width']}"
    await page.goto(f"{address}/sign-in")
    await seen(page, f"{name}-sign-in")
    await page.locator("#name").fill("Mei")
    await page.locator("#password").fill(PASSWORD)
    await page.locator("button.primary").click()
    await page.wait_for_url(f"{address}/")
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await page.wait_for_timeout(500)
    await seen(page, f"{name}-list")
    await page.goto(f"{address}/conversations/{mine}?view=mine")
    box = page.locator(f"#words-{mine}")
    await expect(box).to_have_attribute("placeholder", WORDS.say("console.script.write_reply", language))
    await page.wait_for_timeout(500)
    await seen(page, f"{name}-conversation")
    await box.fill("hello")
    await page.locator(f"#resolve-button-{mine}").click()
    await expect(page.locator("dialog.ask")).to_contain_text(WORDS.say("console.script.unsent_ask.resolve", language))
    await seen(page, f"{name}-asked")
    for path in ("agents", f"agents/{mei.id}", "channels", "failed", "password"):
        await page.goto(f"{address}/{path}")
        await seen(page, f"{name}-{path.replace('/', '-')}")
    await context.close()
    assert not errors


async def test_the_language_is_chosen_in_the_account_menu(chromium: Browser, address: str, mei: Agent) -> None:
    context = await chromium.new_context(locale="en-GB", viewport=WIDE)
    page = await context.new_page()
    await page.goto(f"{address}/sign-in")
    await page.get_by_label("Name").fill("Mei")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Account of Mei").click()
    await seen(page, "console-en-account")
    await page.locator("#account").get_by_label("Language").select_option("zh")
    await page.get_by_role("button", name="Use").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh")
    await page.get_by_role("button", name="Mei 的账户").click()
    await seen(page, "console-zh-account")
    await context.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_the_chat(chromium: Browser, language: str, size: dict[str, int]) -> None:
    offers = [Button("手续费" if language == "zh" else "Fees", "topic:fees")]
    desk = StandInDesk(answer=lambda said: [message(f"**{said.text}**", buttons=offers)])
    async with Site(desk).serving() as site:
        context = await chromium.new_context(locale=LANGUAGES[language], viewport=size)
        page = await context.new_page()
        await page.goto(f"{site.base_url}/chat")
        await expect(page.locator("html")).to_have_attribute("lang", language)
        field = page.get_by_label(WORDS.say("chat.field", language))
        await seen(page, f"chat-{language}-{size['width']}")
        await field.fill("x" * 10_002)
        await expect(page.locator("#chat-hint")).to_have_text(WORDS.say("chat.over", language, n=2))
        await field.fill("hello")
        await field.press("Enter")
        await expect(page.get_by_role("button", name=offers[0].label)).to_be_visible()
        await seen(page, f"chat-{language}-{size['width']}-answered")
        await context.close()
