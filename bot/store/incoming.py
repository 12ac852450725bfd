"""What customers send."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Interval, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain.conversation import ConversationState, Reopening, contact_key
from bot.domain.history import CUSTOMER
from bot.domain.lifecycle import wake, write_again
from bot.domain.message import Author, ClearedIncoming, Receipt, Visibility, is_aside
from bot.store import lifecycle, rows, tables
from bot.store.base import in_language
from bot.store.revisions import Revisions, part_of
from bot.store.statements import RECEIVE, UPSERT_CONTACT
from bot.store.tables import agent, conversation, message
from bot.store.values import received

_IS_HERE = and_(agent.c.disabled_at.is_(None), agent.c.seen_at > func.now() - bindparam("gone_after", type_=Interval()))
"""Whether an agent may and will see what comes."""


class IncomingMessages(Revisions):
    async def record(self, incoming: ClearedIncoming, reopening: Reopening | None = None) -> Receipt:
        """Records one event of a platform and defers its turn. Commits before it returns.

        ``reopening`` says when a message goes on with the customer's resolved conversation; without it each opens a new
        one."""
        if (receipt := await self._receive_at_once(incoming)) is not None:
            return receipt
        async with self._engine.begin() as connection:
            if incoming.deletes is not None:
                return await self._record_deletion(connection, incoming)
            contact_id = await self._upsert_contact(connection, incoming)
            if is_aside(incoming):
                return await self._record_aside(connection, contact_id, incoming)
            edit: str | None = None
            if incoming.edits is not None:
                if (receipt := await self._record_edit(connection, contact_id, incoming)) is not None:
                    return receipt
                # The message is older than the desk (or was not brought yet): its new text is then news, under its own
                # id, by which it may be brought yet, edited again, or taken back.
                edit = incoming.external_id
                incoming = replace(incoming, external_id=incoming.edits)
            if (receipt := await self._record_part(connection, contact_id, incoming)) is not None:
                return receipt
            return await self._record_message(connection, contact_id, incoming, reopening, edit)

    async def _record_aside(self, connection: AsyncConnection, contact_id: int, incoming: ClearedIncoming) -> Receipt:
        """A reaction says nothing that is to be answered: it is kept beside what it is put under, opens no conversation
        again, and nobody waits by it."""
        known = await connection.execute(
            select(message.c.id, message.c.conversation_id).where(
                message.c.contact_id == contact_id, message.c.external_id == incoming.external_id
            )
        )
        if (found := known.one_or_none()) is not None:
            return Receipt(found.id, found.conversation_id, duplicate=True)
        under = await self._answered(connection, contact_id, incoming.replies_to)
        which = message.c.id == under if under else message.c.contact_id == contact_id
        where = await connection.execute(
            select(message.c.conversation_id).where(which).order_by(message.c.id.desc()).limit(1)
        )
        if (conversation_id := where.scalar_one_or_none()) is None:
            return Receipt(None, None)
        made = await self._add_message(
            connection,
            conversation_id,
            contact_id,
            Author.CUSTOMER,
            guard.outgoing(incoming.text),
            attachments=rows.to_json(incoming.attachments),
            external_id=incoming.external_id,
            reply_to=under,
            sent_at=incoming.sent_at,
            cursor=tables.message_cursor.next_value(),
        )
        await self._notify(connection, "message", conversation_id, contact_id)
        return Receipt(made, conversation_id)

    async def _upsert_contact(self, connection: AsyncConnection, incoming: ClearedIncoming) -> int:
        """The contact's id. Its row stays locked until the commit, so one contact's events are recorded,
        and numbered by cursor, one after the other."""
        return int((await self._queue.within(connection, UPSERT_CONTACT, received(incoming))).id)

    async def _record_message(
        self,
        connection: AsyncConnection,
        contact_id: int,
        incoming: ClearedIncoming,
        reopening: Reopening | None,
        edit: str | None,
    ) -> Receipt:
        # The caller holds the contact's row: nobody records the same event, or opens a conversation, meanwhile.
        known = select(message).where(
            message.c.contact_id == contact_id,
            or_(
                message.c.external_id == incoming.external_id, message.c.id == part_of(contact_id, incoming.external_id)
            ),
        )
        is_open = (
            select(conversation.c.id)
            .where(
                conversation.c.contact_id == contact_id,
                conversation.c.thread == incoming.thread,
                conversation.c.state != ConversationState.RESOLVED,
            )
            # Or an agent resolves it before the message is there.
            .with_for_update(key_share=True)
        )
        found = (
            await connection.execute(
                select(
                    known.with_only_columns(message.c.id).scalar_subquery().label("message_id"),
                    known.with_only_columns(message.c.conversation_id).scalar_subquery().label("conversation_id"),
                    is_open.scalar_subquery().label("open_id"),
                    is_open.with_only_columns(conversation.c.snoozed_until.is_not(None))
                    .scalar_subquery()
                    .label("snoozed"),
                )
            )
        ).one()
        if found.message_id is not None:
            return Receipt(found.message_id, found.conversation_id, duplicate=True)
        reopened = None
        if found.open_id is None and reopening is not None:
            reopened = await self._reopen(connection, contact_id, incoming.thread, reopening)
        conversation_id = found.open_id or (reopened[0] if reopened else None)
        if conversation_id is None:
            conversation_id = await lifecycle.open_conversation(
                connection, contact_id, thread=incoming.thread, subject=incoming.subject
            )
        if found.snoozed:
            await self._wake(connection, conversation_id)
        values = received(incoming, edit=edit)
        answered = await self._answered(connection, contact_id, incoming.replies_to)
        if answered is None and incoming.answered and not incoming.context.quote:
            incoming = replace(incoming, context=replace(incoming.context, quote=incoming.answered))
            values = received(incoming, edit=edit)
        values["reply_to"] = answered
        if not found.open_id:
            values["opened_by"] = contact_key(incoming.channel, incoming.account, incoming.sender.external_id)
        made = await self._queue.within(connection, RECEIVE, values)
        if incoming.group:
            await self._add_part(connection, contact_id, made.id, incoming)
        if reopened and reopening is not None:
            await self._tell_reopened(connection, conversation_id, reopening, told=reopened[1])
        if any(not part.sha256 for part in incoming.attachments):
            await self._queue.defer_fetch(connection, made.id)
        if incoming.removed:
            await self._queue.defer_erasure(connection, made.id)
        await self._clean(connection, incoming.cleans)
        if reopened:
            await self._notify(connection, "state", conversation_id, contact_id)
        return Receipt(made.id, conversation_id)

    async def _reopen(
        self, connection: AsyncConnection, contact_id: int, thread: str, reopening: Reopening
    ) -> tuple[int, bool] | None:
        """The contact's last conversation in that thread, if a person had it and it was resolved a short while ago: it
        goes on with that person if they are here, and else in the queue. Its id, and whether the customer was told that
        it was resolved. The caller holds the contact's row."""
        last = (
            await connection.execute(
                select(conversation.c.id, conversation.c.last_agent_id, _IS_HERE.label("is_here"))
                .join(agent, agent.c.id == conversation.c.last_agent_id)
                .where(
                    conversation.c.contact_id == contact_id,
                    conversation.c.thread == thread,
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
        closed, at = await self._locked(connection, last.id)
        step = write_again(closed, at, last.last_agent_id if last.is_here else None)
        await lifecycle.apply(connection, closed, step)
        return int(last.id), told

    async def _wake(self, connection: AsyncConnection, conversation_id: int) -> None:
        """The customer wrote: what was laid aside until later is not any more."""
        snoozed, _ = await self._locked(connection, conversation_id)
        step = wake(snoozed, CUSTOMER)
        assert step is not None
        await self._apply(connection, snoozed, step)

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
            guard.outgoing(f"The customer wrote again: reopened, {where}."),
            visibility=Visibility.PRIVATE,
        )
        if now.agent is None:
            text = in_language(reopening.to_queue, now.language)
            text = guard.fill(text, position=await self._position(connection, now.id))
            await self._add_notice(connection, now, text)
        elif told:
            await self._add_notice(connection, now, in_language(reopening.to_agent, now.language))
