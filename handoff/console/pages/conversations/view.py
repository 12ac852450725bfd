"""One conversation as an agent sees it, read from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channel import Capabilities
from bot.domain.conversation import Conversation, ConversationState, Link
from bot.domain.decision import Turn
from bot.domain.details import in_order
from bot.domain.forms import Detail
from bot.domain.lines import PHRASES, Kind
from bot.domain.message import WITHOUT_CONTENT, Attachment, Author, Message, Visibility
from bot.domain.secret import FoundInFile, without_labels
from bot.domain.staff import Agent, Permission, may
from bot.pipeline.attachments import GIVE_UP_AFTER
from bot.web.media import HEAD, playable
from handoff.console.context import Console
from handoff.console.rendering import at_desk

MESSAGES = 500
HISTORY = 50
"""Messages shown of a contact that is the same person, and of each earlier conversation."""
EARLIER = 10
"""Conversations of the same contact that are named; what was said is shown of the newest ``TOLD``."""
TOLD = 5


@dataclass(frozen=True, slots=True)
class Person:
    """Another contact of the same person, with what was said there."""

    link: Link
    messages: Sequence[Message]
    conversations: Sequence[Conversation]


@dataclass(frozen=True, slots=True)
class Earlier:
    """Another conversation of the same contact; without messages where there are too many to show."""

    conversation: Conversation
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Colleague:
    """An agent to whom a conversation can be given."""

    agent: Agent
    at_desk: bool


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as an agent sees it."""

    conversation: Conversation
    messages: Sequence[Message]
    turns: Mapping[int, Turn]
    capabilities: Capabilities
    """Of the conversation's channel."""
    quotes: Mapping[int, Message]
    """What messages are shown to answer, by their own id."""
    media: Mapping[str, str]
    """The media types of the attached files that can be shown, by SHA-256."""
    searched: Mapping[str, FoundInFile]
    """What the search for secrets found in the attached files, by SHA-256; of those that agents sent there is none."""
    people: Sequence[Person]
    earlier: Sequence[Earlier] = ()
    colleagues: Sequence[Colleague] = ()
    """Everybody who answers customers, who is at the desk first; known while an agent has the conversation."""
    later: bool = False
    """Whether there are later messages than these: they are around one that was found."""

    @property
    def line(self) -> Message | None:
        """The desk's line for agents of who took it over, passed it on or put it back, and why: the latest of its
        lines, if that is one of these and not why the bot gave it to people."""
        lines = (one for one in reversed(self.messages) if one.author is Author.SYSTEM)
        latest = next((one for one in lines if one.visibility is Visibility.PRIVATE), None)
        return None if latest is None or _is_escalation(latest) else latest

    @property
    def told_in(self) -> tuple[Message, float] | None:
        """What tells the customer that it is resolved, and the seconds for which it is held back yet."""
        if self.conversation.state is not ConversationState.RESOLVED:
            return None
        held = next((one for one in reversed(self.messages) if one.held_until is not None), None)
        if held is None or held.held_until is None:
            return None
        return held, max(0.0, (held.held_until - datetime.now(UTC)).total_seconds())

    @property
    def cut(self) -> bool:
        """Whether there may be earlier messages than these."""
        return len(self.messages) == MESSAGES

    @property
    def classified(self) -> Turn | None:
        """The latest turn in which the engine ranked topics."""
        found = (self.turns.get(message.id) for message in reversed(self.messages))
        return next((turn for turn in found if turn is not None and turn.ranking), None)

    @property
    def details(self) -> list[Detail]:
        """What the customer told in a form of its own, what identifies the case first."""
        return in_order(self.conversation.details)

    def has(self, message_id: int) -> bool:
        """Whether the message is one of those shown."""
        return any(message.id == message_id for message in self.messages)

    def quotable(self, message_id: int | None) -> Message | None:
        """The message that an agent may answer as such."""
        return next((one for one in self.messages if one.id == message_id and self.may_quote(one)), None)

    def may_quote(self, message: Message) -> bool:
        return (
            self.capabilities.quotes
            and message.author is Author.CUSTOMER
            and message.visibility is Visibility.PUBLIC
            and message.deleted_at is None
        )

    def may_change(self, message: Message, agent: Agent) -> bool:
        """Whether the agent may edit the message and take it back."""
        return (
            self.capabilities.edits
            and message.author is Author.AGENT
            and message.visibility is Visibility.PUBLIC
            and message.agent_id == agent.id
            and message.deleted_at is None
        )

    def may_delete_note(self, message: Message, agent: Agent) -> bool:
        """Whether the agent may delete the private note for good."""
        return (
            message.author is Author.AGENT
            and message.visibility is Visibility.PRIVATE
            and message.deleted_at is None
            and (message.agent_id == agent.id or may(agent, Permission.DELETE_NOTES))
        )

    def may_mark(self, message: Message) -> bool:
        """Whether there is anything of a customer's in it that may be marked as a secret."""
        says = without_labels(message.text) or any(not one.problem for one in message.attachments)
        return message.author is Author.CUSTOMER and bool(says or message.context)

    def awaits(self, message: Message, attachment: Attachment) -> bool:
        """Whether the content of an attachment is still to come."""
        return (
            not attachment.sha256
            and not attachment.problem
            and attachment.kind not in WITHOUT_CONTENT
            and datetime.now(UTC) - message.created_at < GIVE_UP_AFTER
        )


