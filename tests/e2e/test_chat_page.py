"""The chat page in a browser, against a desk in memory."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from bot.domain.message import Author, Button, Incoming, Message
from connectors.web.messages import shown
from connectors.web.visitors import COOKIE, contact_of
from tests.support.stand_in_desk import Site, StandInDesk, message

TOPICS = [Button("Forgot password", "topic:password_reset"), Button("Talk to a person", "human")]


def answer(incoming: Incoming) -> Iterable[Message]:
    return [message(f"about **{incoming.text}**", buttons=[Button("Yes", "helped:yes"), Button("No", "helped:no")])]


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(locale="en-GB")
    yield context
    await context.close()


@pytest.fixture
async def desk() -> StandInDesk:
    return StandInDesk(answer=answer)


@pytest.fixture
async def site(desk: StandInDesk) -> AsyncIterator[Site]:
    """Serving; a test that stops and starts its server makes its own."""
    async with Site(desk, TOPICS).serving() as site:
        yield site


@pytest.fixture
async def page(context: BrowserContext, site: Site) -> AsyncIterator[Page]:
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    await page.goto(f"{site.base_url}/chat")
    yield page
    assert errors == []


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Your message")


def bubbles(page: Page) -> Locator:
    return page.locator(".message .bubble")


async def say(page: Page, text: str) -> None:
    await field(page).fill(text)
    await field(page).press("Enter")


async def contact(page: Page) -> str:
    [cookie] = [cookie for cookie in await page.context.cookies() if cookie.get("name") == COOKIE]
    return contact_of(cookie.get("value", ""))


async def test_a_message_is_sent_and_answered_live(page: Page, desk: StandInDesk) -> None:
    await expect(page.get_by_text("Hello! I am the automated assistant of BitPie.")).to_be_visible()
    await expect(page.get_by_text("We never ask for your seed phrase")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await say(page, "fees")
    await expect(bubbles(page)).to_have_text(["fees", "about fees"])
    await expect(field(page)).to_have_value("")
    await desk.deliver(await contact(page), message("I am here", Author.AGENT, agent_name="Maya"))
    await expect(page.get_by_text("Maya")).to_be_visible()
    await expect(page.get_by_text("Human", exact=True)).to_be_visible()
    assert [said.text for said in desk.received] == ["fees"]


async def test_an_agents_edit_and_deletion_appear_where_the_message_stands(page: Page, desk: StandInDesk) -> None:
    who = await contact(page)
    await say(page, "fees")
    await expect(bubbles(page)).to_have_count(2)
    first = await desk.deliver(who, message("helo, I am here", Author.AGENT, agent_name="Maya"))
    second = await desk.deliver(who, message("not for you", Author.AGENT, agent_name="Maya"))
    await desk.deliver(who, message("Does that help?", Author.AGENT, agent_name="Maya"))
    await expect(bubbles(page)).to_have_text(
        ["fees", "about fees", "helo, I am here", "not for you", "Does that help?"]
    )
    await page.evaluate("window.notReloaded = true")
    await desk.edit(who, first, "Hello, I am here")
    await desk.delete(who, second)
    after = ["fees", "about fees", "Hello, I am here", "Does that help?"]
    articles = page.locator(".messages > .message")

    async def shown() -> None:
        await expect(bubbles(page)).to_have_text(after)
        await expect(articles.nth(2)).to_contain_text("edited")
        await expect(articles.nth(3)).to_contain_text("Message deleted")
        await expect(articles).to_have_count(5)
        await expect(page.get_by_text("edited", exact=True)).to_have_count(1)

    await shown()
    assert await page.evaluate("window.notReloaded")
    assert "not for you" not in await page.content()
    await desk.edit(who, first, "Hello again")
    after[2] = "Hello again"
    await shown()
    await page.reload()
    await shown()


async def test_what_was_edited_before_the_page_got_it_stands_in_its_place(
    context: BrowserContext, desk: StandInDesk
) -> None:
    site, page = Site(desk), await context.new_page()
    async with site.serving():
        await page.goto(f"{site.base_url}/chat")
        await say(page, "before")
        await expect(bubbles(page)).to_have_count(2)
    who = await contact(page)
    first = await desk.deliver(who, message("one", Author.AGENT))
    second = await desk.deliver(who, message("two", Author.AGENT))
    await desk.deliver(who, message("three", Author.AGENT))
    await desk.edit(who, first, "ONE")
    await desk.delete(who, second)
    async with site.serving():
        expected = ["before", "about before", "ONE", "three"]
        await expect(bubbles(page)).to_have_text(expected, timeout=15_000)
        await expect(page.get_by_text("Message deleted")).to_have_count(1)
        await say(page, "after")
        await expect(bubbles(page)).to_have_text([*expected, "after", "about after"])


async def test_a_page_orders_by_cursor_and_knows_what_it_has(context: BrowserContext, site: Site) -> None:
    def sent(cursor: int, revision: int, text: str) -> str:
        said = replace(message(text, Author.AGENT), cursor=cursor, revision=revision)
        return f"id: {revision}\ndata: {json.dumps(shown(said))}\n\n"

    stream = [
        sent(5, 5, "five"),
        sent(7, 7, "seven"),
        sent(6, 8, "SIX"),
        sent(5, 9, "FIVE"),
        sent(3, 10, "older than the page"),
        sent(5, 5, "five"),
        sent(8, 11, "eight"),
    ]
    asked: list[str] = []

    async def answer_events(route: Route) -> None:
        asked.append(route.request.url)
        body = "retry: 100\n\n" + "".join(stream) if len(asked) == 1 else "retry: 60000\n\n"
        await route.fulfill(content_type="text/event-stream", body=body)

    page = await context.new_page()
    await page.route("**/chat/events?*", answer_events)
    await page.goto(f"{site.base_url}/chat")
    await expect(bubbles(page)).to_have_text(["FIVE", "SIX", "seven", "eight"])


async def test_an_agents_picture_is_shown_and_a_file_can_be_saved(page: Page, desk: StandInDesk) -> None:
    who = await contact(page)
    # A picture that a browser really decodes.
    picture = await page.locator(".top").screenshot(type="png")
    files = (
        desk.keep("where to tap.png", "image/png", picture),
        desk.keep("<b>账单</b>.pdf", "application/pdf", b"%PDF" + b"x" * 20_000),
        desk.keep("broken.png", "image/png", b"\x89PNG\r\n\x1a\n nothing"),
    )
    sent = await desk.deliver(who, message("see here", Author.AGENT, agent_name="Maya", attachments=files))
    image = page.get_by_role("img", name="where to tap.png")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", True)
    assert await image.evaluate("image => image.naturalWidth") > 100
    await expect(page.locator("a.file", has_text="broken.png")).to_be_visible()
    async with page.expect_download() as saving:
        await page.locator("a.file", has_text="账单").click()
    saved = await saving.value
    assert "账单" in saved.suggested_filename
    assert (await saved.path()).read_bytes().startswith(b"%PDFxx")
    await desk.delete(who, sent)
    await expect(page.get_by_text("Message deleted")).to_be_visible()
    await expect(image).to_have_count(0)
    await expect(page.locator("a.file")).to_have_count(0)


async def test_shift_and_enter_begin_a_new_line(page: Page, desk: StandInDesk) -> None:
    await field(page).press_sequentially("one")
    await field(page).press("Shift+Enter")
    await field(page).press_sequentially("two")
    await field(page).press("Enter")
    await expect(bubbles(page)).to_have_count(2)
    assert desk.received[0].text == "one\ntwo"


async def test_dots_show_that_the_assistant_writes_and_nothing_else(page: Page, site: Site) -> None:
    site.desk.answer = lambda said: []
    dots = page.locator(".typing")
    await say(page, "hello")
    await expect(bubbles(page)).to_have_text(["hello"])
    await expect(dots).to_be_hidden()
    await site.connector.typing(await contact(page))
    await expect(dots).to_be_visible()
    await site.desk.deliver(await contact(page), message("done"))
    await expect(dots).to_be_hidden()
    await say(page, "and?")  # recorded, and nobody writes
    await expect(bubbles(page)).to_have_text(["hello", "done", "and?"])
    await expect(dots).to_be_hidden()


async def test_nothing_is_lost_or_doubled_over_a_restart(context: BrowserContext, desk: StandInDesk) -> None:
    site, page = Site(desk), await context.new_page()
    async with site.serving():
        await page.goto(f"{site.base_url}/chat")
        await say(page, "before")
        await expect(bubbles(page)).to_have_text(["before", "about before"])
    await desk.deliver(await contact(page), message("meanwhile"))
    await say(page, "during")
    await expect(page.get_by_text("Not sent yet.")).to_be_visible()
    await expect(page.get_by_text("Connection lost.")).to_be_visible()
    async with site.serving():
        expected = ["before", "about before", "meanwhile", "during", "about during"]
        await expect(bubbles(page)).to_have_text(expected, timeout=15_000)
        await expect(page.get_by_text("Connection lost.")).to_be_hidden()
    assert [said.text for said in desk.received] == ["before", "during"]


async def test_a_failure_is_retried_by_itself(page: Page, desk: StandInDesk) -> None:
    desk.failures = 1
    await say(page, "fees")
    await expect(page.get_by_text("Not sent yet.")).to_be_visible()
    await expect(bubbles(page)).to_have_text(["fees", "about fees"], timeout=10_000)
    assert len(desk.received) == 1


async def test_a_reload_keeps_the_draft_and_what_is_unsent(page: Page, desk: StandInDesk) -> None:
    desk.failures = 1000
    await say(page, "first")
    await say(page, "second")
    await field(page).fill("half a thou")
    await page.reload()
    await expect(field(page)).to_have_value("half a thou")
    await expect(page.locator(".unsent .bubble")).to_have_text(["first", "second"])
    desk.failures = 0
    await page.get_by_role("button", name="Try now").first.click()
    await expect(bubbles(page)).to_have_text(["first", "about first", "second", "about second"], timeout=10_000)
    await page.reload()
    await expect(bubbles(page)).to_have_text(["first", "about first", "second", "about second"])
    assert [said.text for said in desk.received] == ["first", "second"]


async def test_an_answer_lost_on_its_way_does_not_double_the_message(page: Page, desk: StandInDesk) -> None:
    lost = 0

    async def lose_once(route: Route) -> None:
        nonlocal lost
        if lost or route.request.method != "POST":
            await route.continue_()
            return
        lost += 1
        await route.fetch()
        await route.abort()

    await page.route("**/chat/messages", lose_once)
    await say(page, "fees")
    await expect(bubbles(page)).to_have_text(["fees", "about fees"])
    await say(page, "more")
    await expect(bubbles(page)).to_have_text(["fees", "about fees", "more", "about more"], timeout=10_000)
    assert [said.text for said in desk.received] == ["fees", "more"]


async def test_a_refused_message_can_be_edited(page: Page, desk: StandInDesk) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=422, json={"error": "too_long", "message": "This message is too long."})

    await page.route("**/chat/messages", refuse, times=1)
    await say(page, "the words")
    await expect(page.get_by_role("alert")).to_contain_text("Not sent. This message is too long.")
    await page.get_by_role("button", name="Edit").click()
    await expect(field(page)).to_have_value("the words")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await field(page).press("Enter")
    await expect(bubbles(page)).to_have_text(["the words", "about the words"])


async def test_too_many_characters_are_counted_not_sent(page: Page, desk: StandInDesk) -> None:
    await field(page).fill("😀" * 10_003)
    await expect(page.get_by_text("3 characters too many")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await field(page).press("Enter")
    await field(page).fill("😀" * 10_000)
    await field(page).press("Enter")
    await expect(bubbles(page)).to_have_count(2)
    assert len(desk.received) == 1


async def test_only_the_last_buttons_are_active(page: Page, desk: StandInDesk) -> None:
    await page.get_by_role("button", name="Forgot password").click()
    await expect(bubbles(page)).to_have_text(["Forgot password", "about Forgot password"])
    first = page.get_by_role("button", name="Yes")
    await expect(first).to_be_enabled()
    await first.click()
    await expect(bubbles(page)).to_have_count(4)
    await expect(first.first).to_be_disabled()
    await expect(first.first).to_have_attribute("aria-pressed", "true")
    await expect(first.last).to_be_enabled()
    await desk.deliver(await contact(page), message("I take over", Author.AGENT))
    await expect(first.last).to_be_disabled()
    assert [said.button for said in desk.received] == ["topic:password_reset", "helped:yes"]


async def test_hostile_words_are_only_words(page: Page, desk: StandInDesk) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    button = Button(hostile, "human")
    desk.answer = lambda said: [
        message(f"{hostile} [x](javascript:alert(3))", buttons=[button]),
        message(hostile, Author.AGENT, agent_name=hostile),
        message(hostile, Author.SYSTEM),
    ]
    await say(page, hostile)
    await expect(bubbles(page)).to_have_count(4)
    for words in await bubbles(page).all_inner_texts():
        assert hostile in words
    assert await page.locator(".messages :is(img, script, a)").count() == 0
    await expect(page.get_by_role("button", name=hostile)).to_have_count(1)


async def test_who_lost_the_cookie_begins_anew(page: Page, desk: StandInDesk) -> None:
    await say(page, "old")
    await expect(bubbles(page)).to_have_count(2)
    await page.context.clear_cookies()
    await say(page, "new")
    await expect(bubbles(page)).to_have_text(["new", "about new"], timeout=10_000)
    assert [said.text for said in desk.received] == ["old", "new"]


async def test_news_does_not_move_who_reads_above(page: Page, desk: StandInDesk) -> None:
    who = await contact(page)
    for number in range(40):
        await desk.deliver(who, message(f"line {number}"))
    await expect(page.get_by_text("line 39")).to_be_in_viewport()
    await page.get_by_role("log").hover()
    await page.mouse.wheel(0, -800)
    await expect(page.get_by_text("line 39")).not_to_be_in_viewport()
    await desk.deliver(who, message("the newest"))
    await page.get_by_role("button", name="New messages").click()
    await expect(page.get_by_text("the newest")).to_be_in_viewport()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_phone_scrolls_only_downwards(chromium: Browser, site: Site, language: str) -> None:
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True)
    page = await context.new_page()
    await page.goto(f"{site.base_url}/chat?lang={language}")
    await expect(page.locator("html")).to_have_attribute("lang", language)
    entry = page.get_by_role("textbox")
    await entry.fill("0x" + "f" * 600)
    await entry.press("Enter")
    await expect(bubbles(page)).to_have_count(2)
    for selector in ("html", ".scroller", ".composer"):
        wide, room = await page.locator(selector).evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= room, selector
    size = await entry.evaluate("element => getComputedStyle(element).fontSize")
    assert float(re.sub("px", "", size)) >= 16, "iOS zooms into smaller fields"
