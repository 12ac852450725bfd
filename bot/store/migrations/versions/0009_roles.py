"""Two more roles: leads, who move everybody's work, and auditors, who read."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_agent_role"), "agent", type_="check")
    op.create_check_constraint(op.f("ck_agent_role"), "agent", "role in ('agent', 'lead', 'admin', 'auditor')")
