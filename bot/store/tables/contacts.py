"""Customers, one row for each of their identities."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from bot.store.tables.schema import Moment, metadata

contact = Table(
    "contact",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("language", Text),
    Column("mark", Text, comment="How far the platform's history of the chat is recorded."),
    Column(
        "seen_at",
        Moment,
        comment="When they last had the chat open while a person had it or was asked for; where the desk can see that.",
    ),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("given_name", Text, comment="What agents call them."),
    UniqueConstraint("channel", "account", "external_id"),
)
Index("ix_contact_name", func.lower(contact.c.name))

contact_link = Table(
    "contact_link",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contact_id", ForeignKey("contact.id"), nullable=False),
    Column("other_id", ForeignKey("contact.id"), nullable=False, index=True),
    Column("agent_id", ForeignKey("agent.id"), nullable=False),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("undone_at", Moment),
    Column("undone_by", ForeignKey("agent.id")),
    CheckConstraint("contact_id < other_id", name="in_order"),
    comment="Contacts that an agent said are one person. Undone links are kept: who linked whom is never lost.",
)
Index(
    "uq_contact_link",
    contact_link.c.contact_id,
    contact_link.c.other_id,
    unique=True,
    postgresql_where=text("undone_at is null"),
)
