"""Contacts: who they are, where their chats must be read on from, and which of them are one person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import timedelta

from sqlalchemy import ARRAY, BigInteger, ColumnElement, and_, any_, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain.channel import Chat
from bot.domain.conversation import Contact, ConversationState, Link, NotFound, Priority
from bot.domain.history import CUSTOMER, EventKind, HistoryEvent, by_agent
from bot.domain.lifecycle import leave_queue
from bot.domain.lines import Kind, line
from bot.domain.message import Author, ClearedWords, Visibility
from bot.domain.said import Refusal
from bot.domain.visitors import contact_of_code
from bot.store import rows
from bot.store.base import Area
from bot.store.lifecycle import record
from bot.store.tables import agent, contact, contact_link, conversation, message

_SEEN_AGAIN = timedelta(minutes=1)
ENDED = "ended"
"""The live event that a contact's external id is theirs no more."""


def _is(channel: str, account: str, external_id: str) -> tuple[ColumnElement[bool], ...]:
    return contact.c.channel == channel, contact.c.account == account, contact.c.external_id == external_id


class Contacts(Area):
    async def get(self, channel: str, account: str, external_id: str) -> Contact | None:
        query = select(contact).where(*_is(channel, account, external_id))
        async with self._reader.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else rows.contact_of(row)

    async def known(self, channel: str, account: str, external_ids: Collection[str]) -> frozenset[str]:
        """Those of the ids that are a contact's."""
        query = select(contact.c.external_id).where(
            contact.c.channel == channel, contact.c.account == account, contact.c.external_id.in_(list(external_ids))
        )
        async with self._reader.connect() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def find(self, words: str, *, besides: int, limit: int = 20) -> list[Contact]:
        """Contacts whose name, the platform's or the agents', contains ``words``, who are called so by their platform,
        or whose code it is; the latest first."""
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = (
            select(contact)
            .where(
                contact.c.id != besides,
                or_(
                    contact.c.name.ilike(pattern),
                    contact.c.given_name.ilike(pattern),
                    contact.c.external_id == words,
                    contact.c.id == contact_of_code(words),
                ),
            )
            .order_by(contact.c.id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [rows.contact_of(row) for row in await connection.execute(query)]

    async def name(self, contact_id: int, agent_id: int, name: ClearedWords | None) -> None:
        """What agents call the contact from now on; None: as the platform does. ``NotFound`` for an unknown contact."""
        async with self._engine.begin() as connection:
            locked = select(contact.c.given_name).where(contact.c.id == contact_id).with_for_update(key_share=True)
            known = (await connection.execute(locked)).one_or_none()
            if known is None:
                raise NotFound(f"there is no contact {contact_id}")
            if known.given_name == name:
                return
            await connection.execute(update(contact).where(contact.c.id == contact_id).values(given_name=name))
            data = {"contact": contact_id, "named": name is not None}
            await record(connection, HistoryEvent(EventKind.CONTACT_NAMED, by_agent(agent_id), data=data))
            await self._notify_contacts(connection, contact_id)

    async def note_present(self, contact_ids: Collection[int]) -> None:
        """They have the chat open now. Kept of those whom a person talks with or who wait for one, once a minute; of
        one who is being written to at this moment, the next time."""
        with_people = select(conversation.c.contact_id).where(
            conversation.c.contact_id == any_(cast(list(contact_ids), ARRAY(BigInteger))),
            conversation.c.state.in_([ConversationState.QUEUED.value, ConversationState.ASSIGNED.value]),
        )
        stale = (
            select(contact.c.id)
            .where(
                contact.c.id.in_(with_people),
                or_(contact.c.seen_at.is_(None), contact.c.seen_at < func.now() - _SEEN_AGAIN),
            )
            .with_for_update(skip_locked=True)
        )
        async with self._engine.begin() as connection:
            await connection.execute(update(contact).where(contact.c.id.in_(stale)).values(seen_at=func.now()))

    async def speak(self, channel: str, account: str, external_id: str, language: str) -> None:
        """The contact wants to be spoken to in that language, in the conversation that is open as well."""
        async with self._engine.begin() as connection:
            changed = update(contact).where(*_is(channel, account, external_id)).values(language=language)
            contact_id = (await connection.execute(changed.returning(contact.c.id))).scalar_one_or_none()
            if contact_id is None:
                return
            # Platforms hint with regions and scripts; what the bot says is known by language.
            spoken = language.split("-")[0].lower()
            opened = (
                update(conversation)
                .where(conversation.c.contact_id == contact_id, conversation.c.state != ConversationState.RESOLVED)
                .values(language=spoken)
            )
            for row in (await connection.execute(opened.returning(conversation.c.id))).all():
                await self._notify(connection, "state", row.id, contact_id)

    async def end(self, channel: str, account: str, external_id: str) -> None:
        """Nobody is known by that external id any more: the contact has another one, that no platform gives. Agents
        read in what is open that the customer has left. Who waited for a person waits no more, since nobody could
        answer them; whose case is urgent stays in the queue: an agent must see it."""
        async with self._engine.begin() as connection:
            mine = select(contact.c.id).where(*_is(channel, account, external_id)).with_for_update()
            contact_id = (await connection.execute(mine)).scalar_one_or_none()
            if contact_id is None:
                return
            former = f"{external_id} ended {contact_id}"
            renamed = update(contact).where(contact.c.id == contact_id)
            await connection.execute(renamed.values(external_id=former, chat_id=former))
            left = line(Kind.ENDED)
            found = await connection.execute(
                select(conversation.c.id).where(
                    conversation.c.contact_id == contact_id, conversation.c.state != ConversationState.RESOLVED
                )
            )
            for conversation_id in found.scalars().all():
                now, _ = await self._locked(connection, conversation_id)
                if now.state is ConversationState.QUEUED and now.priority < Priority.URGENT:
                    await self._apply(connection, now, leave_queue(now, CUSTOMER, "ended the chat"))
                await self._add_message(
                    connection,
                    now.id,
                    contact_id,
                    Author.SYSTEM,
                    guard.outgoing(left.words),
                    visibility=Visibility.PRIVATE,
                    payload=left.payload,
                )
                await self._notify(connection, "message", now.id, contact_id)
            await self._notify(connection, ENDED, 0, contact_id)

    # --- where a platform's history is read on from ---------------------------------------------

    async def chats(self, channel: str, account: str) -> list[Chat]:
        """Every chat of an account, the most recently active first."""
        latest = (
            select(func.max(conversation.c.updated_at))
            .where(conversation.c.contact_id == contact.c.id)
            .scalar_subquery()
        )
        query = (
            select(contact.c.chat_id, contact.c.mark, latest.label("active_at"))
            .where(contact.c.channel == channel, contact.c.account == account)
            .order_by(latest.desc().nulls_last())
        )
        async with self._engine.connect() as connection:
            return [Chat(row.chat_id, row.mark, row.active_at) for row in await connection.execute(query)]

    async def recorded(self, channel: str, account: str, chat_id: str, *, limit: int) -> list[str]:
        """The external ids of a chat's latest messages by the customer, newest first, without those taken back."""
        query = (
            select(message.c.external_id)
            .join(contact, contact.c.id == message.c.contact_id)
            .where(
                contact.c.channel == channel,
                contact.c.account == account,
                contact.c.chat_id == chat_id,
                message.c.author == Author.CUSTOMER,
                message.c.deleted_at.is_(None),
            )
            .order_by(message.c.id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    # --- contacts that are one person -------------------------------------------------------------

    async def link(self, contact_id: int, other_id: int, agent_id: int) -> None:
        """Says that two contacts are one person; said again, nothing changes. Raises ``NotFound`` for an unknown
        contact and ``ValueError`` for one linked with itself."""
        if contact_id == other_id:
            raise Refusal("a contact cannot be linked with itself", "refusal.link_itself")
        first, second = sorted((contact_id, other_id))
        async with self._engine.begin() as connection:
            known = await connection.execute(
                select(func.count()).select_from(contact).where(contact.c.id.in_([first, second]))
            )
            if known.scalar_one() != 2:
                raise NotFound("one of the two contacts does not exist")
            await connection.execute(
                upsert(contact_link)
                .values(contact_id=first, other_id=second, agent_id=agent_id)
                .on_conflict_do_nothing(
                    index_elements=["contact_id", "other_id"], index_where=contact_link.c.undone_at.is_(None)
                )
            )
            await self._notify_contacts(connection, first, second)

    async def undo_link(self, link_id: int, agent_id: int) -> None:
        """Takes a link back. Nothing else changes: linked contacts keep conversations of their own."""
        async with self._engine.begin() as connection:
            undone = (
                await connection.execute(
                    update(contact_link)
                    .where(contact_link.c.id == link_id, contact_link.c.undone_at.is_(None))
                    .values(undone_at=func.now(), undone_by=agent_id)
                    .returning(contact_link.c.contact_id, contact_link.c.other_id)
                )
            ).one_or_none()
            if undone is not None:
                await self._notify_contacts(connection, undone.contact_id, undone.other_id)

    async def links(self, contact_id: int) -> list[Link]:
        """The contacts that are one person with this one: linked with it, or with one that is. Each comes with the
        link that brought it in, in the order in which agents made them."""
        known = {contact_id}
        found: list[Link] = []
        async with self._engine.connect() as connection:
            while True:
                met = [link async for link in self._links_into(connection, known)]
                if not met:
                    return sorted(found, key=lambda link: link.id)
                for link in met:
                    if link.contact.id not in known:
                        known.add(link.contact.id)
                        found.append(link)

    async def _links_into(self, connection: AsyncConnection, known: set[int]) -> AsyncIterator[Link]:
        """Links between a known contact and an unknown one."""
        query = (
            select(
                contact,
                contact_link.c.id.label("link_id"),
                agent.c.name.label("agent_name"),
                contact_link.c.created_at.label("linked_at"),
            )
            .select_from(contact_link)
            .join(agent, agent.c.id == contact_link.c.agent_id)
            .join(
                contact,
                or_(
                    and_(contact_link.c.contact_id.in_(known), contact.c.id == contact_link.c.other_id),
                    and_(contact_link.c.other_id.in_(known), contact.c.id == contact_link.c.contact_id),
                ),
            )
            .where(contact_link.c.undone_at.is_(None), contact.c.id.not_in(known))
            .order_by(contact_link.c.id)
        )
        for row in await connection.execute(query):
            yield Link(row.link_id, rows.contact_of(row), row.agent_name, row.linked_at)

    async def _notify_contacts(self, connection: AsyncConnection, *contact_ids: int) -> None:
        """Whoever shows one of their conversations reads it anew."""
        shown = await connection.execute(
            select(func.max(conversation.c.id).label("id"), conversation.c.contact_id)
            .where(conversation.c.contact_id.in_(contact_ids))
            .group_by(conversation.c.contact_id)
        )
        for row in shown.all():
            await self._notify(connection, "state", row.id, row.contact_id)
