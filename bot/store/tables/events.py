"""What happened."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from bot.store.tables.schema import Moment, metadata

event = Table(
    "event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False, comment="EventKind, in bot/domain/history.py."),
    Column("actor", Text, nullable=False, comment="ActorKind: who did it."),
    Column("actor_id", ForeignKey("agent.id"), comment="Which agent, where it was one."),
    Column("address", Text, comment="From where it was done, where that is known."),
    Column("at", Moment, nullable=False, server_default=func.now()),
    Column("data", JSONB, nullable=False, server_default="{}"),
    Column("conversation_id", ForeignKey("conversation.id")),
    Column("agent_id", ForeignKey("agent.id"), comment="Whom it is about."),
    comment="What happened: every change of a conversation's state, and of who may sign in. Only secrets are cut out.",
)
Index(
    "ix_event_conversation",
    event.c.conversation_id,
    event.c.id,
    postgresql_where=text("conversation_id is not null"),
)
Index("ix_event_kind", event.c.kind, event.c.at)
Index("ix_event_agent", event.c.agent_id, event.c.id, postgresql_where=text("agent_id is not null"))
Index("ix_event_actor", event.c.actor_id, event.c.id, postgresql_where=text("actor_id is not null"))
