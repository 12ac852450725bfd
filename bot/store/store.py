"""``Store``: one method an intention, each one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, insert, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.model import (
    Action,
    Agent,
    Author,
    Command,
    Contact,
    Conversation,
    ConversationState,
    Decision,
    DeliveryInput,
    DeliveryState,
    EscalationReason,
    Incoming,
    Message,
    MessageFormat,
    MessageVersion,
    NotFound,
    Prediction,
    Priority,
    Ranked,
    Receipt,
    Reply,
    Role,
    StateConflict,
    Turn,
    TurnInput,
    Visibility,
)
from bot.queue import DELIVER, TURN, Queue
from bot.store import rows, tables
from bot.store.tables import agent, contact, conversation, delivery, message, message_version, session, sign_in, turn

NOTIFY_CHANNEL = "switchboard"

_customer = contact.alias("customer")
_CONVERSATION = (
    select(
        conversation,
        _customer.c.channel.label("contact_channel"),
        _customer.c.account.label("contact_account"),
        _customer.c.external_id.label("contact_external_id"),
        _customer.c.chat_id.label("contact_chat_id"),
        _customer.c.name.label("contact_name"),
        _customer.c.language.label("contact_language"),
        agent.c.name.label("agent_name"),
        agent.c.role.label("agent_role"),
        agent.c.password_hash.is_not(None).label("agent_has_password"),
    )
    .join(_customer, _customer.c.id == conversation.c.contact_id)
    .outerjoin(agent, agent.c.id == conversation.c.agent_id)
)
_MESSAGE = (
    select(
        message,
        agent.c.name.label("agent_name"),
        delivery.c.state.label("delivery_state"),
        delivery.c.error.label("delivery_error"),
    )
    .outerjoin(agent, agent.c.id == message.c.agent_id)
    .outerjoin(delivery, delivery.c.message_id == message.c.id)
)


class Store:
    """All reads and writes. Methods raise ``NotFound`` for an unknown id and ``StateConflict`` where
    somebody else was faster; anything else that goes wrong leaves no trace in the database."""

    def __init__(self, engine: AsyncEngine, queue: Queue) -> None:
        self._engine = engine
        self._queue = queue

    async def close(self) -> None:
        """Gives the connections back."""
        await self._engine.dispose()

    async def ping(self) -> None:
        """Raises if the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(select(1))

    # --- customers' messages --------------------------------------------------------------------

    async def record_incoming(self, incoming: Incoming) -> Receipt:
        """Records one event of a platform and defers its turn. Commits before it returns."""
        async with self._engine.begin() as connection:
            contact_id = await self._upsert_contact(connection, incoming)
            if incoming.edits is not None:
                return await self._record_edit(connection, contact_id, incoming)
            return await self._record_message(connection, contact_id, incoming)

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
        )
        given = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["channel", "account", "external_id"],
            set_={
                "chat_id": given.chat_id,
                "name": func.coalesce(func.nullif(given.name, ""), contact.c.name),
                "language": func.coalesce(given.language, contact.c.language),
            },
        )
        return int((await connection.execute(statement.returning(contact.c.id))).scalar_one())

    async def _record_message(self, connection: AsyncConnection, contact_id: int, incoming: Incoming) -> Receipt:
        conversation_id = await self._open_conversation(connection, contact_id)
        payload: dict[str, Any] | None = None
        if incoming.command is not None:
            payload = {"command": incoming.command.value, "argument": incoming.argument}
        elif incoming.button is not None:
            payload = {"button": incoming.button}
        message_id = (
            await connection.execute(
                upsert(message)
                .values(
                    conversation_id=conversation_id,
                    contact_id=contact_id,
                    author=Author.CUSTOMER,
                    text=incoming.text,
                    attachments=rows.to_json(incoming.attachments),
                    payload=payload,
                    external_id=incoming.external_id,
                    cursor=tables.message_cursor.next_value(),
                    sent_at=incoming.sent_at,
                )
                .on_conflict_do_nothing(index_elements=["contact_id", "external_id"])
                .returning(message.c.id)
            )
        ).scalar_one_or_none()
        if message_id is None:
            known = (
                await connection.execute(
                    select(message.c.id, message.c.conversation_id).where(
                        message.c.contact_id == contact_id, message.c.external_id == incoming.external_id
                    )
                )
            ).one()
            # Rolling back undoes a conversation that was opened for what turned out to be a duplicate.
            await connection.rollback()
            return Receipt(known.id, known.conversation_id, duplicate=True)
        await connection.execute(insert(turn).values(message_id=message_id, conversation_id=conversation_id))
        await connection.execute(
            update(conversation).where(conversation.c.id == conversation_id).values(updated_at=func.now())
        )
        await self._queue.defer_turn(connection, message_id, conversation_id)
        await self._notify(connection, "message", conversation_id, contact_id)
        return Receipt(message_id, conversation_id)

    async def _open_conversation(self, connection: AsyncConnection, contact_id: int) -> int:
        """The contact's open conversation, made if there is none. The caller holds the contact's row."""
        found = (
            await connection.execute(
                select(conversation.c.id).where(
                    conversation.c.contact_id == contact_id, conversation.c.state != ConversationState.RESOLVED
                )
            )
        ).scalar_one_or_none()
        if found is not None:
            return int(found)
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

    async def _record_edit(self, connection: AsyncConnection, contact_id: int, incoming: Incoming) -> Receipt:
        original = (
            await connection.execute(
                select(message.c.id, message.c.conversation_id, message.c.text)
                .where(message.c.contact_id == contact_id, message.c.external_id == incoming.edits)
                .with_for_update()
            )
        ).one_or_none()
        if original is None:
            # The message is older than the desk (or was never brought): its new text is then news.
            return await self._record_message(connection, contact_id, incoming)
        kept = await connection.execute(
            upsert(message_version)
            .values(message_id=original.id, external_id=incoming.external_id, text=original.text)
            .on_conflict_do_nothing(index_elements=["message_id", "external_id"])
            .returning(message_version.c.id)
        )
        if kept.one_or_none() is None:
            return Receipt(original.id, original.conversation_id, duplicate=True)
        await connection.execute(
            update(message)
            .where(message.c.id == original.id)
            .values(text=incoming.text, edited_at=incoming.sent_at or func.now())
        )
        await self._notify(connection, "message", original.conversation_id, contact_id)
        return Receipt(original.id, original.conversation_id)

    # --- turns ----------------------------------------------------------------------------------

    async def begin_turn(self, message_id: int) -> TurnInput | None:
        """What the turn is taken from; None if it was taken already. A human's conversation comes back
        like any other: the caller sees its state."""
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    _MESSAGE.add_columns(turn.c.done)
                    .join(turn, turn.c.message_id == message.c.id)
                    .where(message.c.id == message_id)
                )
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no message {message_id} with a turn")
            if row.done:
                return None
            last = (
                await connection.execute(
                    select(message.c.buttons)
                    .where(
                        message.c.conversation_id == row.conversation_id,
                        message.c.author == Author.BOT,
                        message.c.id < message_id,
                    )
                    .order_by(message.c.id.desc())
                    .limit(1)
                )
            ).scalar_one_or_none()
            payload: Mapping[str, str] = row.payload or {}
            return TurnInput(
                message=rows.message(row),
                conversation=await self._conversation(connection, row.conversation_id),
                command=Command(payload["command"]) if "command" in payload else None,
                argument=payload.get("argument", ""),
                button=payload.get("button"),
                last_buttons=rows.buttons(last or []),
            )

    async def finish_turn(
        self,
        taken: TurnInput,
        decision: Decision,
        replies: Sequence[Reply],
        *,
        language: str | None,
        prediction: Prediction | None = None,
    ) -> int | None:
        """Writes the bot's replies and marks the turn done, if the conversation is still as it was taken.

        Where a human took over meanwhile, the turn ends with no word said. For an escalation, ``{position}``
        in the replies is filled with the customer's place in the queue, which is returned.
        """
        now = taken.conversation
        escalates = decision.action is Action.ESCALATE and now.state is ConversationState.BOT
        async with self._engine.begin() as connection:
            if not await self._end_turn(connection, taken.message.id, decision, prediction):
                return None
            position: int | None = None
            values: dict[str, Any] = {
                "updated_at": func.now(),
                "language": language,
                "misses": 0 if decision.understood or escalates else now.thread.misses + 1,
            }
            if not decision.keeps_thread:
                values |= {"last_answer": decision.topic, "offered": list(decision.offers)}
            if escalates:
                values |= {
                    "state": ConversationState.QUEUED,
                    "generation": now.generation + 1,
                    "queued_at": func.now(),
                    "reason": decision.reason,
                    "priority": int(decision.priority),
                    "last_answer": None,
                    "offered": [],
                }
            if decision.reason in (None, EscalationReason.TOPIC) and decision.topic and not decision.keeps_thread:
                values["topic"] = decision.topic
            kept = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == now.id,
                    conversation.c.generation == now.generation,
                    conversation.c.state == now.state,
                )
                .values(values)
            )
            if kept.rowcount == 0:
                return None
            if escalates:
                await self._note_escalation(connection, now, decision, prediction)
                position = await self._position(connection, now.id)
            elif now.state is ConversationState.QUEUED:
                position = await self._position(connection, now.id)
            for reply in replies:
                filled = reply.text if position is None else reply.text.replace("{position}", str(position))
                await self._add_outgoing(
                    connection, now, Author.BOT, filled, reply.format, buttons=rows.to_json(reply.buttons)
                )
            await self._notify(connection, "state" if escalates else "message", now.id, now.contact.id)
            return position

    async def skip_turn(self, taken: TurnInput) -> None:
        """Marks the turn done without a word: a human has the conversation."""
        async with self._engine.begin() as connection:
            await self._end_turn(connection, taken.message.id, None, None)

    async def _end_turn(
        self,
        connection: AsyncConnection,
        message_id: int,
        decision: Decision | None,
        prediction: Prediction | None,
    ) -> bool:
        ended = await connection.execute(
            update(turn)
            .where(turn.c.message_id == message_id, ~turn.c.done)
            .values(
                done=True,
                done_at=func.now(),
                action=decision and decision.action,
                reason=decision and decision.reason,
                topic=decision and decision.topic,
                ranking=prediction and [[ranked.name, ranked.confidence] for ranked in prediction.ranking[:10]],
            )
        )
        return ended.rowcount == 1

    async def _note_escalation(
        self, connection: AsyncConnection, escalated: Conversation, decision: Decision, prediction: Prediction | None
    ) -> None:
        assert decision.reason is not None
        note = f"Escalated: {decision.reason.explanation}."
        if prediction is not None:
            ranking = ", ".join(f"{ranked.name} {ranked.confidence:.0%}" for ranked in prediction.ranking[:3])
            note += f" The engine's ranking: {ranking}."
        await self._add_message(
            connection, escalated.id, escalated.contact.id, Author.SYSTEM, note, visibility=Visibility.PRIVATE
        )

    # --- the desk -------------------------------------------------------------------------------

    async def claim(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Gives the conversation to the agent, from the queue or from the bot.

        ``notice`` holds, by locale, the words that tell the customer who joined; the conversation's own
        locale is taken, else the key ``""``. Raises ``StateConflict`` when another agent was faster; an
        agent who claims what is theirs already gets it as it is.
        """
        async with self._engine.begin() as connection:
            claimed = await connection.execute(
                update(conversation)
                .where(
                    conversation.c.id == conversation_id,
                    conversation.c.state.in_([ConversationState.BOT, ConversationState.QUEUED]),
                )
                .values(
                    state=ConversationState.ASSIGNED,
                    agent_id=agent_id,
                    generation=conversation.c.generation + 1,
                    updated_at=func.now(),
                    misses=0,
                    last_answer=None,
                    offered=[],
                )
            )
            now = await self._conversation(connection, conversation_id)
            if claimed.rowcount == 0:
                if now.agent is not None and now.agent.id == agent_id:
                    return now
                raise StateConflict(_taken_by(now), now)
            await self._add_outgoing(
                connection, now, Author.SYSTEM, _in_language(notice, now.language), MessageFormat.MARKDOWN
            )
            await self._notify(connection, "state", now.id, now.contact.id)
            return now

    async def add_reply(self, conversation_id: int, agent_id: int, body: str) -> Message:
        """Writes an agent's words to the customer. Only the agent who has the conversation may."""
        async with self._engine.begin() as connection:
            now = await self._held(connection, conversation_id, agent_id)
            message_id = await self._add_outgoing(
                connection, now, Author.AGENT, body, MessageFormat.TEXT, agent_id=agent_id
            )
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, message_id)

    async def add_note(self, conversation_id: int, agent_id: int, body: str) -> Message:
        """Writes a private note. Any agent may, at any time."""
        async with self._engine.begin() as connection:
            now = await self._conversation(connection, conversation_id)
            message_id = await self._add_message(
                connection,
                now.id,
                now.contact.id,
                Author.AGENT,
                body,
                visibility=Visibility.PRIVATE,
                agent_id=agent_id,
            )
            await self._notify(connection, "message", now.id, now.contact.id)
            return await self._message(connection, message_id)

    async def hand_back(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Returns the conversation to the bot. ``notice`` as in ``claim``."""
        return await self._release(conversation_id, agent_id, ConversationState.BOT, notice)

    async def resolve(self, conversation_id: int, agent_id: int, notice: Mapping[str, str]) -> Conversation:
        """Closes the conversation; the customer's next message opens a new one. ``notice`` as in ``claim``."""
        return await self._release(conversation_id, agent_id, ConversationState.RESOLVED, notice)

    async def _release(
        self, conversation_id: int, agent_id: int, state: ConversationState, notice: Mapping[str, str]
    ) -> Conversation:
        async with self._engine.begin() as connection:
            held = await self._held(connection, conversation_id, agent_id)
            await connection.execute(
                update(conversation)
                .where(conversation.c.id == held.id)
                .values(
                    state=state,
                    agent_id=None,
                    generation=conversation.c.generation + 1,
                    updated_at=func.now(),
                    resolved_at=func.now() if state is ConversationState.RESOLVED else None,
                    queued_at=None,
                    priority=int(Priority.NORMAL),
                    reason=None,
                )
            )
            await self._add_outgoing(
                connection, held, Author.SYSTEM, _in_language(notice, held.language), MessageFormat.MARKDOWN
            )
            verb = "resolved" if state is ConversationState.RESOLVED else "handed back to the bot"
            await self._add_message(
                connection,
                held.id,
                held.contact.id,
                Author.SYSTEM,
                f"{held.agent.name if held.agent else 'An agent'} {verb}.",
                visibility=Visibility.PRIVATE,
            )
            await self._notify(connection, "state", held.id, held.contact.id)
            return await self._conversation(connection, held.id)

    async def _held(self, connection: AsyncConnection, conversation_id: int, agent_id: int) -> Conversation:
        """The conversation, its row locked, if the agent has it; ``StateConflict`` otherwise."""
        await connection.execute(
            select(conversation.c.id).where(conversation.c.id == conversation_id).with_for_update()
        )
        now = await self._conversation(connection, conversation_id)
        if now.agent is None or now.agent.id != agent_id:
            raise StateConflict(_taken_by(now), now)
        return now

    # --- reading --------------------------------------------------------------------------------

    async def conversation(self, conversation_id: int) -> Conversation:
        async with self._engine.connect() as connection:
            return await self._conversation(connection, conversation_id)

    async def conversations(
        self, *states: ConversationState, agent_id: int | None = None, limit: int = 100
    ) -> list[Conversation]:
        """Conversations in one of ``states``. The queue in the order in which it is served (priority,
        then waiting time); everything else the latest first."""
        if states == (ConversationState.QUEUED,):
            order: tuple[Any, ...] = (conversation.c.priority.desc(), conversation.c.queued_at, conversation.c.id)
        else:
            order = (conversation.c.updated_at.desc(), conversation.c.id.desc())
        query = _CONVERSATION.where(conversation.c.state.in_(states)).order_by(*order).limit(limit)
        if agent_id is not None:
            query = query.where(conversation.c.agent_id == agent_id)
        async with self._engine.connect() as connection:
            return [rows.conversation(row) for row in await connection.execute(query)]

    async def count(self, state: ConversationState, *, agent_id: int | None = None) -> int:
        """How many conversations are in ``state``, of all or of one agent."""
        query = select(func.count()).select_from(conversation).where(conversation.c.state == state)
        if agent_id is not None:
            query = query.where(conversation.c.agent_id == agent_id)
        async with self._engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def last_messages(
        self, conversation_ids: Iterable[int], *, author: Author | None = None
    ) -> dict[int, Message]:
        """The latest public message of each conversation, of anybody or of ``author``: what a list shows."""
        query = (
            _MESSAGE.where(
                message.c.conversation_id.in_(list(conversation_ids)), message.c.visibility == Visibility.PUBLIC
            )
            .ext(distinct_on(message.c.conversation_id))
            .order_by(message.c.conversation_id, message.c.id.desc())
        )
        if author is not None:
            query = query.where(message.c.author == author)
        async with self._engine.connect() as connection:
            return {row.conversation_id: rows.message(row) for row in await connection.execute(query)}

    async def messages(self, conversation_id: int, *, limit: int = 500) -> list[Message]:
        """The last ``limit`` messages of a conversation, notes included, oldest first, with their versions."""
        newest = _MESSAGE.where(message.c.conversation_id == conversation_id).order_by(message.c.id.desc()).limit(limit)
        async with self._engine.connect() as connection:
            found = list(await connection.execute(newest))[::-1]
            versions: dict[int, list[MessageVersion]] = {}
            edited = [row.id for row in found if row.edited_at is not None]
            if edited:
                for row in await connection.execute(
                    select(message_version)
                    .where(message_version.c.message_id.in_(edited))
                    .order_by(message_version.c.id)
                ):
                    versions.setdefault(row.message_id, []).append(MessageVersion(row.text, row.replaced_at))
            return [rows.message(row, versions.get(row.id, ())) for row in found]

    async def turns(self, conversation_id: int) -> dict[int, Turn]:
        """What the bot did, by message id."""
        query = select(turn).where(turn.c.conversation_id == conversation_id, turn.c.done)
        async with self._engine.connect() as connection:
            return {
                row.message_id: Turn(
                    row.message_id,
                    None if row.action is None else Action(row.action),
                    None if row.reason is None else EscalationReason(row.reason),
                    row.topic,
                    tuple(Ranked(name, confidence) for name, confidence in row.ranking or ()),
                )
                for row in await connection.execute(query)
            }

    async def queue_position(self, conversation_id: int) -> int | None:
        """The customer's place in the queue, from 1; None when not queued."""
        async with self._engine.connect() as connection:
            now = await self._conversation(connection, conversation_id)
            return await self._position(connection, now.id) if now.state is ConversationState.QUEUED else None

    async def contact(self, channel: str, account: str, external_id: str) -> Contact | None:
        query = select(contact).where(
            contact.c.channel == channel, contact.c.account == account, contact.c.external_id == external_id
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Contact(row.id, row.channel, row.account, row.external_id, row.chat_id, row.name, row.language)

    async def transcript(self, contact_id: int, *, after: int = 0, limit: int = 200) -> list[Message]:
        """What the customer has seen, in the order in which they saw it, behind cursor ``after``.
        With ``after=0`` the latest ``limit`` messages. Private notes are never part of it."""
        seen = _MESSAGE.where(
            message.c.contact_id == contact_id,
            message.c.cursor > after,
            message.c.visibility == Visibility.PUBLIC,
        ).limit(limit)
        async with self._engine.connect() as connection:
            if after:
                return [rows.message(row) for row in await connection.execute(seen.order_by(message.c.cursor))]
            latest = await connection.execute(seen.order_by(message.c.cursor.desc()))
            return [rows.message(row) for row in latest][::-1]

    # --- deliveries -----------------------------------------------------------------------------

    async def begin_delivery(self, message_id: int) -> DeliveryInput | None:
        """The delivery, if it is still pending; counts the attempt."""
        async with self._engine.begin() as connection:
            row = (
                await connection.execute(
                    update(delivery)
                    .where(delivery.c.message_id == message_id, delivery.c.state == DeliveryState.PENDING)
                    .values(attempts=delivery.c.attempts + 1)
                    .returning(delivery.c.external_ids, delivery.c.attempts, delivery.c.contact_id)
                )
            ).one_or_none()
            if row is None:
                return None
            to = (await connection.execute(select(contact).where(contact.c.id == row.contact_id))).one()
            return DeliveryInput(
                message=await self._message(connection, message_id),
                contact=Contact(to.id, to.channel, to.account, to.external_id, to.chat_id, to.name, to.language),
                external_ids=tuple(row.external_ids),
                attempts=row.attempts,
            )

    async def record_part(self, message_id: int, external_id: str) -> None:
        """One part of a long message is with the customer: a retry goes on behind it."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == message_id)
                .values(external_ids=delivery.c.external_ids.op("||")(func.jsonb_build_array(external_id)))
            )

    async def record_sent(self, message_id: int, external_id: str) -> None:
        """The message, or its last part, is with the customer."""
        async with self._engine.begin() as connection:
            where = await self._lock_contact_of(connection, message_id)
            await connection.execute(
                update(delivery)
                .where(delivery.c.message_id == message_id)
                .values(
                    state=DeliveryState.SENT,
                    sent_at=func.now(),
                    error=None,
                    external_ids=delivery.c.external_ids.op("||")(func.jsonb_build_array(external_id)),
                )
            )
            await connection.execute(
                update(message).where(message.c.id == message_id).values(cursor=tables.message_cursor.next_value())
            )
            await self._notify(connection, "delivery", where.conversation_id, where.contact_id)

    async def postpone_delivery(self, message_id: int, until: datetime, error: str) -> None:
        """The platform could not take it now."""
        await self._set_delivery(message_id, {"next_attempt_at": until, "error": error})

    async def fail_delivery(self, message_id: int, error: str) -> None:
        """The platform never will; the agent sees ``error``."""
        await self._set_delivery(message_id, {"state": DeliveryState.FAILED, "error": error})

    async def _set_delivery(self, message_id: int, values: Mapping[str, Any]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(update(delivery).where(delivery.c.message_id == message_id).values(**values))
            where = (
                await connection.execute(
                    select(message.c.conversation_id, message.c.contact_id).where(message.c.id == message_id)
                )
            ).one()
            await self._notify(connection, "delivery", where.conversation_id, where.contact_id)

    async def _lock_contact_of(self, connection: AsyncConnection, message_id: int) -> Any:
        """Cursors are given under the contact's row lock: who has read up to a cursor has missed nothing."""
        return (
            await connection.execute(
                select(message.c.conversation_id, message.c.contact_id)
                .join(contact, contact.c.id == message.c.contact_id)
                .where(message.c.id == message_id)
                .with_for_update(of=contact)
            )
        ).one()

    async def defer_forgotten(self, *, older_than: timedelta = timedelta(seconds=30)) -> int:
        """Defers anew what waits without a job: a net under the queue. Returns how many.

        Safe in any number of replicas: both tasks do nothing when their work is done already.
        """
        before = datetime.now(UTC) - older_than
        async with self._engine.begin() as connection:
            turns = (
                await connection.execute(
                    select(turn.c.message_id, turn.c.conversation_id).where(
                        ~turn.c.done, turn.c.created_at < before, ~_has_job(TURN, turn.c.message_id)
                    )
                )
            ).all()
            deliveries = (
                await connection.execute(
                    select(delivery.c.message_id, delivery.c.contact_id).where(
                        delivery.c.state == DeliveryState.PENDING,
                        delivery.c.next_attempt_at < before,
                        ~_has_job(DELIVER, delivery.c.message_id),
                    )
                )
            ).all()
            for row in turns:
                await self._queue.defer_turn(connection, row.message_id, row.conversation_id)
            for row in deliveries:
                await self._queue.defer_delivery(connection, row.message_id, row.contact_id)
            return len(turns) + len(deliveries)

    # --- agents ---------------------------------------------------------------------------------

    async def agents(self) -> list[Agent]:
        async with self._engine.connect() as connection:
            return [rows.agent(row) for row in await connection.execute(select(agent).order_by(agent.c.id))]

    async def add_agent(self, name: str, role: Role, password_hash: str | None) -> Agent:
        """Raises ``ValueError`` if there is an agent of that name (case does not matter)."""
        try:
            async with self._engine.begin() as connection:
                return rows.agent(
                    (
                        await connection.execute(
                            insert(agent).values(name=name, role=role, password_hash=password_hash).returning(agent)
                        )
                    ).one()
                )
        except IntegrityError as error:
            raise ValueError(f"there is already an agent named {name}") from error

    async def password_of(self, name: str) -> tuple[Agent, str | None] | None:
        """The agent of that name (case does not matter) and their password's hash, if they set one."""
        query = select(agent).where(func.lower(agent.c.name) == func.lower(name))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else (rows.agent(row), row.password_hash)

    async def set_password(self, agent_id: int, password_hash: str) -> None:
        """Sets it, and ends every other way in: the agent's sessions and one-time links."""
        async with self._engine.begin() as connection:
            await connection.execute(update(agent).where(agent.c.id == agent_id).values(password_hash=password_hash))
            await connection.execute(delete(session).where(session.c.agent_id == agent_id))
            await connection.execute(delete(sign_in).where(sign_in.c.agent_id == agent_id))

    async def add_sign_in(self, agent_id: int, token_hash: str, expires_at: datetime) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(sign_in).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
            )

    async def redeem_sign_in(self, token_hash: str) -> Agent | None:
        """Uses up a one-time sign-in: of two who try, one gets the agent."""
        return await self._agent_of(
            delete(sign_in)
            .where(sign_in.c.token_hash == token_hash, sign_in.c.expires_at > func.now())
            .returning(sign_in.c.agent_id)
        )

    async def add_session(self, agent_id: int, token_hash: str, expires_at: datetime) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(session).values(token_hash=token_hash, agent_id=agent_id, expires_at=expires_at)
            )

    async def agent_of_session(self, token_hash: str) -> Agent | None:
        return await self._agent_of(
            select(session.c.agent_id).where(session.c.token_hash == token_hash, session.c.expires_at > func.now())
        )

    async def end_session(self, token_hash: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.token_hash == token_hash))

    async def _agent_of(self, statement: Any) -> Agent | None:
        async with self._engine.begin() as connection:
            agent_id = (await connection.execute(statement)).scalar_one_or_none()
            if agent_id is None:
                return None
            return rows.agent((await connection.execute(select(agent).where(agent.c.id == agent_id))).one())

    async def forget_expired(self) -> None:
        """Deletes sessions and one-time sign-ins whose time is over."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= func.now()))
            await connection.execute(delete(sign_in).where(sign_in.c.expires_at <= func.now()))

    # --- shared steps, inside a transaction -----------------------------------------------------

    async def _conversation(self, connection: AsyncConnection, conversation_id: int) -> Conversation:
        row = (await connection.execute(_CONVERSATION.where(conversation.c.id == conversation_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        return rows.conversation(row)

    async def _message(self, connection: AsyncConnection, message_id: int) -> Message:
        return rows.message((await connection.execute(_MESSAGE.where(message.c.id == message_id))).one())

    async def _position(self, connection: AsyncConnection, conversation_id: int) -> int:
        mine = conversation.alias("mine")
        ahead = (
            select(func.count())
            .select_from(conversation)
            .join(mine, mine.c.id == conversation_id)
            .where(
                conversation.c.state == ConversationState.QUEUED,
                or_(
                    conversation.c.priority > mine.c.priority,
                    and_(
                        conversation.c.priority == mine.c.priority,
                        or_(
                            conversation.c.queued_at < mine.c.queued_at,
                            and_(conversation.c.queued_at == mine.c.queued_at, conversation.c.id < mine.c.id),
                        ),
                    ),
                ),
            )
        )
        return int((await connection.execute(ahead)).scalar_one()) + 1

    async def _add_message(
        self,
        connection: AsyncConnection,
        conversation_id: int,
        contact_id: int,
        author: Author,
        body: str,
        **values: Any,
    ) -> int:
        made = await connection.execute(
            insert(message)
            .values(conversation_id=conversation_id, contact_id=contact_id, author=author, text=body, **values)
            .returning(message.c.id)
        )
        return int(made.scalar_one())

    async def _add_outgoing(
        self,
        connection: AsyncConnection,
        to: Conversation,
        author: Author,
        body: str,
        format: MessageFormat,
        **values: Any,
    ) -> int:
        """A message to the customer: pending, and its delivery deferred."""
        message_id = await self._add_message(connection, to.id, to.contact.id, author, body, format=format, **values)
        await connection.execute(insert(delivery).values(message_id=message_id, contact_id=to.contact.id))
        await connection.execute(update(conversation).where(conversation.c.id == to.id).values(updated_at=func.now()))
        await self._queue.defer_delivery(connection, message_id, to.contact.id)
        return message_id

    async def _notify(self, connection: AsyncConnection, kind: str, conversation_id: int, contact_id: int) -> None:
        """Tells the feeds of all replicas, when this transaction commits."""
        payload = json.dumps({"kind": kind, "conversation_id": conversation_id, "contact_id": contact_id})
        await connection.execute(select(func.pg_notify(NOTIFY_CHANNEL, payload)))


def _has_job(task: str, message_id: ColumnElement[int]) -> ColumnElement[bool]:
    jobs: Select[Any] = (
        select(literal(1))
        .select_from(text("procrastinate_jobs"))
        .where(
            text("task_name = :task and status in ('todo', 'doing')").bindparams(task=task),
            text("(args->>'message_id')::bigint") == message_id,  # type: ignore[arg-type]
        )
        .correlate(turn, delivery)
    )
    return exists(jobs)


def _in_language(texts: Mapping[str, str], language: str | None) -> str:
    return texts.get(language or "") or texts[""]


def _taken_by(now: Conversation) -> str:
    if now.agent is not None:
        return f"{now.agent.name} has this conversation"
    return f"this conversation is {now.state.value}"
