"""Comments of tables that named modules by where they were."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table_comment("lease", "Who runs what only one replica may.")
    op.create_table_comment("failure", "Work that failed by its own fault: how often, and whether it is a dead letter.")
