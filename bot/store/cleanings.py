"""Secrets that are recognised only once they are written: cut out of every row that has a part of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, Text, and_, cast, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import dialogue
from bot.domain.message import Author, ClearedIncoming, Message
from bot.domain.secret import LABELS, Cleaning, Removed, from_json, to_json, united
from bot.store import tables
from bot.store.fastpath import FastPath
from bot.store.tables import contact, conversation, event, message, message_part, message_version

EARLIER = 4
"""Messages before one that are searched with it."""
SHORTEST = 8
"""Characters of a part that is looked for elsewhere than where it was found: a shorter one may stand anywhere."""


class Cleanings(FastPath):
    async def before(self, incoming: ClearedIncoming) -> guard.Before:
        """What the guard must know of the customer whose message may be a part of a secret."""
        of_contact = and_(
            contact.c.channel == incoming.channel,
            contact.c.account == incoming.account,
            contact.c.external_id == incoming.sender.external_id,
        )
        query = (
            select(message.c.id, message.c.text, conversation.c.dialogue)
            .join(conversation, conversation.c.id == message.c.conversation_id)
            .join(contact, contact.c.id == message.c.contact_id)
            .where(of_contact, message.c.author == Author.CUSTOMER, conversation.c.thread == incoming.thread)
            # Brought again, or edited: it is not its own neighbour.
            .where(or_(message.c.external_id.is_(None), message.c.external_id.not_in(_ids(incoming))))
        )
        async with self._reader.connect() as connection:
            found = (await connection.execute(query.order_by(message.c.id.desc()).limit(EARLIER))).all()
        asked = dialogue.from_json(found[0].dialogue).asked_kinds if found else frozenset()
        return guard.Before(tuple((row.id, row.text) for row in reversed(found)), asked)

    async def before_message(self, of: Message) -> guard.Before:
        """The same of a message that is recorded."""
        query = (
            select(message.c.id, message.c.text)
            .where(
                message.c.conversation_id == of.conversation_id,
                message.c.author == Author.CUSTOMER,
                message.c.id < of.id,
            )
            .order_by(message.c.id.desc())
            .limit(EARLIER)
        )
        async with self._reader.connect() as connection:
            found = (await connection.execute(query)).all()
        return guard.Before(tuple((row.id, row.text) for row in reversed(found)))

    async def clean(self, cleanings: Sequence[Cleaning]) -> None:
        """Cuts what was recognised out of messages that are recorded, and out of all that was written of them."""
        async with self._engine.begin() as connection:
            await self._lock_contact_of(connection, cleanings[0].message_id)
            await self._clean(connection, cleanings)

    async def _clean(self, connection: AsyncConnection, cleanings: Sequence[Cleaning], *, erases: bool = True) -> None:
        """The caller holds the contact's row. ``erases``: also from the customer's own chat, if that can be done."""
        for one in sorted(cleanings, key=lambda one: one.message_id):
            query = select(message).where(message.c.id == one.message_id).with_for_update(key_share=True)
            found = (await connection.execute(query)).one_or_none()
            if found is not None:
                await self._clean_message(connection, found, one)
                if erases:
                    await self._queue.defer_erasure(connection, found.id)

    async def _clean_message(self, connection: AsyncConnection, found: Row[Any], one: Cleaning) -> None:
        cut = Cut(one)
        await connection.execute(
            update(message)
            .where(message.c.id == found.id)
            .values(
                text=guard.outgoing(cut.out_of_same(found.text)),
                context=cut.out_of_json(found.context),
                payload=cut.out_of_json(found.payload),
                attachments=cut.out_of_json(found.attachments),
                removed=to_json(united(from_json(found.removed), one.removed)),
                revision=tables.message_cursor.next_value(),
            )
        )
        for table, row in await self._versions_and_parts(connection, found.id):
            values = {
                "text": guard.outgoing(cut.out_of_same(row.text)),
                "context": cut.out_of_json(row.context),
                "attachments": cut.out_of_json(row.attachments),
            }
            await connection.execute(update(table).where(table.c.id == row.id).values(values))
        await self._clean_elsewhere(connection, found.conversation_id, found.id, cut)
        await self._notify(connection, "message", found.conversation_id, found.contact_id)

    async def _versions_and_parts(self, connection: AsyncConnection, message_id: int) -> list[tuple[Table, Row[Any]]]:
        """What a message was before edits, and what it was put together from, each with its table."""
        return [
            (table, row)
            for table in (message_version, message_part)
            for row in await connection.execute(select(table).where(table.c.message_id == message_id))
        ]

    async def _clean_elsewhere(self, connection: AsyncConnection, conversation_id: int, since: int, cut: Cut) -> None:
        """Out of what else of the conversation may have copied it, in messages ``since`` that one: quotations, details,
        events, notes."""
        later = and_(message.c.conversation_id == conversation_id, message.c.id >= since)
        for part in cut.long:
            for table, column, where in (
                (message, message.c.context, later),
                (message, message.c.text, later),
                (conversation, conversation.c.details, conversation.c.id == conversation_id),
                (conversation, conversation.c.subject, conversation.c.id == conversation_id),
                (event, event.c.data, event.c.conversation_id == conversation_id),
            ):
                written = part if isinstance(column.type, Text) else json.dumps(part, ensure_ascii=False)[1:-1]
                holds = and_(where, cast(column, Text).like(f"%{_escaped(written)}%"))
                for row in (await connection.execute(select(table.c.id, column.label("held")).where(holds))).all():
                    clean = cut.out_of(row.held) if isinstance(row.held, str) else cut.out_of_json(row.held)
                    await connection.execute(update(table).where(table.c.id == row.id).values({column: clean}))

    async def mark_removed(self, of: Message, removed: Sequence[Removed]) -> None:
        """A file of the message held secrets, which are removed: its customer is to be told. Its turn comes anew."""
        async with self._engine.begin() as connection:
            await self._lock_contact_of(connection, of.id)
            query = select(message).where(message.c.id == of.id).with_for_update(key_share=True)
            found = (await connection.execute(query)).one()
            now = to_json(united(from_json(found.removed), removed))
            if now == found.removed:
                return
            values = {"removed": now, "revision": tables.message_cursor.next_value()}
            await connection.execute(update(message).where(message.c.id == of.id).values(values))
            await self._queue.defer_erasure(connection, of.id)
            await self._take_turn_anew(connection, found)
            await self._notify(connection, "message", found.conversation_id, found.contact_id)

    async def _take_turn_anew(self, connection: AsyncConnection, of: Row[Any]) -> None:
        """The turn that a message had ends nothing any more, also if it is about to end; it comes once more."""
        await connection.execute(
            update(tables.turn)
            .where(tables.turn.c.message_id == of.id)
            .values(
                version=tables.turn.c.version + 1,
                done=False,
                action=None,
                reason=None,
                topic=None,
                ranking=None,
                done_at=None,
            )
        )
        await self._queue.defer_turn(connection, of.id, of.conversation_id)

    async def erasable(self, message_id: int) -> tuple[str, str, list[str]] | None:
        """The channel, the chat and the platform's ids of a customer's message that held secrets; None where there is
        nothing to be deleted there."""
        query = (
            select(contact.c.channel, contact.c.chat_id, message.c.external_id)
            .join(contact, contact.c.id == message.c.contact_id)
            .where(message.c.id == message_id, message.c.removed.is_not(None), message.c.author == Author.CUSTOMER)
        )
        parts = select(message_part.c.external_id).where(message_part.c.message_id == message_id)
        async with self._reader.connect() as connection:
            found = (await connection.execute(query)).one_or_none()
            if found is None or found.external_id is None:
                return None
            ids = dict.fromkeys([found.external_id, *(await connection.execute(parts)).scalars()])
            return found.channel, found.chat_id, list(ids)


class Cut:
    """What is cut out, and by which label it is replaced."""

    def __init__(self, one: Cleaning) -> None:
        self._one = one
        self._label = LABELS[one.removed[0].kind]
        # The longest first: what another one holds goes with that.
        self._parts = sorted(set(one.parts), key=len, reverse=True)
        self.long = [part for part in self._parts if len(part) >= SHORTEST]

    def out_of_same(self, text: str) -> str:
        """Of the message, as it is or was."""
        if text == self._one.was:
            return self._one.text
        for part in self._parts:
            text = text.replace(part, self._label)
        return text

    def out_of(self, text: str) -> str:
        for part in self.long:
            text = text.replace(part, self._label)
        return text

    def out_of_json(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.out_of(value)
        if isinstance(value, dict):
            return {name: self.out_of_json(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.out_of_json(one) for one in value]
        return value


def _ids(incoming: ClearedIncoming) -> list[str]:
    return [one for one in (incoming.external_id, incoming.edits) if one is not None]


def _escaped(needle: str) -> str:
    """For LIKE, whose own escape character is the backslash."""
    return needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
