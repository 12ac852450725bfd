"""What one Telegram knows of one bot: people, chats, files, and the updates that wait for the bot."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.peers.telegram.forms import Json, Parameters
from tests.peers.telegram.people import PeerUser

DEFAULT_UPDATES = frozenset(
    {"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member", "poll"}
)


@dataclass
class Webhook:
    url: str
    secret: str | None
    last_error: str | None = None


@dataclass
class Chat:
    """What both sides have said in one chat, by message id."""

    id: int
    kind: str
    title: str = ""
    messages: dict[int, Json] = field(default_factory=dict)
    last_id: int = 0
    topics: set[int] = field(default_factory=set)
    """Of a private chat with topics; of a channel's direct messages, one for each person."""

    def add(self, content: Json) -> Json:
        self.last_id += 1
        message = {"message_id": self.last_id, "date": int(time.time()), **content}
        self.messages[self.last_id] = message
        return message


Method = Callable[[Parameters], Awaitable[Any]]
"""One of the Bot API's methods."""


class World:
    """The state. It outlives a restart of the server in front of it."""

    def __init__(
        self, token: str = "700100200:AAF-stand_in-token-of-the-bot-0000000", username: str = "desk_bot"
    ) -> None:
        self.token = token
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Desk",
            "username": username,
        }
        self.next_update_id = 810_000_001
        self.pending: list[Json] = []
        """Updates that the bot has not confirmed, oldest first."""
        self.actions: list[tuple[int, str]] = []
        """Chat actions shown, as (chat, action)."""
        self.answered: list[str] = []
        """Ids of the callback queries that were answered."""
        self.commands: dict[str, list[Json]] = {}
        """The bot's menu by language; ``""`` for everybody else."""
        self.users: dict[int, PeerUser] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, bytes] = {}
        """Contents by file id."""
        self.sizes_hidden = False
        """Nobody is told how large a file is before it is all there."""
        self.webhook: Webhook | None = None
        self.allowed = DEFAULT_UPDATES
        """The kinds of update that the bot wants."""
        self.queries: set[str] = set()
        """Callback queries that the bot has not answered."""
        self.changed = asyncio.Event()
        """Set, and made anew, whenever anything happens."""
        self._sent: dict[int, list[Json]] = defaultdict(list)
        self._last_query = 0

    def push(self, kind: str, content: Json) -> int | None:
        """Queues an update of this kind; None if the bot has not asked for the kind."""
        if kind not in self.allowed:
            return None
        return self.push_raw({kind: content})

    def push_raw(self, update: Json) -> int:
        """Queues an update as it stands, well-formed or not; gives it an id unless it brings one."""
        update_id = self.next_update_id
        self.next_update_id += 1
        # A copy: what is queued shows the message as it was, whatever becomes of it.
        self.pending.append(copy.deepcopy({"update_id": update_id, **update}))
        self.change()
        return update_id

    def sent(self, chat_id: int) -> list[Json]:
        """The bot's messages in this chat, oldest first, as they now stand; deleted ones are gone."""
        return list(self._sent[chat_id])

    async def wait_sent(self, chat_id: int, count: int, timeout: float = 20.0) -> list[Json]:
        """Waits until the bot has at least so many messages in the chat."""
        await self.wait_until(lambda: len(self._sent[chat_id]) >= count, timeout)
        return self.sent(chat_id)

    async def wait_until(self, holds: Callable[[], bool], timeout: float = 20.0) -> None:
        """Waits for what a call of the bot, or a delivery to it, makes true; ``TimeoutError`` if none does."""
        async with asyncio.timeout(timeout):
            while not holds():
                changed = self.changed
                await changed.wait()

    def change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def forget(self, chat_id: int, message_id: int) -> None:
        """The message is in the chat no longer."""
        message = self.chats[chat_id].messages.pop(message_id)
        self._sent[chat_id] = [kept for kept in self._sent[chat_id] if kept is not message]

    def store_file(self, content: bytes) -> Json:
        """Keeps a file; returns it in the Bot API's words."""
        file_id = f"AgACAgIAAxk{len(self.files):06d}"
        self.files[file_id] = content
        return self.file_json(file_id)

    def file_json(self, file_id: str) -> Json:
        size = {} if self.sizes_hidden else {"file_size": len(self.files[file_id])}
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", **size}

    def chat_json(self, chat: Chat) -> Json:
        if chat.kind == "direct":
            return {"id": chat.id, "type": "supergroup", "title": chat.title, "is_direct_messages": True}
        if chat.kind != "private":
            return {"id": chat.id, "type": chat.kind, "title": chat.title}
        profile = self.users[chat.id].profile
        names: Json = {name: profile[name] for name in ("first_name", "last_name", "username") if name in profile}
        return {"id": chat.id, "type": "private", **names}

    def private_chat(self, user_id: int) -> Chat:
        """The chat of a person with the bot; it begins with this call."""
        return self.chats.setdefault(user_id, Chat(user_id, "private"))

    def new_query(self) -> str:
        self._last_query += 1
        query = f"43{self._last_query:017d}"
        self.queries.add(query)
        return query

    def say(self, chat: Chat, content: Json) -> Json:
        """The bot's message, as it now stands in the chat."""
        message = chat.add({"from": self.bot, "chat": self.chat_json(chat), **content})
        self._sent[chat.id].append(message)
        return message
