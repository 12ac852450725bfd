"""A secret in a chat of Telegram: deleted there, answered, and first in the queue; also by a desk that was killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.secrets import plant
from bot.content.answers import Answers
from bot.domain.channel import PermanentError
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.message import Incoming, Receipt
from bot.pipeline.clearing import Clearing
from bot.pipeline.erasures import Erasures
from bot.pipeline.outbox import Outbox
from bot.queue import Queue
from bot.store import Store
from bot.store.database import conninfo
from connectors.telegram import TelegramConnector
from tests.peers.telegram import TelegramPeer
from tests.support.dump import everything, left_of
from tests.support.scene import no_files, scripted_engine, scripted_language
from tests.support.turns import turns_of
from tests.support.waiting import until

WORDS = plant.phrase(random.Random(20261128), "en", 12)


@asynccontextmanager
async def bringing(connector: TelegramConnector, store: Store) -> AsyncIterator[None]:
    """What a desk does that is killed before it takes a turn."""
    clearing = Clearing(store.incoming)

    async def receive(incoming: Incoming) -> Receipt:
        return await store.incoming.record(await clearing(incoming))

    running = asyncio.create_task(connector.run(receive))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def working(connector: TelegramConnector, store: Store, queue: Queue, answers: Answers) -> AsyncIterator[None]:
    connectors = {"telegram": connector}
    turns = turns_of(store, answers, scripted_engine, scripted_language)
    outbox = Outbox(store.deliveries, store.files, connectors, {})
    queue.serve(
        turn=turns.take, deliver=outbox.deliver, fetch=no_files, erase=Erasures(store.incoming, connectors).erase
    )
    running = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_a_killed_desk_recognised_is_answered_and_deleted_by_the_next(
    connector: TelegramConnector,
    peer: TelegramPeer,
    store: Store,
    queue: Queue,
    answers: Answers,
    database_url: str,
) -> None:
    ann = peer.user(42, language_code="en")
    async with bringing(connector, store):
        number = ann.writes(f"my seed phrase is {' '.join(WORDS)}")
        edited = ann.writes("one moment")
        ann.edits(edited, " ".join(WORDS))
        await until(lambda: _both(store))
    assert {number, edited} <= peer.private_chat(42).messages.keys()
    assert peer.sent(42) == []
    assert left_of(WORDS, everything(conninfo(database_url))) == []
    async with working(connector, store, queue, answers):
        sent = await peer.wait_sent(42, 1)
        await until(lambda: _none(peer, number, edited))
    say = answers.words.say
    for key in ("removed.seed_phrase", "removed.copy_deleted"):
        assert say(f"customer.{key}", "en").replace("**", "") in sent[0]["text"]
    now = await store.conversations.get(1)
    assert (now.state, now.priority) == (ConversationState.QUEUED, Priority.URGENT)
    assert now.reason is EscalationReason.FUNDS_AT_RISK
    # What is gone already is what was wanted; after two days Telegram refuses.
    await connector.erase("42", f"42:{number}")
    old = ann.writes(" ".join(WORDS))
    peer.private_chat(42).messages[old]["date"] -= 49 * 3600
    with pytest.raises(PermanentError, match="48 hours"):
        await connector.erase("42", f"42:{old}")


async def _both(store: Store) -> bool:
    """Whether both messages are recorded, the second as edited."""
    contact = await store.contacts.get("telegram", "700100200", "42")
    texts = [] if contact is None else [one.text for one in await store.messages.transcript(contact.id)]
    return len(texts) == 2 and all("[seed phrase removed]" in text for text in texts)


async def _none(peer: TelegramPeer, *numbers: int) -> bool:
    return not set(numbers) & peer.private_chat(42).messages.keys()
