"""The agents' console in a real browser: its server, who signs in, and what customers and agents did before."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from bot.domain.channel import Capabilities
from bot.domain.conversation import EscalationReason
from bot.domain.decision import Action, Decision
from bot.domain.message import Incoming, Message, Reply, Sender
from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password

PASSWORD = "correct horse"
ASKED = Decision(Action.ESCALATE, reason=EscalationReason.ASKED)
CAPABILITIES = {
    "web": Capabilities(),
    "discord": Capabilities(edits=True, attachments=True, quotes=True, max_file=100_000),
}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGP4z8CAFWEXxSkBVFn+H8EZ1h2FAAAAAElFTkSuQmCC"
)
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
    router = console(store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie")
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
        yield address


@pytest.fixture
def open_console(address: str, sign_in: Open) -> Open:
    """The fixtures in this order: a server that ends before the browsers waits for their event streams."""

    async def open_console(viewport: dict[str, int] = WIDE) -> Page:
        return await sign_in(address, viewport)

    return open_console


async def said(
    store: Store, text: str, *, id: str = "1", name: str = "Ann", channel: str = "web", **fields: object
) -> int:
    incoming = Incoming(channel, channel, f"{name}-{id}", Sender(name, name, "en"), chat_id=name, text=text)
    receipt = await store.record_incoming(replace(incoming, **fields))
    assert receipt.conversation_id is not None
    return receipt.conversation_id


async def queued(store: Store, text: str = "my transfer is gone", **said_: object) -> int:
    conversation_id = await said(store, text, **said_)
    taken = await store.begin_turn((await store.messages(conversation_id))[-1].id)
    await store.finish_turn(taken, ASKED, [Reply("You are number **{position}**.")], language="en")
    return conversation_id


async def delivered(store: Store, message_id: int, external_id: str) -> None:
    begun = await store.begin_delivery(message_id)
    assert begun is not None
    await store.record_sent(begun, 0, external_id)


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
    return (await store.messages(conversation_id))[-1]
