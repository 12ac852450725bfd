"""Files at the console in a real browser: chosen, dropped, pasted, shown."""

from __future__ import annotations

import re

from playwright.async_api import expect

from bot.domain.message import Attachment
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import said
from tests.support.console_pages import PNG, Open, held, latest, opened, queued
from tests.support.pictures import png


async def test_files_are_chosen_dropped_pasted_and_sent(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    chosen = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    picker = page.locator(".attach input")
    as_files = page.get_by_role("checkbox", name="Send pictures as files")
    await expect(as_files).to_be_hidden()
    await picker.set_input_files(
        [
            {"name": "how.png", "mimeType": "image/png", "buffer": PNG},
            {"name": "large.mov", "mimeType": "video/quicktime", "buffer": bytes(100_001)},
        ]
    )
    await expect(page.locator(".refused")).to_have_text("large.mov has 100 kB; at most 100 kB can be sent on discord.")
    await expect(chosen).to_have_text([re.compile("how.png")])
    hand_over = """([type, name]) => {
        const data = new DataTransfer();
        data.items.add(new File(["words"], name, {type: "text/plain"}));
        const options = {bubbles: true, cancelable: true};
        const place = document.querySelector(".composer textarea");
        place.dispatchEvent(type === "paste"
            ? new ClipboardEvent("paste", {...options, clipboardData: data})
            : new DragEvent("drop", {...options, dataTransfer: data}));
    }"""
    await page.evaluate(hand_over, ["drop", "dropped.txt"])
    await page.evaluate(hand_over, ["paste", "pasted <b>.txt"])
    await expect(chosen).to_have_text([re.compile("how.png"), re.compile("dropped.txt"), re.compile("pasted <b>.txt")])
    await said(store, "are you there?", id="2", channel="discord")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("are you there?")
    await page.get_by_role("button", name="Remove dropped.txt").click()
    await expect(chosen).to_have_count(2)

    # Nothing chosen is lost by a look elsewhere, a note, or a failure.
    other = await queued(store, name="Ben")
    await page.locator("#tab-queue").click()
    await page.locator(f"#row-{other} a").click()
    await expect(picker).to_have_count(0)
    await opened(page, conversation_id)
    await expect(chosen).to_have_count(2)
    box = page.get_by_role("textbox", name="Message")
    await page.get_by_role("radio", name="Private note").check()
    await expect(chosen.first).to_be_hidden()
    await box.fill("a note")
    await box.press("Enter")
    await expect(page.locator(".message.note")).to_contain_text("a note")
    await page.get_by_role("radio", name="Reply").check()
    await as_files.check()
    await page.route("**/messages*", lambda route: route.fulfill(status=413, body="too large"))
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".refused")).to_contain_text("takes no files that large")
    await expect(chosen).to_have_count(2)
    await expect(as_files).to_be_checked()
    await page.unroute("**/messages*")

    await page.get_by_role("button", name="Send").click()
    sent = page.locator("li.message.agent").last
    await expect(sent.locator("a.attachment")).to_contain_text("pasted <b>.txt")
    picture = sent.get_by_role("img", name="how.png")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    await expect(chosen).to_have_count(0)
    await expect(as_files).to_be_hidden()
    attached = (await latest(store, conversation_id)).attachments
    assert [(one.name, one.kind) for one in attached] == [("how.png", "file"), ("pasted <b>.txt", "file")]


async def test_a_file_that_falls_where_none_can_be_sent_does_not_replace_the_desk(
    store: Store, open_console: Open
) -> None:
    conversation_id = await queued(store)
    page = await open_console()
    await page.locator(f"#row-{conversation_id} a").click()
    await expect(page.get_by_role("button", name="Claim")).to_be_visible()
    await page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["words"], "a.txt"));
            const drop = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
            document.querySelector(".composer").dispatchEvent(drop);
            if (!drop.defaultPrevented) throw new Error("the browser would open the file");
        }"""
    )
    await expect(page.locator(".refused")).to_have_text("Files cannot be sent on web.")


async def test_what_customers_attach_is_shown_and_full_size_beside_the_desk(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    sha256 = await store.files.add(PNG)
    attachments = (
        Attachment("photo", "r", "receipt.png", sha256=sha256),
        Attachment("photo", "r", "fake.png", sha256=await store.files.add(b"<svg onload=alert(1)>")),
        # Chromium would show it, and needs gigabytes for it.
        Attachment("photo", "r", "bomb.png", sha256=await store.files.add(png(20_000, 20_000))),
    )
    conversation_id = await queued(store, "", channel="discord", attachments=attachments)
    page = await open_console()
    await page.locator(f"#row-{conversation_id} a").click()
    picture = page.get_by_role("img", name="receipt.png")
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    async with page.expect_popup() as popup:
        await picture.click()
    full = await popup.value
    await full.wait_for_load_state()
    assert await full.evaluate("document.images[0].naturalWidth") == 8
    for name in ("fake.png", "bomb.png"):
        async with page.expect_download() as download:
            await page.locator("a.attachment", has_text=name).click()
        assert (await download.value).suggested_filename == name
    await expect(page.locator(".message img")).to_have_count(1)
