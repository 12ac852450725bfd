"""The bot's memory as one value, and the details that a customer told in a form of their own.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    memory = "What the bot has open with the customer; what is not in it is as in a new conversation."
    op.add_column("conversation", sa.Column("dialogue", JSONB(), nullable=False, server_default="{}", comment=memory))
    op.execute(
        """
        UPDATE conversation SET dialogue = jsonb_strip_nulls(jsonb_build_object(
            'misses', nullif(misses, 0), 'topic', last_answer, 'offered', nullif(offered, '[]'),
            'told', CASE WHEN last_answer IS NOT NULL THEN jsonb_build_array(last_answer) END))
        WHERE misses <> 0 OR last_answer IS NOT NULL OR offered <> '[]'
        """
    )
    for column in ("misses", "last_answer", "offered"):
        op.drop_column("conversation", column)
    told = "Hashes, addresses, amounts …, as the customer told them: kind, value, and the chains that it fits."
    op.add_column("conversation", sa.Column("details", JSONB(), nullable=False, server_default="[]", comment=told))
