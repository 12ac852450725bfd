"""Agents with a public name who can be disabled; since when a customer waits; messages that are held back or sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("agent", sa.Column("public_name", sa.Text(), comment="What customers see instead of the name."))
    op.add_column("agent", sa.Column("disabled_at", _MOMENT, comment="Since when they may not sign in."))
    op.add_column("agent", sa.Column("seen_at", _MOMENT, comment="When they last did something at the desk."))
    # Customers knew agents by this name until now; whose name says what they may do is told of as "a person".
    op.execute(
        "UPDATE agent SET seen_at = now(), public_name = CASE"
        " WHEN lower(name) IN ('admin', 'administrator', 'root', 'operator', 'superuser', 'test') THEN NULL ELSE name END"
    )
    op.create_index(
        "uq_agent_public_name",
        "agent",
        [sa.text("lower(public_name)")],
        unique=True,
        postgresql_where=sa.text("disabled_at is null"),
    )
    op.add_column(
        "session",
        sa.Column(
            "by_link",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="May set a password without the old one.",
        ),
    )
    op.add_column("session", sa.Column("address", sa.Text(), comment="From where they signed in."))
    op.add_column("session", sa.Column("browser", sa.Text(), comment="What the browser said it is."))
    _conversations()
    _messages()


def _conversations() -> None:
    op.add_column(
        "conversation",
        sa.Column("waiting_since", _MOMENT, comment="Since when the customer waits for an answer of a person."),
    )
    op.add_column("conversation", sa.Column("last_agent_id", sa.BigInteger(), comment="Who had it last, or has it."))
    op.create_foreign_key(op.f("fk_conversation_last_agent_id"), "conversation", "agent", ["last_agent_id"], ["id"])
    op.execute(
        "UPDATE conversation SET last_agent_id = coalesce(agent_id, (SELECT message.agent_id FROM message"
        " WHERE message.conversation_id = conversation.id AND message.author = 'agent' AND visibility = 'public'"
        " ORDER BY message.id DESC LIMIT 1))"
    )
    op.execute("UPDATE conversation SET waiting_since = queued_at WHERE state = 'queued'")
    # With an agent: since the first word of the customer that no agent's reply is behind.
    op.execute(
        "UPDATE conversation SET waiting_since = (SELECT min(message.created_at) FROM message"
        " WHERE message.conversation_id = conversation.id AND message.author = 'customer' AND NOT EXISTS ("
        " SELECT FROM message reply WHERE reply.conversation_id = conversation.id AND reply.author = 'agent'"
        " AND reply.visibility = 'public' AND reply.id > message.id))"
        " WHERE state = 'assigned'"
    )
    op.create_index(
        "ix_conversation_waiting",
        "conversation",
        ["waiting_since"],
        postgresql_where=sa.text("waiting_since is not null"),
    )
    op.create_index(
        "ix_conversation_agent", "conversation", ["agent_id"], postgresql_where=sa.text("agent_id is not null")
    )


def _messages() -> None:
    op.add_column("message", sa.Column("submission", sa.Text(), comment="The id under which an agent's page sent it."))
    op.add_column(
        "message",
        sa.Column("held_until", _MOMENT, comment="Nothing of it reaches the customer before; null once it is let go."),
    )
    op.create_index(
        "uq_message_submission",
        "message",
        ["submission"],
        unique=True,
        postgresql_where=sa.text("submission is not null"),
    )
    op.create_index("ix_message_held", "message", ["held_until"], postgresql_where=sa.text("held_until is not null"))
