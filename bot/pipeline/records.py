"""``bot.ports.Records`` over the store: what connectors know of their chats after a restart."""

from __future__ import annotations

from typing import Any

from bot.domain.channel import Chat
from bot.store.channels import Channels
from bot.store.contacts import Contacts


class StoredRecords:
    def __init__(self, contacts: Contacts, channels: Channels) -> None:
        self._contacts = contacts
        self._channels = channels

    async def chats(self, channel: str, account: str) -> list[Chat]:
        return await self._contacts.chats(channel, account)

    async def recorded(self, channel: str, account: str, chat_id: str, *, limit: int) -> list[str]:
        return await self._contacts.recorded(channel, account, chat_id, limit=limit)

    async def remember(self, channel: str, account: str, name: str, value: Any) -> None:
        await self._channels.remember(channel, account, name, value)

    async def recall(self, channel: str, account: str, name: str) -> Any:
        return await self._channels.recall(channel, account, name)
