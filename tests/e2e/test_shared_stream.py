"""Both live pages in many tabs: one stream each for a browser, nothing missed or doubled, a dead line is said."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

from bot.domain.message import Author
from bot.domain.staff import Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from connectors.web.visitors import COOKIE, contact_of
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import PASSWORD
from tests.support.console_pages import queued
from tests.support.stand_in_desk import Site, StandInDesk, message
from tests.support.wire import Wire
from tests.support.words import WORDS

CONSOLE, CHAT = "console", "chat"
TABS = 7
"""More than a browser has connections for a site."""
NO_LOCKS = "delete Navigator.prototype.locks"
NO_WORKERS = "delete window.SharedWorker"
TURN = """state => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class Place:
    """A desk with both pages, behind a line."""

    def __init__(self, store: Store, feed: Feed, chat: StandInDesk, wire: Wire) -> None:
        self.store = store
        self.chat = chat
        self.wire = wire
        self.address = f"http://127.0.0.1:{wire.port}"
        self._feed = feed
        self._waiting = 0

    @property
    def streams(self) -> tuple[int, int]:
        """Open at the desk: the console's, and the chat's."""
        return sum(map(len, self._feed._watches.values())), self.chat.followers

    async def has_streams(self, console: int, chat: int) -> None:
        async with asyncio.timeout(10):
            while self.streams != (console, chat):
                await asyncio.sleep(0.05)

    async def enter(self, context: BrowserContext, name: str = "Mei") -> None:
        """Signs an agent in."""
        form = {"name": name, "password": PASSWORD}
        assert (await context.request.post(f"{self.address}/console/sign-in", form=form)).ok

    async def tabs(self, context: BrowserContext, path: str, number: int) -> list[Page]:
        """The first of them opens the stream."""
        open_before = sum(self.streams)
        first = await self._tab(context, path)
        async with asyncio.timeout(10):
            while sum(self.streams) == open_before:
                await asyncio.sleep(0.02)
        return [first, *await asyncio.gather(*(self._tab(context, path) for _ in range(number - 1)))]

    async def _tab(self, context: BrowserContext, path: str) -> Page:
        page = await context.new_page()
        await page.goto(self.address + path)
        return page

    async def tell_visitor(self, context: BrowserContext, text: str) -> None:
        [cookie] = [cookie for cookie in await context.cookies() if cookie.get("name") == COOKIE]
        await self.chat.deliver(contact_of(cookie.get("value", "")), message(text, Author.AGENT, agent_name="Maya"))

    async def tell_agents(self) -> str:
        """One more conversation in the queue; the title that says so."""
        self._waiting += 1
        await queued(self.store, name=f"Ann {self._waiting}")
        return f"({self._waiting}) BitPie desk"


@pytest.fixture
async def place(store: Store, desk: Desk, feed: Feed) -> AsyncIterator[Place]:
    for name in ("Mei", "Ada"):
        await store.agents.add(name, Role.AGENT, await hash_password(PASSWORD))
    chat = StandInDesk()
    connector = Site(chat).connector
    router = console(store, desk, feed, capabilities={}, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS)
    listening = http.bind("127.0.0.1", 0)
    app = http.application([router, connector.routes(chat.receive)], {})
    parts = [
        asyncio.create_task(http.serve(app, listening)),
        asyncio.create_task(connector.run(chat.receive)),
    ]
    async with Wire(listening.getsockname()[1]).connected() as wire:
        yield Place(store, feed, chat, wire)
    for part in parts[::-1]:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)


Browsers = Callable[..., Awaitable[BrowserContext]]


@pytest.fixture
async def browser(place: Place, chromium: Browser) -> AsyncIterator[Browsers]:
    """Makes browsers without a past. A script error or a breach of the policy in any tab fails the test."""
    contexts = []
    errors: list[str] = []

    async def browser(*without: str) -> BrowserContext:
        context = await chromium.new_context(locale="en-GB")
        context.set_default_timeout(10_000)
        for script in without:
            await context.add_init_script(script)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on("console", lambda line: "Security Policy" in line.text and errors.append(line.text))
        contexts.append(context)
        return context

    yield browser
    for context in contexts:
        await context.close()
    assert not errors


