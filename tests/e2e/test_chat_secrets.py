"""What the browser of a customer who sends a secret has of it afterwards: nothing."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from benchmarks.secrets import ordinary, plant, planting
from bot import guard
from bot.domain.message import Incoming, Receipt
from tests.support.dump import left_of
from tests.support.stand_in_desk import Site, StandInDesk

WORDS = plant.phrase(random.Random(20261128), "en", 12)
OWN = ".customer .bubble"
ORDINARY = "what do you charge to swap, please?"
STORED = """async () => JSON.stringify([
  Object.entries(localStorage), Object.entries(sessionStorage), await indexedDB.databases(), await caches.keys()])"""


class GuardedDesk(StandInDesk):
    async def receive(self, incoming: Incoming) -> Receipt:
        return await super().receive(guard.incoming(incoming))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site(GuardedDesk()).serving() as site:
        yield site


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser of its own, whose files can be looked at."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=path,
            locale="zh-CN",
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )


async def kept(page: Page) -> str:
    return str(await page.evaluate(STORED))


async def test_a_secret_is_in_no_storage_of_the_browser_and_not_on_the_page(
    context: BrowserContext, site: Site, tmp_path: Path
) -> None:
    page, other = context.pages[0], await context.new_page()
    for tab in (other, page):
        await tab.goto(f"{site.base_url}/chat")
    field = page.get_by_role("textbox")
    # What is typed and nothing else is kept over a reload.
    await field.press_sequentially(ORDINARY)
    await page.reload()
    await expect(field).to_have_value(ORDINARY)
    assert ORDINARY in await kept(page)
    # Not while it is typed, nor when its page is left half-way.
    await field.fill("")
    await field.press_sequentially(" ".join(WORDS[:5]))
    assert left_of(WORDS, await kept(page)) == []
    await page.reload()
    await expect(field).to_have_value("")
    # Not while it waits for the desk, in either tab.
    await context.set_offline(True)
    await field.press_sequentially(" ".join(WORDS))
    await field.press("Enter")
    await expect(page.locator(OWN)).to_have_text([" ".join(WORDS)])
    assert left_of(WORDS, await kept(page) + await other.content()) == []
    await context.set_offline(False)
    # Then both show what the desk keeps, in the customer's words.
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["【助记词已移除】"])
        everything = f"{await tab.content()} {await tab.title()} {await field.input_value()} {await kept(tab)}"
        assert left_of(WORDS, everything) == []
    await field.press_sequentially(ORDINARY)
    await page.close()
    assert ORDINARY in await kept(other)
    await context.close()
    files = [file.read_bytes() for file in (tmp_path / "profile").rglob("*") if file.is_file()]
    texts = [content.decode(encoding, "ignore") for content in files for encoding in ("latin-1", "utf-16-le")]
    assert any(ORDINARY in text for text in texts)  # there is something to be found
    assert [found for text in texts for found in left_of(WORDS, text)] == []


async def test_what_is_not_kept_is_every_secret_and_little_else(chromium: Browser, site: Site) -> None:
    """Of the messages that customers write, one in ten at most."""
    page = await chromium.new_page()
    await page.goto(f"{site.base_url}/chat")
    script = await page.locator('link[href*="maybe_secret.js"]').get_attribute("href")
    hits = f"async (texts) => {{ const m = await import('{script}'); return texts.map((t) => m.mayBeSecret(t)) }}"
    texts = [text for where, text in ordinary.ours(Path("none")) if where == "training examples"][::3]
    found = await page.evaluate(hits, texts)
    assert len(texts) > 4_000
    assert sum(found) / len(texts) <= 0.1
    alone = [one for one in planting.all_of(7, 15) if len(one.texts) == 1]
    missed = [
        one
        for one, hit in zip(alone, await page.evaluate(hits, [one.texts[0] for one in alone]), strict=True)
        if not hit
    ]
    assert len(alone) > 250
    assert missed == []
    long = ["password" * 1_250, "a1-" * 3_300, "的" * 10_000, "password is " * 800, "1 " * 5_000]
    took = await page.evaluate(
        f"async (t) => {{ const s = performance.now(); await ({hits})(t); return performance.now() - s }}", long
    )
    assert took < 1_000
    await page.close()
