"""What agents do with conversations. Every act is one transaction of the store; the words that go with
it to the customer (who joined, who left) are chosen here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bot.model import Agent, Attachment, Conversation, File, Message
from bot.store import Store

MAX_REPLY = 10_000
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What every browser shows and none executes."""

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

    async def reply(
        self,
        conversation_id: int,
        agent: Agent,
        text: str,
        *,
        files: Sequence[File] = (),
        reply_to: int | None = None,
        after: int | None = None,
    ) -> Message:
        """Sends the agent's words, files, or both. Only the agent who has the conversation may. ``reply_to`` is the
        message of the customer that it answers, ``after`` the latest reply of theirs that the agent knew of: said
        again with the same one, the same is sent once."""
        attachments = [
            Attachment(
                "photo" if file.media_type in PICTURES else "file",
                reference=file.name,
                name=file.name,
                media_type=file.media_type,
                size=len(file.content),
                sha256=await self._store.add_file(file.content),
            )
            for file in files
        ]
        words = _words(text, may_be_empty=bool(files))
        return await self._store.add_reply(
            conversation_id, agent.id, words, attachments=attachments, reply_to=reply_to, after=after
        )

    async def edit(self, message_id: int, agent: Agent, text: str) -> Message:
        """Gives a reply of the agent's other words, also at the customer's."""
        return await self._store.edit_reply(message_id, agent.id, _words(text))

    async def delete(self, message_id: int, agent: Agent) -> Message:
        """Takes a reply of the agent's back, also at the customer's."""
        return await self._store.delete_reply(message_id, agent.id)

    async def link(self, contact_id: int, other_id: int, agent: Agent) -> None:
        """Says that two contacts are one person; ``undo_link`` takes it back."""
        await self._store.link(contact_id, other_id, agent.id)

    async def undo_link(self, link_id: int, agent: Agent) -> None:
        await self._store.undo_link(link_id, agent.id)

    async def note(self, conversation_id: int, agent: Agent, text: str) -> Message:
        """Leaves a private note, which the customer never sees."""
        return await self._store.add_note(conversation_id, agent.id, _words(text))

    async def hand_back(self, conversation_id: int, agent: Agent) -> Conversation:
        """Returns the conversation to the bot."""
        return await self._store.hand_back(conversation_id, agent.id, self._phrase("handed_back"))

    async def resolve(self, conversation_id: int, agent: Agent) -> Conversation:
        """Closes the conversation; the customer's next message opens a new one."""
        return await self._store.resolve(conversation_id, agent.id, self._phrase("resolved"))


def _words(text: str, *, may_be_empty: bool = False) -> str:
    text = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not text and not may_be_empty:
        raise ValueError("there is nothing to send: the message is empty")
    if len(text) > MAX_REPLY:
        raise ValueError(f"the message has {len(text)} characters; at most {MAX_REPLY} can be sent at once")
    return text
