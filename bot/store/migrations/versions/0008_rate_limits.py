"""Rate limits that all replicas count together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_limit",
        sa.Column(
            "key", sa.Text(), primary_key=True, comment="Which limit, of whom: hashes, no names and no addresses."
        ),
        sa.Column("hits", ARRAY(_MOMENT), nullable=False, comment="When it was used, in order."),
        sa.Column("expires_at", _MOMENT, nullable=False, comment="When the row says nothing any more."),
        comment="What may happen only so often: sign-in attempts.",
    )
    op.create_index("ix_rate_limit_expires", "rate_limit", ["expires_at"])


def downgrade() -> None:
    op.drop_table("rate_limit")
