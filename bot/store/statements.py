"""What a message, its turn and its delivery write: each row's columns are decided here, once.

The whole statements (``RECEIVE``, ``ANSWER``, ``SENT``) are what most messages consist of, each one way to the database
and back. Whoever goes step by step (an escalation, an agent's reply, a notice) takes the same pieces: ``END_TURN`` and
``SAY`` are the two halves of ``ANSWER``. All are given their values by name; ``values`` has the functions that name
them. It is SQL by hand for the time it saves (docs/decisions/0096-both-ways-run-the-same-statements.md).
"""

from __future__ import annotations

from sqlalchemy import Table

from bot.queue import DELIVER, TURN
from bot.queue.statements import ENDED, HURRY, LOCK_IS_TAKEN, OTHERS_WAIT, PRE_CLAIMED
from bot.store.lifecycle import WAITING_AFTER_MESSAGE
from bot.store.tables import contact, conversation, delivery, message

NOTIFY_CHANNEL = "switchboard"


def _made(**others: tuple[Table, str]) -> str:
    """The row of the message ``made``, and those of other tables: by the prefix of their columns' names, (table, where
    the row is). For the row readers of ``rows``; never ``*``, or a newer replica's migration breaks what an older one
    has prepared."""
    named = {column.name: f"made.{column.name}" for column in message.c}
    for prefix, (table, source) in others.items():
        for column in table.c:
            # The message has the ids, too.
            named.setdefault(f"{prefix}_{column.name}", f"{source}.{column.name}")
    return ", ".join(f"{what} AS {name}" for name, what in named.items())


def _notify(kind: str, conversation: str, contact: str, opened_by: str = "''") -> str:
    return f"""
        pg_notify('{NOTIFY_CHANNEL}', json_build_object('kind', {kind}, 'conversation_id', {conversation},
            'contact_id', {contact}, 'opened_by', {opened_by})::text)
    """


# --- what a customer sends ------------------------------------------------------------------------

_OF_CONTACT = "channel = %(channel)s AND account = %(account)s AND external_id = %(sender)s"
_NEWS_OF_CONTACT = """
    chat_id = %(chat_id)s, name = coalesce(nullif(%(name)s, ''), contact.name),
    language = coalesce(%(language)s, contact.language), mark = coalesce(%(mark)s, contact.mark)
"""

UPSERT_CONTACT = f"""
    INSERT INTO contact (channel, account, external_id, chat_id, name, language, mark)
    VALUES (%(channel)s, %(account)s, %(sender)s, %(chat_id)s, %(name)s, %(language)s, %(mark)s)
    ON CONFLICT (channel, account, external_id) DO UPDATE SET {_NEWS_OF_CONTACT}
    RETURNING id
"""
TAKE_CONTACT = f"SELECT FROM contact WHERE {_OF_CONTACT} FOR NO KEY UPDATE"
"""Before ``RECEIVE``: one contact's messages are recorded one after the other, each sees the jobs of those before. It
writes nothing: where ``RECEIVE`` finds nothing to do, the mark must not pass a message that is not recorded yet."""

