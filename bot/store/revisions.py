"""What customers change of what they sent: edits, deletions, and albums, whose parts come one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, ScalarSelect, and_, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import context as contexts
from bot.domain.characters import shows
from bot.domain.conversation import ConversationState
from bot.domain.decision import Action
from bot.domain.history import CUSTOMER
from bot.domain.lifecycle import wake
from bot.domain.message import ClearedIncoming, Receipt
from bot.domain.parts import PARTS_AT_MOST, Content, carried, together
from bot.domain.secret import from_json, to_json, united
from bot.store import rows, tables
from bot.store.marking import Marking
from bot.store.statements import TOUCH
from bot.store.tables import contact, conversation, delivery, message, message_part, message_version, turn


class Revisions(Marking):
    # --- albums -----------------------------------------------------------------------------------

    async def _record_part(
        self, connection: AsyncConnection, contact_id: int, incoming: ClearedIncoming
    ) -> Receipt | None:
        """Adds a part to the album that it belongs to; None where it is none, or the first. The caller holds the
        contact's row.

        The album has one answer: a part that comes behind it is only kept, unless it brings the first words."""
        if not incoming.group:
            return None
        found = (
            await connection.execute(
                select(message)
                .join(conversation, conversation.c.id == message.c.conversation_id)
                .where(
                    message.c.contact_id == contact_id,
                    message.c.album == incoming.group,
                    conversation.c.thread == incoming.thread,
                    conversation.c.state != ConversationState.RESOLVED,
                )
                .order_by(message.c.id.desc())
                .limit(1)
                .with_for_update(of=message, key_share=True)
            )
        ).one_or_none()
        if found is None:
            return None
        parts = await self._parts(connection, found.id)
        if any(part.external_id == incoming.external_id for part in parts):
            return Receipt(found.id, found.conversation_id, duplicate=True)
        known = await connection.execute(select(part_of(contact_id, incoming.external_id)))
        if known.scalar_one() is not None or len(parts) >= PARTS_AT_MOST:
            return None
        whole = self._whole(found, [*parts, await self._add_part(connection, contact_id, found.id, incoming)])
        removed = united(from_json(found.removed), incoming.removed)
        await self._write(connection, found, whole, {"deleted_at": None, "removed": to_json(removed)})
        await self._clean(connection, incoming.cleans)
        now, _ = await self._locked(connection, found.conversation_id)
        if now.snoozed_until is not None and (step := wake(now, CUSTOMER)) is not None:
            await self._apply(connection, now, step)
        await self._queue.within(connection, TOUCH, {"conversation": found.conversation_id})
        if incoming.removed:
            await self._queue.defer_erasure(connection, found.id)
        if incoming.removed or (shows(incoming.text) and not shows(found.text)):
            await self._take_turn_anew(connection, found)
        await self._notify(connection, "message", found.conversation_id, contact_id)
        return Receipt(found.id, found.conversation_id)

    async def _add_part(
        self, connection: AsyncConnection, contact_id: int, message_id: int, incoming: ClearedIncoming
    ) -> Row[Any]:
        added: Row[Any] = (
            await connection.execute(
                insert(message_part)
                .values(
                    message_id=message_id,
                    contact_id=contact_id,
                    external_id=incoming.external_id,
                    text=incoming.text,
                    attachments=rows.to_json(incoming.attachments),
                    context=incoming.context.as_json,
                    edited_at=incoming.edited_at,
                )
                .returning(message_part)
            )
        ).one()
        return added

    async def _parts(self, connection: AsyncConnection, message_id: int) -> Sequence[Row[Any]]:
        query = select(message_part).where(message_part.c.message_id == message_id).order_by(message_part.c.id)
        return (await connection.execute(query)).all()

    def _whole(self, of: Row[Any], parts: Sequence[Row[Any]]) -> Content:
        """The message that its parts are together, with the content that the desk has of them."""
        whole = together([_content(part) for part in parts if part.deleted_at is None])
        return Content(whole.text, carried(whole.attachments, _content(of).attachments), whole.context)

    # --- edits ------------------------------------------------------------------------------------

    async def _record_edit(
        self, connection: AsyncConnection, contact_id: int, incoming: ClearedIncoming
    ) -> Receipt | None:
        """None where the desk does not have what is edited. The caller holds the contact's row."""
        part, original = await self._found(connection, contact_id, incoming.edits or "")
        if original is None:
            return None
        edited = original if part is None else part
        before = _content(edited)
        attachments = before.attachments
        if incoming.replaces_attachments:
            attachments = carried(incoming.attachments, _content(original).attachments)
        now = Content(incoming.text, attachments, before.context.edited(incoming.context))
        if now.same(before) or (original.payload or {}).get("edit") == incoming.external_id:
            # Recorded as edited already, when its history was read on; or something else of it changed.
            return Receipt(original.id, original.conversation_id, duplicate=True)
        # A history tells of the last edit alone; those before it may come behind it, and change nothing any more.
        late = edited.edited_at is not None and incoming.sent_at is not None and incoming.sent_at < edited.edited_at
        if not await self._keep_version(connection, original, incoming.external_id, now if late else None):
            return Receipt(original.id, original.conversation_id, duplicate=True)
        await self._clean(connection, incoming.cleans)
        if not late:
            at = incoming.sent_at or func.now()
            if part is not None:
                await connection.execute(
                    update(message_part)
                    .where(message_part.c.id == part.id)
                    .values(
                        text=now.text,
                        attachments=rows.to_json(now.attachments),
                        context=now.context.as_json,
                        edited_at=at,
                        deleted_at=None,
                    )
                )
                now = self._whole(original, await self._parts(connection, original.id))
            removed = united(from_json(original.removed), incoming.removed)
            await self._write(connection, original, now, {"edited_at": at, "removed": to_json(removed)})
            if incoming.removed:
                await self._queue.defer_erasure(connection, original.id)
                await self._take_turn_anew(connection, original)
            else:
                await self._ask_anew(connection, original.id, original.conversation_id)
        await self._notify(connection, "message", original.conversation_id, contact_id)
        return Receipt(original.id, original.conversation_id)

    async def _found(
        self, connection: AsyncConnection, contact_id: int, external_id: str
    ) -> tuple[Row[Any] | None, Row[Any] | None]:
        """The part of that id, if it is one, and its message, both held until the commit."""
        of_contact = and_(message_part.c.contact_id == contact_id, message_part.c.external_id == external_id)
        part = (await connection.execute(select(message_part).where(of_contact).with_for_update())).one_or_none()
        which = and_(message.c.contact_id == contact_id, message.c.external_id == external_id)
        if part is not None:
            which = message.c.id == part.message_id
        return part, (await connection.execute(select(message).where(which).with_for_update())).one_or_none()

    async def _keep_version(
        self, connection: AsyncConnection, original: Row[Any], event: str, instead: Content | None = None
    ) -> bool:
        """Keeps what an edit replaces, or ``instead`` what never replaced it. False where the edit is known already."""
        was = instead or _content(original)
        kept = await connection.execute(
            upsert(message_version)
            .values(
                message_id=original.id,
                external_id=event,
                text=was.text,
                attachments=rows.to_json(was.attachments),
                context=was.context.as_json,
            )
            .on_conflict_do_nothing(index_elements=["message_id", "external_id"])
            .returning(message_version.c.id)
        )
        return kept.one_or_none() is not None

    async def _write(self, connection: AsyncConnection, to: Row[Any], now: Content, values: dict[str, Any]) -> None:
        await connection.execute(
            update(message)
            .where(message.c.id == to.id)
            .values(
                text=now.text,
                attachments=rows.to_json(now.attachments),
                context=now.context.as_json,
                revision=tables.message_cursor.next_value(),
                **values,
            )
        )
        if any(not one.sha256 and not one.problem for one in now.attachments):
            await self._queue.defer_fetch(connection, to.id)

    async def _ask_anew(self, connection: AsyncConnection, message_id: int, conversation_id: int) -> None:
        """A question that the bot did not understand, and that its customer has corrected before writing on, has its
        turn once more."""
        later = turn.alias()
        anew = await connection.execute(
            update(turn)
            .where(
                turn.c.message_id == message_id,
                turn.c.done,
                turn.c.action == Action.ASK_BACK.value,
                ~exists().where(later.c.conversation_id == conversation_id, later.c.message_id > message_id),
                exists().where(
                    conversation.c.id == conversation_id, conversation.c.state == ConversationState.BOT.value
                ),
            )
            .values(done=False, action=None, reason=None, topic=None, ranking=None, done_at=None)
            .returning(turn.c.message_id)
        )
        if anew.one_or_none() is not None:
            await self._queue.defer_turn(connection, message_id, conversation_id)

    # --- deletions --------------------------------------------------------------------------------

    async def _record_deletion(self, connection: AsyncConnection, incoming: ClearedIncoming) -> Receipt:
        """Marks the message, or its part, as taken back; its words and files stay with the desk."""
        # Platforms say which message of which chat, and not whose.
        found = (
            await connection.execute(
                select(message)
                .join(contact, contact.c.id == message.c.contact_id)
                .where(
                    contact.c.channel == incoming.channel,
                    contact.c.account == incoming.account,
                    contact.c.chat_id == incoming.chat_id,
                    or_(
                        message.c.external_id == incoming.deletes,
                        message.c.id.in_(
                            select(message_part.c.message_id).where(message_part.c.external_id == incoming.deletes)
                        ),
                    ),
                )
                .limit(1)
                # In the order in which everybody locks them, and past the references of what is written meanwhile.
                .with_for_update(of=(contact, message), key_share=True)
            )
        ).one_or_none()
        if found is None:
            return Receipt(None, None)
        at = incoming.sent_at or func.now()
        if found.album is not None:
            gone = (
                await connection.execute(
                    update(message_part)
                    .where(
                        message_part.c.message_id == found.id,
                        message_part.c.external_id == incoming.deletes,
                        message_part.c.deleted_at.is_(None),
                    )
                    .values(deleted_at=at)
                    .returning(message_part.c.id)
                )
            ).one_or_none()
            if gone is None:
                return Receipt(found.id, found.conversation_id, duplicate=True)
            parts = await self._parts(connection, found.id)
            if any(part.deleted_at is None for part in parts):
                await self._keep_version(connection, found, f"deleted:{incoming.deletes}")
                await self._write(connection, found, self._whole(found, parts), {"edited_at": at})
                await self._notify(connection, "message", found.conversation_id, found.contact_id)
                return Receipt(found.id, found.conversation_id)
        if found.deleted_at is not None:
            return Receipt(found.id, found.conversation_id, duplicate=True)
        await connection.execute(
            update(message)
            .where(message.c.id == found.id)
            .values(deleted_at=at, revision=tables.message_cursor.next_value())
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
                    or_(
                        message.c.external_id == external_id,
                        delivery.c.external_ids.has_key(external_id),
                        message.c.id == part_of(contact_id, external_id),
                    ),
                )
                .order_by(message.c.id.desc())
                .limit(1)
            )
        ).scalar_one_or_none()


def part_of(contact_id: int, external_id: str) -> ScalarSelect[Any]:
    """The message of which that is a part."""
    return (
        select(message_part.c.message_id)
        .where(message_part.c.contact_id == contact_id, message_part.c.external_id == external_id)
        .scalar_subquery()
    )


def _content(row: Row[Any]) -> Content:
    """Of a message, or of a part of one."""
    return Content(row.text, tuple(map(rows.attachment, row.attachments)), contexts.from_json(row.context))
