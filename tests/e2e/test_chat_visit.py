"""The chat page in browsers as they are: behind proxies, in several tabs, without cookies, with a wrong clock, on a
computer that others use, on phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from bot.domain.message import Author
from tests.e2e.test_chat_page import answer, bubbles, contact, field, say
from tests.support.middlebox import Middlebox
from tests.support.stand_in_desk import Site, StandInDesk, message

Opened = Callable[..., Awaitable[Page]]


@pytest.fixture
async def desk() -> StandInDesk:
    return StandInDesk(answer=answer)


@pytest.fixture
async def box(desk: StandInDesk) -> AsyncIterator[Middlebox]:
    async with Site(desk).serving() as site, Middlebox(site.port).connected() as box:
        yield box


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(locale="en-GB")
    yield context
    await context.close()


@pytest.fixture
async def opened(context: BrowserContext, box: Middlebox) -> AsyncIterator[Opened]:
    """Opens the chat in a tab. A script error in any of them fails the test."""
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))

    async def opened(path: str = "/chat") -> Page:
        page = await context.new_page()
        await page.goto(box.address + path)
        return page

    yield opened
    assert errors == []


@pytest.mark.parametrize("heals", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_answers_come_at_once_where_streams_are_held_back_and_cut(
    opened: Opened, box: Middlebox, desk: StandInDesk, heals: bool
) -> None:
    """Over plain HTTP, by a proxy that changes the host as well. Where the line heals, the stream is taken again."""
    box.holds, box.cuts_after, box.host, box.plain = True, 0.8, "desk.internal:8080", True
    page = await opened()
    await say(page, "hello")
    expected = ["hello", "about hello"]
    await expect(bubbles(page)).to_have_text(expected, timeout=6_000)
    async with asyncio.timeout(6):
        while not any("wait=0" in line for line in box.asked):  # longer ones were cut
            await asyncio.sleep(0.05)
    who = await contact(page)
    await desk.deliver(who, message("one", Author.AGENT))
    expected.append("one")
    await expect(bubbles(page)).to_have_text(expected, timeout=4_000)
    await expect(page.locator(".banner")).to_be_hidden()
    if not heals:
        return
    box.holds, box.cuts_after = False, None
    await page.evaluate("dispatchEvent(new Event('online'))")
    async with asyncio.timeout(6):
        while not desk.followers:
            await asyncio.sleep(0.05)
    await desk.deliver(who, message("two", Author.AGENT))
    await expect(bubbles(page)).to_have_text([*expected, "two"], timeout=4_000)

    def polls() -> int:
        return sum("wait=" in line for line in box.asked)

    quiet = 0
    async with asyncio.timeout(10):
        while quiet < 16:  # tenths of a second: longer than polls are apart
            before = polls()
            await asyncio.sleep(0.1)
            quiet = quiet + 1 if polls() == before else 0


async def test_tabs_keep_drafts_of_their_own_and_one_sends_what_is_unsent(
    opened: Opened, context: BrowserContext, desk: StandInDesk
) -> None:
    posts: list[Page] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            posts.append(request.frame.page)

    context.on("request", note)
    desk.failures = 1000
    first, second = await opened(), await opened()
    await say(first, "unsent")
    await expect(second.locator(".unsent .bubble")).to_have_text(["unsent"])
    await expect(first.get_by_role("button", name="Try now")).to_be_visible()
    assert set(posts) == {first}
    await field(first).fill("draft of the first")
    await field(second).fill("draft of the second")
    await asyncio.gather(first.reload(), second.reload())
    await expect(field(first)).to_have_value("draft of the first")
    await expect(field(second)).to_have_value("draft of the second")
    await expect(second.locator(".unsent .bubble")).to_have_text(["unsent"])
    await first.close()
    desk.failures = 0
    await expect(bubbles(second)).to_have_text(["unsent", "about unsent"])
    assert second in posts
    assert [one.text for one in desk.received] == ["unsent"]
    third = await opened()
    await expect(field(third)).to_have_value("draft of the first")
    await expect(field(second)).to_have_value("draft of the second")
    await expect(bubbles(third)).to_have_text(["unsent", "about unsent"])


async def test_who_ends_the_chat_leaves_nothing_in_any_tab(
    opened: Opened, context: BrowserContext, desk: StandInDesk
) -> None:
    page, other = await opened(), await opened()
    await say(page, "my confidential matter")
    await expect(bubbles(other)).to_have_text(["my confidential matter", "about my confidential matter"])
    who = await contact(page)
    await field(other).fill("confidential draft")
    end = page.get_by_role("button", name="End chat")
    await end.click()
    await expect(page.get_by_role("dialog", name="End this chat on this device?")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(end).to_be_focused()
    await end.click()
    await context.set_offline(True)
    await page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    await expect(page.get_by_role("alert")).to_contain_text("The chat is still open on this device.")
    await context.set_offline(False)
    await page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    for tab in (page, other):
        await expect(tab.get_by_text("The chat has been ended on this device.")).to_be_visible()
        assert "confidential" not in await tab.content()
        await expect(field(tab)).to_have_value("")
    assert "confidential" not in await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert desk.ended == [who]
    await say(other, "somebody else")
    for tab in (page, other):
        await expect(bubbles(tab)).to_have_text(["somebody else", "about somebody else"])
    assert await contact(page) != who


async def test_who_keeps_no_cookies_is_told(opened: Opened, context: BrowserContext, box: Middlebox) -> None:
    box.cookies = False
    # As browsers do that keep nothing of a site.
    await context.add_init_script("""
        const denied = () => { throw new DOMException("denied", "SecurityError"); };
        for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { get: denied });
        Navigator.prototype.__defineGetter__("locks", () => ({ request: async () => denied() }));
    """)
    page = await opened("/chat?lang=zh")
    await expect(page.get_by_role("status").filter(has_text="聊天需要使用 Cookie")).to_be_visible()


WRONG_CLOCK = """
    const Real = Date;
    let off = -3e11;
    window.turnClock = (milliseconds) => { off += milliseconds; };
    window.Date = class extends Real {
      constructor(...given) { super(...(given.length ? given : [Real.now() + off])); }
      static now() { return Real.now() + off; }
    };