RECEIVE = f"""
    WITH customer AS (
        SELECT id FROM contact
        WHERE {_OF_CONTACT}
            -- Taken, or written, by a statement before; not one that was new in that moment, and that another may have
            -- taken.
            AND pg_current_xact_id()::xid IN (xmax, xmin)
    ), spoken AS (
        SELECT conversation.id, contact_id FROM conversation, customer
        WHERE conversation.contact_id = customer.id AND conversation.thread = %(thread)s
            AND conversation.state <> 'resolved'
            -- What its agent laid aside is woken first, of which there is an event.
            AND conversation.snoozed_until IS NULL
        FOR NO KEY UPDATE OF conversation
    ), made AS (
        INSERT INTO message (conversation_id, contact_id, author, text, attachments, payload, external_id, reply_to,
            cursor, sent_at, edited_at, context, album, removed)
        SELECT id, contact_id, 'customer', %(text)s, %(attachments)s, %(payload)s, %(external_id)s, %(reply_to)s,
            nextval('message_cursor'), %(sent_at)s, %(edited_at)s, %(context)s::jsonb, %(album)s,
            %(removed)s::jsonb
        FROM spoken
        ON CONFLICT (contact_id, external_id) DO NOTHING
        RETURNING *
    ), touched AS (
        -- Not for a message that is known already: nobody waits anew for its answer.
        UPDATE conversation SET updated_at = now(), {WAITING_AFTER_MESSAGE}
        FROM made WHERE conversation.id = made.conversation_id
        RETURNING conversation.*
    ), told AS (
        UPDATE contact SET {_NEWS_OF_CONTACT}
        FROM made WHERE contact.id = made.contact_id
        RETURNING contact.*
    ), pending AS (
        INSERT INTO turn (message_id, conversation_id) SELECT id, conversation_id FROM made
    ), {PRE_CLAIMED.format(task=f"'{TURN}'", priority=0, made="made", lock="'conversation:' || made.conversation_id")}
    SELECT claimed.id AS job_id,
        {_made(conversation=(conversation, "touched"), contact=(contact, "told"))},
        NULL AS agent_name, NULL AS agent_public_name, NULL AS delivery_state, NULL AS delivery_error,
        NULL AS delivery_error_said, NULL AS delivery_delivered_at, NULL AS delivery_read_at,
        {_notify("'message'", "touched.id", "told.id", "%(opened_by)s::text")}
    FROM made, touched, told LEFT JOIN claimed ON true
"""

TOUCH = f"UPDATE conversation SET updated_at = now(), {WAITING_AFTER_MESSAGE} WHERE id = %(conversation)s RETURNING id"
"""What ``RECEIVE`` does to the conversation, where a message that is there gets more."""


# --- what the desk says ---------------------------------------------------------------------------

_ENDS_TURN = """
    customer AS (
        -- In the order in which all take them; and a cursor is given under this lock.
        SELECT * FROM contact WHERE id = %(contact)s FOR NO KEY UPDATE
    ), taken AS (
        UPDATE turn SET done = true, done_at = now(), action = %(action)s, reason = %(reason)s,
            topic = %(turn_topic)s, ranking = %(ranking)s
        FROM customer WHERE message_id = %(turn)s AND NOT done AND turn.version = %(turn_version)s
        RETURNING message_id
    ), kept AS (
        UPDATE conversation
        SET updated_at = now(), language = %(language)s, dialogue = %(dialogue)s, details = %(details)s,
            topic = coalesce(%(topic)s, topic)
        FROM taken
        WHERE id = %(conversation)s AND generation = %(generation)s AND state = %(state)s
        RETURNING id
    )
"""
"""The turn's row, and what the bot keeps in mind; ``kept`` is empty where somebody else was faster."""

_SAYS = f"""
    now_or_later AS (
        SELECT %(immediate)s AND NOT {LOCK_IS_TAKEN.format(lock="'contact:' || %(contact)s::bigint")} AS now
    ), made AS (
        INSERT INTO message (conversation_id, contact_id, author, text, format, buttons, attachments, agent_id,
            reply_to, submission, held_until, cursor)
        SELECT id, %(contact)s, %(author)s, %(text)s, %(format)s, %(buttons)s, %(attachments)s, %(agent)s,
            %(reply_to)s, %(submission)s, now() + %(held_for)s::interval,
            CASE WHEN now THEN nextval('message_cursor') END
        FROM kept, now_or_later
        RETURNING *
    ), unsent AS (
        SELECT made.* FROM made, now_or_later WHERE NOT now AND held_until IS NULL
    ), {
    PRE_CLAIMED.format(
        task=f"'{DELIVER}'", priority="%(priority)s", made="unsent", lock="'contact:' || unsent.contact_id"
    )
}
    , begun AS (
        INSERT INTO delivery (message_id, contact_id, attempts, in_doubt, state, external_ids, placed, sends, sent_at)
        SELECT made.id, made.contact_id, CASE WHEN now OR claimed.id IS NOT NULL THEN 1 ELSE 0 END,
            claimed.id IS NOT NULL, CASE WHEN now THEN 'sent' ELSE 'pending' END,
            CASE WHEN now THEN jsonb_build_array(made.id::text) ELSE '[]' END, now::integer, now::integer,
            CASE WHEN now THEN now() END
        FROM made CROSS JOIN now_or_later LEFT JOIN claimed ON true
        RETURNING *
    )
"""
"""A message to the customer of the conversation in ``kept``, its delivery and the job of that. ``immediate``: what is
recorded is with its customer, unless something before it is not."""

