"""The tables. Every read and write of them is a method of ``Store``."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bot.domain.channel import ChannelState
from bot.domain.conversation import ConversationState
from bot.domain.message import Author, DeliveryState, MessageFormat, Visibility
from bot.domain.staff import Role

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ERROR_SAID = "The error with the phrase that agents read of it; of another one where its words are not those in error."
Moment = DateTime(timezone=True)


def _one_of(column: str, values: type) -> CheckConstraint:
    names = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} in ({names})", name=column)


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
    _one_of("role", Role),
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
    _one_of("state", ChannelState),
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

file = Table(
    "file",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
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
    _one_of("state", ConversationState),
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
    Column("payload", JSONB, comment="A customer's command, pressed button, or the edit that it came by."),
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
    _one_of("author", Author),
    _one_of("visibility", Visibility),
    _one_of("format", MessageFormat),
)
Index(
    "uq_message_submission",
    message.c.submission,
    unique=True,
    postgresql_where=text("submission is not null"),
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
    Column("replaced_at", Moment, nullable=False, server_default=func.now()),
    UniqueConstraint("message_id", "external_id"),
)

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
    _one_of("state", DeliveryState),
)
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
    comment="What happened: every change of a conversation's state, and of who may sign in. Never changed.",
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

rate_limit = Table(
    "rate_limit",
    metadata,
    Column("key", Text, primary_key=True, comment="Which limit, of whom: hashes, no names and no addresses."),
    Column("hits", ARRAY(Moment), nullable=False, comment="When it was used, in order."),
    Column("expires_at", Moment, nullable=False, comment="When the row says nothing any more."),
    comment="What may happen only so often: sign-in attempts.",
)
Index("ix_rate_limit_expires", rate_limit.c.expires_at)
