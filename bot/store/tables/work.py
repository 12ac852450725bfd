"""What is to be done about messages: turns, deliveries, what failed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from bot.domain.message import DeliveryState
from bot.store.tables.schema import ERROR_SAID, Moment, metadata, one_of

turn = Table(
    "turn",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("conversation_id", ForeignKey("conversation.id"), nullable=False),
    Column("done", Boolean, nullable=False, server_default="false"),
    Column("action", Text, comment="Null while pending, and when a human had the conversation."),
    Column("reason", Text),
    Column("topic", Text),
    Column("ranking", JSONB),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("done_at", Moment),
    Column(
        "version",
        Integer,
        nullable=False,
        server_default="0",
        comment="Grows when the message gets its first words by a later part.",
    ),
)
Index("ix_turn_pending", turn.c.created_at, postgresql_where=text("not done"))

delivery = Table(
    "delivery",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("contact_id", ForeignKey("contact.id"), nullable=False),
    Column("state", Text, nullable=False, server_default=DeliveryState.PENDING.value),
    Column(
        "external_ids",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="The platform's ids of the parts that are with the customer, in order.",
    ),
    Column("placed", Integer, nullable=False, server_default="0", comment="How many of them show the current text."),
    Column("leftover", JSONB, nullable=False, server_default="[]", comment="Parts that are to be taken back."),
    Column("version", Integer, nullable=False, server_default="0", comment="Grows with every edit and deletion."),
    Column("sends", Integer, nullable=False, server_default="0", comment="How many parts were ever sent."),
    Column("in_doubt", Boolean, nullable=False, server_default="false", comment="The end of a send is not known."),
    Column("repeats", Integer, nullable=False, server_default="0", comment="How many tries began in doubt."),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Moment, nullable=False, server_default=func.now()),
    Column("error", Text),
    Column("error_said", JSONB(none_as_null=True), comment=ERROR_SAID),
    Column("sent_at", Moment),
    Column("retried_at", Moment, comment="When an agent last had it tried again."),
    Column(
        "receipts",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="By part: when the platform says that it was delivered, read, or failed after all.",
    ),
    Column("delivered_at", Moment, comment="When all parts were, where the platform tells."),
    Column("read_at", Moment, comment="When the customer had seen all parts, where the platform tells."),
    one_of("state", DeliveryState),
)
Index("ix_delivery_contact", delivery.c.contact_id, delivery.c.message_id)
Index("ix_delivery_pending", delivery.c.next_attempt_at, postgresql_where=text("state = 'pending'"))

failure = Table(
    "failure",
    metadata,
    Column("task", Text, primary_key=True),
    Column("message_id", ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False, comment="Its kind and place, never its words."),
    Column("first_at", Moment, nullable=False, server_default=func.now()),
    Column("last_at", Moment, nullable=False, server_default=func.now()),
    Column("set_aside_at", Moment, comment="Null while it is still tried."),
    comment="Work that failed by its own fault: how often, and whether it is a dead letter.",
)
