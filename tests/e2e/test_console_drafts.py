"""What an agent is writing, in a real browser: no words are lost, and none go where they were not meant."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Browser, Page, expect

from bot.domain.message import Incoming, Message, Sender, Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import PASSWORD, said
from tests.support.console_pages import PNG, Open, held, opened, queued


async def written(store: Store, conversation_id: int) -> list[tuple[str, Visibility]]:
    """What agents wrote there."""
    messages: list[Message] = await store.messages.of(conversation_id)
    return [(one.text, one.visibility) for one in messages if one.agent_id is not None]


async def renamed(store: Store, name: str, text: str) -> None:
    """Ann calls herself something else, and writes."""
    sender = Sender("Ann", name, "en")
    await store.incoming.record(Incoming("web", "web", f"Ann-{name}", sender, chat_id="Ann", text=text))


async def shown(page: Page, conversation_id: int, tab: str = "mine") -> None:
    await page.locator(f"#tab-{tab}").click()
    await page.locator(f"#row-{conversation_id} a").click()
    await expect(page.locator(f"#conversation-{conversation_id}")).to_be_visible()


async def test_a_note_stays_a_note_whatever_happens_before_enter(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    mine, other = await queued(store), await queued(store, "another", name="Ben")
    await desk.claim(mine, agents["Mei"])
    page = await open_console()
    await opened(page, mine)
    box = page.get_by_role("textbox", name="Message")
    note = page.get_by_role("radio", name="Private note")
    await note.check()
    await expect(page.get_by_role("textbox", name="Message for colleagues, a private note")).to_be_visible()
    # While the box is empty, and while something stands in it.
    await renamed(store, "Anna", "one")
    await expect(page.get_by_role("heading", name="Anna")).to_be_visible()
    await expect(note).to_be_checked()
    await box.fill("she lied before")
    await renamed(store, "Annabel", "two")
    await expect(page.get_by_role("heading", name="Annabel")).to_be_visible()
    await expect(note).to_be_checked()
    await shown(page, other, "queue")
    await expect(box).to_have_value("")
    await shown(page, mine)
    await expect(box).to_have_value("she lied before")
    await expect(note).to_be_checked()
    await page.reload()
    await expect(box).to_have_value("she lied before")
    await expect(note).to_be_checked()
    await expect(page.get_by_role("button", name="Add note")).to_be_visible()
    await box.press("Enter")
    await expect(page.locator("li.message.note")).to_contain_text("she lied before")
    assert await written(store, mine) == [("she lied before", Visibility.PRIVATE)]


async def test_no_change_of_hands_changes_what_is_being_written(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    mei, ada = agents["Mei"], agents["Ada"]
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    page = await open_console()
    await opened(page, conversation_id)
    box = page.get_by_role("textbox", name="Message")
    reply, send = page.get_by_role("radio", name="Reply"), page.get_by_role("button", name="Send")
    await expect(reply).to_be_checked()
    # Taken over in the moment before the first letter.
    await desk.take_over(conversation_id, ada, mei.id, "I know her")
    await expect(page.get_by_role("alert").filter(has_text="Ada took over from Mei: I know her")).to_be_visible()
    await expect(reply).to_be_checked()
    await box.press_sequentially("It is on its way")
    await box.press("Enter")
    await expect(send).to_be_disabled()
    standing = page.locator(".standing")
    await expect(standing).to_contain_text("Ada has this conversation now. Your words are kept")
    await expect(standing).to_contain_text("Ada took over from Mei: I know her")
    await expect(box).to_have_value("It is on its way")
    assert await written(store, conversation_id) == []
    # A note that is begun while the conversation comes back to its author stays one.
    await page.get_by_role("radio", name="Private note").check()
    await desk.transfer(conversation_id, ada, mei, "lunch")
    await expect(page.locator(".state")).to_have_text("Yours")
    await expect(page.get_by_role("radio", name="Private note")).to_be_checked()
    await reply.check()
    await send.click()
    await expect(page.locator("li.message.agent")).to_contain_text("It is on its way")
    # It is resolved by another hand while words stand in the box.
    await box.fill("one more thing")
    await desk.resolve(conversation_id, mei)
    await expect(standing).to_contain_text("This conversation is resolved. Your words are kept")
    await box.press("Enter")
    await expect(box).to_have_value("one more thing")
    await page.get_by_role("button", name="Reopen").click()
    await expect(send).to_be_enabled()
    await expect(box).to_have_value("one more thing")
    await box.press("Enter")
    await expect(page.locator("li.message.agent")).to_have_count(2)
    public = Visibility.PUBLIC
    assert await written(store, conversation_id) == [("It is on its way", public), ("one more thing", public)]


async def test_tabs_share_a_draft_with_its_mode(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    second = await page.context.new_page()
    await second.goto(page.url)
    here, there = (one.get_by_role("textbox", name="Message") for one in (page, second))
    await page.get_by_role("radio", name="Private note").check()
    await here.fill("careful")
    await expect(there).to_have_value("careful")
    await expect(second.get_by_role("radio", name="Private note")).to_be_checked()
    await there.press("End")
    await there.press_sequentially(" with her")
    await expect(here).to_have_value("careful with her")
    await there.press("Enter")
    await expect(page.locator("li.message.note")).to_contain_text("careful with her")
    await expect(here).to_have_value("")
    # Written in both before either heard of the other.
    for box, mode, words in ((here, "Reply", "for her"), (there, "Private note", "for us")):
        await box.page.get_by_role("radio", name=mode).check()
        await box.evaluate("(box, words) => (box.value = words)", words)
    await asyncio.gather(
        *(box.evaluate("box => box.dispatchEvent(new Event('input', {bubbles: true}))") for box in (here, there))
    )
    # None is lost, and none is in a box of the other mode.
    aside = page.get_by_role("article", name=re.compile("not sent"))
    await expect(aside).to_contain_text("You wrote this in another window")
    modes = {"for her": "Reply", "for us": "Private note"}
    for one in (page, second):
        words = await one.get_by_role("textbox", name="Message").input_value()
        await expect(one.get_by_role("radio", name=modes[words])).to_be_checked()
        other = next(each for each in modes if each != words)
        await expect(one.get_by_role("article", name=f"{modes[other]}, not sent")).to_contain_text(other)
    assert await written(store, conversation_id) == [("careful with her", Visibility.PRIVATE)]


async def test_words_outlive_the_tab_and_the_session(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    reply = await desk.reply(conversation_id, agents["Mei"], "two hours")
    page = await open_console()
    await opened(page, conversation_id)
    address = page.url
    await page.get_by_role("radio", name="Private note").check()
    await page.get_by_role("textbox", name="Message").fill("to be continued")
    message = page.locator(f"#m-{reply.id}")
    await message.hover()
    await message.get_by_role("link", name="Edit").click()
    await message.get_by_role("textbox").fill("three hours")
    await page.get_by_role("button", name="Account of Mei").click()
    await page.get_by_role("button", name="Sign out").click()
    page = await replaced(page)
    await page.goto(address)
    await page.get_by_label("Name").fill("Mei")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    box = page.get_by_role("textbox", name="Message")
    await expect(box).to_have_value("to be continued")
    await expect(page.get_by_role("radio", name="Private note")).to_be_checked()
    message = page.locator(f"#m-{reply.id}")
    await message.hover()
    await message.get_by_role("link", name="Edit").click()
    await expect(message.get_by_role("textbox")).to_have_value("three hours")
    await message.get_by_role("button", name="Save").click()
    await expect(message.locator(".words").first).to_have_text("three hours")


async def replaced(page: Page) -> Page:
    """Another tab of the browser; the first is closed."""
    await page.wait_for_url(re.compile("sign-in"))
    another = await page.context.new_page()
    await page.close()
    another.set_default_timeout(10_000)
    return another


async def test_files_belong_to_the_reply_they_were_chosen_for(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    chosen = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    await page.locator(".attach input").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    await expect(chosen).to_have_count(1)
    await page.get_by_role("radio", name="Private note").check()
    await expect(chosen).to_have_count(0)
    await page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["words"], "secret.txt", {type: "text/plain"}));
            const drop = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
            document.querySelector(".composer textarea").dispatchEvent(drop);
        }"""
    )
    await expect(page.locator(".refused")).to_contain_text("Notes take no files. Choose Reply")
    await page.get_by_role("textbox", name="Message").fill("see her picture")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator("li.message.note")).to_contain_text("see her picture")
    asked = asyncio.get_running_loop().create_future()

    async def stay(dialog: object) -> None:
        asked.set_result(dialog.type)
        await dialog.dismiss()

    page.once("dialog", stay)
    await page.evaluate("setTimeout(() => location.reload())")
    assert await asyncio.wait_for(asked, 10) == "beforeunload"
    await page.get_by_role("radio", name="Reply").check()
    await expect(chosen).to_have_text([re.compile("a.png")])
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("li.message.agent .picture, li.message.agent .attachment")).to_have_count(1)
    files = [
        [file.name for file in one.attachments] for one in await store.messages.of(conversation_id) if one.agent_id
    ]
    assert files == [[], ["a.png"]]


