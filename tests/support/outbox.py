"""What the tests of the outbox share: platforms in memory, and a conversation of one customer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain.channel import Capabilities, Outgoing, PermanentError
from bot.domain.message import File, Message
from bot.domain.staff import Agent
from bot.pipeline.outbox import Outbox
from bot.queue import JobLease
from bot.runtime.channel_status import ChannelHealth
from bot.store import Store
from handoff.desk import Desk

ALL = Capabilities(markdown=True, edits=True, attachments=True, quotes=True, idempotent=True, max_length=10)


PLAIN = Capabilities(max_length=10)


PICTURE = File("cat.png", "image/png", b"meow")


class MailSlot:
    """A platform where what was sent stays as it is."""

    def __init__(self, capabilities: Capabilities = PLAIN) -> None:
        self.account = "bot"
        self.capabilities = capabilities
        self.sent: list[Outgoing] = []
        self.faults: list[Exception] = []

    async def send(self, message: Outgoing) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        return f"slot-{len(self.sent)}"


class Crash(Exception):
    """The process dies here."""


async def nothing(*_: str) -> None:
    """What happens around a call to the platform, usually; and that the job is still this worker's."""


@dataclass
class Board:
    """A platform where everything can be done; ``shown`` is what its customer sees, in order."""

    capabilities: Capabilities = ALL
    account: str = "bot"
    shown: dict[str, Outgoing] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str], Awaitable[None]] = nothing
    """Runs before a call has done anything there."""
    after: Callable[[str], Awaitable[None]] = nothing
    """Runs once the call has done its work, and before the desk hears of it."""
    _by_key: dict[str, str] = field(default_factory=dict)

    async def send(self, message: Outgoing) -> str:
        await self.before("send")
        known = self._by_key.get(message.key) if self.capabilities.idempotent else None
        external_id = known or f"m{len(self.calls)}"
        if known is None:
            self.shown[external_id] = message
            self._by_key[message.key] = external_id
        self.calls.append(("send", external_id))
        await self.after("send")
        return external_id

    async def edit(self, message: Outgoing, external_id: str) -> None:
        await self.before("edit")
        if external_id not in self.shown:
            raise PermanentError(f"there is no message {external_id}")
        assert self.shown[external_id].file is None, "a file is never edited"
        self.shown[external_id] = replace(message, key=self.shown[external_id].key)
        self.calls.append(("edit", external_id))
        await self.after("edit")

    async def delete(self, chat_id: str, external_id: str) -> None:
        assert chat_id == "7"
        await self.before("delete")
        self.shown.pop(external_id, None)
        self.calls.append(("delete", external_id))
        await self.after("delete")

    @property
    def texts(self) -> list[str]:
        return [f"<{sent.file.name}>" if sent.file else sent.text for sent in self.shown.values()]

    @property
    def did(self) -> list[str]:
        return [call for call, _ in self.calls]


@dataclass
class Talk:
    """A customer, and the agent who has the conversation."""

    store: Store
    desk: Desk
    board: Any
    agent: Agent
    conversation_id: int
    asked: int
    """The customer's message."""
    health: ChannelHealth = field(default_factory=lambda: ChannelHealth("test"))

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.store.deliveries, self.store.files, {"test": self.board}, {"test": self.health})

    async def reply(self, text: str, **values: Any) -> Message:
        return await self.desk.reply(self.conversation_id, self.agent, text, **values)

    async def edit(self, reply: Message, text: str) -> Message:
        return await self.desk.edit(reply.id, self.agent, text)

    async def delete(self, reply: Message) -> Message:
        return await self.desk.delete(reply.id, self.agent)

    async def deliver(self, reply: Message) -> None:
        await self.outbox.deliver(reply.id, JobLease())

    async def now(self, reply: Message) -> Message:
        return next(m for m in await self.store.messages.of(self.conversation_id) if m.id == reply.id)


Start = Callable[..., Awaitable[Talk]]
