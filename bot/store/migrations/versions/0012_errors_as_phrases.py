"""What went wrong is kept as the phrase that agents read, beside its words.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "The error with the phrase that agents read of it; of another one where its words are not those in error."
    for table in ("delivery", "channel_status"):
        op.add_column(table, sa.Column("error_said", JSONB(), comment=comment))
