"""What customers brought for a message that they have not sent yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, func

from bot.store.tables.schema import Moment, metadata

upload = Table(
    "upload",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("contact", Text, primary_key=True),
    Column("upload_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=func.now(), index=True),
    comment="What customers brought for a message that they have not sent yet, for a day.",
)
