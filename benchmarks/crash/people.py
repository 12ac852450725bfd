"""Customers who number their messages, and agents who number their replies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol
from uuid import UUID, uuid4

import httpx

from tests.peers.discord import DiscordPeer
from tests.peers.telegram import TelegramPeer
from tests.support.agents import PASSWORD

QUESTIONS = {
    "why is there a fee for my transfer": "fee_explained",
    "which coins do you support": "supported_assets",
    "my usdt is stuck for 3 hours": "transfer_delay",
    "how do i back up my recovery phrase safely": "seed_phrase_safety",
    "how do i get started with the wallet": "getting_started",
    "is there a way to make the fee lower": "fee_reduce",
    "手续费多少": "fee_explained",
    "i forgot my password, how can i reset it": "password_reset",
}
"""What customers ask, and the topic that the engine is sure of, with any number below 100 behind it. Each topic once in
a customer's life: a second time it goes to a person."""
SMALL_TALK = {
    "hello there": "greet",
    "good morning": "greet",
    "thank you very much": "thanks",
    "谢谢你": "thanks",
    "are you a robot": "bot_challenge",
    "你是机器人吗": "bot_challenge",
}
"""The same of what is answered however often it is said."""
QUESTION_SHARE = 0.3
HUMAN = "let me talk to a human"
HUMAN_SHARE = 0.03

