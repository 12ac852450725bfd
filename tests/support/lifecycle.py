"""What the tests of conversations' lives share: what customers write and are told, and a look behind the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.domain.conversation import Conversation, Reopening
from bot.domain.lists import ListFilter, ListView
from bot.domain.message import Author, Incoming, Message, Sender, Visibility
from bot.domain.staff import Agent
from bot.store import Store

Sql = Callable[..., list[Any]]


async def told(store: Store, conversation_id: int) -> list[str]:
    """What the customer is told or will be, by the desk itself."""
    return [one.text for one in await messages(store, conversation_id) if one.author is Author.SYSTEM]


async def queue_of(store: Store) -> list[Conversation]:
    """Who waits, in the order in which they are served."""
    found, _ = await store.lists.read(ListView.QUEUE, 0, ListFilter(), 100)
    return found


async def messages(store: Store, conversation_id: int, visibility: Visibility = Visibility.PUBLIC) -> list[Message]:
    return [one for one in await store.messages.of(conversation_id) if one.visibility is visibility]


async def lines(store: Store, conversation_id: int) -> list[str]:
    """The private lines of the desk."""
    private = await messages(store, conversation_id, Visibility.PRIVATE)
    return [one.text for one in private if one.author is Author.SYSTEM]


async def writes(store: Store, text: str, id: str, reopening: Reopening | None = None) -> int:
    incoming = Incoming("web", "web", f"Ann-{id}", Sender("Ann", "Ann", "en"), chat_id="Ann", text=text)
    receipt = await store.incoming.record(incoming, reopening)
    assert receipt.conversation_id is not None
    return receipt.conversation_id


async def is_here(store: Store, agent: Agent) -> None:
    await store.agents.record_presence(replace(agent, seen_at=None))