async def test_a_reply_is_no_note_and_a_note_no_reply_without_javascript(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open, chromium: Browser
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    signed_in = await open_console()
    context = await chromium.new_context(
        java_script_enabled=False, storage_state=await signed_in.context.storage_state()
    )
    page = await context.new_page()
    await page.goto(f"{signed_in.url.split('?')[0]}conversations/{conversation_id}?view=mine")
    box = page.get_by_role("textbox", name="Message")
    await box.fill("for her")
    await desk.take_over(conversation_id, agents["Ada"], agents["Mei"].id, "I know her")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("alert").filter(has_text="Ada has this conversation.")).to_be_visible()
    await expect(box).to_have_value("for her")
    await expect(page.get_by_role("radio", name="Reply")).to_be_checked()
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_label("Why? Ada will read it.").fill("back again")
    await page.get_by_role("button", name="Take it over").click()
    await expect(page.get_by_text("Mei took over from Ada: back again")).to_be_visible()
    await page.get_by_role("button", name="More").click()
    await page.get_by_label("Why? Whoever takes it next").fill("lunch")
    await page.get_by_role("button", name="Back to the queue").click()
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.get_by_text("Resolved. The customer is told in")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".state")).to_have_text("Yours")
    assert await written(store, conversation_id) == []
    await said(store, "hello?", id="9", channel="discord")
    await context.close()


async def test_an_empty_box_keeps_its_mode_while_another_tab_sends_a_reply(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    mine = await queued(store)
    await desk.claim(mine, agents["Mei"])
    page = await open_console()
    await opened(page, mine)
    note = page.get_by_role("radio", name="Private note")
    await note.check()
    second = await page.context.new_page()
    await second.goto(page.url)
    box = second.get_by_role("textbox", name="Message")
    await second.get_by_role("radio", name="Reply").check()
    await box.fill("Hello")
    # Words come with what they are.
    await expect(page.get_by_role("textbox", name="Message to the customer")).to_have_value("Hello")
    await box.press("Enter")
    await expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    await expect(note).to_be_checked()
