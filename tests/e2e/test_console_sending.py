"""Sending from the console over weak lines, in a real browser: once, in order, and nothing is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from playwright.async_api import Page, Route, expect

from bot.domain.message import Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import PASSWORD, said
from tests.support.console_pages import PNG, Open, held, opened, queued

POSTS = re.compile(r"/messages$")


async def words(store: Store, conversation_id: int) -> list[str]:
    """What agents sent, in its order."""
    return [one.text for one in await store.messages.of(conversation_id) if one.agent_id is not None]


async def box_of(page: Page, conversation_id: int) -> Page:
    await opened(page, conversation_id)
    return page.get_by_role("textbox", name="Message")


async def answer_lost(route: Route) -> None:
    await route.fetch()
    await route.abort()


def answers(status: int, times: int, **headers: str) -> Callable[[Route], object]:
    """Answers so the first ``times``, and lets the rest pass."""
    left = [times]

    async def answer(route: Route) -> None:
        left[0] -= 1
        if left[0] >= 0:
            await route.fulfill(status=status, headers=headers, body="")
        else:
            await route.continue_()

    return answer


async def test_a_lost_answer_makes_no_double_whatever_the_page_showed(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    box = await box_of(page, conversation_id)
    sent, outgoing = page.locator("li.message.agent"), page.locator(".outgoing")
    await page.route(POSTS, answer_lost)
    await box.fill("it is refunded")
    await box.press("Enter")
    # The live stream brings it, and the answer never comes.
    await expect(sent).to_contain_text("it is refunded")
    await expect(outgoing).to_have_count(0)
    await box.press("Enter")
    await expect(box).to_have_value("")
    # Nothing else passes either: no stream, and no read that a page makes without one. A read that passed would show
    # the message before its lost answer is noticed.
    await page.reload()
    await box.fill("anything else?")
    await page.route(re.compile(r"/console/(?!.*/messages$)"), lambda route: route.abort())
    await box.press("Enter")
    await expect(outgoing).to_contain_text("trying again")
    await page.unroute_all()
    await outgoing.get_by_role("button", name="Try now").click()
    await expect(outgoing).to_have_count(0)
    await expect(sent).to_have_count(2)
    assert await words(store, conversation_id) == ["it is refunded", "anything else?"]


async def test_several_are_sent_in_order_over_a_desk_that_comes_and_goes(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    box = await box_of(page, conversation_id)
    let = asyncio.Event()

    async def slowly(route: Route) -> None:
        await let.wait()
        await route.continue_()

    await page.route(POSTS, slowly)
    await box.fill("one")
    await box.press("Enter")
    await expect(box).to_have_value("")
    await page.get_by_role("radio", name="Private note").check()
    await box.fill("two")
    await box.press("Enter")
    outgoing = page.locator(".outgoing")
    await expect(outgoing).to_have_count(2)
    await expect(outgoing.first).to_have_attribute("aria-label", "Reply, sending")
    await expect(outgoing.last).to_have_attribute("aria-label", "Private note, sending")
    let.set()
    await expect(outgoing).to_have_count(0)
    await page.unroute(POSTS)

    # A desk that is too busy says when to come back; a reload does not end what is under way.
    await page.route(POSTS, answers(503, 1, **{"Retry-After": "1"}))
    await box.fill("three")
    await box.press("Enter")
    await expect(outgoing).to_contain_text("trying again")
    # Over the other one, which goes with it: between the two the next try would get through.
    await page.route(POSTS, lambda route: route.abort())
    await page.reload()
    await expect(outgoing).to_contain_text("three")
    # Another tab shows it as well; both may send it, and it is one message.
    second = await page.context.new_page()
    await second.goto(page.url)
    await expect(second.locator(".outgoing")).to_contain_text("three")
    await page.close()
    await expect(second.locator("li.message.note").last).to_contain_text("three")
    await expect(second.locator(".outgoing")).to_have_count(0)
    assert await words(store, conversation_id) == ["one", "two", "three"]
    kinds = [one.visibility for one in await store.messages.of(conversation_id) if one.agent_id is not None]
    assert kinds == [Visibility.PUBLIC, Visibility.PRIVATE, Visibility.PRIVATE]


async def test_what_is_refused_comes_back_in_its_own_mode_only(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    mei, ada = agents["Mei"], agents["Ada"]
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    page = await open_console()
    box = await box_of(page, conversation_id)
    let = asyncio.Event()

    async def slowly(route: Route) -> None:
        await let.wait()
        await route.continue_()

    await page.route(POSTS, slowly)
    await box.fill("for her")
    await box.press("Enter")
    # The box has become one for a note, and is empty: the moment in which a note is begun.
    await page.get_by_role("radio", name="Private note").check()
    await desk.take_over(conversation_id, ada, mei.id, "I know her")
    await expect(page.locator(".state")).to_have_text("With Ada")
    let.set()
    refused = page.get_by_role("article", name="Reply, not sent")
    await expect(refused.get_by_role("alert")).to_have_text("Not sent. Ada has this conversation.")
    await expect(box).to_have_value("")
    await box.fill("for us")
    await refused.get_by_role("button", name="Edit").click()
    await expect(page.locator(".refused")).to_contain_text("The box holds a private note.")
    await expect(box).to_have_value("for us")
    await box.press("Enter")
    await expect(page.locator("li.message.note")).to_contain_text("for us")
    # It is still there after a reload, and comes back with its mode when its author asks for it.
    await page.reload()
    await refused.get_by_role("button", name="Edit").click()
    await expect(box).to_have_value("for her")
    await expect(page.get_by_role("radio", name="Reply")).to_be_checked()
    await box.press("Enter")
    await expect(box).to_have_value("for her")
    assert await words(store, conversation_id) == ["for us"]


async def test_nobody_else_sends_what_an_agent_left_in_the_browser(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    box = await box_of(page, conversation_id)
    address = page.url
    await page.route(POSTS, lambda route: route.abort())
    await box.fill("from Mei")
    await box.press("Enter")
    await expect(page.locator(".outgoing")).to_contain_text("trying again")
    # In the same browser, beside the page that still is Mei's.
    second = await page.context.new_page()
    await second.goto(address)
    for name in ("Ada", "Mei"):
        await second.get_by_role("button", name="Account of").click()
        await second.get_by_role("button", name="Sign out").click()
        await second.get_by_label("Name").fill(name)
        await second.get_by_label("Password").fill(PASSWORD)
        await second.get_by_role("button", name="Sign in").click()
        await expect(second.get_by_role("button", name=f"Account of {name}")).to_be_visible()
        await second.goto(address)
        if name == "Ada":
            await expect(second.locator(".state")).to_have_text("With Mei")
            await expect(second.locator(".outgoing")).to_have_count(0)
            await page.unroute(POSTS)
            await page.close()
            await said(store, "hello?", id="2")
            await expect(second.get_by_role("region", name="Messages").get_by_text("hello?")).to_be_visible()
            assert await words(store, conversation_id) == []
    await expect(second.locator("li.message.agent")).to_contain_text("from Mei")
    assert await words(store, conversation_id) == ["from Mei"]


async def test_files_are_not_lost_to_an_ended_session(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    await page.locator(".attach input").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    await store.agents.set_password(agents["Mei"].id, await hash_password(PASSWORD))
    await page.get_by_role("button", name="Send").click()
    waiting = page.get_by_role("article", name="Reply, not sent yet")
    await expect(waiting).to_contain_text("Sign in again, and it is sent.")
    async with page.expect_popup() as popup:
        await waiting.get_by_role("link", name="Sign in").click()
    beside = await popup.value
    await beside.get_by_label("Name").fill("Mei")
    await beside.get_by_label("Password").fill(PASSWORD)
    await beside.get_by_role("button", name="Sign in").click()
    await expect(page.locator("li.message.agent .picture, li.message.agent .attachment")).to_have_count(1)
    await expect(page.locator(".outgoing")).to_have_count(0)
