"""What customers send."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Interval, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.conversation import ConversationState, EscalationReason, Reopening, contact_key
from bot.domain.message import Author, Incoming, Receipt, Visibility
from bot.store import rows, tables
from bot.store.base import in_language
from bot.store.fastpath import FastPath
from bot.store.tables import agent, contact, conversation, delivery, message, message_version, turn

_IS_HERE = and_(agent.c.disabled_at.is_(None), agent.c.seen_at > func.now() - bindparam("gone_after", type_=Interval()))
"""Whether an agent may and will see what comes."""


class Receiving(FastPath):
    async def record_incoming(self, incoming: Incoming, reopening: Reopening | None = None) -> Receipt:
        """Records one event of a platform and defers its turn. Commits before it returns.

        ``reopening`` says when a message goes on with the customer's resolved conversation; without it each opens a new
        one."""
        if incoming.deletes is None and (receipt := await self._receive_at_once(incoming)) is not None:
            return receipt
        async with self._engine.begin() as connection:
            if incoming.deletes is not None:
                return await self._record_deletion(connection, incoming)
            contact_id = await self._upsert_contact(connection, incoming)
            if incoming.edits is not None:
                return await self._record_edit(connection, contact_id, incoming, reopening)
            return await self._record_message(connection, contact_id, incoming, reopening)

    async def _upsert_contact(self, connection: AsyncConnection, incoming: Incoming) -> int:
        """The contact's id. Its row stays locked until the commit, so one contact's events are recorded,
        and numbered by cursor, one after the other."""
        statement = upsert(contact).values(
            channel=incoming.channel,
            account=incoming.account,
            external_id=incoming.sender.external_id,
            chat_id=incoming.chat_id,
            name=incoming.sender.name,
            language=incoming.sender.language,
            mark=incoming.mark,
        )
        given = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["channel", "account", "external_id"],
            set_={
                "chat_id": given.chat_id,
                "name": func.coalesce(func.nullif(given.name, ""), contact.c.name),
                "language": func.coalesce(given.language, contact.c.language),
                "mark": func.coalesce(given.mark, contact.c.mark),
            },
        )
        return int((await connection.execute(statement.returning(contact.c.id))).scalar_one())

    async def _record_message(
        self,
        connection: AsyncConnection,
        contact_id: int,
        incoming: Incoming,
        reopening: Reopening | None,
        edit: str | None = None,
    ) -> Receipt:
        # The caller holds the contact's row: nobody records the same event, or opens a conversation, meanwhile.
        known = select(message).where(message.c.contact_id == contact_id, message.c.external_id == incoming.external_id)
        is_open = select(conversation.c.id).where(
            conversation.c.contact_id == contact_id, conversation.c.state != ConversationState.RESOLVED
        )
        found = (
            await connection.execute(
                select(
                    known.with_only_columns(message.c.id).scalar_subquery().label("message_id"),
                    known.with_only_columns(message.c.conversation_id).scalar_subquery().label("conversation_id"),
                    is_open.scalar_subquery().label("open_id"),
                )
            )
        ).one()
        if found.message_id is not None:
            return Receipt(found.message_id, found.conversation_id, duplicate=True)
        reopened = None if found.open_id or reopening is None else await self._reopen(connection, contact_id, reopening)
        conversation_id = found.open_id or (reopened[0] if reopened else None)
        if conversation_id is None:
            conversation_id = await self._open_conversation(connection, contact_id)
        message_id = (
            await connection.execute(
                insert(message)
                .values(
                    conversation_id=conversation_id,
                    contact_id=contact_id,
                    author=Author.CUSTOMER,
                    text=incoming.text,
                    attachments=rows.to_json(incoming.attachments),
                    payload=rows.payload(incoming, edit),
                    external_id=incoming.external_id,
                    reply_to=await self._answered(connection, contact_id, incoming.replies_to),
                    cursor=tables.message_cursor.next_value(),
                    sent_at=incoming.sent_at,
                    edited_at=incoming.edited_at,
                )
                .returning(message.c.id)
            )
        ).scalar_one()
        await connection.execute(insert(turn).values(message_id=message_id, conversation_id=conversation_id))
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == conversation_id)
            .values(
                updated_at=func.now(),
                waiting_since=case(
                    (
                        conversation.c.state != ConversationState.BOT,
                        func.coalesce(conversation.c.waiting_since, func.now()),
                    )
                ),
            )
        )
        if reopened and reopening is not None:
            await self._tell_reopened(connection, conversation_id, reopening, told=reopened[1])
        await self._queue.defer_turn(connection, message_id, conversation_id)
        if incoming.attachments:
            await self._queue.defer_fetch(connection, message_id)
        opener = contact_key(incoming.channel, incoming.account, incoming.sender.external_id)
        await self._notify(connection, "message", conversation_id, contact_id, "" if found.open_id else opener)
        if reopened:
            await self._notify(connection, "state", conversation_id, contact_id)
        return Receipt(message_id, conversation_id)

    async def _reopen(
        self, connection: AsyncConnection, contact_id: int, reopening: Reopening
    ) -> tuple[int, bool] | None:
        """The contact's last conversation, if a person had it and it was resolved a short while ago: it goes on with
        that person if they are here, and else in the queue. Its id, and whether the customer was told that it was
        resolved. The caller holds the contact's row."""
        last = (
            await connection.execute(
                select(conversation.c.id, conversation.c.last_agent_id, _IS_HERE.label("is_here"))
                .join(agent, agent.c.id == conversation.c.last_agent_id)
                .where(
                    conversation.c.contact_id == contact_id,
                    conversation.c.state == ConversationState.RESOLVED,
                    conversation.c.resolved_at > func.now() - reopening.within,
                )
                .order_by(conversation.c.id.desc())
                .limit(1)
                .with_for_update(of=conversation),
                {"gone_after": reopening.agent_gone_after},
            )
        ).one_or_none()
        if last is None:
            return None
        told = not await self._withdraw_held(connection, last.id)
        values: dict[str, Any] = {"state": ConversationState.QUEUED, "queued_at": func.now()}
        values["reason"] = EscalationReason.REOPENED
        if last.is_here:
            values = {"state": ConversationState.ASSIGNED, "agent_id": last.last_agent_id}
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == last.id)
            .values(
                {
                    **values,
                    "generation": conversation.c.generation + 1,
                    "resolved_at": None,
                    "misses": 0,
                    "last_answer": None,
                    "offered": [],
                }
            )
        )
        return int(last.id), told

    async def _tell_reopened(
        self, connection: AsyncConnection, conversation_id: int, reopening: Reopening, *, told: bool
    ) -> None:
        """Behind the message that reopened it."""
        now = await self._conversation(connection, conversation_id)
        where = "with " + now.agent.name if now.agent else "in the queue"
        await self._add_message(
            connection,
            now.id,
            now.contact.id,
            Author.SYSTEM,
            f"The customer wrote again: reopened, {where}.",
            visibility=Visibility.PRIVATE,
        )
        if now.agent is None:
            text = in_language(reopening.to_queue, now.language)
            text = text.replace("{position}", str(await self._position(connection, now.id)))
            await self._add_notice(connection, now, text)
        elif told:
            await self._add_notice(connection, now, in_language(reopening.to_agent, now.language))

    async def _open_conversation(self, connection: AsyncConnection, contact_id: int) -> int:
        """A new conversation of the contact, who has none open."""
        made = await connection.execute(
            insert(conversation)
            .values(
                contact_id=contact_id,
                # A returning customer is spoken to in the language of the last engagement.
                language=select(conversation.c.language)
                .where(conversation.c.contact_id == contact_id)
                .order_by(conversation.c.id.desc())
                .limit(1)
                .scalar_subquery(),
            )
            .returning(conversation.c.id)
        )
        return int(made.scalar_one())

    async def _record_edit(
        self, connection: AsyncConnection, contact_id: int, incoming: Incoming, reopening: Reopening | None
    ) -> Receipt:
        original = (
            await connection.execute(
                select(message.c.id, message.c.conversation_id, message.c.text, message.c.payload, message.c.edited_at)
                .where(message.c.contact_id == contact_id, message.c.external_id == incoming.edits)
                .with_for_update()
            )
        ).one_or_none()
        if original is None:
            # The message is older than the desk (or was not brought yet): its new text is then news, under its own
            # id, by which it may be brought yet, edited again, or taken back.
            news = replace(incoming, external_id=incoming.edits or "")
            return await self._record_message(connection, contact_id, news, reopening, edit=incoming.external_id)
        if original.text == incoming.text or (original.payload or {}).get("edit") == incoming.external_id:
            # Recorded as edited already, when its history was read on; or something else of it changed.
            return Receipt(original.id, original.conversation_id, duplicate=True)
        # A history tells of the last edit alone; those before it may come behind it, and change nothing any more.
        late = original.edited_at is not None and incoming.sent_at is not None and incoming.sent_at < original.edited_at
        kept = await connection.execute(
            upsert(message_version)
            .values(
                message_id=original.id,
                external_id=incoming.external_id,
                text=incoming.text if late else original.text,
            )
            .on_conflict_do_nothing(index_elements=["message_id", "external_id"])
            .returning(message_version.c.id)
        )
        if kept.one_or_none() is None:
            return Receipt(original.id, original.conversation_id, duplicate=True)
        if late:
            await self._notify(connection, "message", original.conversation_id, contact_id)
            return Receipt(original.id, original.conversation_id)
        await connection.execute(
            update(message)
            .where(message.c.id == original.id)
            .values(
                text=incoming.text,
                edited_at=incoming.sent_at or func.now(),
                revision=tables.message_cursor.next_value(),
            )
        )
        await self._notify(connection, "message", original.conversation_id, contact_id)
        return Receipt(original.id, original.conversation_id)

    async def _record_deletion(self, connection: AsyncConnection, incoming: Incoming) -> Receipt:
        """Marks the message as taken back; its words stay with the desk."""
        # Platforms say which message of which chat, and not whose.
        found = (
            await connection.execute(
                select(message.c.id, message.c.conversation_id, message.c.contact_id, message.c.deleted_at)
                .join(contact, contact.c.id == message.c.contact_id)
                .where(
                    contact.c.channel == incoming.channel,
                    contact.c.account == incoming.account,
                    contact.c.chat_id == incoming.chat_id,
                    message.c.external_id == incoming.deletes,
                )
                # In the order in which everybody locks them, and past the references of what is written meanwhile.
                .with_for_update(of=(contact, message), key_share=True)
            )
        ).one_or_none()
        if found is None:
            return Receipt(None, None)
        if found.deleted_at is not None:
            return Receipt(found.id, found.conversation_id, duplicate=True)
        await connection.execute(
            update(message)
            .where(message.c.id == found.id)
            .values(deleted_at=incoming.sent_at or func.now(), revision=tables.message_cursor.next_value())
        )
        await self._notify(connection, "message", found.conversation_id, found.contact_id)
        return Receipt(found.id, found.conversation_id)

    async def _answered(self, connection: AsyncConnection, contact_id: int, external_id: str | None) -> int | None:
        """The message that the customer answers: one of their own, or one that was delivered to them."""
        if external_id is None:
            return None
        return (
            await connection.execute(
                select(message.c.id)
                .outerjoin(delivery, delivery.c.message_id == message.c.id)
                .where(
                    message.c.contact_id == contact_id,
                    or_(message.c.external_id == external_id, delivery.c.external_ids.has_key(external_id)),
                )
                .order_by(message.c.id.desc())
                .limit(1)
            )
        ).scalar_one_or_none()
