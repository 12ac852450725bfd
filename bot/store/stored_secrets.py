"""What was recorded before there was a search for secrets: looked through, and cleaned."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, Table, and_, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import guard
from bot.domain import context as contexts
from bot.domain.forms import Kind
from bot.domain.message import Author
from bot.domain.secret import Cleaning, FoundInFile, Removed, SecretKind, from_json, to_json, united
from bot.queue import Queue
from bot.store import rows
from bot.store.base import Database
from bot.store.cleanings import EARLIER, Cleanings, Cut
from bot.store.files import keep
from bot.store.tables import contact, conversation, file, message, message_part, message_version

PAGE = 200
"""Rows read at once."""
SAMPLED = ("message", "message_version", "message_part")
CLEARS_STATISTICS = 180_000
"""The version of PostgreSQL from which on that can be done by a table's owner."""
VACUUMED = ("message", "message_version", "message_part", "conversation", "contact", "event", "file")


@dataclass(frozen=True, slots=True)
class Rules:
    """How it is looked through."""

    clean: bool = False
    """Cut out what is found; else it is only counted."""
    doubtful: bool = False
    """Also 64 hexadecimal digits that may be a transaction hash: whether it was asked for is not known any more."""
    lets_pass: frozenset[SecretKind] = frozenset()

    @property
    def asked(self) -> frozenset[Kind]:
        return frozenset() if self.doubtful else frozenset({Kind.HASH})


@dataclass
class Found:
    """What was found: how much, and where; never what it was."""

    conversations: set[int] = field(default_factory=set)
    messages: int = 0
    files: int = 0
    names: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, removed: Collection[Removed]) -> None:
        self.kinds.update(one.kind.value for one in removed)


