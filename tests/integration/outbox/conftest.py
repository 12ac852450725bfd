"""The outbox over a real PostgreSQL and platforms in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.domain.message import Incoming, Sender
from bot.domain.staff import Role
from bot.store import Store
from handoff.desk import Desk
from tests.support.outbox import Board, Talk


@pytest.fixture
async def start(store: Store, desk: Desk) -> Callable[..., Awaitable[Talk]]:
    async def start(board: Any = None, sender: str = "7") -> Talk:
        incoming = Incoming("test", "bot", "in-1", Sender(sender, "Ann"), sender, "a question")
        receipt = await store.incoming.record(incoming)
        assert receipt.conversation_id is not None
        assert receipt.message_id is not None
        agent = await store.agents.add(f"Mei {sender}", Role.AGENT, None)
        await desk.claim(receipt.conversation_id, agent)
        return Talk(store, desk, board or Board(), agent, receipt.conversation_id, receipt.message_id)

    return start
