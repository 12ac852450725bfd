"""The agents' console in a real browser: a conversation from the queue to its end, outages, a phone, no JavaScript."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from playwright.async_api import Browser, Route, expect

from bot.domain.channel import ChannelState, ChannelStatus
from bot.domain.conversation import ConversationState, Priority
from bot.domain.said import Fault
from bot.domain.staff import Agent, Role
from bot.queue import TURN
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import PASSWORD, delivered, said
from tests.support.console_pages import PHONE, Open, queued
from tests.support.ports import HeldPort
from tests.support.serving import served


async def test_what_is_given_up_is_seen_and_tried_again_without_a_reload(
    store: Store, agents: dict[str, Agent], open_console: Open
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.LEAD)
    page = await open_console()
    conversation = await said(store, "hello")
    message = (await store.messages.of(conversation))[-1].id
    await store.dead_letters.record_failure(TURN, message, "KeyError")
    await store.dead_letters.add(TURN, message, {"": "A person will see to it."})
    # Long before the page would ask by itself.
    await page.get_by_role("link", name="Failed messages 1").click(timeout=5_000)
    await expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    await page.evaluate("window.same = true")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="No failed messages")).to_be_visible()
    assert await store.dead_letters.count() == 0
    notice = (await store.messages.of(conversation))[-1].id
    await store.deliveries.fail(await store.deliveries.begin(notice), Fault("the customer blocked the bot"))
    assert await page.evaluate("window.same")
    await page.goto(page.url.replace("/failed", f"/conversations/{conversation}"))
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("pending …")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_the_name_in_a_row_is_whole_beside_a_rank_and_a_wait(
    store: Store, agents: dict[str, Agent], open_console: Open
) -> None:
    one = await queued(store, name="")
    await store.conversations.prioritise(one, agents["Mei"].id, Priority.URGENT)
    page = await open_console({"width": 1366, "height": 768})
    row = page.locator(f"#row-{one}")
    await expect(row.locator(".waits")).to_contain_text("under 1 min")
    fits = """name => {
        const words = document.createRange();
        words.selectNodeContents(name);
        return words.getBoundingClientRect().width < name.getBoundingClientRect().width + 0.1;
    }"""
    assert await row.locator(".row-name").evaluate(fits)


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
    await delivered(store, (await store.messages.of(conversation_id))[-1].id, "x1")
    await expect(sent).to_contain_text("sent")

    await page.get_by_role("radio", name="Private note").check()
    await box.fill("looks like a low fee")
    await page.get_by_role("button", name="Add note").click()
    # At the desk: while it is on its way, handing back would ask first.
    await expect(page.locator(".message.note:not(.outgoing)")).to_contain_text("looks like a low fee")

    await page.get_by_role("button", name="Hand back to bot").click()
    await expect(page.locator(".state")).to_have_text("With the bot")
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator(".state")).to_have_text("Resolved")
    assert (await store.conversations.get(conversation_id)).state is ConversationState.RESOLVED


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
    await store.agents.set_password(agents["Mei"].id, await hash_password(PASSWORD))
    await box.press("Enter")
    await page.get_by_label("Name").fill("Mei")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile(f"/conversations/{conversation_id}"))
    await expect(page.locator("li.message.agent")).to_contain_text("a long answer")
    await expect(box).to_have_value("")
    assert [one.text for one in await store.messages.of(conversation_id)].count("a long answer") == 1


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


async def test_the_channels_page_and_its_sign_keep_themselves_up_to_date(
    store: Store, agents: dict[str, Agent], sign_in: Open, app: FastAPI
) -> None:
    await store.agents.set_role(agents["Mei"].id, Role.LEAD)

    def status(state: ChannelState, error: str | None = None) -> ChannelStatus:
        now = datetime.now(UTC)
        since = now - timedelta(minutes=1)
        told, at = (Fault(error), now) if error else (None, None)
        return ChannelStatus("discord", "Care#1", state, since, now, error=told, error_at=at)

    await store.channels.record(status(ChannelState.CONNECTED))
    async with served(app) as address:
        page = await sign_in(f"{address}/console")
        await expect(page.locator(".dot")).to_have_count(0)
        await page.clock.install()
        await page.get_by_role("link", name="Channels").click()
        discord = page.locator("#channel-discord")
        await expect(discord).to_contain_text("Connected since")
        await store.channels.record(status(ChannelState.OFF, "the token was refused; set DISCORD_TOKEN"))
        await page.clock.fast_forward(10_000)
        await expect(discord).to_contain_text("Off since")
        await expect(discord).to_contain_text("set DISCORD_TOKEN")
        await expect(page.locator(".dot")).to_be_visible()
        await page.get_by_role("link", name="Conversations").click()
        await expect(page.get_by_role("link", name="discord is off")).to_be_visible()
    await expect(page.locator("#trouble")).not_to_be_empty()