class Holding:
    """The tabs of a browser that opened a stream last."""

    def __init__(self, context: BrowserContext) -> None:
        self.of: dict[str, Page] = {}
        context.on("request", self._note)

    async def known(self) -> list[Page]:
        """Of the console, and of the chat."""
        async with asyncio.timeout(10):
            while len(self.of) < 2:
                await asyncio.sleep(0.05)
        return [self.of[CONSOLE], self.of[CHAT]]

    def _note(self, request: Request) -> None:
        path = request.url.partition("?")[0].rpartition("/events")[0].rpartition("/")[2]
        if path:
            self.of[path] = request.frame.page


async def say(pages: Sequence[Page], texts: Sequence[str]) -> None:
    """Every chat shows these messages, each once and in this order."""
    await asyncio.gather(
        *(expect(page.locator(".message:not(.greeting) .bubble")).to_have_text(texts) for page in pages)
    )


async def are_called(pages: Sequence[Page], title: str) -> None:
    await asyncio.gather(*(expect(page).to_have_title(title) for page in pages))


def lost(pages: Sequence[Page]) -> list[Locator]:
    """Where each page says that its line is dead."""
    return [page.get_by_text(re.compile("Reconnecting ?…")) for page in pages]


async def test_seven_tabs_of_both_pages_share_a_stream_each(place: Place, browser: Browsers) -> None:
    context = await browser()
    holding = Holding(context)
    await place.enter(context)
    consoles = await place.tabs(context, "/console/", TABS)
    chats = await place.tabs(context, "/chat", TABS)
    told: list[str] = []

    async def hears(consoles: Sequence[Page], chats: Sequence[Page], text: str, within: float = 10) -> None:
        """News come to these tabs, in time; and no tab shows any twice."""
        told.append(text)
        await place.tell_visitor(context, text)
        title = await place.tell_agents()
        async with asyncio.timeout(within):
            await asyncio.gather(say(chats, told), are_called(consoles, title))

    await hears(consoles, chats, "one")
    await chats[4].get_by_role("textbox").fill("my own")
    await chats[4].get_by_role("textbox").press("Enter")
    told.append("my own")
    await say(chats, told)
    assert place.streams == (1, 1)

    # The tabs that hold the streams end, and others take over.
    ending = await holding.known()
    holding.of.clear()
    await asyncio.gather(*(tab.close() for tab in ending))
    consoles, chats = ([tab for tab in tabs if tab not in ending] for tabs in (consoles, chats))
    await hears(consoles, chats, "two", within=5)
    await place.has_streams(1, 1)

    # Those that hold them now hang.
    hanging = await holding.known()
    hang = "for (const end = Date.now() + 5000; Date.now() < end; );"
    hangs = [asyncio.ensure_future(page.evaluate(hang)) for page in hanging]
    others = [[tab for tab in tabs if tab not in hanging] for tabs in (consoles, chats)]
    await hears(*others, "three", within=6)
    await asyncio.gather(*hangs)
    await hears(consoles, chats, "four")
    await place.has_streams(1, 1)

    # The line goes dead without a word.
    place.wire.dead = True
    began = time.monotonic()
    words = lost([*consoles, *chats])
    await asyncio.gather(*(expect(word).to_be_visible() for word in words))
    assert time.monotonic() - began < 10
    told.append("five")
    await place.tell_visitor(context, "five")
    place.wire.dead = False
    await hears(consoles, chats, "six", within=15)
    await asyncio.gather(*(expect(word).to_be_hidden() for word in words))
    await place.has_streams(1, 1)


