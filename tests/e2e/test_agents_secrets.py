"""Secrets in the console, in a real browser: none stays in it, and what is removed is gone from the open page."""

from __future__ import annotations

from playwright.async_api import Page, expect

from bot.domain.message import Visibility
from bot.domain.secret import SecretKind
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console_pages import Open, held, latest, opened

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
MISSED = "my words: corgi marmalade zeppelin trombone"
"""What the search does not know."""

STORED = """async () => JSON.stringify([
    {...localStorage}, {...sessionStorage}, await indexedDB.databases(), await caches?.keys(), document.cookie])"""


async def kept_in(page: Page) -> str:
    """What the browser keeps of the page."""
    return str(await page.evaluate(STORED))


async def everywhere(page: Page) -> str:
    """What the page shows or hides, its boxes included."""
    boxes = await page.evaluate("[...document.querySelectorAll('textarea, input')].map(({ value }) => value).join()")
    return await page.content() + boxes


async def test_a_secret_that_an_agent_writes_is_refused_and_kept_nowhere(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"])
    page = await open_console()
    await opened(page, conversation_id)
    box = page.get_by_role("textbox", name="Message")
    for mode in ("Private note", "Reply"):
        await page.get_by_role("radio", name=mode).check()
        await box.fill(f"he told me: {PHRASE}")
        await box.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Not sent. This holds a seed phrase, and was not kept.")
        await expect(box).to_have_value(f"he told me: {PHRASE}")
        assert "sausage" not in await kept_in(page)
    await box.fill("he told me what he must not")
    assert "he told me what he must not" in await kept_in(page), "other drafts are kept"
    await page.get_by_role("radio", name="Private note").check()
    await box.press("Enter")
    await expect(page.locator("li.message.note")).to_contain_text("he told me what he must not")
    assert "sausage" not in await everywhere(page) + await kept_in(page)


async def test_what_a_colleague_marks_vanishes_from_the_open_page(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"], MISSED)
    page = await open_console()
    await opened(page, conversation_id)
    said = page.locator("li.message.customer")
    # Quoted in the box, and with the question open: neither holds it back.
    await said.get_by_role("link", name="Quote").click()
    await expect(page.locator(".quoting")).to_contain_text("corgi")
    await said.get_by_role("link", name="This is a secret").click()
    await expect(page.get_by_text("Is this a secret?")).to_be_visible()
    message = (await store.messages.of(conversation_id))[0]
    await desk.mark_secret(message.id, agents["Ada"], SecretKind.SEED_PHRASE)
    await expect(said).to_contain_text("Removed: a seed phrase. Funds at risk: do not ask for it.")
    await expect(page.locator(".quoting")).to_contain_text("[seed phrase removed]")
    await expect(page.locator(f"#row-{conversation_id}")).not_to_contain_text("corgi")
    assert "marmalade" not in await everywhere(page) + await kept_in(page)


async def test_a_secret_is_marked_and_a_note_deleted_by_the_keyboard(
    store: Store, desk: Desk, agents: dict[str, Agent], open_console: Open
) -> None:
    conversation_id = await held(store, desk, agents["Mei"], MISSED)
    note = await desk.note(conversation_id, agents["Mei"], "she means: corgi marmalade")
    page = await open_console()
    await opened(page, conversation_id)
    mark = page.get_by_role("link", name="This is a secret")
    await mark.press("Enter")
    kind = page.get_by_role("combobox", name="What it is")
    await expect(kind).to_be_focused()
    await kind.select_option("private_key")
    remove = page.get_by_role("button", name="Remove for good")
    await expect(remove).to_be_enabled()
    await remove.press("Enter")
    await expect(page.locator("li.message.customer")).to_contain_text("Removed: a private key.")
    await expect(page.locator("li.message.customer .words")).to_have_text("[private key removed]")
    await page.locator(f"#delete-{note.id}").press("Enter")
    await expect(page.get_by_text("Delete this note for good?")).to_be_visible()
    await expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    delete = page.get_by_role("button", name="Delete")
    await expect(delete).to_be_enabled()
    await delete.press("Enter")
    await expect(page.locator(f"#m-{note.id}")).to_contain_text("Note deleted by Mei")
    assert "marmalade" not in await everywhere(page)
    gone = await latest(store, conversation_id)
    assert (gone.visibility, "marmalade" in gone.text) == (Visibility.PRIVATE, False)
