"""The three writes that most messages consist of, each one way to the database and back.

What is written is what ``receiving``, ``turns`` and ``deliveries`` write, whose methods come here first and go on by
themselves where this says None: at a first contact, an escalation, an edit. It is SQL by hand for the time it saves: a
commit costs one round trip instead of eight, and the job of what was written is in this process's hands when it is
committed (``statements.BORN``), instead of announced, looked for, and read again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from bot.domain.conversation import Contact, Conversation, ConversationState, EscalationReason, Priority
from bot.domain.decision import Decision
from bot.domain.dialogue import Thread
from bot.domain.engine import Prediction
from bot.domain.message import Author, Incoming, Message, MessageFormat, Receipt, Reply, Visibility
from bot.domain.operations import DeliveryInput, TurnInput
from bot.queue import DELIVER, TURN, Claim
from bot.queue.statements import BORN, ENDED, OTHERS_WAIT
from bot.store import rows
from bot.store.base import NOTIFY_CHANNEL, Base

_NOTIFY = f"""
    pg_notify('{NOTIFY_CHANNEL}', json_build_object(
        'kind', {{kind}}, 'conversation_id', {{conversation}}, 'contact_id', {{contact}})::text)
"""

_TAKE_CONTACT = """
    SELECT FROM contact WHERE channel = %(channel)s AND account = %(account)s AND external_id = %(sender)s
    FOR NO KEY UPDATE
"""
"""Before ``_RECEIVE``: one contact's messages are recorded one after the other, each sees the jobs of those before. It
writes nothing: where ``_RECEIVE`` finds nothing to do, the mark must not pass a message that is not recorded yet."""

_RECEIVE = f"""
    WITH customer AS (
        SELECT id FROM contact
        WHERE channel = %(channel)s AND account = %(account)s AND external_id = %(sender)s
            -- Taken by the statement before; not one that was new in that moment, and that another may have taken.
            AND xmax = pg_current_xact_id()::xid
    ), spoken AS (
        SELECT conversation.* FROM conversation, customer
        WHERE conversation.contact_id = customer.id AND conversation.state <> 'resolved'
        FOR NO KEY UPDATE OF conversation
    ), made AS (
        INSERT INTO message
            (conversation_id, contact_id, author, text, payload, external_id, cursor, sent_at, edited_at)
        SELECT id, contact_id, 'customer', %(text)s, %(payload)s, %(external_id)s, nextval('message_cursor'),
            %(sent_at)s, %(edited_at)s
        FROM spoken
        ON CONFLICT (contact_id, external_id) DO NOTHING
        RETURNING id, conversation_id, contact_id, cursor
    ), touched AS (
        -- Not for a message that is known already: nobody waits anew for its answer.
        UPDATE conversation SET updated_at = now(),
            waiting_since = CASE WHEN state <> 'bot' THEN coalesce(waiting_since, now()) END
        FROM made WHERE conversation.id = made.conversation_id
    ), told AS (
        UPDATE contact
        SET chat_id = %(chat_id)s, name = coalesce(nullif(%(name)s, ''), name),
            language = coalesce(%(language)s, language), mark = coalesce(%(mark)s, mark)
        FROM made WHERE contact.id = made.contact_id
        RETURNING contact.id, contact.name, contact.language
    ), pending AS (
        INSERT INTO turn (message_id, conversation_id) SELECT id, conversation_id FROM made
    ), {BORN.format(task=f"'{TURN}'", priority=0, made="made", lock="'conversation:' || made.conversation_id")}
    SELECT made.id AS message_id, made.cursor, claimed.id AS job_id, now() AS created_at,
        spoken.id AS conversation_id, spoken.state, spoken.priority, spoken.language, spoken.reason, spoken.topic,
        spoken.opened_at, spoken.queued_at, spoken.misses, spoken.last_answer, spoken.offered, spoken.generation,
        told.id AS contact_id, told.name, told.language AS contact_language,
        {_NOTIFY.format(kind="'message'", conversation="spoken.id", contact="told.id")}
    FROM made, spoken, told LEFT JOIN claimed ON true
