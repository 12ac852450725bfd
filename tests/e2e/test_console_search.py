"""The search in a browser: by keyboard from anywhere, while it is typed, to the message; and without JavaScript."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import said
from tests.support.console_pages import Open, held


async def test_an_agent_finds_a_message_by_keyboard_and_goes_on_where_it_was_said(
    store: Store, desk: Desk, agents: dict[str, Agent], address: str, open_console: Open, chromium: Browser
) -> None:
    await store.search_indexes.build()
    conversation_id = await held(store, desk, agents["Mei"], "我的钱包没有到账")
    note = await desk.note(conversation_id, agents["Mei"], "the needle is here")
    for number in range(60):
        await said(store, f"again {number}", id=str(number), name="Bo")
    page = await open_console()
    await page.keyboard.press("/")
    await page.wait_for_url(f"{address}/search")
    box = page.get_by_role("searchbox", name="Search")
    await expect(box).to_be_focused()
    await page.keyboard.type("钱")
    await expect(page.locator(".hit mark")).to_have_text("钱")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("again")
    await expect(page).to_have_url(f"{address}/search?q=again")
    hits = page.locator("#hits-messages .hit")
    # Scrolled to its end, the list goes on by itself.
    await expect(hits).to_have_count(20)
    await page.locator("#further-link").scroll_into_view_if_needed()
    await expect(hits).to_have_count(40)
    await page.locator("#further-link").scroll_into_view_if_needed()
    await expect(hits).to_have_count(60)
    await expect(page.locator("#further-link")).to_have_count(0)
    await box.fill("needle")
    await expect(page.locator("#found-count")).to_have_text("1 result.")
    await page.get_by_label("Where").select_option("Customers")
    await expect(page.get_by_role("heading", name="Nothing found for “needle”")).to_be_visible()
    await page.get_by_role("link", name="Search without filters").click()
    await expect(hits).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}/conversations/{conversation_id}?at={note.id}#m-{note.id}")
    await expect(page.locator(f"#m-{note.id}")).to_be_in_viewport()
    # In a box it is a character like any other.
    await page.get_by_role("textbox", name="Message").press("/")
    await expect(page.get_by_role("textbox", name="Message")).to_have_value("/")
    await page.go_back()
    await expect(page.get_by_role("searchbox")).to_have_value("needle")

    plain = await chromium.new_context(java_script_enabled=False, storage_state=await page.context.storage_state())
    page = await plain.new_page()
    await page.goto(f"{address}/search")
    await page.get_by_role("searchbox").fill("again")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name="Show more").click()
    await page.wait_for_url(re.compile("before="))
    await expect(page.locator("#hits-messages .hit")).to_have_count(20)
    await plain.close()
