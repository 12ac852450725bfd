"""Albums: several messages of the platform that are one.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    album = "The platform's id of the album that it is; its parts are in message_part."
    op.add_column("message", sa.Column("album", sa.Text(), comment=album))
    op.create_index(
        "ix_message_album", "message", ["contact_id", "album"], postgresql_where=sa.text("album is not null")
    )
    version = "Grows when the message gets its first words by a later part."
    op.add_column("turn", sa.Column("version", sa.Integer(), server_default="0", nullable=False, comment=version))
    op.create_table(
        "message_part",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False, comment="The platform's id of the part."),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "attachments", JSONB(), nullable=False, comment="What it brought; message has them with their content."
        ),
        sa.Column("context", JSONB(), comment="As of message."),
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name="fk_message_part_message_id"),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_message_part_contact_id"),
        sa.PrimaryKeyConstraint("id", name="pk_message_part"),
        sa.UniqueConstraint("contact_id", "external_id", name="uq_message_part_contact_id"),
        comment="The parts of albums: what the platform sends as several messages is one at the desk.",
    )
    op.create_index("ix_message_part_message_id", "message_part", ["message_id"])