"""

_ANSWER = f"""
    WITH customer AS (
        -- In the order in which all take them; and a cursor is given under this lock.
        SELECT id FROM contact WHERE id = %(contact)s FOR NO KEY UPDATE
    ), taken AS (
        UPDATE turn SET done = true, done_at = now(), action = %(action)s, reason = %(reason)s, topic = %(topic)s,
            ranking = %(ranking)s
        FROM customer WHERE message_id = %(message)s AND NOT done
        RETURNING message_id
    ), kept AS (
        UPDATE conversation
        SET updated_at = now(), language = %(language)s, misses = %(misses)s,
            last_answer = CASE WHEN %(keeps_thread)s THEN last_answer ELSE %(topic)s END,
            offered = CASE WHEN %(keeps_thread)s THEN offered ELSE %(offered)s END,
            topic = CASE WHEN %(keeps_thread)s THEN topic ELSE coalesce(%(topic)s, topic) END
        FROM taken
        WHERE id = %(conversation)s AND generation = %(generation)s AND state = 'bot'
        RETURNING id
    ), now_or_later AS (
        SELECT %(immediate)s AND NOT EXISTS (
            SELECT FROM procrastinate_jobs
            WHERE lock = 'contact:' || %(contact)s::bigint AND status IN ('todo', 'doing')
        ) AS now
    ), made AS (
        INSERT INTO message (conversation_id, contact_id, author, text, format, buttons, reply_to, cursor)
        SELECT id, %(contact)s, 'bot', %(text)s, %(format)s, %(buttons)s, %(message)s,
            CASE WHEN now THEN nextval('message_cursor') END
        FROM kept, now_or_later
        RETURNING id, contact_id
    ), unsent AS (
        SELECT made.* FROM made, now_or_later WHERE NOT now
    ), {BORN.format(task=f"'{DELIVER}'", priority=1, made="unsent", lock="'contact:' || unsent.contact_id")}
    , begun AS (
        INSERT INTO delivery (message_id, contact_id, attempts, in_doubt, state, external_ids, placed, sends, sent_at)
        SELECT made.id, made.contact_id, CASE WHEN now OR claimed.id IS NOT NULL THEN 1 ELSE 0 END,
            claimed.id IS NOT NULL, CASE WHEN now THEN 'sent' ELSE 'pending' END,
            CASE WHEN now THEN jsonb_build_array(made.id::text) ELSE '[]' END, now::integer, now::integer,
            CASE WHEN now THEN now() END
        FROM made CROSS JOIN now_or_later LEFT JOIN claimed ON true
    ), ended AS ({ENDED})
    SELECT made.id AS message_id, claimed.id AS job_id, now() AS created_at, made.id IS NOT NULL AND now AS shown,
        {OTHERS_WAIT.format(lock="'conversation:' || %(conversation)s::bigint")} AS others_wait,
        {
    _NOTIFY.format(
        kind="CASE WHEN now THEN 'delivery' ELSE 'reply' END",
        conversation="%(conversation)s::bigint",
        contact="%(contact)s::bigint",
    )
}
    FROM now_or_later LEFT JOIN made ON true LEFT JOIN claimed ON true
"""

_SENT = f"""
    WITH customer AS (
        SELECT id FROM contact WHERE id = %(contact)s FOR NO KEY UPDATE
    ), placed AS (
        UPDATE delivery
        SET placed = CASE WHEN version = %(version)s THEN %(placed)s ELSE placed END,
            -- Two workers may have sent it under one key, one of which was frozen: they found the same message.
            external_ids = CASE WHEN external_ids @> to_jsonb(%(external_id)s::text) THEN external_ids
                ELSE external_ids || to_jsonb(%(external_id)s::text) END,
            sends = sends + CASE WHEN external_ids @> to_jsonb(%(external_id)s::text) THEN 0 ELSE 1 END,
            in_doubt = false,
            state = CASE WHEN version = %(version)s THEN 'sent' ELSE state END,
            error = CASE WHEN version = %(version)s THEN NULL ELSE error END,
            sent_at = coalesce(sent_at, now())
        FROM customer WHERE message_id = %(message)s
    ), shown AS (
        UPDATE message SET cursor = nextval('message_cursor') FROM customer
        -- Only the first time: an edited message stays where it was.
        WHERE message.id = %(message)s AND cursor IS NULL AND deleted_at IS NULL
    ), ended AS ({ENDED})
    SELECT {OTHERS_WAIT.format(lock="'contact:' || %(contact)s::bigint")} AS others_wait,
        {_NOTIFY.format(kind="'delivery'", conversation="%(conversation)s::bigint", contact="%(contact)s::bigint")}