async def test_two_agents_are_apart_and_a_session_that_ends_leads_to_the_sign_in(
    place: Place, browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoff.console.pages.shell.events.KEEPALIVE", 1.0)
    of_mei, of_ada = await browser(), await browser()
    await place.enter(of_mei)
    await place.enter(of_ada, "Ada")
    tabs = await place.tabs(of_mei, "/console/", 2)
    [other] = await place.tabs(of_ada, "/console/", 1)
    await are_called([*tabs, other], await place.tell_agents())
    await place.has_streams(2, 0)
    # Ada signs in in Mei's browser, too: its tabs are hers now.
    mei = await tabs[0].locator("body").get_attribute("data-agent")
    await place.enter(of_mei, "Ada")
    async with asyncio.timeout(8):
        await asyncio.gather(*(expect(tab.locator("body")).not_to_have_attribute("data-agent", mei) for tab in tabs))
    await place.has_streams(2, 0)
    await of_mei.request.post(f"{place.address}/console/sign-out")
    async with asyncio.timeout(8):
        await asyncio.gather(*(tab.wait_for_url("**/console/sign-in?next=/console/") for tab in tabs))
    await are_called([other], await place.tell_agents())
    await place.has_streams(1, 0)


@pytest.mark.parametrize("without", [[], [NO_LOCKS]])
async def test_all_tabs_of_a_visitor_begin_anew_with_the_cookie(
    place: Place, browser: Browsers, without: list[str]
) -> None:
    context = await browser(*without)
    chats = await place.tabs(context, "/chat", 3)
    await place.tell_visitor(context, "to the former one")
    await say(chats, ["to the former one"])
    await context.clear_cookies()
    await chats[1].get_by_role("textbox").fill("new")
    await chats[1].get_by_role("textbox").press("Enter")
    await say(chats, ["new"])
    await place.tell_visitor(context, "to the new one")
    await say(chats, ["new", "to the new one"])
    await place.has_streams(0, 1)


async def test_pages_that_are_refused_a_stream_read_instead(place: Place, browser: Browsers) -> None:
    """As when the desk has as many streams as it takes."""
    context = await browser()
    await place.enter(context)
    asked: list[str] = []

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=503, headers={"Retry-After": "60"})

    await context.route(re.compile("/events"), refuse)
    chat, console = await context.new_page(), await context.new_page()
    await chat.goto(f"{place.address}/chat")
    await console.goto(f"{place.address}/console/")
    await expect(chat.get_by_role("textbox")).to_be_visible()
    await place.tell_visitor(context, "one")
    title = await place.tell_agents()
    async with asyncio.timeout(9):
        await say([chat], ["one"])
        await are_called([console], title)
    for word in lost([chat, console]):
        await expect(word).to_be_hidden()
    assert len(asked) == 2


@pytest.mark.parametrize(("without", "streams"), [([NO_LOCKS], 1), ([NO_LOCKS, NO_WORKERS], 2)])
async def test_pages_without_locks_share_by_a_worker_or_not_at_all(
    place: Place, browser: Browsers, without: list[str], streams: int
) -> None:
    context = await browser(*without)
    await place.enter(context)
    consoles = await place.tabs(context, "/console/", 2)
    chats = await place.tabs(context, "/chat", 2)
    await place.tell_visitor(context, "one")
    await are_called(consoles, await place.tell_agents())
    await say(chats, ["one"])
    await place.has_streams(streams, streams)
    if streams > 1:
        # Hidden tabs leave the few connections to those that are seen, and catch up when they are.
        hidden = [consoles[1], chats[1]]
        await asyncio.gather(*(page.evaluate(TURN, "hidden") for page in hidden))
        await place.has_streams(1, 1)
        await place.tell_visitor(context, "between")
        title = await place.tell_agents()
        await asyncio.gather(*(page.evaluate(TURN, "visible") for page in hidden))
        await say(chats, ["one", "between"])
        await are_called(consoles, title)
        await place.has_streams(2, 2)
    await asyncio.gather(consoles.pop(0).close(), chats.pop(0).close())
    await place.tell_visitor(context, "two")
    await are_called(consoles, await place.tell_agents())
    await say(chats, ["one", "between", "two"] if streams > 1 else ["one", "two"])
    await place.has_streams(1, 1)