def _is_escalation(line: Message) -> bool:
    # Lines older than the phrases have words alone.
    return line.text.startswith("Escalated: ") if line.said is None else line.said.key == PHRASES + Kind.ESCALATED


async def read_view(console: Console, conversation_id: int, *, at: int | None = None) -> View:
    now = await console.store.conversations.get(conversation_id)
    messages = await console.store.messages.of(conversation_id, limit=MESSAGES, through=at)
    latest = await console.store.messages.of(conversation_id, limit=1) if at is not None else messages[-1:]
    files = _files(messages)
    return View(
        conversation=now,
        messages=messages,
        turns=await console.store.turns.of(conversation_id),
        capabilities=console.capabilities.get(now.contact.channel, Capabilities()),
        quotes=await _quotes(console, messages),
        media=await _media(console, files),
        searched=await console.store.files.found(files) if files else {},
        people=[
            Person(
                link,
                await console.store.messages.transcript(link.contact.id, limit=HISTORY),
                await console.store.conversations.of_contact(link.contact.id),
            )
            for link in await console.store.contacts.links(now.contact.id)
        ],
        earlier=await _earlier(console, now),
        colleagues=await _colleagues(console) if now.agent is not None else (),
        later=bool(messages and latest and messages[-1].id < latest[0].id),
    )


async def _earlier(console: Console, now: Conversation) -> list[Earlier]:
    found = await console.store.conversations.of_contact(now.contact.id, limit=EARLIER + 1)
    others = [one for one in found if one.id != now.id][:EARLIER]
    said = await console.store.messages.histories([one.id for one in others[:TOLD]], limit=HISTORY) if others else {}
    return [Earlier(one, said.get(one.id, ())) for one in others]


async def _colleagues(console: Console) -> list[Colleague]:
    working = [one for one in await console.store.agents.all() if may(one, Permission.ANSWER_CUSTOMERS)]
    found = [Colleague(one, at_desk(one)) for one in working]
    return sorted(found, key=lambda one: (not one.at_desk, one.agent.name.casefold()))


async def _quotes(console: Console, messages: Iterable[Message]) -> dict[int, Message]:
    shown = {message.id: message for message in messages}
    answers: dict[int, int] = {}
    last: int | None = None
    for message in shown.values():
        # The bot answers the customer's last message without saying so.
        by_itself = message.reply_to == last and message.author in (Author.BOT, Author.SYSTEM)
        if message.reply_to is not None and not by_itself:
            answers[message.id] = message.reply_to
        if message.author is Author.CUSTOMER:
            last = message.id
    earlier = set(answers.values()) - shown.keys()
    if earlier:
        # Of another conversation, or too long ago.
        shown |= await console.store.messages.some(earlier)
    return {message_id: shown[answered] for message_id, answered in answers.items()}


def _files(messages: Iterable[Message]) -> set[str]:
    """What is attached, now or before an edit, by SHA-256."""
    shown = (
        attachment
        for message in messages
        for attachments in (message.attachments, *(version.attachments or () for version in message.versions))
        for attachment in attachments
    )
    return {attachment.sha256 for attachment in shown if attachment.sha256}


async def _media(console: Console, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    heads = await console.store.files.beginnings(names, HEAD)
    found = {name: playable(head) for name, head in heads.items()}
    return {name: media_type for name, media_type in found.items() if media_type is not None}
