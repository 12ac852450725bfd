"""What agents do with conversations. Every act is one transaction of the store; the words that go with
it to the customer (who joined, who left) are chosen here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot import guard
from bot.domain.characters import shows
from bot.domain.conversation import Conversation, Priority
from bot.domain.lists import ListFilter
from bot.domain.message import Attachment, Cleared, ClearedWords, File, Message
from bot.domain.said import Refusal
from bot.domain.secret import SecretKind
from bot.domain.staff import Agent, NotAllowed, Permission, may
from bot.pipeline.rendering import as_markdown
from bot.store import Store
from bot.web.media import PICTURES

MAX_REPLY = 10_000
MAX_REASON = 300
MAX_NAME = 80
"""Characters of what agents call a customer."""
UNDO = timedelta(seconds=10)
"""So long after it the customer is told that their conversation was resolved."""

Phrase = Callable[..., Mapping[str, str]]
"""A phrase by locale, ``""`` being the default: ``phrase("customer.agent_joined", agent="Mei")``."""


class Desk:
    """Raises ``StateConflict`` when somebody else was faster, ``NotFound`` for an unknown conversation, ``NotAllowed``
    where the agent's role does not let them, and ``ValueError`` for words that cannot be sent: ``guard.SecretInWords``
    for those that hold a customer's secret. Nothing of them is kept."""

    def __init__(self, store: Store, phrase: Phrase, lets_pass: Iterable[SecretKind] = ()) -> None:
        """Kinds of secret that the deployment ``lets_pass`` may be written by agents, too."""
        self._lets_pass = frozenset(lets_pass)
        self._store = store
        self._phrase = phrase

    async def claim(self, conversation_id: int, agent: Agent) -> Conversation:
        """Takes the conversation from the queue or from the bot, and tells the customer who joined."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.claim(conversation_id, agent.id, self._joined(agent))

    async def claim_next(self, agent: Agent, only: ListFilter | None = None) -> Conversation | None:
        """Takes whoever is served next, of all or of those that ``only`` lets through, and tells the customer who
        joined. None where nobody waits."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.claim_next(agent.id, self._joined(agent), only)

    async def take_over(self, conversation_id: int, agent: Agent, from_id: int, why: str) -> Conversation:
        """Takes a colleague's conversation, with a reason that both read."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.take_over(
            conversation_id, agent.id, from_id, self._joined(agent), self._reason(why)
        )

    async def transfer(
        self, conversation_id: int, agent: Agent, to: Agent, why: str, *, holder: int | None = None
    ) -> Conversation:
        """Gives the agent's conversation to a colleague, with a reason that both read; as a lead also one that
        another agent, ``holder``, has."""
        holder = _whose(agent, holder)
        return await self._store.conversations.transfer(
            conversation_id, holder, to.id, self._joined(to), self._reason(why), by=_if_other(agent, holder)
        )

    async def put_back(
        self, conversation_id: int, agent: Agent, why: str, *, holder: int | None = None
    ) -> Conversation:
        """Puts the agent's conversation back into the queue, at its old place; as a lead also one that another agent,
        ``holder``, has."""
        holder = _whose(agent, holder)
        return await self._store.conversations.put_back(
            conversation_id, holder, self._told("customer.put_back"), self._reason(why), by=_if_other(agent, holder)
        )

    async def put_back_abandoned(self, gone_after: timedelta) -> int:
        """Puts back what waits for an agent who is gone (``store.conversations.put_back_abandoned``)."""
        return await self._store.conversations.put_back_abandoned(gone_after, self._told("customer.put_back"))

    async def expire_absent(self, channels: Collection[str], gone_after: timedelta, came_after: datetime) -> int:
        """Gives back to the bot who closed the page on which they waited (``store.conversations.expire_absent``)."""
        return await self._store.conversations.expire_absent(
            channels, gone_after, came_after, self._told("customer.expired")
        )

    async def disable_agent(self, agent: Agent, *, by: int | None = None) -> int:
        """Disables an agent and puts back what they have (``store.agents.disable``)."""
        return await self._store.agents.disable(agent.id, self._told("customer.put_back"), by=by)

    def _joined(self, agent: Agent) -> Mapping[str, Cleared]:
        if agent.public_name:
            return self._told("customer.agent_joined", agent=as_markdown(agent.public_name))
        nameless = self._phrase("customer.agent_nameless")
        return {locale: self._told("customer.agent_joined", agent=words)[locale] for locale, words in nameless.items()}

    def _told(self, key: str, **values: object) -> Mapping[str, Cleared]:
        """What a customer is told of an act."""
        return guard.phrases(self._phrase(key, **values))

    async def reply(
        self,
        conversation_id: int,
        agent: Agent,
        text: str,
        *,
        files: Sequence[File] = (),
        reply_to: int | None = None,
        submission: str | None = None,
    ) -> Message:
        """Sends the agent's words, files, or both. Only the agent who has the conversation may. ``reply_to`` is the
        message of the customer that it answers. What comes again under the same ``submission`` is sent once."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        words = self._words(text, may_be_empty=bool(files))
        for file in files:
            await asyncio.to_thread(guard.agents_file, file, self._lets_pass)
        attachments = [
            Attachment(
                "photo" if file.media_type in PICTURES and not file.as_file else "file",
                reference=file.name,
                name=file.name,
                media_type=file.media_type,
                size=len(file.content),
                sha256=await self._store.files.add(guard.file_as_it_is(file.content)),
            )
            for file in files
        ]
        return await self._store.replies.add(
            conversation_id, agent.id, words, attachments=attachments, reply_to=reply_to, submission=submission
        )

    async def edit(self, message_id: int, agent: Agent, text: str) -> Message:
        """Gives a reply of the agent's other words, also at the customer's."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.replies.edit(message_id, agent.id, self._words(text))

    async def delete(self, message_id: int, agent: Agent) -> Message:
        """Takes a reply of the agent's back, also at the customer's."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.replies.delete(message_id, agent.id)

    async def link(self, contact_id: int, other_id: int, agent: Agent) -> None:
        """Says that two contacts are one person; ``undo_link`` takes it back."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        await self._store.contacts.link(contact_id, other_id, agent.id)

    async def undo_link(self, link_id: int, agent: Agent) -> None:
        _check(agent, Permission.ANSWER_CUSTOMERS)
        await self._store.contacts.undo_link(link_id, agent.id)

    async def name(self, contact_id: int, agent: Agent, name: str) -> None:
        """What agents call the customer from now on; empty: as the platform does."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        await self._store.contacts.name(contact_id, agent.id, self._called(name))

    async def note(self, conversation_id: int, agent: Agent, text: str, *, submission: str | None = None) -> Message:
        """Leaves a private note, which the customer never sees. ``submission`` as in ``reply``."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.replies.add_note(conversation_id, agent.id, self._words(text), submission=submission)

    async def delete_note(self, message_id: int, agent: Agent) -> Message:
        """Deletes a private note for good: the agent's own, or as a lead anybody's."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.replies.delete_note(message_id, agent.id)

    async def mark_secret(self, message_id: int, agent: Agent, kind: SecretKind) -> None:
        """Removes a customer's message for good, which the search for secrets had missed, and tells its customer."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        await self._store.incoming.mark_secret(message_id, kind, agent.id)

    async def prioritise(self, conversation_id: int, agent: Agent, priority: Priority) -> Conversation:
        """Ranks the conversation, whoever has it."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.prioritise(conversation_id, agent.id, priority)

    async def snooze(self, conversation_id: int, agent: Agent, until: datetime) -> Conversation:
        """Lays the agent's conversation aside until then, or until its customer writes; ``wake`` undoes it."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.snooze(conversation_id, agent.id, until)

    async def wake(self, conversation_id: int, agent: Agent) -> Conversation:
        """Ends the snooze of the agent's conversation."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.wake(conversation_id, agent.id)

    async def hand_back(
        self, conversation_id: int, agent: Agent, word: str = "", *, silent: bool = False
    ) -> Conversation:
        """Returns the conversation to the bot, with the agent's last word to the customer, if there is one. ``silent``:
        the desk does not tell them that the bot goes on."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        last = self._words(word, may_be_empty=True) or None
        notice = None if silent else self._told("customer.handed_back")
        return await self._store.conversations.hand_back(conversation_id, agent.id, notice, last)

    async def resolve(self, conversation_id: int, agent: Agent) -> Conversation:
        """Closes the conversation. The customer is told ``UNDO`` later; ``reopen`` before that undoes it."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.resolve(conversation_id, agent.id, self._told("customer.resolved"), UNDO)

    async def reopen(self, conversation_id: int, agent: Agent) -> Conversation:
        """Takes a resolved conversation up again."""
        _check(agent, Permission.ANSWER_CUSTOMERS)
        return await self._store.conversations.reopen(conversation_id, agent.id, self._joined(agent))

    def _reason(self, why: str) -> ClearedWords:
        why = " ".join(why.replace("\x00", "").split())
        if not why:
            raise Refusal("say why: the colleague and everybody after you will read it", "refusal.why_missing")
        if len(why) > MAX_REASON:
            words = f"the reason has {len(why)} characters; at most {MAX_REASON} fit"
            raise Refusal(words, "refusal.why_too_long", n=len(why), most=MAX_REASON)
        return guard.agents(why, self._lets_pass)

    def _called(self, name: str) -> ClearedWords | None:
        name = " ".join(name.replace("\x00", "").split())
        if not name:
            return None
        if not shows(name):
            raise Refusal("the name shows nothing: use letters or digits", "refusal.name_unseen")
        if len(name) > MAX_NAME:
            words = f"the name has {len(name)} characters; at most {MAX_NAME} fit"
            raise Refusal(words, "refusal.name_too_long", n=len(name), most=MAX_NAME)
        return guard.agents(name, self._lets_pass)

    def _words(self, text: str, *, may_be_empty: bool = False) -> ClearedWords:
        text = text.replace("\x00", "").replace("\r\n", "\n").strip()
        if not text and not may_be_empty:
            raise Refusal("there is nothing to send: the message is empty", "refusal.empty")
        if len(text) > MAX_REPLY:
            words = f"the message has {len(text)} characters; at most {MAX_REPLY} can be sent at once"
            raise Refusal(words, "refusal.too_long", n=len(text), most=MAX_REPLY)
        return guard.agents(text, self._lets_pass)


def _check(agent: Agent, permission: Permission) -> None:
    if not may(agent, permission):
        raise NotAllowed(permission, agent.id)


def _whose(agent: Agent, holder: int | None) -> int:
    """Whose conversation the agent moves. Raises ``NotAllowed`` where it is a colleague's, and they are no lead."""
    other = holder is not None and holder != agent.id
    _check(agent, Permission.MOVE_CONVERSATIONS if other else Permission.ANSWER_CUSTOMERS)
    return holder if holder is not None else agent.id


def _if_other(agent: Agent, holder: int) -> int | None:
    return None if agent.id == holder else agent.id
