"""What platforms tell of messages that they took: delivered, read, failed.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "delivery",
        sa.Column(
            "receipts",
            postgresql.JSONB(),
            server_default="{}",
            nullable=False,
            comment="By part: when the platform says that it was delivered, read, or failed after all.",
        ),
    )
    op.add_column(
        "delivery",
        sa.Column("delivered_at", sa.DateTime(timezone=True), comment="When all parts were, where the platform tells."),
    )
    op.add_column(
        "delivery",
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            comment="When the customer had seen all parts, where the platform tells.",
        ),
    )
    op.create_index("ix_delivery_contact", "delivery", ["contact_id", "message_id"])
