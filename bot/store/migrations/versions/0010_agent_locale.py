"""The language that an agent chose for the console.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "The language that they chose for the console; null: as their browser says."
    op.add_column("agent", sa.Column("locale", sa.Text(), comment=comment))
