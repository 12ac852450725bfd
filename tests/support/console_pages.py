"""The agents' console in a real browser: its server, who signs in, and what customers and agents did before."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from bot.domain.message import Message
from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support import console as console_desk
from tests.support.console import CAPABILITIES, PASSWORD
from tests.support.serving import served
from tests.support.words import WORDS

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGP4z8CAFWEXxSkBVFn+H8EZ1h2FAAAAAElFTkSuQmCC"
)
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def agents(store: Store) -> dict[str, Agent]:
    password_hash = await hash_password(PASSWORD)
    return {name: await store.agents.add(name, Role.AGENT, password_hash) for name in ("Mei", "Ada")}


@pytest.fixture
def app(store: Store, desk: Desk, feed: Feed) -> FastAPI:
    router = console(
        store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS
    )
    return http.application([router], {})


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
    assert not errors, errors


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    async with served(app) as address:
        yield f"{address}/console"


@pytest.fixture
def open_console(address: str, sign_in: Open) -> Open:
    """The fixtures in this order: a server that ends before the browsers waits for their event streams."""

    async def open_console(viewport: dict[str, int] = WIDE) -> Page:
        return await sign_in(address, viewport)

    return open_console


async def queued(store: Store, text: str = "my transfer is gone", **said: object) -> int:
    """A conversation that waits, with words of its own: its row is found by them."""
    return await console_desk.queued(store, text, **said)


async def held(store: Store, desk: Desk, agent: Agent, text: str = "my transfer is gone") -> int:
    """A conversation on a channel that can do everything, in the agent's hands."""
    conversation_id = await queued(store, text, channel="discord")
    await desk.claim(conversation_id, agent)
    return conversation_id


async def opened(page: Page, conversation_id: int) -> None:
    await page.locator("#tab-mine").click()
    await page.locator(f"#row-{conversation_id} a").click()
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()


async def latest(store: Store, conversation_id: int) -> Message:
    return (await store.messages.of(conversation_id))[-1]
