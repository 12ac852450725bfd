"""Events, what can be known of those before; several conversations with one contact, by thread; snoozed conversations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _events()
    _conversations()
    for statement in (_BACKFILL_CONVERSATIONS, _BACKFILL_STAFF):
        op.execute(statement)
    _event_indexes()  # faster behind the rows than before them


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="EventKind, in bot/domain/history.py."),
        sa.Column("actor", sa.Text(), nullable=False, comment="ActorKind: who did it."),
        sa.Column("actor_id", sa.BigInteger(), comment="Which agent, where it was one."),
        sa.Column("address", sa.Text(), comment="From where it was done, where that is known."),
        sa.Column("at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("conversation_id", sa.BigInteger()),
        sa.Column("agent_id", sa.BigInteger(), comment="Whom it is about."),
        sa.ForeignKeyConstraint(["actor_id"], ["agent.id"], name=op.f("fk_event_actor_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_event_conversation_id")),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_event_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        comment="What happened: every change of a conversation's state, and of who may sign in. Never changed.",
    )


def _event_indexes() -> None:
    op.create_index(
        "ix_event_conversation",
        "event",
        ["conversation_id", "id"],
        postgresql_where=sa.text("conversation_id is not null"),
    )
    op.create_index("ix_event_kind", "event", ["kind", "at"])
    op.create_index("ix_event_agent", "event", ["agent_id", "id"], postgresql_where=sa.text("agent_id is not null"))
    op.create_index("ix_event_actor", "event", ["actor_id", "id"], postgresql_where=sa.text("actor_id is not null"))


def _conversations() -> None:
    op.add_column(
        "conversation",
        sa.Column(
            "thread",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="The platform's word for one of several with a contact; empty for a chat.",
        ),
    )
    op.add_column(
        "conversation", sa.Column("subject", sa.Text(), comment="What the customer called it, where they did.")
    )
    op.add_column("conversation", sa.Column("snoozed_until", _MOMENT, comment="Laid aside by its agent until then."))
    op.create_index(
        "ix_conversation_snoozed",
        "conversation",
        ["snoozed_until"],
        postgresql_where=sa.text("snoozed_until is not null"),
    )
    op.drop_index("uq_conversation_open", "conversation")
    op.create_index(
        "uq_conversation_open",
        "conversation",
        ["contact_id", "thread"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved'"),
    )


# An escalation's line for the agents was written in one transaction with the end of its turn: they have the same time.
# What was escalated and lost to a faster person has no such line, and was none. The desk's own words to the customer
# are written with the act that they tell of: the last ones tell who has the conversation.
_BACKFILL_CONVERSATIONS = """
    WITH escalated AS (
        SELECT turn.conversation_id, turn.done_at AS at, turn.reason, turn.topic
        FROM turn
        WHERE turn.action = 'escalate' AND EXISTS (
            SELECT FROM message
            WHERE message.conversation_id = turn.conversation_id AND message.author = 'system'
                AND message.visibility = 'private' AND message.created_at = turn.done_at
                AND starts_with(message.text, 'Escalated: ')
        )
    ), found (conversation_id, at, kind, actor, actor_id, agent_id, data) AS (
        SELECT id, opened_at, 'opened', 'customer', NULL::bigint, NULL::bigint, '{"state": "bot"}'::jsonb
        FROM conversation
    UNION ALL
        SELECT conversation_id, at, 'escalated', 'bot', NULL, NULL,
            jsonb_strip_nulls(jsonb_build_object('state', 'queued', 'reason', reason,
                'topic', CASE reason WHEN 'topic' THEN topic END))
        FROM escalated
    UNION ALL
        -- Queued in another way, or by an older desk: since when and why is known, while it waits or is in hand.
        SELECT id, queued_at,
            CASE reason WHEN 'returned' THEN 'requeued' WHEN 'reopened' THEN 'reopened' ELSE 'escalated' END,
            CASE reason WHEN 'returned' THEN 'system' WHEN 'reopened' THEN 'customer' ELSE 'bot' END,
            NULL, NULL,
            jsonb_strip_nulls(jsonb_build_object('state', 'queued', 'reason', reason))
        FROM conversation
        WHERE queued_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM escalated
            WHERE escalated.conversation_id = conversation.id AND escalated.at = conversation.queued_at
        )
    UNION ALL
        SELECT id,
            coalesce(
                (SELECT max(message.created_at) FROM message
                 WHERE message.conversation_id = conversation.id AND message.author = 'system'
                    AND message.visibility = 'public'),
                queued_at, opened_at
            ),
            'claimed', 'agent', agent_id, agent_id, '{"state": "assigned"}'
        FROM conversation WHERE state = 'assigned'
    UNION ALL
        SELECT id, resolved_at, 'resolved', CASE WHEN last_agent_id IS NULL THEN 'system' ELSE 'agent' END,
            last_agent_id, last_agent_id, '{"state": "resolved"}'
        FROM conversation WHERE state = 'resolved' AND resolved_at IS NOT NULL
    )
    INSERT INTO event (conversation_id, at, kind, actor, actor_id, agent_id, data)
    SELECT conversation_id, at, kind, actor, actor_id, agent_id, data || '{"backfilled": true}'
    FROM found
    ORDER BY at, conversation_id,
        array_position(ARRAY['opened', 'escalated', 'requeued', 'reopened', 'claimed', 'resolved'], kind)
"""

# Who added or disabled an agent stands nowhere but in logs.
_BACKFILL_STAFF = """
    WITH found (agent_id, at, kind, actor, actor_id, address, data) AS (
        SELECT id, created_at, 'agent_added', 'system', NULL::bigint, NULL,
            jsonb_build_object('name', name, 'role', role)
        FROM agent
    UNION ALL
        SELECT id, disabled_at, 'agent_disabled', 'system', NULL, NULL, '{}' FROM agent WHERE disabled_at IS NOT NULL
    UNION ALL
        SELECT agent_id, created_at, 'signed_in', 'agent', agent_id, address,
            jsonb_strip_nulls(jsonb_build_object('by_link', by_link, 'browser', browser))
        FROM session
    )
    INSERT INTO event (agent_id, at, kind, actor, actor_id, address, data)
    SELECT agent_id, at, kind, actor, actor_id, address, data || '{"backfilled": true}'
    FROM found
    ORDER BY at, agent_id
"""
