"""When a customer last had the chat open.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "When they last had the chat open while a person had it or was asked for; where the desk can see that."
    op.add_column("contact", sa.Column("seen_at", sa.DateTime(timezone=True), comment=comment))
