"""What agents do with conversations, in a real browser: no press does what it was not meant for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Locator, Page, expect

from bot.domain.conversation import ConversationState
from bot.domain.message import Author, Incoming, Sender
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import delivered, said
from tests.support.console_pages import PHONE, WIDE, Open, held, latest, opened, queued


async def middle(of: Locator) -> tuple[float, float]:
    place = await of.bounding_box()
    assert place is not None
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


@pytest.mark.parametrize(
    ("viewport", "pauses"),
    [(WIDE, (150, 700)), (PHONE, (300,)), ({"width": 900, "height": 700}, (500,))],
    ids=["wide", "phone", "between"],
)
async def test_claim_pressed_twice_does_nothing_else(
    store: Store, open_console: Open, viewport: dict[str, int], pauses: tuple[int, ...]
) -> None:
    page = await open_console(viewport=viewport)
    for number, pause in enumerate(pauses):
        conversation_id = await queued(store, name=f"Customer {number}")
        await page.goto(f"{page.url.split('/console')[0]}/console/conversations/{conversation_id}")
        x, y = await middle(page.get_by_role("button", name="Claim"))
        await page.mouse.click(x, y)
        await page.wait_for_timeout(pause)
        await page.mouse.click(x, y)
        await expect(page.get_by_role("button", name="Resolve")).to_be_enabled()
        # Resolve and Undo share no place either.
        x, y = await middle(page.get_by_role("button", name="Resolve"))
        await page.mouse.click(x, y)
        await page.wait_for_timeout(pause)
        await page.mouse.click(x, y)
        await expect(page.locator(".state")).to_have_text("Resolved")
        await page.wait_for_timeout(100)
        now = await store.conversations.get(conversation_id)
        assert now.state is ConversationState.RESOLVED
        assert [m.text for m in await store.messages.of(conversation_id) if "handed back" in m.text] == []


async def test_claim_pressed_twice_by_keyboard_sends_no_draft(store: Store, open_console: Open) -> None:
    page = await open_console()
    for pause in (0, 300):
        conversation_id = await queued(store, name=f"Customer {pause}")
        await page.goto(f"{page.url.split('/console')[0]}/console/conversations/{conversation_id}")
        box = page.get_by_role("textbox", name="Message")
        await page.get_by_role("radio", name="Reply").check()
        await box.fill("not ready")
        await page.get_by_role("button", name="Claim").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_timeout(pause)
        await page.keyboard.press("Enter")
        await expect(box).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(box).to_have_value("not ready")
        # Once it is meant, it is sent.
        await page.wait_for_timeout(900)
        await page.keyboard.press("Enter")
        await expect(page.locator("li.message.agent")).to_contain_text("not ready")
        assert (await store.conversations.get(conversation_id)).state is ConversationState.ASSIGNED


async def test_resolve_asks_and_can_be_undone_and_reopened(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoff.desk.UNDO", timedelta(seconds=3))
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    resolve, state = page.get_by_role("button", name="Resolve", exact=True), page.locator(".state")
    box = page.get_by_role("textbox", name="Message")
    for mode in ("Reply", "Private note"):
        await page.get_by_role("radio", name=mode).check()
        await box.fill("half a sentence")
        await resolve.click()
        ask = page.get_by_role("alertdialog")
        await expect(ask).to_contain_text("You have words here that are not sent. Resolve all the same?")
        await expect(ask.get_by_role("button", name="Cancel")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(ask).to_have_count(0)
        assert (await store.conversations.get(conversation_id)).state is ConversationState.ASSIGNED
    await resolve.click()
    await ask.get_by_role("button", name="Resolve all the same").click()
    await expect(state).to_have_text("Resolved")
    await expect(box).to_have_value("half a sentence")
    await expect(page.get_by_text("Resolved. The customer is told in")).to_be_visible()
    await expect(page.get_by_text("held back until")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(state).to_have_text("Yours")
    await expect(page.get_by_text("Resolved. The customer")).to_have_count(0)
    await box.fill("")
    await resolve.click()
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    await expect(page.get_by_text("Resolved. The customer was told.")).to_be_visible()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert await store.deliveries.release_held() == 1
    await expect(page.get_by_text("held back until")).to_have_count(0)
    notices = [one for one in await store.messages.of(conversation_id) if "marked as resolved" in one.text]
    assert [one.held_until for one in notices] == [None]
    await page.get_by_role("button", name="Reopen").click()
    await expect(state).to_have_text("Yours")
    assert (await store.conversations.get(conversation_id)).agent == agents["Mei"]


async def test_a_conversation_is_taken_over_passed_on_and_put_back(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store, "is anybody there?")
    await desk.claim(conversation_id, agents["Ada"])
    await store.agents.record_presence(agents["Ada"])
    page = await open_console()
    await page.locator("#views-button").click()
    await page.locator("#tab-colleagues").click()
    row = page.locator(f"#row-{conversation_id}")
    await expect(row).to_contain_text("waits under 1 min")
    await expect(row).to_contain_text("with Ada")
    await row.locator("a").click()
    await expect(page.locator(".who")).to_contain_text("last here just now")
    await expect(page.locator(".who")).to_contain_text("waits under 1 min")
    await page.get_by_role("button", name="Take over").click()
    why = page.get_by_label("Why? Ada will read it.")
    await why.press_sequentially("she is ")
    # What is being written is not replaced by what customers do meanwhile.
    sender = Sender("Ann", "Anna", "en")
    await store.incoming.record(Incoming("web", "web", "Ann-2", sender, chat_id="Ann", text="hello?"))
    await expect(page.get_by_role("heading", name="Anna")).to_be_visible()
    await why.press_sequentially("ill")
    await page.get_by_role("button", name="Take it over").click()
    await expect(page.locator(".state")).to_have_text("Yours")
    await expect(page.get_by_text("Mei took over from Ada: she is ill")).to_be_visible()
    await expect(page.get_by_role("radio", name="Reply")).to_be_checked()

    await page.get_by_role("button", name="More").press("Enter")
    await page.get_by_label("Colleague", exact=True).select_option(label="Ada")
    await page.get_by_label("Why? Both of you will read it.").fill("well again")
    await page.get_by_role("button", name="Pass on").click()
    await expect(page.locator(".state")).to_have_text("With Ada")
    await expect(page.locator(".thread").get_by_text("Mei passed this on to Ada: well again")).to_be_visible()
    await expect(page.locator(".former")).to_have_count(0)

    await desk.transfer(conversation_id, agents["Ada"], agents["Mei"], "no, yours")
    await page.get_by_role("button", name="More").click()
    await page.get_by_label("Why? Whoever takes it next").fill("shift is over")
    await page.get_by_role("button", name="Back to the queue").click()
    await expect(page.locator(".state")).to_have_text("Waiting")
    await expect(page.locator(".thread").get_by_text("Mei put this back into the queue: shift is over")).to_be_visible()
    assert (await store.conversations.get(conversation_id)).state is ConversationState.QUEUED


async def under(page: Page, place: tuple[float, float]) -> str:
    """What a press there would reach."""
    return await page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y)?.closest('button, a')?.textContent.trim() ?? ''", list(place)
    )


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_delete_is_not_where_it_was_asked_for(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open, viewport: dict[str, int]
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    replies = [await desk.reply(conversation_id, agents["Mei"], words) for words in ("ok", "a longer one " * 20)]
    for reply in replies:
        await delivered(store, reply.id, f"x{reply.id}")
    page = await open_console(viewport=viewport)
    await opened(page, conversation_id)
    for reply in replies:
        message = page.locator(f"#m-{reply.id}")
        await message.scroll_into_view_if_needed()
        await message.hover()
        place = await middle(message.get_by_role("link", name="Delete"))
        await page.mouse.click(*place)
        await expect(message.get_by_role("link", name="Cancel")).to_be_focused()
        assert await under(page, place) != "Delete"
        await page.mouse.click(*place)
        await page.keyboard.press("Enter")
        await page.wait_for_timeout(200)
    assert [one.deleted_at for one in await store.messages.of(conversation_id)] == [None] * 6


async def test_the_next_agent_sees_the_earlier_conversations(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    first = await queued(store, "my card is <b>lost</b>")
    await desk.claim(first, agents["Ada"])
    await desk.note(first, agents["Ada"], "sounds honest")
    await desk.resolve(first, agents["Ada"])
    second = await said(store, "me again", id="2")
    if second == first:
        pytest.fail("without a time within which it goes on, a new conversation begins")
    page = await open_console()
    await page.goto(f"{page.url.split('?')[0]}conversations/{second}?view=bot")
    earlier = page.get_by_role("region", name="Earlier conversations")
    await expect(earlier.get_by_role("link")).to_have_count(1)
    await earlier.get_by_text("What was said").click()
    await expect(earlier.get_by_role("list", name="Messages with Ann")).to_contain_text("my card is <b>lost</b>")
    await expect(earlier).to_contain_text("sounds honest")
    await said(store, "hello?", id="3")
    await expect(page.get_by_role("region", name="Messages", exact=True)).to_contain_text("hello?")
    await expect(earlier.locator("details")).to_have_attribute("open", "")
    await earlier.get_by_role("link").click()
    await expect(page.locator(".state")).to_have_text("Resolved")
    await expect(page.get_by_role("button", name="Reopen")).to_be_visible()


async def test_only_what_an_agent_does_says_that_they_are_here(store: Store, open_console: Open) -> None:
    conversation_id = await queued(store)
    page = await open_console()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url) if request.url.endswith("/presence") else None)
    await page.evaluate("localStorage.removeItem(`presence:${document.body.dataset.agent}`)")
    await page.goto(f"{page.url.split('?')[0]}conversations/{conversation_id}")
    await said(store, "hello?", id="2")
    await expect(page.get_by_text("hello?").first).to_be_visible()
    await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', bubbles: true}))")
    assert told == []
    async with page.expect_response(lambda answer: answer.url.endswith("/presence")) as response:
        await page.keyboard.press("Shift")
    assert (await response.value).status == 204
    await page.keyboard.press("Shift")
    second = await page.context.new_page()
    second.on("request", lambda request: told.append(request.url) if request.url.endswith("/presence") else None)
    await second.goto(page.url)
    await second.keyboard.press("Shift")
    await second.wait_for_timeout(200)
    assert len(told) == 1
    seen = next(one for one in await store.agents.all() if one.name == "Mei").seen_at
    assert seen is not None


async def test_the_bot_gets_nothing_back_by_mistake(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    await page.get_by_role("textbox", name="Message").fill("wait")
    await page.get_by_role("button", name="Hand back to bot").click()
    ask = page.get_by_role("alertdialog")
    await expect(ask.get_by_role("button", name="Hand back all the same")).to_be_disabled()
    await ask.get_by_role("button", name="Cancel").click()
    assert (await latest(store, conversation_id)).author is not Author.AGENT
    assert (await store.conversations.get(conversation_id)).state is ConversationState.ASSIGNED
