"""Notices: what the desk says to a customer at the word of another system (``bot.domain.notice``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import lifecycle
from bot.domain.conversation import Contact, ConversationState
from bot.domain.decision import Decision, transition
from bot.domain.dialogue import DialogueState
from bot.domain.history import SYSTEM
from bot.domain.message import Author, Reply
from bot.domain.notice import Notice, NoticeReceipt, NoticeRefused, NotNow
from bot.store import rows, values
from bot.store.base import Area
from bot.store.lifecycle import apply, open_conversation
from bot.store.tables import contact, conversation, message, turn

BUSY_AT_MOST = timedelta(seconds=30)
"""A turn that takes longer waits for something else, and holds up no notice."""

_TAKEN = "id_taken"
_ID_TAKEN = "this id named a notice to another contact already; every notice has its own"


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said, as it depends on who has the conversation."""

    with_bot: Reply
    decision: Decision | None
    """What the bot has open by ``with_bot``; None where it asks nothing."""
    with_people: Reply


class Notices(Area):
    async def earlier(self, notice: Notice) -> NoticeReceipt | None:
        """The receipt of a notice that was given before, whatever became of its topic or its contact since. Raises
        ``NoticeRefused`` where its id named a notice to somebody else."""
        async with self._reader.connect() as connection:
            found = await self._submitted(connection, notice)
            if found is None:
                return None
            # Nobody may be known by that id any more: who ended the chat is not.
            known = list((await connection.execute(_contacts(notice).with_only_columns(contact.c.id))).scalars())
            if known and found.contact_id not in known:
                raise NoticeRefused(_TAKEN, _ID_TAKEN)
            return await self._receipt(connection, found.id)

    async def contact(self, notice: Notice) -> tuple[Contact, str | None]:
        """The contact, and the language that the desk last spoke with them. Raises ``NoticeRefused``."""
        async with self._reader.connect() as connection:
            found = (await connection.execute(_contacts(notice).limit(2))).all()
            if not found:
                raise NoticeRefused(
                    "unknown_contact",
                    f"nobody with the id {notice.contact} has written to this desk on {notice.channel} yet; it can"
                    " write only to those who have",
                )
            if len(found) > 1:
                raise NoticeRefused(
                    "ambiguous_contact",
                    f"{notice.contact} is known on several accounts of {notice.channel}: name the account",
                )
            last = (
                select(conversation.c.language)
                .where(conversation.c.contact_id == found[0].id)
                .order_by(conversation.c.id.desc())
                .limit(1)
            )
            spoken = (await connection.execute(last)).scalar_one_or_none()
        return rows.contact_of(found[0]), spoken

    async def add(self, notice: Notice, contact_id: int, wording: Wording, language: str | None) -> NoticeReceipt:
        """Records the notice in the contact's open conversation, or in a new one, and defers its delivery. One that is
        recorded already stays as it is, and its receipt says how its delivery stands.

        Raises ``NoticeRefused`` where its id named a notice to somebody else, ``NotNow`` while the bot is answering."""
        async with self._engine.begin() as connection:
            # No word of this contact is recorded meanwhile, and no notice.
            await connection.execute(
                select(contact.c.id).where(contact.c.id == contact_id).with_for_update(key_share=True)
            )
            if (known := await self._submitted(connection, notice)) is not None:
                if known.contact_id != contact_id:
                    raise NoticeRefused(_TAKEN, _ID_TAKEN)
                return await self._receipt(connection, known.id)
            conversation_id = await self._open(connection, contact_id, notice.thread, language)
            now, _ = await self._locked(connection, conversation_id)
            await self._refuse_while_answering(connection, conversation_id)
            with_bot = now.state is ConversationState.BOT
            reply = wording.with_bot if with_bot else wording.with_people
            dialogue: DialogueState | None = None
            if with_bot and wording.decision is not None:
                dialogue = transition(now.dialogue, wording.decision)
                await self._name_topic(connection, conversation_id, wording.decision.about)
            step = lifecycle.notify(now, notice.source, notice.topic, notice.priority, dialogue)
            await apply(connection, now, step)
            # The bot says it: where buttons are numbers, the last that the bot showed are meant by them.
            said = values.said(
                now, Author.BOT, reply.text, reply.format, buttons=reply.buttons, submission=_submission(notice)
            )
            made = await self._add_outgoing(connection, said)
            await self._notify(connection, "reply", now.id, contact_id)
            await self._notify(connection, "state", now.id, contact_id)
            told = await self._message(connection, made.id)
            return NoticeReceipt(now.id, made.id, told.delivery, told.delivery_error)

    async def _submitted(self, connection: AsyncConnection, notice: Notice) -> Any:
        """The message that it became, if it was given before."""
        query = select(message.c.id, message.c.contact_id).where(message.c.submission == _submission(notice))
        return (await connection.execute(query)).one_or_none()

    async def _receipt(self, connection: AsyncConnection, message_id: int) -> NoticeReceipt:
        told = await self._message(connection, message_id)
        return NoticeReceipt(
            told.conversation_id,
            told.id,
            told.delivery,
            told.delivery_error,
            duplicate=True,
            delivered_at=told.delivered_at,
            read_at=told.read_at,
        )

    async def _open(self, connection: AsyncConnection, contact_id: int, thread: str, language: str | None) -> int:
        is_open = (
            select(conversation.c.id)
            .where(
                conversation.c.contact_id == contact_id,
                conversation.c.thread == thread,
                conversation.c.state != ConversationState.RESOLVED,
            )
            .with_for_update(key_share=True)
        )
        known: Any = (await connection.execute(is_open)).scalar_one_or_none()
        conversation_id = known or await open_conversation(connection, contact_id, thread=thread, by=SYSTEM)
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == conversation_id)
            .values(language=func.coalesce(conversation.c.language, language))
        )
        return int(conversation_id)

    async def _refuse_while_answering(self, connection: AsyncConnection, conversation_id: int) -> None:
        """A turn that began before would write over what the notice leaves open."""
        under_way = select(turn.c.message_id).where(
            turn.c.conversation_id == conversation_id, ~turn.c.done, turn.c.created_at > func.now() - BUSY_AT_MOST
        )
        if (await connection.execute(under_way.limit(1))).first() is not None:
            raise NotNow("the bot is answering this customer; give the notice again in a second")

    async def _name_topic(self, connection: AsyncConnection, conversation_id: int, topic: str | None) -> None:
        await connection.execute(
            update(conversation)
            .where(conversation.c.id == conversation_id)
            .values(topic=func.coalesce(topic, conversation.c.topic))
        )


def _submission(notice: Notice) -> str:
    return f"notice:{notice.source}:{notice.id}"


def _contacts(notice: Notice) -> Select[Any]:
    """Who is known by what the notice names them."""
    query = select(contact).where(contact.c.channel == notice.channel, contact.c.external_id == notice.contact)
    return query if notice.account is None else query.where(contact.c.account == notice.account)
