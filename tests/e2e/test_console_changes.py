"""Replies that are edited and taken back, quotes, and linked contacts, in a real browser."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from bot.domain.message import File
from bot.domain.staff import Agent, Role
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import delivered, said
from tests.support.console_pages import PHONE, PNG, Open, held, latest, opened


async def test_a_reply_is_edited_in_its_place_whatever_happens_meanwhile(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    reply = await desk.reply(conversation_id, agents["Mei"], "It arrives in two hours")
    await delivered(store, reply.id, "x1")
    page = await open_console()
    await opened(page, conversation_id)
    message = page.locator(f"#m-{reply.id}")
    edit = message.get_by_role("link", name="Edit")
    await edit.focus()
    await expect(message.locator(".tools")).to_have_css("opacity", "1")
    await edit.press("Enter")
    box = message.get_by_role("textbox")
    await expect(box).to_be_focused()
    await expect(box).to_have_value("It arrives in two hours")
    await box.press_sequentially(", I th")
    await said(store, "hurry up", id="2", channel="discord")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("hurry up")
    await box.press_sequentially("ink")
    await expect(box).to_have_value("It arrives in two hours, I think")
    await box.press("Escape")
    await expect(message.locator(".words")).to_have_text("It arrives in two hours")
    await expect(edit).to_be_focused()

    await edit.click()
    await box.fill("It arrives in one hour")
    await box.press("Shift+Enter")
    await box.press_sequentially("Sorry")
    await box.press("Enter")
    await expect(message.locator(".words").first).to_have_text("It arrives in one hour\nSorry")
    await expect(message).to_contain_text("changing …")
    await expect(message.locator(".versions")).to_contain_text("edited")
    await delivered(store, reply.id, "x1")
    await expect(message).to_contain_text("changed")
    assert (await store.messages.of(conversation_id))[-2].text == "It arrives in one hour\nSorry"


async def test_an_edit_that_is_refused_says_why_and_keeps_the_words(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    reply = await desk.reply(conversation_id, agents["Mei"], "first words")
    page = await open_console()
    await opened(page, conversation_id)
    message = page.locator(f"#m-{reply.id}")
    await message.hover()
    await message.get_by_role("link", name="Edit").click()
    await message.get_by_role("textbox").fill("too late")
    await desk.delete(reply.id, agents["Mei"])
    await message.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert").filter(has_text="deleted already")).to_be_visible()
    await expect(message.get_by_role("textbox")).to_have_value("too late")
    await message.get_by_role("link", name="Cancel").click()
    await expect(message).to_have_class(re.compile("deleted"))


async def test_a_reply_is_taken_back_once_it_is_confirmed(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    reply = await desk.reply(conversation_id, agents["Mei"], "sent by mistake")
    await delivered(store, reply.id, "x1")
    page = await open_console(viewport=PHONE)
    await opened(page, conversation_id)
    message = page.locator(f"#m-{reply.id}")
    await message.get_by_role("link", name="Delete").tap()
    await expect(message).to_contain_text("Delete this reply?")
    await message.get_by_role("link", name="Cancel").tap()
    await expect(message).not_to_contain_text("Delete this reply?")
    assert (await latest(store, conversation_id)).deleted_at is None
    await message.get_by_role("link", name="Delete").tap()
    await message.get_by_role("button", name="Delete").tap()
    await expect(message).to_contain_text("deleting …")
    await expect(message.locator(".words")).to_have_css("text-decoration-line", "line-through")
    await expect(message).to_contain_text("sent by mistake")
    assert await page.evaluate("document.querySelector('#conversation').scrollWidth") <= PHONE["width"]


async def test_a_message_is_quoted_and_found_again(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"], "is it the fee?")
    question = (await store.messages.of(conversation_id))[0]
    for number in range(2, 30):
        await said(store, f"line {number}", id=str(number), channel="discord")
    page = await open_console()
    await opened(page, conversation_id)
    box = page.get_by_role("textbox", name="Message")
    await box.fill("Yes")
    first = page.locator(f"#m-{question.id}")
    await first.scroll_into_view_if_needed()
    await first.hover()
    await first.get_by_role("link", name="Quote").click()
    chip = page.locator(".quoting")
    await expect(chip).to_contain_text("is it the fee?")
    await expect(box).to_be_focused()
    await said(store, "more", id="30", channel="discord")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("more")
    await chip.get_by_role("link", name="Do not quote").click()
    await expect(chip).to_have_count(0)
    await first.hover()
    await first.get_by_role("link", name="Quote").click()

    # The message that it quotes is refused, and so is back with its quote.
    refused = {"status": 422, "json": {"problem": "The message that you quote is not there any more."}}
    await page.route("**/messages*", lambda route: route.fulfill(**refused))
    await box.press("Enter")
    await expect(page.locator(".refused")).to_have_text("Not sent. The message that you quote is not there any more.")
    await expect(box).to_have_value("Yes")
    await expect(chip).to_contain_text("is it the fee?")
    await page.unroute("**/messages*")
    await box.press("Enter")
    await expect(chip).to_have_count(0)
    sent = page.locator("li.message.agent").last
    await expect(sent.locator(".quote")).to_have_text("Ann is it the fee?")
    assert (await latest(store, conversation_id)).reply_to == question.id
    await page.locator("[data-scroll]").evaluate("element => (element.scrollTop = 0)")
    await expect(first).not_to_be_in_viewport()
    await sent.locator(".quote").click()
    await expect(first).to_be_in_viewport()
    assert "#" not in page.url


async def test_without_javascript_replies_are_changed_quoted_and_sent_with_files(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open, chromium: Browser
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.LEAD)
    conversation_id = await held(store, desk, agents["Mei"], "is it the fee?")
    reply = await desk.reply(conversation_id, agents["Mei"], "No", files=[File("a.txt", "text/plain", b"a")])
    signed_in = await open_console()
    context = await chromium.new_context(
        java_script_enabled=False, storage_state=await signed_in.context.storage_state()
    )
    page = await context.new_page()
    await page.goto(f"{signed_in.url.split('?')[0]}conversations/{conversation_id}?view=mine")
    message = page.locator(f"#m-{reply.id}")
    await message.hover()
    await message.get_by_role("link", name="Edit").click()
    await message.get_by_role("textbox").fill("Yes")
    await message.get_by_role("button", name="Save").click()
    await expect(message.locator(".words").first).to_have_text("Yes")
    await page.locator(".message.customer").first.hover()
    await page.locator(".message.customer").first.get_by_role("link", name="Quote").click()
    await page.locator(".attach input").set_input_files([{"name": "how.png", "mimeType": "image/png", "buffer": PNG}])
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message.agent").last.get_by_role("img", name="how.png")).to_be_visible()
    await expect(page.locator(".message.agent").last.locator(".quote")).to_contain_text("is it the fee?")
    await message.hover()
    await message.get_by_role("link", name="Delete").click()
    await message.get_by_role("button", name="Delete").click()
    await expect(message).to_have_class(re.compile("deleted"))

    other = await said(store, "the same on the web", name="Annie")
    await page.get_by_text("Link with …").click()
    await page.get_by_role("searchbox").fill("Annie")
    await page.get_by_role("searchbox").press("Enter")
    await page.get_by_role("button", name="Link with Annie").click()
    await expect(page.get_by_text("Linked with Annie on web.")).to_be_visible()
    await page.get_by_text("What was said there").click()
    await expect(page.locator(".said")).to_contain_text("the same on the web")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".person")).to_have_count(0)
    assert await store.contacts.links((await store.conversations.get(other)).contact.id) == []
    await page.get_by_role("link", name="Channels").click()
    await expect(page.get_by_role("heading", name="discord")).to_be_visible()
    await context.close()


async def test_two_contacts_are_linked_and_unlinked(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    other = await said(store, "my card <b>never</b> came", name="Annie <script>", channel="telegram")
    page = await open_console()
    await opened(page, conversation_id)
    await page.get_by_text("Link with …").click()
    search = page.get_by_role("searchbox")
    await search.press_sequentially("anni")
    found = page.locator(".found li")
    await expect(found).to_have_count(1)
    await expect(found).to_contain_text("Annie <script>")
    await said(store, "hurry", id="2", channel="discord")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("hurry")
    await expect(search).to_have_value("anni")
    await expect(found).to_have_count(1)
    await found.get_by_role("button", name="Link").click()

    notice = page.locator(".notice")
    await expect(notice).to_contain_text("Linked with Annie <script> on telegram.")
    history = page.locator(".history")
    await history.locator("summary").click()
    await expect(history).to_contain_text("my card <b>never</b> came")
    await said(store, "hello?", id="2", name="Annie <script>", channel="telegram")
    # Opened anew, the page also listens to the other conversation.
    await page.reload()
    await history.locator("summary").click()
    await expect(history).to_contain_text("hello?")
    await said(store, "still there?", id="3", name="Annie <script>", channel="telegram")
    await expect(history).to_contain_text("still there?")
    await expect(history).to_have_attribute("open", "")
    await page.get_by_role("button", name="Unlink").click()
    await expect(history).to_have_count(0)
    contact = (await store.conversations.get(other)).contact
    assert await store.contacts.links(contact.id) == []

    await page.get_by_text("Link with …").click()
    await search.fill("Annie <script>")
    await found.get_by_role("button", name="Link").click()
    await notice.get_by_role("button", name="Undo").click()
    await expect(notice).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(0)
    assert await store.contacts.links(contact.id) == []
