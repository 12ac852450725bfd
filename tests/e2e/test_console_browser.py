"""The agents' console in a real browser: it stays live, and never loses what an agent is writing."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, Route, expect

from bot import http
from bot.feed import Feed
from bot.model import Action, Agent, ConversationState, Decision, EscalationReason, Incoming, Reply, Role, Sender
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password

PASSWORD = "correct horse"
ASKED = Decision(Action.ESCALATE, reason=EscalationReason.ASKED)
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def agents(store: Store) -> dict[str, Agent]:
    password_hash = await hash_password(PASSWORD)
    return {name: await store.add_agent(name, Role.AGENT, password_hash) for name in ("Mei", "Ada")}


@asynccontextmanager
async def served(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """The console's address while entered."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        serving = asyncio.create_task(http.serve(app, listening))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/console"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
def app(store: Store, desk: Desk, feed: Feed) -> FastAPI:
    return http.application([console(store, desk, feed, vendor=ROOT / "node_modules", brand="BitPie")], {})


@pytest.fixture
async def sign_in(agents: dict[str, Agent], chromium: Browser) -> AsyncIterator[Open]:
    """Signs Mei in, in a browser of her own. A script error or a breach of the policy fails the test."""
    contexts = []
    errors: list[str] = []

    async def sign_in(address: str, viewport: dict[str, int] = WIDE) -> Page:
        context = await chromium.new_context(viewport=viewport, has_touch=viewport is PHONE)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: "Security Policy" in line.text and errors.append(line.text))
        await page.goto(f"{address}/sign-in")
        await page.get_by_label("Name").fill("Mei")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{address}/")
        return page

    yield sign_in
    for context in contexts:
        await context.close()
    assert not errors


@pytest.fixture
async def open_console(app: FastAPI, sign_in: Open) -> AsyncIterator[Open]:
    async with served(app) as address:

        async def open_console(viewport: dict[str, int] = WIDE) -> Page:
            return await sign_in(address, viewport)

        yield open_console


async def said(store: Store, text: str, *, id: str = "1", name: str = "Ann", **fields: object) -> int:
    incoming = Incoming("web", "web", f"{name}-{id}", Sender(name, name, "en"), chat_id=name, text=text)
    receipt = await store.record_incoming(replace(incoming, **fields))
    assert receipt.conversation_id is not None
    return receipt.conversation_id


async def queued(store: Store, text: str = "my transfer is gone", **said_: object) -> int:
    conversation_id = await said(store, text, **said_)
    taken = await store.begin_turn((await store.messages(conversation_id))[-1].id)
    await store.finish_turn(taken, ASKED, [Reply("You are number **{position}**.")], language="en")
    return conversation_id


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
    await expect(page.get_by_role("radio", name="Reply")).to_be_disabled()

    await page.get_by_role("button", name="Claim").click()
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    await expect(page.locator("#tab-mine")).to_have_attribute("aria-current", "true")
    await expect(page).to_have_title("BitPie desk")
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
    await store.record_sent((await store.messages(conversation_id))[-1].id, "x1")
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
    await page.route("**/events", lambda route: route.abort())
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
    await page.unroute("**/events")
    await said(store, "anyone?", id="2")
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("anyone?")
    await expect(alert).to_be_visible()
    await alert.get_by_role("button", name="Dismiss").click()
    await expect(alert).to_have_count(0)


async def test_a_reply_that_was_refused_is_back_in_the_box(
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
    await expect(page.locator("#trouble")).to_have_text("The desk cannot be reached")
    await expect(box).to_have_value("one more thing")
    await page.unroute("**/messages*")
    await box.press("Enter")
    await expect(page.locator(".message.agent")).to_contain_text("one more thing")
    await expect(page.locator("#trouble")).to_be_empty()


async def test_who_was_signed_out_is_asked_to_sign_in_and_comes_back_to_the_draft(
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
    await expect(box).to_have_value("a long answer")


async def test_after_an_outage_the_page_catches_up_by_itself(store: Store, app: FastAPI, sign_in: Open) -> None:
    conversation_id = await queued(store)
    async with served(app) as address:
        page = await sign_in(address)
        await page.locator(f"#row-{conversation_id} a").click()
        box = page.get_by_role("textbox", name="Message")
        await box.fill("unfinished")
    await expect(page.locator("#trouble")).to_have_text("Reconnecting …")
    await said(store, "written meanwhile", id="2")
    await queued(store, name="Ben")
    async with served(app, int(address.split(":")[2].split("/")[0])):
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
    details = page.locator(".fold")
    await expect(details.get_by_text("Priority")).to_be_hidden()
    await details.locator("summary").tap()
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
