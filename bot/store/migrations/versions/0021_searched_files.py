"""What the search for secrets found in files.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "What the search for secrets found in it; null where nobody searched."
    op.add_column("file", sa.Column("found", JSONB(none_as_null=True), comment=comment))