class StoredSecrets(Cleanings):
    """Each message, file and name is one transaction: the desk may go on meanwhile, and what is done stays done."""

    def __init__(self, database: Database, rules: Rules) -> None:
        super().__init__(database)
        self.rules = rules
        self.found = Found()

    async def conversations(self, after: int) -> list[int]:
        """The next conversations, by number."""
        query = select(conversation.c.id).where(conversation.c.id > after).order_by(conversation.c.id).limit(PAGE)
        async with self._reader.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def look_through(self, conversation_id: int) -> None:
        """All that was written in one conversation."""
        earlier: list[tuple[int, str]] = []
        async for row in self._pages(message, message.c.conversation_id == conversation_id):
            own = row.author == Author.CUSTOMER
            now = await self._recorded(row, tuple(earlier) if own else ())
            removed = united(now.removed, *(one.removed for one in now.cleans))
            if removed and self.rules.clean:
                now = await self._clean_row(row.id, tuple(earlier) if own else ()) or now
            parts = await self._look_at_parts(row)
            removed = united(removed, parts)
            if removed:
                self.found.conversations.add(conversation_id)
                self.found.messages += 1
                self.found.count(removed)
            if own:
                words = next((one.text for one in now.cleans if one.message_id == row.id), now.text)
                earlier = [*earlier, (row.id, words)][-EARLIER:]

    async def look_through_names(self) -> None:
        """What customers call themselves, and their conversations."""
        async for row in self._pages(contact, text("true")):
            now = await self._look_at_name(row.name)
            if now.removed and self.rules.clean:
                async with self._engine.begin() as connection:
                    # They may have another by now.
                    which = and_(contact.c.id == row.id, contact.c.name == row.name)
                    await connection.execute(update(contact).where(which).values(name=now.text))
        async for row in self._pages(conversation, conversation.c.subject.is_not(None)):
            now = await self._look_at_name(row.subject)
            if now.removed:
                self.found.conversations.add(row.id)
            if now.removed and self.rules.clean:
                async with self._engine.begin() as connection:
                    which = conversation.c.id == row.id
                    await connection.execute(update(conversation).where(which).values(subject=now.text))
                    # The event of its opening has it as a whole.
                    cut = Cut(Cleaning(0, row.subject, now.text, (row.subject,), now.removed))
                    await self._clean_elsewhere(connection, row.id, 0, cut)

    async def _look_at_name(self, name: str) -> guard.Recorded:
        now = await self._searched(name)
        if now.removed:
            self.found.names += 1
            self.found.count(now.removed)
        return now

    async def look_through_files(self) -> None:
        """The content of files that nobody has searched yet: a text loses what is found, a document is not kept."""
        after = ""
        while True:
            query = select(file.c.sha256).where(file.c.found.is_(None), file.c.sha256 > after)
            async with self._reader.connect() as connection:
                page = list((await connection.execute(query.order_by(file.c.sha256).limit(PAGE))).scalars())
            for sha256 in page:
                await self._look_at_file(sha256)
            if len(page) < PAGE:
                return
            after = page[-1]

    async def vacuum(self) -> None:
        """Frees the space of the rows that were replaced, which still hold what was cut out, for PostgreSQL to use
        again."""
        async with self._reader.connect() as connection:
            for table in VACUUMED:
                await connection.execute(text(f"VACUUM {table}"))
            version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
            if int(version) >= CLEARS_STATISTICS:
                # ANALYZE had kept whole texts as samples. Since migration 0019 it does no more.
                for table in SAMPLED:
                    clear = f"SELECT pg_clear_attribute_stats(current_schema(), '{table}', 'text', false)"
                    await connection.execute(text(clear))

    # --- one after the other ------------------------------------------------------------------------

    async def _pages(self, table: Table, where: Any) -> AsyncIterator[Row[Any]]:
        after = 0
        while True:
            query = select(table).where(where, table.c.id > after).order_by(table.c.id).limit(PAGE)
            async with self._reader.connect() as connection:
                page = (await connection.execute(query)).all()
            for row in page:
                yield row
            if len(page) < PAGE:
                return
            after = page[-1].id

    async def _recorded(self, row: Row[Any], earlier: Sequence[tuple[int, str]] = ()) -> guard.Recorded:
        return await asyncio.to_thread(
            guard.recorded,
            row.id,
            row.text,
            tuple(map(rows.attachment, row.attachments or ())),
            contexts.from_json(row.context),
            guard.Before(tuple(earlier), self.rules.asked),
            self.rules.lets_pass,
        )

    async def _searched(self, words: str) -> guard.Recorded:
        before = guard.Before(asked=self.rules.asked)
        return await asyncio.to_thread(guard.recorded, 0, words, (), contexts.NO_CONTEXT, before, self.rules.lets_pass)

    async def _clean_row(self, message_id: int, earlier: Sequence[tuple[int, str]]) -> guard.Recorded | None:
        """The message as it is now, which its customer may have changed meanwhile."""
        async with self._engine.begin() as connection:
            await self._lock_contact_of(connection, message_id)
            query = select(message).where(message.c.id == message_id).with_for_update()
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            now = await self._recorded(row, earlier)
            values = {"attachments": rows.to_json(now.attachments), "context": now.context.as_json}
            if argument := (row.payload or {}).get("argument"):
                values["payload"] = {**row.payload, "argument": (await self._searched(argument)).text}
            await connection.execute(update(message).where(message.c.id == row.id).values(values))
            alone = [Cleaning(row.id, row.text, now.text, now.parts, now.removed)] if now.removed else []
            await self._clean(connection, [*alone, *now.cleans], erases=False)
            return now

    async def _look_at_parts(self, of: Row[Any]) -> tuple[Removed, ...]:
        """The message as it was earlier, and the parts of an album."""
        removed: tuple[Removed, ...] = ()
        for table in (message_version, message_part):
            async for part in self._pages(table, table.c.message_id == of.id):
                removed = united(removed, await self._look_at_part(table, part))
        return removed

    async def _look_at_part(self, table: Table, row: Row[Any]) -> tuple[Removed, ...]:
        now = await self._recorded(row)
        if now.removed and self.rules.clean:
            now = await self._clean_part(table, row.id, row.message_id) or now
        return now.removed

    async def _clean_part(self, table: Table, id: int, message_id: int) -> guard.Recorded | None:
        """As it is now, like ``_clean_row``."""
        async with self._engine.begin() as connection:
            await self._lock_contact_of(connection, message_id)
            whose = select(message.c.removed).where(message.c.id == message_id).with_for_update(key_share=True)
            removed = from_json((await connection.execute(whose)).scalar_one())
            row = (await connection.execute(select(table).where(table.c.id == id).with_for_update())).one_or_none()
            if row is None:
                return None
            now = await self._recorded(row)
            attachments = None if row.attachments is None else rows.to_json(now.attachments)
            values = {"text": now.text, "context": now.context.as_json, "attachments": attachments}
            await connection.execute(update(table).where(table.c.id == id).values(values))
            kept = {"removed": to_json(united(removed, now.removed))}
            await connection.execute(update(message).where(message.c.id == message_id).values(kept))
            return now

    # --- files ------------------------------------------------------------------------------------

    async def _look_at_file(self, sha256: str) -> None:
        async with self._reader.connect() as connection:
            content = (
                await connection.execute(select(file.c.content).where(file.c.sha256 == sha256))
            ).scalar_one_or_none()
        if content is None:
            return
        cleared, within = await asyncio.to_thread(guard.file, bytes(content), self.rules.lets_pass)
        if within.removed and not (self.rules.doubtful or any(not one.doubtful for one in within.removed)):
            return
        if within.removed:
            self.found.files += 1
            self.found.count(within.removed)
        if not self.rules.clean:
            return
        async with self._engine.begin() as connection:
            if not within.removed:
                kept = update(file).where(file.c.sha256 == sha256).values(found=within.as_json)
                await connection.execute(kept)
                return
            instead = "" if within.withheld else await keep(connection, cleared, within)
            for table in (message, message_version, message_part):
                await self._rename(connection, table, sha256, instead, within)
            await connection.execute(delete(file).where(file.c.sha256 == sha256))

    async def _rename(
        self, connection: AsyncConnection, table: Table, sha256: str, instead: str, within: FoundInFile
    ) -> None:
        """Whoever names the file names what is kept of it."""
        query = select(table).where(table.c.attachments.contains([{"sha256": sha256}])).order_by(table.c.id)
        for row in (await connection.execute(query.with_for_update(key_share=True))).all():
            now = [
                guard.as_found(replace(one, sha256=instead), within) if one.sha256 == sha256 else one
                for one in map(rows.attachment, row.attachments)
            ]
            values: dict[str, Any] = {"attachments": rows.to_json(now)}
            if table is message:
                self.found.conversations.add(row.conversation_id)
                values["removed"] = to_json(united(from_json(row.removed), within.removed))
            await connection.execute(update(table).where(table.c.id == row.id).values(**values))


def stored_secrets(engine: Any, queue: Queue, rules: Rules) -> StoredSecrets:
    return StoredSecrets(Database(engine, queue), rules)
