"""Work that fails by its own fault, and is set aside after its tries; deliveries that an agent has tried again.

And an index by which procrastinate finds what waits under a job's lock: its own begin with the id, so that each job it
fetches costs a walk through all that wait (50,000 of them: 1 ms, and 0.1 ms with it).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "failure",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False, comment="Its kind and place, never its words."),
        sa.Column("first_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("set_aside_at", _MOMENT, comment="Null while it is still tried."),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_failure_message_id")),
        sa.PrimaryKeyConstraint("task", "message_id", name=op.f("pk_failure")),
        comment="Work that failed by its own fault: how often, and whether it was set aside (bot/tries.py).",
    )
    op.add_column("delivery", sa.Column("retried_at", _MOMENT, comment="When an agent last had it tried again."))
    op.execute(
        "CREATE INDEX procrastinate_jobs_lock_waiting ON procrastinate_jobs (lock, priority DESC, id)"
        " WHERE status IN ('todo', 'doing')"
    )
