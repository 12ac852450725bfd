"""What the search for secrets missed: an agent marks a customer's message, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import context as contexts
from bot.domain import lifecycle
from bot.domain.conversation import NotFound
from bot.domain.message import WITHOUT_CONTENT, Attachment, Author
from bot.domain.said import fault
from bot.domain.secret import LABELS, Cleaning, Removed, SecretKind, from_json, to_json, united
from bot.store import rows, tables
from bot.store.cleanings import SHORTEST, Cleanings, Cut
from bot.store.files import UNNAMED
from bot.store.lifecycle import record
from bot.store.tables import conversation, file, message, upload

SHORTEST_QUOTED = 4
"""Characters of a quotation that is taken for a part of what was marked."""
_REMOVED = fault("removed as a secret", "fault.attachment.secret")


class Marking(Cleanings):
    async def mark_secret(self, message_id: int, kind: SecretKind, agent_id: int) -> None:
        """Removes all words and files of a customer's message: from it, from what it was before edits, from details,
        quotations and wherever else of the conversation they stand. Its customer is told as if the search had found
        it. For good; ``NotFound`` for what no customer wrote."""
        async with self._engine.begin() as connection:
            await self._lock_contact_of(connection, message_id)
            query = select(message).where(message.c.id == message_id, message.c.author == Author.CUSTOMER)
            found = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()
            if found is None:
                raise NotFound(f"there is no message {message_id} of a customer")
            copies = await self._versions_and_parts(connection, found.id)
            held = [found, *(row for _, row in copies)]
            removed = Removed(kind)
            now = united(from_json(found.removed), (removed,))
            await self._empty(connection, found, copies, LABELS[kind], to_json(now))
            await self._forget_files(connection, held)
            texts = {words for one in held for words in _words(one)}
            long = tuple(words for words in texts if len(words) >= SHORTEST)
            cut = Cut(Cleaning(found.id, found.text, LABELS[kind], long, (removed,)))
            await self._clean_elsewhere(connection, found.conversation_id, found.id, cut)
            await self._forget_quotations(connection, found, texts, LABELS[kind])
            of, _ = await self._locked(connection, found.conversation_id)
            await record(connection, lifecycle.secret_marked(of, agent_id, found.id, kind))
            await self._queue.defer_erasure(connection, found.id)
            await self._take_turn_anew(connection, found)
            await self._notify(connection, "message", found.conversation_id, found.contact_id)

    async def _empty(
        self,
        connection: AsyncConnection,
        found: Row[Any],
        copies: Iterable[tuple[Table, Row[Any]]],
        label: str,
        removed: dict[str, bool] | None,
    ) -> None:
        """The message, its versions and its parts hold the label, and nothing else that the customer sent."""
        body = guard.outgoing(label)
        payload = {**found.payload, "argument": ""} if "argument" in (found.payload or {}) else found.payload
        await connection.execute(
            update(message)
            .where(message.c.id == found.id)
            .values(
                text=body,
                context=None,
                payload=payload,
                attachments=_emptied(found.attachments),
                removed=removed,
                revision=tables.message_cursor.next_value(),
            )
        )
        for table, row in copies:
            attachments = None if row.attachments is None else _emptied(row.attachments)
            values = {"text": body, "context": None, "attachments": attachments}
            await connection.execute(update(table).where(table.c.id == row.id).values(values))

    async def _forget_files(self, connection: AsyncConnection, held: Iterable[Row[Any]]) -> None:
        """The content of what was attached, unless another message has the same."""
        names = {one["sha256"] for row in held for one in row.attachments or () if one.get("sha256")}
        if not names:
            return
        await connection.execute(delete(upload).where(upload.c.sha256.in_(names)))
        await connection.execute(delete(file).where(file.c.sha256.in_(names), UNNAMED))

    async def _forget_quotations(
        self, connection: AsyncConnection, found: Row[Any], texts: Iterable[str], label: str
    ) -> None:
        """Parts of it that other messages quote, and the details that were read out of it."""
        quoting = select(message.c.id, message.c.context).where(
            message.c.conversation_id == found.conversation_id, message.c.context.is_not(None)
        )
        for row in (await connection.execute(quoting)).all():
            context = contexts.from_json(row.context)
            part = context.quote.strip()
            if len(part) >= SHORTEST_QUOTED and any(part in words for words in texts):
                values = {"context": replace(context, quote=label).as_json}
                await connection.execute(update(message).where(message.c.id == row.id).values(values))
        of = conversation.c.id == found.conversation_id
        details = rows.details((await connection.execute(select(conversation.c.details).where(of))).scalar_one())
        folded = [words.casefold() for words in texts]
        left = [one for one in details if not any(one.value.casefold() in words for words in folded)]
        if len(left) < len(details):
            await connection.execute(update(conversation).where(of).values(details=rows.details_to_json(left)))


def _words(row: Row[Any]) -> list[str]:
    """All that a message, version or part says: its text, what it quotes, and where its links lead."""
    context = contexts.from_json(row.context)
    said = [row.text, context.quote, *(part for link in context.links for part in (link.text, link.url))]
    return [words for one in said if (words := one.strip())]


def _emptied(attachments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows.to_json(_without_content(rows.attachment(one)) for one in attachments)


def _without_content(one: Attachment) -> Attachment:
    # By its reference it is known, should the platform bring it again: it is not fetched then.
    reference = "" if one.kind in WITHOUT_CONTENT else one.reference
    return replace(one, reference=reference, name="", sha256="", size=None, problem=_REMOVED)
