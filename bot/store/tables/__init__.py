"""The tables. Every read and write of them is a method of ``Store``."""

from __future__ import annotations

from bot.store.tables.channels import channel_status, connector_memory, lease
from bot.store.tables.contacts import contact, contact_link
from bot.store.tables.conversations import (
    conversation,
    file,
    message,
    message_cursor,
    message_part,
    message_version,
)
from bot.store.tables.events import event
from bot.store.tables.schema import Moment, metadata
from bot.store.tables.staff import agent, agent_seen, rate_limit, session, sign_in
from bot.store.tables.uploads import upload
from bot.store.tables.work import delivery, failure, turn

__all__ = [
    "Moment",
    "agent",
    "agent_seen",
    "channel_status",
    "connector_memory",
    "contact",
    "contact_link",
    "conversation",
    "delivery",
    "event",
    "failure",
    "file",
    "lease",
    "message",
    "message_cursor",
    "message_part",
    "message_version",
    "metadata",
    "rate_limit",
    "session",
    "sign_in",
    "turn",
    "upload",
]
