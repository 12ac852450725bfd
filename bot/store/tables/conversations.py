"""Conversations, their messages and files."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from bot.domain.conversation import ConversationState
from bot.domain.message import Author, MessageFormat, Visibility
from bot.store.tables.schema import Moment, metadata, one_of

file = Table(
    "file",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column(
        "found",
        JSONB(none_as_null=True),
        comment="What the search for secrets found in it; null where nobody searched.",
    ),
    comment="What customers and agents attach, by content: platforms' links expire.",
)

conversation = Table(
    "conversation",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contact_id", ForeignKey("contact.id"), nullable=False, index=True),
    Column("state", Text, nullable=False, server_default=ConversationState.BOT.value),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("agent_id", ForeignKey("agent.id")),
    Column("language", Text),
    Column("reason", Text),
    Column("topic", Text),
    Column(
        "dialogue",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="What the bot has open with the customer; what is not in it is as in a new conversation.",
    ),
    Column(
        "details",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="Hashes, addresses, amounts …, as the customer told them: kind, value, and the chains that it fits.",
    ),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("opened_at", Moment, nullable=False, server_default=func.now()),
    Column("updated_at", Moment, nullable=False, server_default=func.now()),
    Column("queued_at", Moment),
    Column("resolved_at", Moment),
    Column("waiting_since", Moment, comment="Since when the customer waits for an answer of a person."),
    Column("last_agent_id", ForeignKey("agent.id"), comment="Who had it last, or has it."),
    Column(
        "thread",
        Text,
        nullable=False,
        server_default="",
        comment="The platform's word for one of several with a contact; empty for a chat.",
    ),
    Column("subject", Text, comment="What the customer called it, where they did."),
    Column("snoozed_until", Moment, comment="Laid aside by its agent until then."),
    one_of("state", ConversationState),
    CheckConstraint("(state = 'assigned') = (agent_id is not null)", name="assigned_has_agent"),
)
Index(
    "uq_conversation_open",
    conversation.c.contact_id,
    conversation.c.thread,
    unique=True,
    postgresql_where=text("state <> 'resolved'"),
)
Index(
    "ix_conversation_queue",
    conversation.c.priority.desc(),
    conversation.c.queued_at,
    conversation.c.id,
    postgresql_where=text("state = 'queued'"),
)
Index("ix_conversation_waiting", conversation.c.waiting_since, postgresql_where=text("waiting_since is not null"))
Index("ix_conversation_snoozed", conversation.c.snoozed_until, postgresql_where=text("snoozed_until is not null"))
Index("ix_conversation_agent", conversation.c.agent_id, postgresql_where=text("agent_id is not null"))
Index("ix_conversation_updated", conversation.c.updated_at.desc(), conversation.c.id.desc())
Index("ix_conversation_state", conversation.c.state, conversation.c.updated_at.desc(), conversation.c.id.desc())
Index("ix_conversation_topic", conversation.c.topic, conversation.c.updated_at.desc(), conversation.c.id.desc())
Index("ix_conversation_language", conversation.c.language, conversation.c.updated_at.desc(), conversation.c.id.desc())
Index(
    "ix_conversation_urgent",
    conversation.c.id,
    postgresql_where=text("priority = 2 and state <> 'resolved'"),
)

message_cursor = Sequence("message_cursor", metadata=metadata)
"""Numbers messages in the order in which the customer gets to see them (see ``message.cursor``)."""

message = Table(
    "message",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("conversation_id", ForeignKey("conversation.id"), nullable=False),
    Column("contact_id", ForeignKey("contact.id"), nullable=False),
    Column("author", Text, nullable=False),
    Column("visibility", Text, nullable=False, server_default=Visibility.PUBLIC.value),
    Column("text", Text, nullable=False),
    Column("format", Text, nullable=False, server_default=MessageFormat.TEXT.value),
    Column("buttons", JSONB, nullable=False, server_default="[]"),
    Column("attachments", JSONB, nullable=False, server_default="[]"),
    Column(
        "payload",
        JSONB(none_as_null=True),
        comment="A customer's command, pressed button, or the edit that it came by.",
    ),
    Column("agent_id", ForeignKey("agent.id")),
    Column("external_id", Text, comment="The platform's id of what a customer sent."),
    Column("cursor", BigInteger, comment="Order in which the customer saw it; null until then."),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("sent_at", Moment, comment="The platform's clock, for what customers send."),
    Column("edited_at", Moment),
    Column("deleted_at", Moment, comment="Taken back by its author; the text is kept."),
    Column("reply_to", ForeignKey("message.id"), comment="The message that this one answers."),
    Column("revision", BigInteger, comment="The cursor of a later change that the customer gets to see."),
    Column("submission", Text, comment="The id under which an agent's page sent it."),
    Column("held_until", Moment, comment="Nothing of it reaches the customer before; null once it is let go."),
    Column(
        "context",
        JSONB(none_as_null=True),
        comment="Whose words it passes on, what it quotes, where its links lead, and what has no words; null for none.",
    ),
    Column("album", Text, comment="The platform's id of the album that it is; its parts are in message_part."),
    Column(
        "removed", JSONB(none_as_null=True), comment="Secrets it held: by kind, whether that is sure. Null for none."
    ),
    one_of("author", Author),
    one_of("visibility", Visibility),
    one_of("format", MessageFormat),
)
Index(
    "ix_message_attachments",
    message.c.attachments,
    postgresql_using="gin",
    postgresql_ops={"attachments": "jsonb_path_ops"},
    postgresql_where=text("attachments <> '[]'"),
)
Index(
    "uq_message_submission",
    message.c.submission,
    unique=True,
    postgresql_where=text("submission is not null"),
)
Index(
    "ix_message_album",
    message.c.contact_id,
    message.c.album,
    postgresql_where=text("album is not null"),
)
Index("ix_message_held", message.c.held_until, postgresql_where=text("held_until is not null"))
Index("ix_message_conversation", message.c.conversation_id, message.c.id)
Index("uq_message_external", message.c.contact_id, message.c.external_id, unique=True)
Index(
    "ix_message_seen",
    message.c.contact_id,
    func.coalesce(message.c.revision, message.c.cursor),
    postgresql_where=text("cursor is not null"),
)

message_version = Table(
    "message_version",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", ForeignKey("message.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("text", Text, nullable=False, comment="What the edit replaced."),
    Column(
        "attachments",
        JSONB(none_as_null=True),
        comment="As they were then; null where an agent edited.",
    ),
    Column("context", JSONB(none_as_null=True), comment="As of message."),
    Column("replaced_at", Moment, nullable=False, server_default=func.now()),
    UniqueConstraint("message_id", "external_id"),
)
Index(
    "ix_message_version_attachments",
    message_version.c.attachments,
    postgresql_using="gin",
    postgresql_ops={"attachments": "jsonb_path_ops"},
    postgresql_where=text("attachments is not null"),
)

message_part = Table(
    "message_part",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", ForeignKey("message.id"), nullable=False, index=True),
    Column("contact_id", ForeignKey("contact.id"), nullable=False),
    Column("external_id", Text, nullable=False, comment="The platform's id of the part."),
    Column("text", Text, nullable=False),
    Column("attachments", JSONB, nullable=False, comment="What it brought; message has them with their content."),
    Column("context", JSONB(none_as_null=True), comment="As of message."),
    Column("edited_at", Moment),
    Column("deleted_at", Moment),
    UniqueConstraint("contact_id", "external_id"),
    comment="The parts of albums: what the platform sends as several messages is one at the desk.",
)
