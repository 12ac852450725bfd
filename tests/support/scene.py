"""A desk at work for tests: real PostgreSQL, queue, turns and outbox; the engine and the platform are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bot.content.answers import Answers
from bot.domain.channel import Capabilities, Outgoing
from bot.domain.conversation import Conversation
from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable, Prediction, Ranked
from bot.domain.message import Author, Incoming, Message, Receipt, Sender, Visibility
from bot.pipeline import turns as turns_module
from bot.pipeline.clearing import Clearing
from bot.pipeline.erasures import Erasures
from bot.pipeline.outbox import Outbox
from bot.pipeline.turns import Turns
from bot.queue import Queue
from bot.store import Store
from tests.support.turns import turns_of
from tests.support.waiting import until

SURE = {
    "fees": "fee_explained",
    "费用": "fee_explained",
    "费用高": "fee_reduce",
    "cheaper": "fee_reduce",
    "coins": "supported_assets",
    "delayed": "transfer_delay",
    "stolen": "funds_stolen",
    "human": "talk_to_human",
    "no": "deny",
    "thanks": "thanks",
    "hello": "greet",
    "fees\nand smaller?": "fee_reduce",
    "I sent coins\non monday\nnothing came": "transfer_delay",
}


async def scripted_engine(text: str) -> Prediction:
    if text == "down":
        raise EngineUnavailable("scripted")
    if text == "broken":
        raise RuntimeError("a bug")
    if text == "and smaller?":
        return Prediction(text, "greet", 0.3, (Ranked("greet", 0.3), Ranked("fee_reduce", 0.2)), sure=False)
    intent = SURE.get(text, OUT_OF_SCOPE)
    ranking = (Ranked(intent, 0.9), Ranked("fee_reduce", 0.05), Ranked("greet", 0.02))
    return Prediction(text, intent, 0.9, ranking, sure=intent != OUT_OF_SCOPE)


def scripted_language(text: str, hint: str | None) -> str | None:
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en" if text.isascii() else hint


async def no_files(_message_id: int, _attempts: int) -> None:
    """Its own tests have it."""


@dataclass
class Platform:
    """A connector whose far end is a list."""

    account: str = "bot"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(buttons=True, markdown=True))
    sent: list[Outgoing] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    erased: list[tuple[str, str]] = field(default_factory=list)

    async def erase(self, chat_id: str, external_id: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.erased.append((chat_id, external_id))

    async def send(self, message: Outgoing) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        return f"sent-{len(self.sent)}"


@dataclass
class Scene:
    """One customer, and what the desk has of them."""

    store: Store
    platform: Platform
    turns: Turns
    clearing: Clearing
    counter: int = 0

    async def says(self, text: str = "", **fields: object) -> int:
        """The customer sends something and its turn is over; returns the conversation's id."""
        receipt = await self.writes(text, **fields)
        await self.turned(receipt)
        assert receipt.conversation_id is not None
        return receipt.conversation_id

    async def writes(self, text: str = "", **fields: Any) -> Receipt:
        """The same without waiting for the turn."""
        self.counter += 1
        sender = fields.pop("sender", Sender("7", "Ann"))
        incoming = Incoming("test", "bot", str(self.counter), sender, "7", text, **fields)
        return await self.store.incoming.record(await self.clearing(incoming))

    async def presses(self, payload: str) -> int:
        return await self.says(payload, button=payload)

    async def edits(self, edited: int, text: str) -> Receipt:
        """The customer changes their message of that number."""
        return await self.writes(text, edits=str(edited))

    async def turned(self, receipt: Receipt) -> None:
        assert receipt.message_id is not None
        await until(lambda: self._is_turned(receipt.message_id or 0))

    async def _is_turned(self, message_id: int) -> bool:
        return await self.store.turns.begin(message_id) is None

    async def conversation(self) -> Conversation:
        return await self.store.conversations.get(await self._open())

    async def _open(self) -> int:
        contact = await self.store.contacts.get("test", "bot", "7")
        return (await self.store.messages.transcript(contact.id))[-1].conversation_id

    async def messages(self) -> list[Message]:
        return await self.store.messages.of(await self._open())

    async def from_bot(self) -> list[Message]:
        return [message for message in await self.messages() if message.author is Author.BOT]

    async def last(self) -> Message:
        return [m for m in await self.messages() if m.visibility is Visibility.PUBLIC][-1]


@asynccontextmanager
async def at_work(
    store: Store,
    queue: Queue,
    answers: Answers,
    content: dict[str, Any] | None = None,
    *,
    gathering: float = 0.0,
) -> AsyncIterator[Scene]:
    """``content`` as ``turns_of`` takes it; ``gathering``: so many seconds the bot waits for the rest of a message."""
    platform = Platform()
    clearing = Clearing(store.incoming)
    turns = turns_of(store, answers, scripted_engine, scripted_language, content, clears_again=clearing.again)
    outbox = Outbox(store.deliveries, store.files, {"test": platform}, {})
    erasures = Erasures(store.incoming, {"test": platform})
    queue.serve(turn=turns.take, deliver=outbox.deliver, fetch=no_files, erase=erasures.erase)
    working = asyncio.create_task(queue.run())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(turns_module, "GATHERING", timedelta(seconds=gathering))
            yield Scene(store, platform, turns, clearing)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