END_TURN = f"WITH {_ENDS_TURN} SELECT id FROM kept"
"""The first half of ``ANSWER``. Takes the contact's row."""

SAY = f"""
    WITH kept AS (
        UPDATE conversation SET updated_at = now() WHERE id = %(conversation)s RETURNING id
    ), hurried AS (
        {HURRY.format(lock="'contact:' || %(contact)s::bigint")} AND %(held_for)s::interval IS NULL
    ), {_SAYS}
    SELECT made.id, now AS shown FROM made, now_or_later
"""
"""The second half of ``ANSWER``, for anybody. The caller holds the contact's row if it is to be shown at once."""

ANSWER = f"""
    WITH {_ENDS_TURN}, {_SAYS}, ended AS ({ENDED}), notified AS (
        SELECT {_notify("CASE WHEN now THEN 'delivery' ELSE 'reply' END", "conversation_id", "contact_id")}
        FROM made, now_or_later
    )
    SELECT claimed.id AS job_id, now AS shown,
        {OTHERS_WAIT.format(lock="'conversation:' || %(conversation)s::bigint")} AS others_wait,
        {_made(delivery=(delivery, "begun"), contact=(contact, "customer"))},
        NULL AS agent_name, NULL AS agent_public_name,
        (SELECT count(*) FROM notified) AS notified
    FROM now_or_later CROSS JOIN customer LEFT JOIN made ON true LEFT JOIN begun ON true LEFT JOIN claimed ON true
"""

_PLACED = """
    placed = CASE WHEN version = %(version)s THEN coalesce(%(placed)s, placed) ELSE placed END
"""
_NEW_PART = """
    -- Whatever became of the message meanwhile, this part is with the customer, and must be known to be. Two workers
    -- may have sent it under one key, one of which was frozen: they found the same message.
    external_ids = CASE WHEN external_ids @> %(new_ids)s THEN external_ids ELSE external_ids || %(new_ids)s END,
    sends = sends + CASE WHEN external_ids @> %(new_ids)s THEN 0 ELSE 1 END
"""

PART_SENT = f"UPDATE delivery SET {_PLACED}, {_NEW_PART} WHERE message_id = %(message)s RETURNING message_id"
PART_FOUND = f"UPDATE delivery SET in_doubt = false, {_NEW_PART} WHERE message_id = %(message)s RETURNING message_id"
SENT = f"""
    WITH customer AS (
        SELECT id FROM contact WHERE id = %(contact)s FOR NO KEY UPDATE
    ), placed AS (
        UPDATE delivery
        SET in_doubt = false,
            state = CASE WHEN version = %(version)s THEN 'sent' ELSE state END,
            error = CASE WHEN version = %(version)s THEN NULL ELSE error END,
            sent_at = coalesce(sent_at, now()),
            {_PLACED}, {_NEW_PART}
        FROM customer WHERE message_id = %(message)s
    ), shown AS (
        UPDATE message SET cursor = nextval('message_cursor') FROM customer
        -- Only the first time: an edited message stays where it was.
        WHERE message.id = %(message)s AND cursor IS NULL AND deleted_at IS NULL
    ), ended AS ({ENDED})
    SELECT {OTHERS_WAIT.format(lock="'contact:' || %(contact)s::bigint")} AS others_wait,
        {_notify("'delivery'", "%(conversation)s::bigint", "%(contact)s::bigint")}
"""
