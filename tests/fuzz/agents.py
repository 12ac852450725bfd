"""Random agents in a real browser. Whatever they do and whatever happens meanwhile: no note reaches a customer, no
reply becomes a note, and no word is lost or said twice.

An agent looks at the box before writing, and believes from then on that it is a reply or a note, until an act of their
own changes it. Every word they write is a token of its own, so that it is known afterwards what became of each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from playwright.async_api import BrowserContext, Page, Route
from playwright.async_api import Error as BrowserError

from bot.domain.conversation import ConversationState, StateConflict
from bot.domain.message import Incoming, Sender, Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.fuzz.console_scripts import ALL, BOX, HAS_ROW, ON_ITS_WAY, PRESS, ROW, SEND, SHOWN, TAKE_OVER, TOGGLE

PASSWORD = "correct horse"
PATIENCE = 20.0
"""Seconds for the page to have done what it was asked, on a busy machine."""


@dataclass
class Word:
    """One token that the agent wrote, and as what it was last sent."""

    conversation: int
    sent_as: str | None = None


@dataclass
class Tab:
    page: Page
    conversation: int | None = None
    believed: str | None = None
    """What the agent believes the box to be: ``reply`` or ``note``."""


@dataclass
class Line:
    """What the network does with the next writes of the page."""

    faults: list[str] = field(default_factory=list)

    async def __call__(self, route: Route) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        with contextlib.suppress(BrowserError):  # the page may be gone by then
            match fault:
                case "slow":
                    await asyncio.sleep(0.6)
                    await route.continue_()
                case "answer lost":
                    await route.fetch()
                    await route.abort("connectionreset")
                case "request lost":
                    await route.abort("connectionreset")
                case "unavailable":
                    await route.fulfill(status=503, headers={"Retry-After": "1"}, body="later")
                case _:
                    await route.continue_()


class Day:
    """One agent's day: random acts of theirs, of a colleague, of customers and of the network."""

    def __init__(
        self,
        context: BrowserContext,
        address: str,
        store: Store,
        desk: Desk,
        agents: Mapping[str, Agent],
        conversations: Mapping[str, int],
        seed: int,
    ) -> None:
        """``agents`` are Mei, who sits at the browser, and Ada; ``conversations`` by the customer's name."""
        self._context, self._address = context, address
        self._store, self._desk = store, desk
        self._mei, self._ada = agents["Mei"], agents["Ada"]
        self._customers = {number: name for name, number in conversations.items()}
        self._random = Random(seed)
        self._line = Line()
        self._tabs: list[Tab] = []
        self._words: dict[str, Word] = {}
        self._said = 0
        self.log: list[str] = []
        self.counts: Counter[str] = Counter()
        self.defects: list[str] = []

    async def begin(self) -> None:
        await self._context.route(lambda url: "/conversations/" in url, self._fault)
        for _ in range(2):
            page = await self._context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
            page.on("pageerror", lambda error: self.defects.append(f"script error: {error}"))
            self._tabs.append(Tab(page))
            await page.goto(f"{self._address}/")
            await self._sign_in(self._tabs[-1])

    async def _fault(self, route: Route) -> None:
        await (self._line(route) if route.request.method == "POST" else route.continue_())

    async def live(self, acts: int) -> None:
        """Sends a word, then does so many acts, each in a tab of the agent's choice."""
        for begin in (self._open, self._type, self._enter):
            await begin(self._tabs[0])
        for _ in range(acts):
            name, act = self._random.choices(*self._acts())[0]
            tab = self._random.choice(self._tabs)
            self.log.append(f"{len(self.log)}: tab {self._tabs.index(tab)}, {tab.conversation}: {name}")
            self.counts[name] += 1
            with contextlib.suppress(StateConflict, ValueError):
                await act(tab)
            if self._random.random() < 0.5:
                await asyncio.sleep(self._random.uniform(0, 0.3))

    def _acts(self) -> tuple[list[tuple[str, Callable[[Tab], Awaitable[None]]]], list[float]]:
        acts: dict[str, tuple[float, Callable[[Tab], Awaitable[None]]]] = {
            "open": (4, self._open),
            "type": (8, self._type),
            "toggle": (3, self._toggle),
            "enter": (6, self._enter),
            "press send": (2, self._press_send),
            "reload": (1, self._reload),
            "back": (0.7, self._back),
            "claim": (2, self._press("Claim")),
            "claim twice": (0.7, self._claim_twice),
            "hand back": (0.5, self._press("Hand back to bot", "Hand back all the same")),
            "resolve": (0.7, self._press("Resolve", "Resolve all the same")),
            "take over": (1.5, self._take_over),
            "edit what was refused": (1, self._press("Edit")),
            "undo": (0.5, self._press("Undo")),
            "reopen": (1, self._press("Reopen")),
            "session ends": (0.6, self._session_ends),
            "line": (3, self._line_fails),
            "customer writes": (3, self._customer_writes),
            "customer is renamed": (1, self._customer_renamed),
            "colleague claims": (1, self._colleague(self._claim_as_ada)),
            "colleague takes over": (1.5, self._colleague(self._take_over_as_ada)),
            "colleague passes on": (1.5, self._colleague(self._pass_on_as_ada)),
            "colleague hands back": (0.5, self._colleague(lambda one: self._desk.hand_back(one, self._ada))),
        }
        return [(name, act) for name, (_, act) in acts.items()], [weight for weight, _ in acts.values()]

    @property
    def sent(self) -> int:
        """How many words were sent, as whatever."""
        return sum(word.sent_as is not None for word in self._words.values())

    # --- the agent's own acts --------------------------------------------------------------------

    async def _open(self, tab: Tab) -> None:
        await self._sign_in(tab)
        number = self._random.choice(list(self._customers))
        if self._random.random() < 0.7 and await tab.page.evaluate(HAS_ROW, number):
            # Beside the list, without a new page.
            await tab.page.evaluate(ROW, number)
            await self._until_shown(tab, number)
        else:
            await tab.page.goto(f"{self._address}/conversations/{number}?view=mine")
        await self._sign_in(tab)
        shown = await tab.page.evaluate(SHOWN)
        tab.conversation = int(shown) if shown else None
        await self._look(tab)

    async def _until_shown(self, tab: Tab, number: int) -> None:
        with contextlib.suppress(TimeoutError, BrowserError):
            async with asyncio.timeout(2):
                while await tab.page.evaluate(SHOWN) != str(number):
                    await asyncio.sleep(0.05)

    async def _look(self, tab: Tab) -> None:
        """The agent looks what the box is."""
        box = await self._box(tab)
        tab.believed = None if box is None else box["mode"]

    async def _box(self, tab: Tab) -> dict[str, str] | None:
        """The box of the conversation that is open."""
        with contextlib.suppress(BrowserError):
            box: dict[str, str] | None = await tab.page.evaluate(BOX)
            if box is not None and box["conversation"] == str(tab.conversation):
                return box
        return None

    async def _type(self, tab: Tab) -> None:
        # Behind a question that is still open nobody can write.
        await tab.page.evaluate(PRESS, "Cancel")
        if tab.conversation is None or (box := await self._box(tab)) is None:
            return
        if tab.believed != box["mode"]:
            self._defect(f"the box of {tab.conversation} became a {box['mode']} by itself, believed: {tab.believed}")
        token = f"w{len(self._words)}x"
        try:
            await tab.page.get_by_role("textbox", name="Message").press_sequentially(f"{token} ", timeout=5000)
        except BrowserError:
            return  # the page went to the sign-in just then
        self._words[token] = Word(tab.conversation)

    async def _toggle(self, tab: Tab) -> None:
        if await self._box(tab) is None or tab.believed is None:
            return
        wanted = "note" if tab.believed == "reply" else "reply"
        await tab.page.evaluate(TOGGLE, wanted)
        await self._own_act(tab)

    async def _enter(self, tab: Tab) -> None:
        await self._send(tab, lambda: tab.page.get_by_role("textbox", name="Message").press("Enter"))

    async def _press_send(self, tab: Tab) -> None:
        await self._send(tab, lambda: tab.page.evaluate(SEND))

    async def _send(self, tab: Tab, send: Callable[[], Awaitable[object]]) -> None:
        await tab.page.evaluate(PRESS, "Cancel")
        before = await self._box(tab)
        if before is None or tab.believed is None:
            return
        believed = tab.believed
        with contextlib.suppress(BrowserError):
            await send()
        after = await self._box(tab)
        for token, word in self._words.items():
            was_there = word.conversation == tab.conversation and token in before["words"].split()
            if was_there and (after is None or token not in after["words"].split()):
                word.sent_as = believed

    async def _reload(self, tab: Tab) -> None:
        with contextlib.suppress(BrowserError):
            await tab.page.reload()
        await self._sign_in(tab)
        await self._look(tab)

    async def _back(self, tab: Tab) -> None:
        with contextlib.suppress(BrowserError):
            await tab.page.go_back()
        await self._sign_in(tab)
        await asyncio.sleep(0.2)
        shown = await tab.page.evaluate(SHOWN)
        tab.conversation = int(shown) if shown else None
        await self._look(tab)

    def _press(self, name: str, asked: str = "") -> Callable[[Tab], Awaitable[None]]:
        """Presses a button that can be pressed now, and mostly says yes where the page asks back."""

        async def press(tab: Tab) -> None:
            await tab.page.evaluate(PRESS, name)
            await asyncio.sleep(0.3)
            if asked and self._random.random() < 0.7:
                await asyncio.sleep(1)  # until it can be pressed
                await tab.page.evaluate(PRESS, asked)
                await asyncio.sleep(0.3)
            await self._own_act(tab)

        return press

    async def _take_over(self, tab: Tab) -> None:
        await tab.page.evaluate(TAKE_OVER)
        await asyncio.sleep(0.3)
        await self._own_act(tab)

    async def _claim_twice(self, tab: Tab) -> None:
        """At the same point, in the time of a hasty hand."""
        button = tab.page.get_by_role("button", name="Claim", exact=True)
        if tab.conversation is None or not await button.count():
            return
        place = await button.first.bounding_box()
        if place is None:
            return
        before = await self._store.conversations.get(tab.conversation)
        for _ in range(2):
            await tab.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
            await asyncio.sleep(self._random.uniform(0.15, 0.7))
        now = await self._store.conversations.get(tab.conversation)
        if before.state is ConversationState.QUEUED and now.state is ConversationState.RESOLVED:
            self._defect(f"Claim pressed twice resolved {tab.conversation}")
        await self._own_act(tab)

    async def _own_act(self, tab: Tab) -> None:
        """After an act of their own the agent looks again, in this tab and in the others when they come to them."""
        for one in self._tabs:
            if one is tab or one.conversation == tab.conversation:
                await self._look(one)

    async def _sign_in(self, tab: Tab) -> None:
        if "/sign-in" not in tab.page.url:
            return
        await tab.page.get_by_label("Name").fill("Mei")
        await tab.page.get_by_label("Password").fill(PASSWORD)
        await tab.page.get_by_role("button", name="Sign in").click()
        await tab.page.wait_for_url(lambda url: "/sign-in" not in url)

    # --- what happens meanwhile --------------------------------------------------------------------

    async def _session_ends(self, _: Tab) -> None:
        await self._store.agents.set_password(self._mei.id, await _hashed())

    async def _line_fails(self, _: Tab) -> None:
        faults = ("slow", "answer lost", "request lost", "unavailable")
        self._line.faults = self._random.choices(faults, k=self._random.randint(1, 3))

    async def _customer_writes(self, _: Tab) -> None:
        await self._from_customer(self._random.choice(list(self._customers.values())))

    async def _customer_renamed(self, _: Tab) -> None:
        customer = self._random.choice(list(self._customers.values()))
        await self._from_customer(customer, f"{customer} {self._said}")

    async def _from_customer(self, customer: str, name: str = "") -> None:
        self._said += 1
        sender = Sender(customer, name or customer, "en")
        number = f"{customer}-later-{self._said}"
        await self._store.incoming.record(Incoming("web", "web", number, sender, chat_id=customer, text="and now?"))

    def _colleague(self, act: Callable[[int], Awaitable[object]]) -> Callable[[Tab], Awaitable[None]]:
        async def by_ada(_: Tab) -> None:
            await act(self._random.choice(list(self._customers)))

        return by_ada

    async def _claim_as_ada(self, conversation: int) -> None:
        await self._desk.claim(conversation, self._ada)

    async def _take_over_as_ada(self, conversation: int) -> None:
        await self._desk.take_over(conversation, self._ada, self._mei.id, "I know this one")

    async def _pass_on_as_ada(self, conversation: int) -> None:
        await self._desk.transfer(conversation, self._ada, self._mei, "for you")

    # --- what became of it ------------------------------------------------------------------------

    async def settle(self) -> None:
        """The line is well again, the agent signs in and waits; then every word is accounted for."""
        self._line.faults = []
        for tab in self._tabs:
            await tab.page.goto(f"{self._address}/")
            await self._sign_in(tab)
        shown = {number: await self._shown(self._tabs[0], number) for number in self._customers}
        for number in self._customers:
            written = [one for one in await self._store.messages.of(number, limit=5000) if one.agent_id == self._mei.id]
            for token, word in self._words.items():
                if word.conversation != number:
                    continue
                found = [one for one in written if token in one.text.split()]
                self._account(token, word, [one.visibility for one in found], shown[number])

    async def _shown(self, tab: Tab, number: int) -> str:
        """All that the page shows of a conversation, once nothing of it is on its way any more."""
        await tab.page.goto(f"{self._address}/conversations/{number}?view=mine")
        await self._sign_in(tab)
        try:
            async with asyncio.timeout(PATIENCE):
                while await tab.page.evaluate(ON_ITS_WAY):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            self._defect(f"something of {number} is on its way for ever")
        return str(await tab.page.evaluate(ALL))

    def _account(self, token: str, word: Word, found: list[Visibility], shown: str) -> None:
        what = f"{token} of {word.conversation}, sent as {word.sent_as}"
        if len(found) > 1:
            self._defect(f"{what}: there {len(found)} times")
        elif not found and token not in shown.split():
            self._defect(f"{what}: lost")
        elif found and word.sent_as is None:
            self._defect(f"{what}: {found[0].value}, and was never sent")
        elif found and (found[0] is Visibility.PRIVATE) != (word.sent_as == "note"):
            self._defect(f"{what}: it is {found[0].value}")

    def _defect(self, what: str) -> None:
        self.defects.append(what)
        self.log.append(f"  DEFECT {what}")


async def _hashed() -> str:
    from handoff.passwords import hash_password

    return await hash_password(PASSWORD)
