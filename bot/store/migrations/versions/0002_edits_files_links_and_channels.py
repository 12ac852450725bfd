"""Edits and deletions that reach the customer, files, linked contacts, and how channels are doing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "contact", sa.Column("mark", sa.Text(), comment="How far the platform's history of the chat is recorded.")
    )
    op.create_index("ix_contact_name", "contact", [sa.literal_column("lower(name)")])
    op.alter_column(
        "message",
        "payload",
        comment="A customer's command, pressed button, or the edit that it came by.",
        existing_type=postgresql.JSONB(),
        existing_comment="A customer's command or pressed button.",
    )
    op.add_column("message", sa.Column("deleted_at", _MOMENT, comment="Taken back by its author; the text is kept."))
    op.add_column("message", sa.Column("reply_to", sa.BigInteger(), comment="The message that this one answers."))
    op.create_foreign_key(op.f("fk_message_reply_to"), "message", "message", ["reply_to"], ["id"])
    op.add_column(
        "message",
        sa.Column("revision", sa.BigInteger(), comment="The cursor of a later change that the customer gets to see."),
    )
    op.drop_index("ix_message_cursor", "message")
    op.create_index(
        "ix_message_seen",
        "message",
        ["contact_id", sa.literal_column("coalesce(revision, cursor)")],
        postgresql_where=sa.text("cursor is not null"),
    )
    op.alter_column(
        "delivery",
        "external_ids",
        comment="The platform's ids of the parts that are with the customer, in order.",
        existing_type=postgresql.JSONB(),
        existing_nullable=False,
        existing_server_default=sa.text("'[]'::jsonb"),
        existing_comment="The platform's ids of the parts sent so far: a retry goes on behind them.",
    )
    op.add_column(
        "delivery",
        sa.Column(
            "placed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How many of them show the current text.",
        ),
    )
    op.add_column(
        "delivery",
        sa.Column(
            "version", sa.Integer(), server_default="0", nullable=False, comment="Grows with every edit and deletion."
        ),
    )
    op.add_column(
        "delivery",
        sa.Column(
            "leftover",
            postgresql.JSONB(),
            server_default="[]",
            nullable=False,
            comment="Parts that are to be taken back.",
        ),
    )
    op.add_column(
        "delivery",
        sa.Column("sends", sa.Integer(), server_default="0", nullable=False, comment="How many parts were ever sent."),
    )
    op.add_column(
        "delivery",
        sa.Column(
            "in_doubt", sa.Boolean(), server_default="false", nullable=False, comment="The end of a send is not known."
        ),
    )
    op.execute(
        "UPDATE delivery SET placed = jsonb_array_length(external_ids), sends = jsonb_array_length(external_ids),"
        " in_doubt = state = 'pending' AND attempts > 0"
    )
    op.create_table(
        "contact_link",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("undone_at", _MOMENT),
        sa.Column("undone_by", sa.BigInteger()),
        sa.CheckConstraint("contact_id < other_id", name=op.f("ck_contact_link_in_order")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_link_contact_id")),
        sa.ForeignKeyConstraint(["other_id"], ["contact.id"], name=op.f("fk_contact_link_other_id")),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_contact_link_agent_id")),
        sa.ForeignKeyConstraint(["undone_by"], ["agent.id"], name=op.f("fk_contact_link_undone_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_link")),
        comment="Contacts that an agent said are one person. Undone links are kept: who linked whom is never lost.",
    )
    op.create_index(op.f("ix_contact_link_other_id"), "contact_link", ["other_id"])
    op.create_index(
        "uq_contact_link",
        "contact_link",
        ["contact_id", "other_id"],
        unique=True,
        postgresql_where=sa.text("undone_at is null"),
    )
    op.create_table(
        "channel_status",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_received_at", _MOMENT),
        sa.Column(
            "lag", sa.Double(), comment="Seconds from the customer's sending to the commit, of the last message."
        ),
        sa.Column("last_sent_at", _MOMENT),
        sa.Column("error", sa.Text()),
        sa.Column("error_at", _MOMENT),
        sa.CheckConstraint("state in ('connecting', 'connected', 'off')", name=op.f("ck_channel_status_state")),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_status")),
    )
    op.create_table(
        "connector_memory",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", "name", name=op.f("pk_connector_memory")),
        comment="What a connector must know after a restart, in its own words: where a platform's stream goes on.",
    )
    op.create_table(
        "file",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_file")),
        comment="What customers and agents attach, by content: platforms' links expire.",
    )
    # Pictures and archives are compressed already.
    op.execute("ALTER TABLE file ALTER content SET STORAGE EXTERNAL")
