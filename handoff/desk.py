"""What agents do with conversations. Every act is one transaction of the store; the words that go with
it to the customer (who joined, who left) are chosen here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.model import Agent, Conversation, Message
from bot.store import Store

MAX_REPLY = 10_000

Phrase = Callable[..., Mapping[str, str]]
"""One of the desk's own sentences by locale, ``""`` being the default: ``phrase("agent_joined", agent="Mei")``."""


class Desk:
    """Raises ``StateConflict`` when somebody else was faster, ``NotFound`` for an unknown conversation
    and ``ValueError`` for words that cannot be sent."""

    def __init__(self, store: Store, phrase: Phrase) -> None:
        self._store = store
        self._phrase = phrase

    async def claim(self, conversation_id: int, agent: Agent) -> Conversation:
        """Takes the conversation over, from the queue or from the bot, and tells the customer who joined."""
        return await self._store.claim(conversation_id, agent.id, self._phrase("agent_joined", agent=agent.name))

    async def reply(self, conversation_id: int, agent: Agent, text: str) -> Message:
        """Sends the agent's words. Only the agent who has the conversation may."""
        return await self._store.add_reply(conversation_id, agent.id, _words(text))

    async def note(self, conversation_id: int, agent: Agent, text: str) -> Message:
        """Leaves a private note, which the customer never sees."""
        return await self._store.add_note(conversation_id, agent.id, _words(text))

    async def hand_back(self, conversation_id: int, agent: Agent) -> Conversation:
        """Returns the conversation to the bot."""
        return await self._store.hand_back(conversation_id, agent.id, self._phrase("handed_back"))

    async def resolve(self, conversation_id: int, agent: Agent) -> Conversation:
        """Closes the conversation; the customer's next message opens a new one."""
        return await self._store.resolve(conversation_id, agent.id, self._phrase("resolved"))


def _words(text: str) -> str:
    text = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not text:
        raise ValueError("there is nothing to send: the message is empty")
    if len(text) > MAX_REPLY:
        raise ValueError(f"the message has {len(text)} characters; at most {MAX_REPLY} can be sent at once")
    return text
