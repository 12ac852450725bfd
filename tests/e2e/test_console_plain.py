"""The console without JavaScript, as docs/agents.md promises: reading, claiming, replying, resolving; and the way about
it with a keyboard and on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from bot.domain.conversation import ConversationState
from bot.domain.staff import Agent, Role
from bot.store import Store
from handoff.desk import Desk
from tests.support.console_pages import PASSWORD, PHONE, WIDE, Open, held, queued


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_without_javascript_a_conversation_is_read_claimed_answered_and_resolved(
    store: Store, agents: dict[str, Agent], address: str, chromium: Browser, viewport: dict[str, int]
) -> None:
    conversation_id = await queued(store)
    context = await chromium.new_context(java_script_enabled=False, viewport=viewport)
    page = await context.new_page()
    await page.goto(f"{address}/conversations/{conversation_id}")
    await page.get_by_label("Name").fill("Mei")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    # Back where they wanted to go.
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("my transfer is gone")
    await page.goto(f"{address}/")
    await page.get_by_role("link", name="my transfer is gone").click()
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("You are number 1.")
    await page.get_by_role("button", name="Claim").click()

    await page.get_by_role("radio", name="Reply").check()
    await page.get_by_role("textbox", name="Message").fill("Hello Ann")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message.agent").last).to_contain_text("Hello Ann")
    await page.get_by_role("radio", name="Private note").check()
    await page.get_by_role("textbox", name="Message").fill("a low fee")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".message.note").last).to_contain_text("a low fee")

    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator(".state")).to_have_text("Resolved")
    now = await store.conversations.get(conversation_id)
    assert (now.state, now.last_agent_id) == (ConversationState.RESOLVED, agents["Mei"].id)
    await page.get_by_role("button", name="Reopen").click()
    await expect(page.locator(".state")).to_have_text("Yours")
    await context.close()


async def test_on_a_phone_the_pages_open_from_a_button_also_without_javascript(
    store: Store, agents: dict[str, Agent], address: str, open_console: Open, chromium: Browser
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.ADMIN)
    signed_in = await open_console(PHONE)
    context = await chromium.new_context(
        java_script_enabled=False, viewport=PHONE, storage_state=await signed_in.context.storage_state()
    )
    for page in (signed_in, await context.new_page()):
        await page.goto(f"{address}/")
        pages = page.get_by_role("navigation", name="Pages")
        await expect(pages).to_be_hidden()
        await page.get_by_role("button", name="Pages").press("Enter")
        # Beside them stand the pages that others bring.
        await expect(pages.get_by_role("link")).to_contain_text(
            ["Conversations", "Failed messages", "Channels", "Agents"]
        )
        await page.keyboard.press("Escape")
        await expect(pages).to_be_hidden()
        await page.get_by_role("button", name="Pages").click()
        for link in await pages.get_by_role("link").all():
            box = await link.bounding_box()
            assert box is not None
            assert box["height"] >= 44
        await pages.get_by_role("link", name="Channels").click()
        await page.wait_for_url(f"{address}/channels")
        await expect(page.get_by_role("heading", name="Channels")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()


async def test_the_navigation_is_walked_with_the_keyboard(
    store: Store, desk: Desk, agents: dict[str, Agent], address: str, open_console: Open
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.AUDITOR)
    conversation_id = await held(store, desk, agents["Ada"])
    page = await open_console()
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the conversation")
    await expect(skip).to_be_focused()
    pages = page.get_by_role("navigation", name="Pages")
    current = pages.locator("[aria-current=page]")
    await expect(current).to_have_text("Conversations")
    channels = pages.get_by_role("link", name="Channels")
    for _ in range(10):
        if await channels.evaluate("element => element === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await expect(channels).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(current).to_have_text("Channels")
    await page.wait_for_url(re.compile("/channels$"))
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the channels")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#channels")).to_be_focused()

    # An auditor reads, and finds nothing to press; the page goes on by itself.
    await page.goto(f"{address}/conversations/{conversation_id}")
    await expect(page.get_by_text("You read, and change nothing.")).to_be_visible()
    await expect(page.get_by_role("textbox")).to_have_count(0)
    await desk.reply(conversation_id, agents["Ada"], "Hello Ann")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("Hello Ann")
    await page.locator("#views-button").click()
    await page.locator("#tab-resolved").click()
    await expect(page.locator("#views-button")).to_have_text("Resolved")
    await expect(page).to_have_url(re.compile(f"/conversations/{conversation_id}"))


async def test_a_lead_passes_on_what_a_colleague_has(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.LEAD)
    conversation_id = await held(store, desk, agents["Ada"])
    page = await open_console()
    await page.locator("#views-button").click()
    await page.locator("#tab-colleagues").click()
    await page.locator(f"#row-{conversation_id} a").click()
    await page.get_by_role("button", name="Move").click()
    await page.get_by_label("Colleague", exact=True).select_option("Mei")
    await page.get_by_label("Ada will read it, too.").fill("she is ill")
    await page.get_by_role("button", name="Pass on").click()
    await expect(page.locator(".state")).to_have_text("Yours")
    await expect(page.get_by_text("Mei passed this on from Ada to Mei: she is ill")).to_be_visible()
