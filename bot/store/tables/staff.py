"""Agents, and how they sign in."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from bot.domain.staff import Role
from bot.store.tables.schema import Moment, metadata, one_of

agent = Table(
    "agent",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("public_name", Text, comment="What customers see instead of the name."),
    Column("disabled_at", Moment, comment="Since when they may not sign in."),
    Column("seen_at", Moment, comment="When they last did something at the desk."),
    Column("locale", Text, comment="The language that they chose for the console; null: as their browser says."),
    one_of("role", Role),
)
Index("uq_agent_name", func.lower(agent.c.name), unique=True)
Index(
    "uq_agent_public_name", func.lower(agent.c.public_name), unique=True, postgresql_where=text("disabled_at is null")
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("agent_id", ForeignKey("agent.id", ondelete="cascade"), nullable=False),
    Column("expires_at", Moment, nullable=False),
    comment="One-time sign-in links: the token's SHA-256, never the token.",
)

session = Table(
    "session",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("agent_id", ForeignKey("agent.id", ondelete="cascade"), nullable=False),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("expires_at", Moment, nullable=False),
    Column(
        "by_link", Boolean, nullable=False, server_default="false", comment="May set a password without the old one."
    ),
    Column("address", Text, comment="From where they signed in."),
    Column("browser", Text, comment="What the browser said it is."),
    comment="Signed-in browsers of agents: the cookie's SHA-256, never the cookie.",
)

agent_seen = Table(
    "agent_seen",
    metadata,
    Column("agent_id", ForeignKey("agent.id", ondelete="cascade"), primary_key=True),
    Column("conversation_id", ForeignKey("conversation.id", ondelete="cascade"), primary_key=True, index=True),
    Column("message_id", BigInteger, nullable=False, comment="The last message that they have seen."),
    Column("seen_at", Moment, nullable=False, server_default=func.now()),
    comment="How far each agent has read each conversation.",
)

rate_limit = Table(
    "rate_limit",
    metadata,
    Column("key", Text, primary_key=True, comment="Which limit, of whom: hashes, no names and no addresses."),
    Column("hits", ARRAY(Moment), nullable=False, comment="When it was used, in order."),
    Column("expires_at", Moment, nullable=False, comment="When the row says nothing any more."),
    comment="What may happen only so often: sign-in attempts.",
)
Index("ix_rate_limit_expires", rate_limit.c.expires_at)
