"""Which messages held secrets that were removed from them.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # ANALYZE keeps whole texts as samples, where nothing is ever cut out of.
    for table in ("message", "message_version", "message_part"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN text SET STATISTICS 0")
    comment = "Secrets it held: by kind, whether that is sure. Null for none."
    op.create_table_comment(
        "event",
        "What happened: every change of a conversation's state, and of who may sign in. Only secrets are cut out.",
        existing_comment="What happened: every change of a conversation's state, and of who may sign in. Never changed.",
    )
    op.add_column("message", sa.Column("removed", JSONB(none_as_null=True), comment=comment))
