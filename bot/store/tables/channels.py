"""Channels: how they are, who runs them, what they remember."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from bot.domain.channel import ChannelState
from bot.store.tables.schema import ERROR_SAID, Moment, metadata, one_of

channel_status = Table(
    "channel_status",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", Moment, nullable=False, server_default=func.now()),
    Column("updated_at", Moment, nullable=False, server_default=func.now()),
    Column("last_received_at", Moment),
    Column("lag", Double, comment="Seconds from the customer's sending to the commit, of the last message."),
    Column("last_sent_at", Moment),
    Column("error", Text),
    Column("error_said", JSONB(none_as_null=True), comment=ERROR_SAID),
    Column("error_at", Moment),
    one_of("state", ChannelState),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False, comment="Grows with every term of any holder."),
    Column("holder", Text, nullable=False, comment="Host and process, for people."),
    Column("acquired_at", Moment, nullable=False, server_default=func.now()),
    Column("expires_at", Moment, nullable=False),
    comment="Who runs what only one replica may.",
)

connector_memory = Table(
    "connector_memory",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("updated_at", Moment, nullable=False, server_default=func.now()),
    comment="What a connector must know after a restart, in its own words: where a platform's stream goes on.",
)