_PATIENCE = 10.0
"""Seconds that a browser waits for an answer before it tries again."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a customer, as the platform has it."""

    number: int
    text: str
    topic: str | None
    external_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of the desk, as the customer sees it."""

    external_id: str
    text: str
    answers: str | None
    """The platform's id of the customer's message that it answers, where that is shown."""


class Customer(Protocol):
    channel: str
    contact: str
    """The id of the contact, as the desk has it."""
    said: list[Said]

    def says(self, number: int, text: str, topic: str | None) -> None:
        """Now, or as soon as what was said before has arrived."""
        ...

    @property
    def sees(self) -> list[Seen]:
        """What the desk has sent, in the order in which it came."""
        ...


class TelegramCustomer:
    channel = "telegram"

    def __init__(self, peer: TelegramPeer, number: int) -> None:
        self._peer = peer
        self._user = peer.user(1000 + number, first_name=f"Customer {number}", language_code="en")
        self.contact = str(self._user.id)
        self.said: list[Said] = []

    def says(self, number: int, text: str, topic: str | None) -> None:
        id = self._user.writes(text)
        self.said.append(Said(number, text, topic, f"{self._user.id}:{id}", time.monotonic()))

    @property
    def sees(self) -> list[Seen]:
        return [
            Seen(str(one["message_id"]), one["text"], _answered_on_telegram(self._user.id, one))
            for one in self._peer.sent(self._user.id)
        ]


def _answered_on_telegram(chat: int, message: dict[str, Any]) -> str | None:
    answered = message.get("reply_to_message")
    return f"{chat}:{answered['message_id']}" if answered else None


class DiscordCustomer:
    channel = "discord"

    def __init__(self, peer: DiscordPeer, number: int) -> None:
        self._user = peer.user(f"customer {number}")
        self.contact = str(self._user.id)
        self.said: list[Said] = []

    def says(self, number: int, text: str, topic: str | None) -> None:
        id = self._user.writes(text)
        self.said.append(Said(number, text, topic, str(id), time.monotonic()))

    @property
    def sees(self) -> list[Seen]:
        return [
            Seen(str(one["id"]), one["content"], one.get("message_reference", {}).get("message_id"))
            for one in self._user.sees
        ]


class WebCustomer:
    """The chat page as a program: it sends a message again, under its id, until the desk says that it has it, and it
    follows the event stream, which it opens again behind the last event."""

    channel = "web"

    def __init__(self, url: str, random: Random) -> None:
        self._random = random
        self._http = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(_PATIENCE, read=_PATIENCE))
        self._waiting: asyncio.Queue[tuple[int, str, str | None]] = asyncio.Queue()
        self._shown: dict[int, dict[str, Any]] = {}
        """What the event stream brought, by cursor, in the order in which it came."""
        self._last_event = ""
        self.contact = ""
        self.said: list[Said] = []
        self._arrived = asyncio.Event()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._follow())]

    def says(self, number: int, text: str, topic: str | None) -> None:
        self._waiting.put_nowait((number, text, topic))

    async def _arrive(self) -> None:
        """Opens the page for the first time."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                (await self._http.get("/chat")).raise_for_status()
                token = self._http.cookies["switchboard_visitor"]
                self.contact = hashlib.sha256(token.encode()).hexdigest()[:32]
                self._arrived.set()
                return
            await asyncio.sleep(0.5)

    async def _send(self) -> None:
        await self._arrive()
        while True:
            number, text, topic = await self._waiting.get()
            id = str(UUID(int=self._random.getrandbits(128), version=4))
            self.said.append(Said(number, text, topic, id, time.monotonic()))
            while True:
                try:
                    answer = await self._http.post("/chat/messages", json={"id": id, "text": text})
                    answer.raise_for_status()
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.5)
            self._waiting.task_done()

    async def all_sent(self) -> None:
        await self._waiting.join()

    async def _follow(self) -> None:
        await self._arrived.wait()
        while True:
            with contextlib.suppress(httpx.HTTPError):
                headers = {"Last-Event-ID": self._last_event} if self._last_event else {}
                # The desk says something every 15 seconds, if only that it is there.
                timeout = httpx.Timeout(_PATIENCE, read=20.0)
                async with self._http.stream("GET", "/chat/events", headers=headers, timeout=timeout) as stream:
                    event: dict[str, str] = {}
                    async for line in stream.aiter_lines():
                        if line:
                            name, _, value = line.partition(": ")
                            event[name] = value
                            continue
                        if "data" in event and "event" not in event:  # any other one only says that the desk is there
                            self._show(json.loads(event["data"]))
                        self._last_event = event.get("id", self._last_event)
                        event = {}
            await asyncio.sleep(0.5)

    def _show(self, message: dict[str, Any]) -> None:
        if message["author"] != "customer":
            self._shown.setdefault(message["cursor"], message)

    @property
    def sees(self) -> list[Seen]:
        return [Seen(str(cursor), _words(one), None) for cursor, one in self._shown.items()]

    async def transcript(self) -> list[int]:
        """The cursors of the desk's messages, as the page gets them when it is loaded anew."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await self._http.get("/chat/messages", params={"after": 0})
                answer.raise_for_status()
                return [one["cursor"] for one in answer.json()["messages"] if one["author"] != "customer"]
            await asyncio.sleep(0.5)

    async def leave(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()


def _words(message: dict[str, Any]) -> str:
    return str(message.get("text") or re.sub(r"<[^>]+>", "", message["html"]))


# --- agents ---------------------------------------------------------------------------------------


@dataclass
class Written:
    """One numbered reply of an agent, which the console has accepted."""

    agent: str
    conversation: int
    text: str


@dataclass
class Agent:
    """Claims who waits, now and then also whom the bot has, replies and hands back.

    After an error page everything is done again as it was: it is the desk's business that it happens once.
    """

    name: str
    url: str
    random: Random
    written: list[Written] = field(default_factory=list)
    claims: int = 0
    lost_claims: int = 0
    hand_backs: int = 0
    doubts: int = 0
    """How often the answer to a reply was lost."""
    working: bool = True
    resting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the agent has nobody and nobody waits."""
    _count: int = 0

    async def work(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=_PATIENCE) as self._http:
            await self._sign_in()
            while True:
                conversation = await self._next()
                if conversation is None:
                    if not self.working:
                        self.resting.set()
                    await asyncio.sleep(0.3)
                    continue
                self.resting.clear()
                await self._serve(conversation)

    async def _sign_in(self) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                form = {"name": self.name, "password": PASSWORD}
                answer = await self._http.post("/console/sign-in", data=form)
                if answer.status_code == 303:
                    return
            await asyncio.sleep(1)

    async def _get(self, path: str) -> str:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await self._http.get(path)
                if answer.status_code == 200:
                    return answer.text
                if answer.status_code == 303:
                    await self._sign_in()
            await asyncio.sleep(0.5)

    async def _listed(self, view: str) -> list[int]:
        page = await self._get(f"/console/?view={view}")
        return [int(number) for number in re.findall(r'href="[^"]*/console/conversations/(\d+)', page)]

    async def _next(self) -> int | None:
        own = await self._held()
        if own:
            return own[0]  # after an error page: what was begun is brought to its end
        waiting = await self._listed("queue")
        if waiting:
            # Not all the first one: yet often enough two reach for the same.
            return self.random.choice(waiting[:4])
        if self.working and self.random.random() < 0.05 and (with_bot := await self._listed("bot")):
            return self.random.choice(with_bot)
        return None

    async def _held(self) -> list[int]:
        """The agent's own conversations."""
        return await self._listed("mine")

    async def _serve(self, conversation: int) -> None:
        if not await self._claim(conversation):
            self.lost_claims += 1
            return
        self.claims += 1
        for _ in range(self.random.randint(1, 3)):
            await asyncio.sleep(self.random.uniform(0.05, 0.4))
            self._count += 1
            text = f"{self.name} writes reply {self._count} here."
            if not await self._reply(conversation, text):
                return
            self.written.append(Written(self.name, conversation, text))
        way = "resolve" if self.random.random() < 0.2 else "hand-back"
        if await self._leave(conversation, way):
            self.hand_backs += 1

    async def _post(self, conversation: int, what: str, form: dict[str, str]) -> int | None:
        """The status; None where it is not known what became of it."""
        try:
            answer = await self._http.post(f"/console/conversations/{conversation}/{what}", data=form)
        except httpx.HTTPError:
            return None
        return None if answer.status_code >= 500 else answer.status_code

    async def _claim(self, conversation: int) -> bool:
        while True:
            match await self._post(conversation, "claim", {}):
                case 303:
                    return True
                case 409:
                    return False
            await asyncio.sleep(0.5)

    async def _reply(self, conversation: int, text: str) -> bool:
        """Sends the page's form, and the same one again as long as nobody says what became of it."""
        path = f"/console/conversations/{conversation}"
        form = {"text": text, "mode": "reply", "submission": str(uuid4())}
        while (status := await self._post(conversation, "messages", form)) is None:
            self.doubts += 1
            await asyncio.sleep(0.5)
        return status == 303 or text in await self._get(path)

    async def _leave(self, conversation: int, way: str) -> bool:
        while True:
            match await self._post(conversation, way, {}):
                case 303:
                    return True
                case 409:
                    return False
            await asyncio.sleep(0.5)
            if conversation not in await self._held():
                return True
