"""The console by keyboard alone."""

from __future__ import annotations

from playwright.async_api import expect

from bot.domain.conversation import ConversationState, Priority
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console_pages import Open, queued


async def test_three_customers_are_served_by_keys_alone(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    ids = [await queued(store, f"problem {number}", name=f"n{number}") for number in range(3)]
    page = await open_console()
    heading, box = page.locator("h1"), page.get_by_role("textbox", name="Message")
    await expect(page.locator(".rows a.row")).to_have_count(3)
    await page.keyboard.press("j")
    await expect(heading).to_have_text("n0")
    await page.keyboard.press("j")
    await expect(heading).to_have_text("n1")
    await page.keyboard.press("k")
    await expect(heading).to_have_text("n0")
    # It is seen, by this agent alone.
    await expect(page.locator(f"#row-{ids[0]} .news")).to_have_count(0)
    await expect(page.locator(f"#row-{ids[2]} .news")).to_have_count(1)
    await page.keyboard.press("c")
    await expect(box).to_be_focused()
    # Letters are words in a box, and Escape leads out of it.
    await box.press_sequentially("jce")
    await expect(box).to_have_value("jce")
    await expect(page.locator(f"#row-{ids[0]} .draft")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(box).not_to_be_focused()
    await page.keyboard.press("m")
    await expect(page.get_by_role("radio", name="Private note")).to_be_checked()
    await expect(box).to_be_focused()
    await box.fill("")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_enabled()
    await page.keyboard.press("e")
    await expect(page.locator(".state")).to_have_text("Resolved")
    assert (await store.conversations.get(ids[0])).state is ConversationState.RESOLVED
    # The keys are told, and can be turned off.
    await page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys).to_contain_text("Next conversation of the list")
    await expect(keys).to_contain_text("Views and filters")
    await keys.get_by_label("Letters press buttons here").uncheck()
    await page.keyboard.press("Escape")
    await expect(keys).to_have_count(0)
    await page.keyboard.press("v")
    await expect(page.locator("#tab-resolved")).to_be_hidden()
    await page.locator("#views-button").click()
    await page.locator("#tab-resolved").click()
    await expect(page.locator(f"#row-{ids[0]}")).to_be_visible()
    await expect(page.locator("#views-button")).to_have_text("Resolved")
    # The address keeps the list over a reload, with its filter.
    await page.locator("#views-button").click()
    await page.get_by_label("Channel").select_option("web")
    await expect(page.locator("#without-channel")).to_be_visible()
    await page.reload()
    await expect(page.locator("#without-channel")).to_be_visible()
    await page.locator("#without-channel").click()
    await expect(page.locator("#without-channel")).to_have_count(0)
    assert "view=resolved" in page.url


async def test_claim_next_snooze_and_undo_by_keys(store: Store, agents: dict[str, Agent], open_console: Open) -> None:
    await queued(store, "calm", name="calm")
    one = await queued(store, "on fire", name="fire")
    await store.conversations.prioritise(one, agents["Ada"].id, Priority.URGENT)
    page = await open_console()
    heading, box = page.locator("h1"), page.get_by_role("textbox", name="Message")
    await expect(page.locator("#claim-next-button")).to_be_visible()
    await page.keyboard.press("n")
    await expect(heading).to_have_text("fire")
    await expect(box).to_be_focused()
    assert f"/conversations/{one}" in page.url
    await page.keyboard.press("Escape")
    # A key that stands for a choice leads to it, and does nothing yet.
    await page.keyboard.press("s")
    await expect(page.get_by_role("button", name="1 hour")).to_be_focused()
    await page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_visible()
    await expect(page.locator(".who .snoozed")).to_contain_text("snoozed until")
    await expect(page.get_by_role("button", name="1 hour")).to_be_hidden()
    await expect(page.locator(f"#row-{one}")).to_have_count(0)
    await page.keyboard.press("z")
    await expect(page.locator(".who .snoozed")).to_have_count(0)
    await expect(undo).to_have_count(0)
    await expect(page.locator(f"#row-{one}")).to_be_visible()
    assert (await store.conversations.get(one)).snoozed_until is None
    await page.keyboard.press("p")
    await expect(page.locator("[aria-pressed]")).to_have_text("Urgent")
    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await expect(heading).to_have_text("calm")
    await expect(page.locator("#claim-next-button")).to_have_count(0)


async def test_a_long_list_grows_while_it_is_read(store: Store, agents: dict[str, Agent], open_console: Open) -> None:
    ids = [await queued(store, name=f"n{number}") for number in range(50)]
    page = await open_console()
    rows = page.locator(".rows a.row")
    await expect(rows).to_have_count(40)
    await page.locator(".rows").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    await expect(rows).to_have_count(50)
    await expect(page.locator(f"#row-{ids[-1]}")).to_be_attached()
