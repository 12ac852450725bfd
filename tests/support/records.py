"""``Records`` in memory: what a desk has of an account's chats."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bot.domain.channel import Chat
from bot.domain.message import Incoming


class MemoryRecords:
    """Over the events that a desk has committed, a list that others fill."""

    def __init__(self, committed: list[Incoming] | None = None) -> None:
        self.committed = [] if committed is None else committed
        self.memory: dict[str, str] = {}
        """What was remembered, by name, as JSON."""
        self.extra: dict[str, Chat] = {}
        """Chats that are known by other ways than by an event."""
        self.active_at: datetime | None = None
        """When something last happened in every chat; now, unless set."""

    async def chats(self, channel: str, account: str) -> list[Chat]:
        marks: dict[str, int | None] = {
            chat_id: int(chat.mark) if chat.mark else None for chat_id, chat in self.extra.items()
        }
        for event in self.committed:
            if (event.channel, event.account) == (channel, account):
                before = marks.pop(event.chat_id, None)  # the latest last
                mark = max(int(event.mark or 0), before or 0)
                marks[event.chat_id] = mark or None
        active_at = self.active_at or datetime.now(UTC)
        return [
            Chat(chat_id, None if mark is None else str(mark), active_at) for chat_id, mark in reversed(marks.items())
        ]

    async def recorded(self, channel: str, account: str, chat_id: str, *, limit: int) -> list[str]:
        here = [event for event in self.committed if event.chat_id == chat_id and event.account == account]
        gone = {event.deletes for event in here}
        written = [event.external_id for event in here if not event.edits and not event.deletes]
        return [number for number in reversed(written) if number not in gone][:limit]

    async def remember(self, channel: str, account: str, name: str, value: Any) -> None:
        self.memory[name] = json.dumps(value)

    async def recall(self, channel: str, account: str, name: str) -> Any:
        return json.loads(self.memory[name]) if name in self.memory else None
