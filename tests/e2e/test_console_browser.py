"""The agents' console in a real browser: it stays live, and never loses what an agent is writing."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from playwright.async_api import Browser, Route, expect

from bot.model import (
    Agent,
    Attachment,
    ChannelState,
    ChannelStatus,
    ConversationState,
    File,
)
from bot.queue import TURN
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console_pages import (
    PASSWORD,
    PHONE,
    PNG,
    Open,
    delivered,
    held,
    latest,
    opened,
    queued,
    said,
)
from tests.support.ports import HeldPort
from tests.support.serving import served


async def test_what_is_set_aside_is_seen_and_tried_again_without_a_reload(store: Store, open_console: Open) -> None:
    page = await open_console()
    conversation = await said(store, "hello")
    message = (await store.messages(conversation))[-1].id
    await store.record_failure(TURN, message, "KeyError")
    await store.set_aside(TURN, message, {"": "A person will see to it."})
    # Long before the page would ask by itself.
    await page.get_by_role("link", name="Set aside 1").click(timeout=5_000)
    await expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    await page.evaluate("window.same = true")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="Nothing is set aside")).to_be_visible()
    assert await store.count_set_aside() == 0
    notice = (await store.messages(conversation))[-1].id
    await store.fail_delivery(await store.begin_delivery(notice), "the customer blocked the bot")
    assert await page.evaluate("window.same")
    await page.goto(page.url.replace("/aside", f"/conversations/{conversation}"))
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("pending …")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_a_conversation_from_queue_to_resolved_without_a_reload(store: Store, open_console: Open) -> None:
    page = await open_console()
    await expect(page.get_by_role("heading", name="The queue is empty")).to_be_visible()
    conversation_id = await queued(store)
    await expect(page).to_have_title("(1) BitPie desk")
    await expect(page.locator("#announcement")).to_have_text("New in the queue. 1 waiting.")
    row = page.locator(f"#row-{conversation_id} a")
    await expect(row).to_contain_text("my transfer is gone")
    await row.click()
    messages = page.get_by_role("region", name="Messages")
    await expect(messages).to_contain_text("You are number 1.")
    await expect(page.get_by_role("radio", name="Private note")).to_be_checked()
    await page.get_by_role("radio", name="Reply").check()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await page.get_by_role("radio", name="Private note").check()

    await page.get_by_role("button", name="Claim").click()
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    await expect(page.locator("#tab-mine")).to_have_attribute("aria-current", "true")
    await expect(page).to_have_title("BitPie desk")
    # The mode was chosen by hand, and so stays.
    await page.get_by_role("radio", name="Reply").check()
    await said(store, "are you there?", id="2")
    await expect(messages).to_contain_text("are you there?")

    box = page.get_by_role("textbox", name="Message")
    await box.fill("Hello Ann")
    await box.press("Shift+Enter")
    await box.press_sequentially("I am looking")
    await box.press("Enter")
    sent = page.locator(".message.agent").last
    await expect(sent).to_contain_text("Hello Ann\nI am looking")
    await expect(sent).to_contain_text("pending")
    await expect(box).to_have_value("")
    await delivered(store, (await store.messages(conversation_id))[-1].id, "x1")
    await expect(sent).to_contain_text("sent")

    await page.get_by_role("radio", name="Private note").check()
    await box.fill("looks like a low fee")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".message.note")).to_contain_text("looks like a low fee")

    await page.get_by_role("button", name="Hand back to bot").click()
    await expect(page.locator(".state")).to_have_text("With the bot")
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator(".state")).to_have_text("Resolved")
    assert (await store.conversation(conversation_id)).state is ConversationState.RESOLVED


async def test_what_is_being_written_survives_updates_and_leaving(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    mine, other = await queued(store), await queued(store, "another", name="Ben")
    await desk.claim(mine, agents["Mei"])
    page = await open_console()
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{mine} a").click()
    box = page.get_by_role("textbox", name="Message")
    await box.press_sequentially("I am typ")
    await said(store, "hurry up", id="2")
    await desk.note(mine, agents["Ada"], "I know this one")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("I know this one")
    await box.press_sequentially("ing this")
    await expect(box).to_have_value("I am typing this")
    await expect(box).to_be_focused()
    await page.locator("#tab-queue").click()
    await page.locator(f"#row-{other} a").click()
    await expect(box).to_have_value("")
    await page.go_back()
    await expect(box).to_have_value("I am typing this")


async def test_what_was_opened_and_where_was_read_stay(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    for number in range(2, 42):
        await said(store, f"line {number} " + "and more " * 20, id=str(number))
    await said(store, "the first line, edited", id="e", edits="Ann-1")
    page = await open_console()
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{conversation_id} a").click()
    messages = page.get_by_role("region", name="Messages")
    last = messages.get_by_text("line 41 ")
    await expect(last).to_be_in_viewport()
    await said(store, "a new end", id="42")
    await expect(messages.get_by_text("a new end")).to_be_in_viewport()

    first = messages.get_by_text("the first line, edited")
    await first.scroll_into_view_if_needed()
    await messages.locator(".versions summary").click()
    before = await first.bounding_box()
    await said(store, "a newer end", id="43")
    await expect(messages.get_by_text("a newer end")).to_have_count(1)
    await expect(messages.locator(".versions")).to_have_attribute("open", "")
    after = await first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


async def test_the_slower_of_two_agents_is_told_who_was_faster(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    page = await open_console()
    # The news of the other's claim comes too late.
    late = re.compile(r"/console/(events|alive)$")
    await page.route(late, lambda route: route.abort())
    await page.reload()
    # A conversation looks once more for news when it has been opened.
    async with page.expect_response(
        lambda answer: answer.request.headers.get("hx-trigger") == f"conversation-{conversation_id}"
    ):
        await page.locator(f"#row-{conversation_id} a").click()
    await desk.claim(conversation_id, agents["Ada"])
    await page.get_by_role("button", name="Claim").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Ada has this conversation.")
    await page.unroute(late)
    await said(store, "anyone?", id="2")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("anyone?")
    await expect(alert).to_be_visible()
    await alert.get_by_role("button", name="Dismiss").click()
    await expect(alert).to_have_count(0)


async def test_a_reply_that_cannot_be_sent_waits_in_the_thread(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{conversation_id} a").click()
    box = page.get_by_role("textbox", name="Message")
    await box.fill("one more thing")
    await page.route("**/messages*", lambda route: route.abort())
    await box.press("Enter")
    waiting = page.locator(".outgoing")
    await expect(waiting).to_contain_text("one more thing")
    await expect(waiting).to_contain_text("Not sent yet, trying again")
    await expect(box).to_have_value("")
    await page.unroute("**/messages*")
    await waiting.get_by_role("button", name="Try now").click()
    await expect(page.locator("li.message.agent")).to_contain_text("one more thing")
    await expect(waiting).to_have_count(0)


async def test_what_was_sent_by_who_was_signed_out_is_sent_once_they_signed_in(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{conversation_id} a").click()
    box = page.get_by_role("textbox", name="Message")
    await box.fill("a long answer")
    await store.set_password(agents["Mei"].id, await hash_password(PASSWORD))
    await box.press("Enter")
    await page.get_by_label("Name").fill("Mei")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile(f"/conversations/{conversation_id}"))
    await expect(page.locator("li.message.agent")).to_contain_text("a long answer")
    await expect(box).to_have_value("")
    assert [one.text for one in await store.messages(conversation_id)].count("a long answer") == 1


async def test_after_an_outage_the_page_catches_up_by_itself(store: Store, app: FastAPI, sign_in: Open) -> None:
    conversation_id = await queued(store)
    with HeldPort() as port:
        async with served(app, port.number) as address:
            page = await sign_in(f"{address}/console")
            await page.locator(f"#row-{conversation_id} a").click()
            box = page.get_by_role("textbox", name="Message")
            await box.fill("unfinished")
        await expect(page.locator("#trouble")).to_have_text("Reconnecting …")
        await said(store, "written meanwhile", id="2")
        await queued(store, name="Ben")
        async with served(app, port.number):
            messages = page.get_by_role("region", name="Messages")
            await expect(messages).to_contain_text("written meanwhile", timeout=10_000)
            await expect(page).to_have_title("(2) BitPie desk")
            await expect(page.locator("#trouble")).to_be_empty()
            await expect(box).to_have_value("unfinished")


async def test_while_an_input_method_composes_enter_sends_nothing(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{conversation_id} a").click()
    box = page.get_by_role("textbox", name="Message")
    await box.fill("nihao")
    await box.evaluate(
        "box => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, isComposing: true}))"
    )
    await page.wait_for_timeout(200)
    await expect(box).to_have_value("nihao")


async def test_on_a_phone_list_and_conversation_take_turns_and_fit(store: Store, open_console: Open) -> None:
    conversation_id = await queued(store, "0x" + "f" * 300, name="Maximiliana-Alexandra von und zu Hohenlohe " * 3)
    page = await open_console(viewport=PHONE)

    async def assert_fits() -> None:
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await page.evaluate("document.querySelector('#conversation').scrollWidth") <= PHONE["width"]

    await assert_fits()
    await page.locator(f"#row-{conversation_id} a").tap()
    await expect(page.get_by_role("button", name="Claim")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    await assert_fits()
    details = page.locator(".panel")
    await expect(details.get_by_text("Priority")).to_be_hidden()
    await page.locator(".fold summary").tap()
    await expect(details.get_by_text("Priority")).to_be_visible()
    await assert_fits()
    await page.get_by_role("link", name="Back to the list").tap()
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()


async def test_without_javascript_every_act_still_works(store: Store, open_console: Open, chromium: Browser) -> None:
    conversation_id = await queued(store)
    signed_in = await open_console()
    context = await chromium.new_context(
        java_script_enabled=False, storage_state=await signed_in.context.storage_state()
    )
    page = await context.new_page()
    await page.goto(signed_in.url)
    await page.locator(f"#row-{conversation_id} a").click()
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_role("textbox", name="Message").fill("Hello")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message.agent")).to_contain_text("Hello")
    await page.get_by_role("radio", name="Private note").check()
    await page.get_by_role("textbox", name="Message").fill("quiet words")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".message.note")).to_contain_text("quiet words")
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator(".state")).to_have_text("Resolved")
    await context.close()


async def test_an_answer_that_comes_after_the_news_of_it_loses_nothing(store: Store, open_console: Open) -> None:
    conversation_id = await queued(store)
    page = await open_console()
    await page.locator(f"#row-{conversation_id} a").click()
    box = page.get_by_role("textbox", name="Message")
    await box.fill("typed before")
    held = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await held.wait()
        await route.fulfill(response=answer)

    await page.route("**/claim*", answer_late)
    await page.get_by_role("button", name="Claim").click()
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    await box.press_sequentially(" and after")
    held.set()
    await expect(page.locator("#tab-mine")).to_have_attribute("aria-current", "true")
    await expect(box).to_have_value("typed before and after")
    await said(store, "still live", id="2")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("still live")
    await expect(box).to_have_value("typed before and after")


# --- replies that are changed, quotes, files ----------------------------------------------------


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
    assert (await store.messages(conversation_id))[-2].text == "It arrives in one hour\nSorry"


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
    question = (await store.messages(conversation_id))[0]
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


async def test_files_are_chosen_dropped_pasted_and_sent(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    chosen = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    picker = page.locator(".attach input")
    await picker.set_input_files(
        [
            {"name": "how.png", "mimeType": "image/png", "buffer": PNG},
            {"name": "large.mov", "mimeType": "video/quicktime", "buffer": bytes(100_001)},
        ]
    )
    await expect(page.locator(".refused")).to_have_text("large.mov has 100 KB; at most 100 KB can be sent on discord.")
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
    await page.route("**/messages*", lambda route: route.fulfill(status=413, body="too large"))
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".refused")).to_contain_text("takes no files that large")
    await expect(chosen).to_have_count(2)
    await page.unroute("**/messages*")

    await page.get_by_role("button", name="Send").click()
    sent = page.locator("li.message.agent").last
    await expect(sent.locator("a.attachment")).to_contain_text("pasted <b>.txt")
    picture = sent.get_by_role("img", name="how.png")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    await expect(chosen).to_have_count(0)
    assert [one.name for one in (await latest(store, conversation_id)).attachments] == ["how.png", "pasted <b>.txt"]


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
    sha256 = await store.add_file(PNG)
    attachments = (
        Attachment("photo", "r", "receipt.png", sha256=sha256),
        Attachment("photo", "r", "fake.png", sha256=await store.add_file(b"<svg onload=alert(1)>")),
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
    async with page.expect_download() as download:
        await page.get_by_role("link", name="fake.png").click()
    assert (await download.value).suggested_filename == "fake.png"


async def test_without_javascript_replies_are_changed_quoted_and_sent_with_files(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open, chromium: Browser
) -> None:
    conversation_id = await held(store, desk, agents["Mei"], "is it the fee?")
    reply = await desk.reply(conversation_id, agents["Mei"], "No", files=[File("a.txt", "text/plain", b"a")])
    signed_in = await open_console()
    context = await chromium.new_context(
        java_script_enabled=False, storage_state=await signed_in.context.storage_state()
    )
    page = await context.new_page()
    await page.goto(f"{signed_in.url.split('?')[0]}conversations/{conversation_id}?tab=mine")
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
    assert await store.links((await store.conversation(other)).contact.id) == []
    await page.get_by_role("link", name="Channels").click()
    await expect(page.get_by_role("heading", name="discord")).to_be_visible()
    await context.close()


# --- one person, several channels ---------------------------------------------------------------


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
    contact = (await store.conversation(other)).contact
    assert await store.links(contact.id) == []

    await page.get_by_text("Link with …").click()
    await search.fill("Annie <script>")
    await found.get_by_role("button", name="Link").click()
    await notice.get_by_role("button", name="Undo").click()
    await expect(notice).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(0)
    assert await store.links(contact.id) == []


# --- the channels -------------------------------------------------------------------------------


async def test_the_channels_page_and_its_sign_keep_themselves_up_to_date(
    store: Store, sign_in: Open, app: FastAPI
) -> None:
    def status(state: ChannelState, error: str | None = None) -> ChannelStatus:
        now = datetime.now(UTC)
        since = now - timedelta(minutes=1)
        return ChannelStatus("discord", "Care#1", state, since, now, error=error, error_at=now if error else None)

    await store.record_channel(status(ChannelState.CONNECTED))
    async with served(app) as address:
        page = await sign_in(f"{address}/console")
        await expect(page.locator(".dot")).to_have_count(0)
        await page.clock.install()
        await page.get_by_role("link", name="Channels").click()
        discord = page.locator("#channel-discord")
        await expect(discord).to_contain_text("Connected since")
        await store.record_channel(status(ChannelState.OFF, "the token was refused; set DISCORD_TOKEN"))
        await page.clock.fast_forward(10_000)
        await expect(discord).to_contain_text("Off since")
        await expect(discord).to_contain_text("set DISCORD_TOKEN")
        await expect(page.locator(".dot")).to_be_visible()
        await page.get_by_role("link", name="Back to the desk").click()
        await expect(page.get_by_role("link", name="discord is off")).to_be_visible()
    await expect(page.locator("#trouble")).not_to_be_empty()