"""


class FastPath(Base):
    async def _receive_at_once(self, incoming: Incoming) -> Receipt | None:
        """A message of a known contact with an open conversation; None for anything else, and for a duplicate."""
        if incoming.edits or incoming.attachments or incoming.replies_to or not self._queue.is_open:
            return None
        values: dict[str, Any] = {
            "channel": incoming.channel,
            "account": incoming.account,
            "sender": incoming.sender.external_id,
            "chat_id": incoming.chat_id,
            "name": incoming.sender.name,
            "language": incoming.sender.language,
            "mark": incoming.mark,
            "external_id": incoming.external_id,
            "text": incoming.text,
            "payload": None if (payload := rows.payload(incoming)) is None else Jsonb(payload),
            "sent_at": incoming.sent_at,
            "edited_at": incoming.edited_at,
        }
        with self._queue.slot() as slot:
            values["worker"] = slot.worker_id
            row = await self._queue.at_once((_TAKE_CONTACT, values), (_RECEIVE, values))
            if row is None:
                return None
            if row["job_id"] is not None:
                slot.begin(row["job_id"], TURN, row["message_id"], _turn_input(incoming, row))
        return Receipt(row["message_id"], row["conversation_id"])

    async def _answer_at_once(
        self,
        taken: TurnInput,
        decision: Decision,
        reply: Reply,
        language: str | None,
        prediction: Prediction | None,
        claim: Claim,
        immediate: bool,
    ) -> bool:
        """The bot's reply in a conversation that it still has, and the end of the turn. ``immediate``: what is recorded
        is with its customer, unless something before it is not; whether it is."""
        conversation = taken.conversation
        values: dict[str, Any] = {
            "message": taken.message.id,
            "conversation": conversation.id,
            "contact": conversation.contact.id,
            "generation": conversation.generation,
            "action": decision.action.value,
            "reason": decision.reason and decision.reason.value,
            "topic": decision.topic,
            "ranking": None if prediction is None else Jsonb(rows.ranking(prediction)),
            "language": language,
            "misses": 0 if decision.understood else conversation.thread.misses + 1,
            "keeps_thread": decision.keeps_thread,
            "offered": Jsonb(list(decision.offers)),
            "text": reply.text,
            "format": reply.format.value,
            "buttons": Jsonb(rows.to_json(reply.buttons)),
            "immediate": immediate,
            "job": claim.job_id,
            "attempts": claim.attempts,
        }
        with self._queue.slot() as slot:
            values["worker"] = slot.worker_id
            row = await self._queue.at_once((_ANSWER, values))
            assert row is not None
            claim.ended(others_wait=row["others_wait"])
            if row["job_id"] is not None:
                known = _delivery_input(taken, reply, row["message_id"], row["created_at"])
                slot.begin(row["job_id"], DELIVER, row["message_id"], known)
            return bool(row["shown"])

    async def _sent_at_once(self, begun: DeliveryInput, index: int, external_id: str, claim: Claim) -> None:
        """The last part of a message is with the customer."""
        values = {
            "message": begun.message.id,
            "conversation": begun.message.conversation_id,
            "contact": begun.contact.id,
            "version": begun.version,
            "placed": index + 1,
            "external_id": external_id,
            "job": claim.job_id,
            "attempts": claim.attempts,
        }
        row = await self._queue.at_once((_SENT, values))
        assert row is not None
        claim.ended(others_wait=row["others_wait"])


def _turn_input(incoming: Incoming, row: dict[str, Any]) -> TurnInput | None:
    """As ``begin_turn`` would read it; None where more must be read."""
    if row["state"] != ConversationState.BOT:
        return None
    if len(incoming.text.strip()) == 1:
        return None  # perhaps the number of a button of the last message
    contact = Contact(
        id=row["contact_id"],
        channel=incoming.channel,
        account=incoming.account,
        external_id=incoming.sender.external_id,
        chat_id=incoming.chat_id,
        name=row["name"],
        language=row["contact_language"],
    )
    message = Message(
        id=row["message_id"],
        conversation_id=row["conversation_id"],
        author=Author.CUSTOMER,
        visibility=Visibility.PUBLIC,
        text=incoming.text,
        format=MessageFormat.TEXT,
        created_at=row["created_at"],
        external_id=incoming.external_id,
        edited_at=incoming.edited_at,
        cursor=row["cursor"],
        revision=row["cursor"],
    )
    conversation = Conversation(
        id=row["conversation_id"],
        contact=contact,
        state=ConversationState.BOT,
        priority=Priority(row["priority"]),
        agent=None,
        language=row["language"],
        reason=None if row["reason"] is None else EscalationReason(row["reason"]),
        topic=row["topic"],
        opened_at=row["opened_at"],
        updated_at=row["created_at"],
        queued_at=row["queued_at"],
        thread=Thread(row["misses"], row["last_answer"], tuple(row["offered"])),
        generation=row["generation"],
    )
    return TurnInput(
        message, conversation, command=incoming.command, argument=incoming.argument, button=incoming.button
    )


def _delivery_input(taken: TurnInput, reply: Reply, message_id: int, created_at: datetime) -> DeliveryInput:
    """As ``begin_delivery`` would begin and read it."""
    message = Message(
        id=message_id,
        conversation_id=taken.conversation.id,
        author=Author.BOT,
        visibility=Visibility.PUBLIC,
        text=reply.text,
        format=reply.format,
        created_at=created_at,
        buttons=tuple(reply.buttons),
        reply_to=taken.message.id,
    )
    return DeliveryInput(
        message=message,
        contact=taken.conversation.contact,
        external_ids=(),
        placed=0,
        leftover=(),
        version=0,
        attempts=1,
        sends=0,
        in_doubt=False,
        reply_to=taken.message.external_id,
    )
