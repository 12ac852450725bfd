"""How often a delivery was tried again in doubt: possible doubles, counted where no crash forgets them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "delivery",
        sa.Column(
            "repeats", sa.Integer(), server_default="0", nullable=False, comment="How many tries began in doubt."
        ),
    )
