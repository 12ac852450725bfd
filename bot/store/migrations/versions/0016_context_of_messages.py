"""What a message forwards, quotes and links to; versions with the attachments that they had.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    context = "Whose words it passes on, what it quotes, where its links lead, and what has no words; null for none."
    op.add_column("message", sa.Column("context", JSONB(), comment=context))
    replaced = "As they were then; null where an agent edited."
    op.add_column("message_version", sa.Column("attachments", JSONB(), comment=replaced))
    op.add_column("message_version", sa.Column("context", JSONB(), comment="As of message."))
    op.create_index(
        "ix_message_version_attachments",
        "message_version",
        ["attachments"],
        postgresql_using="gin",
        postgresql_ops={"attachments": "jsonb_path_ops"},
        postgresql_where=sa.text("attachments is not null"),
    )
