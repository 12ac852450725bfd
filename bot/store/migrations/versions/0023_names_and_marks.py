"""What agents call customers, what each agent has seen, and the order of lists.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("given_name", sa.Text(), comment="What agents call them."))
    op.create_table(
        "agent_seen",
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False, comment="The last message that they have seen."),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_agent_seen_agent_id", ondelete="cascade"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name="fk_agent_seen_conversation_id",
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("agent_id", "conversation_id", name="pk_agent_seen"),
        comment="How far each agent has read each conversation.",
    )
    op.create_index("ix_agent_seen_conversation_id", "agent_seen", ["conversation_id"])
    latest: list[sa.ColumnElement[object]] = [sa.literal_column("updated_at DESC"), sa.literal_column("id DESC")]
    for column in ("state", "topic", "language"):
        op.create_index(f"ix_conversation_{column}", "conversation", [column, *latest])
    op.create_index(
        "ix_conversation_urgent",
        "conversation",
        ["id"],
        postgresql_where=sa.text("priority = 2 and state <> 'resolved'"),
    )
