"""The main job, as people do it: a customer in one browser, two agents in others, one desk with the real Rasa."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.agents import PASSWORD, switchboard
from tests.support.desk_process import DeskProcess
from tests.support.shipped import headline

PICTURES = os.environ.get("SWITCHBOARD_PICTURES")
"""A folder: the pictures of the README are taken there on the way."""

Opens = Callable[..., Awaitable[Page]]


@pytest.fixture
async def opens(chromium: Browser) -> AsyncIterator[Opens]:
    """Opens a page in a browser of its own."""
    contexts = []

    async def open_page(url: str, **options: object) -> Page:
        context = await chromium.new_context(
            **{"locale": "zh-CN", "viewport": {"width": 1280, "height": 800}, **options}
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(20_000)
        await page.goto(url)
        return page

    yield open_page
    for context in contexts:
        await context.close()


async def says(page: Page, text: str) -> None:
    await page.get_by_role("textbox").fill(text)
    await page.get_by_role("textbox").press("Enter")


async def signed_in(opens: Opens, desk: DeskProcess, name: str) -> Page:
    status, said = await switchboard(desk, "agent", "add", name, "--password-stdin", stdin=PASSWORD + "\n")
    assert status == 0 or "already" in said, said
    page = await opens(f"{desk.url}/console/", locale="en-GB", viewport={"width": 1440, "height": 900})
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    return page


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / name)


async def test_a_customer_is_answered_taken_over_and_handed_back(desk_process: DeskProcess, opens: Opens) -> None:
    mei = await signed_in(opens, desk_process, "Mei")
    ada = await signed_in(opens, desk_process, "Ada")
    customer = await opens(f"{desk_process.url}/chat", viewport={"width": 900, "height": 760})
    last = customer.locator(".message").last

    await says(customer, "忘记密码了怎么办")
    await expect(last).to_contain_text(headline("password_reset", "zh"))
    await picture(customer, "chat.png")
    await says(customer, "which coins do you support")
    await expect(last).to_contain_text(headline("supported_assets", "en"))
    await says(customer, "今天天气怎么样")
    await expect(customer.get_by_role("button", name="找人工客服").last).to_be_visible()
    await says(customer, "麻烦转人工，我有急事")
    await expect(last).to_contain_text("位")

    # It appears in both consoles by itself, and both claim it at once: one gets it, the other is told who did.
    rows = [page.locator("[id^=row-] a", has_text="忘记密码了怎么办") for page in (mei, ada)]
    for row in rows:
        await row.click()
    claims = [page.get_by_role("button", name="Claim") for page in (mei, ada)]
    for claim in claims:
        await expect(claim).to_be_visible()
    # Dispatched, since a click would wait for the button to stand still, and the slower one sees it go.
    await asyncio.gather(*(claim.dispatch_event("click") for claim in claims))
    await expect(mei.get_by_role("button", name="Resolve").or_(mei.get_by_role("alert")).first).to_be_visible()
    won = await mei.get_by_role("button", name="Resolve").is_visible()
    winner, loser, name = (mei, ada, "Mei") if won else (ada, mei, "Ada")
    await expect(loser.get_by_role("alert")).to_contain_text(f"{name} has this conversation")
    await expect(last).to_contain_text(name)

    await winner.get_by_role("textbox", name="Message").fill("您好，我来帮您看一下。")
    await winner.get_by_role("button", name="Send").click()
    await expect(last).to_contain_text("我来帮您看一下")
    await expect(winner.locator(".message.agent .delivery").last).to_contain_text("sent")
    await picture(winner, "console.png")

    # While claimed the bot is silent; a note stays at the desk.
    await says(customer, "手续费怎么算")
    await expect(winner.locator(".message.customer").last).to_contain_text("手续费怎么算")
    await winner.get_by_role("radio", name="Private note").check()
    await winner.get_by_role("textbox", name="Message").fill("a private thought")
    await winner.get_by_role("button", name="Add note").click()
    await expect(winner.locator(".message.note").last).to_contain_text("a private thought")
    await asyncio.sleep(2)
    await expect(last).to_contain_text("手续费怎么算")

    await winner.get_by_role("button", name="Hand back to bot").click()
    await expect(last).to_contain_text("自动助手")
    await says(customer, "手续费怎么算")
    await expect(last).to_contain_text("手续费")
    await expect(customer.locator(".message.bot").last).to_contain_text("手续费")
    assert "a private thought" not in await customer.content()


async def test_the_first_sign_in_works_once_and_leads_to_a_password(
    new_desk: Callable[..., DeskProcess], rasa: dict[str, str], opens: Opens
) -> None:
    desk = await new_desk(**rasa).start()
    page = await opens(desk.sign_in, locale="en-GB")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Save password").click()
    # Nobody is called "admin" before customers.
    await page.get_by_label("Name that customers see").fill("Mei")
    await page.get_by_role("button", name="Save name").click()
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    again = await opens(desk.sign_in, locale="en-GB")
    if await again.get_by_role("button", name="Sign in").is_visible():
        await again.get_by_role("button", name="Sign in").click()
    await expect(again.get_by_role("navigation", name="Conversations")).to_have_count(0)
    # Once there is a password, no start offers another way in.
    await desk.stop()
    await desk.start()
    assert "/console/sign-in/" not in desk.output