"""


async def test_a_wrong_clock_changes_nothing_and_the_chosen_language_is_the_desks(
    opened: Opened, context: BrowserContext, desk: StandInDesk
) -> None:
    await context.add_init_script(WRONG_CLOCK)
    page = await opened("/chat?lang=zh")
    desk.failures = 2
    for text in ("一", "二", "三"):
        await page.get_by_role("textbox").fill(text)
        await page.get_by_role("textbox").press("Enter")
        await page.evaluate("turnClock(-1e10)")
    await expect(bubbles(page)).to_have_text(["一", "about 一", "二", "about 二", "三", "about 三"])
    assert [one.text for one in desk.received] == ["一", "二", "三"]
    await expect(page.locator(".day")).to_have_text(["今天"])
    assert desk.spoken == {await contact(page): "zh"}


async def test_on_a_phone_the_newest_message_is_seen_from_its_beginning(
    chromium: Browser, box: Middlebox, desk: StandInDesk
) -> None:
    context = await chromium.new_context(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    page = await context.new_page()
    await page.goto(f"{box.address}/chat?lang=en")
    long = "\n\n".join(f"step {number} of the way" for number in range(40))
    desk.answer = lambda said: [message(f"{said.text}: {long}"), message("a notice", Author.SYSTEM)]
    marker = page.get_by_role("button", name="New messages")

    async def seen_from(text: str) -> float:
        """Where the message with that text begins, from the top of the view."""
        await expect(page.locator(".messages .bubble", has_text=text)).to_be_attached()
        await expect(page.locator(".messages .bubble", has_text=text)).to_be_in_viewport()
        return await page.locator(".message", has_text=text).evaluate(
            "message => message.getBoundingClientRect().top - message.closest('.scroller').getBoundingClientRect().top"
        )

    await say(page, "how")
    assert 0 <= await seen_from("how: step 0") < 40
    await expect(marker).to_be_visible()
    await desk.deliver(await contact(page), message("one more"))
    await expect(page.locator(".messages")).to_contain_text("one more")
    assert 0 <= await seen_from("how: step 0") < 40, "who reads is not moved"
    await marker.click()
    await expect(page.get_by_text("one more")).to_be_in_viewport()
    await expect(marker).to_be_hidden()
    await desk.deliver(await contact(page), message("short"))
    await expect(page.get_by_text("short")).to_be_in_viewport()
    await expect(marker).to_be_hidden()
    await desk.deliver(await contact(page), message(f"again: {long}", Author.AGENT, agent_name="Maya"))
    await page.reload()
    assert 0 <= await seen_from("again: step 0") < 40
    await desk.deliver(await contact(page), message("below"))
    await expect(marker).to_be_visible()
    await page.get_by_role("button", name="End chat").click()
    await page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    await expect(page.get_by_text("has been ended")).to_be_in_viewport()
    await expect(marker).to_be_hidden()
    await context.close()
