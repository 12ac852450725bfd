"""Database rows ↔ the words of ``bot.domain``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row

from bot.domain import context as contexts
from bot.domain.conversation import Contact, Conversation, ConversationState, EscalationReason, Priority
from bot.domain.dialogue import from_json
from bot.domain.engine import Prediction
from bot.domain.forms import Detail, Kind
from bot.domain.history import Actor, ActorKind, EventKind, HistoryEvent
from bot.domain.message import (
    Attachment,
    Author,
    Button,
    Command,
    DeliveryState,
    Incoming,
    Message,
    MessageFormat,
    MessageVersion,
    Visibility,
)
from bot.domain.operations import DeliveryInput, TurnInput
from bot.domain.said import Fault, fault_of, said_of
from bot.domain.secret import from_json as removed_from_json
from bot.domain.staff import Agent, Role, Session


def to_json(parts: Iterable[Button | Attachment]) -> list[dict[str, Any]]:
    return [_attachment_to_json(part) if isinstance(part, Attachment) else asdict(part) for part in parts]


def _attachment_to_json(part: Attachment) -> dict[str, Any]:
    return asdict(replace(part, problem=None)) | {"problem": problem_to_json(part.problem)}


def problem_to_json(problem: Fault | None) -> str | dict[str, Any]:
    """Empty for none."""
    return problem.kept if problem else ""


def attachment(stored: Mapping[str, Any]) -> Attachment:
    return Attachment(**{**stored, "problem": fault_of(stored.get("problem"))})


def error(words: str | None, said: Mapping[str, Any] | None) -> Fault | None:
    """From the columns ``error`` and ``error_said``. The second is of another error where its words are others: what
    ends an error need not touch it, nor a replica that is older than the column."""
    if words is None:
        return None
    told = fault_of(said)
    return told if told and told.words == words else Fault(words)


def error_columns(error: Fault) -> dict[str, Any]:
    return {"error": error.words, "error_said": error.kept if error.said else None}


def payload(incoming: Incoming, edit: str | None = None) -> dict[str, str] | None:
    """What ``message.payload`` holds; ``edit`` is the event that brought a message as an edit of one never seen."""
    if incoming.command is not None:
        return {"command": incoming.command.value, "argument": incoming.argument}
    if incoming.button is not None:
        return {"button": incoming.button}
    return None if edit is None else {"edit": edit}


def ranking(prediction: Prediction) -> list[tuple[str, float]]:
    """The best of it, as ``turn.ranking`` holds it."""
    return [(ranked.name, ranked.confidence) for ranked in prediction.ranking[:10]]


def buttons(stored: list[dict[str, Any]]) -> tuple[Button, ...]:
    return tuple(Button(**button) for button in stored)


def agent(row: Row[Any]) -> Agent:
    return Agent(
        row.id,
        row.name,
        Role(row.role),
        row.password_hash is not None,
        public_name=row.public_name,
        disabled_at=row.disabled_at,
        seen_at=row.seen_at,
        locale=row.locale,
    )


def session(row: Row[Any]) -> Session:
    return Session(row.created_at, row.expires_at, row.by_link, row.address, row.browser)


def contact(row: Any) -> Contact:
    """From a row whose contact columns carry the prefix ``contact_``."""
    return Contact(
        id=row.contact_id,
        channel=row.contact_channel,
        account=row.contact_account,
        external_id=row.contact_external_id,
        chat_id=row.contact_chat_id,
        name=row.contact_name,
        language=row.contact_language,
        # What the bot and the outbox read of a contact is without it.
        given_name=getattr(row, "contact_given_name", None),
    )


def contact_of(row: Row[Any]) -> Contact:
    """From a row of the contact table."""
    return Contact(
        row.id, row.channel, row.account, row.external_id, row.chat_id, row.name, row.language, row.given_name
    )


class Prefixed:
    """The columns of a row whose names begin with ``prefix``, by the rest of their names."""

    def __init__(self, row: Any, prefix: str) -> None:
        self._row, self._prefix = row, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, self._prefix + name)


def conversation(row: Row[Any]) -> Conversation:
    """From a row of ``Store``'s conversation query: contact and agent columns carry their prefixes."""
    its_agent = None
    if row.agent_id is not None:
        its_agent = Agent(
            row.agent_id,
            row.agent_name,
            Role(row.agent_role),
            row.agent_has_password,
            public_name=row.agent_public_name,
            disabled_at=row.agent_disabled_at,
            seen_at=row.agent_seen_at,
        )
    return conversation_of(row, contact(row), its_agent)


def conversation_of(row: Any, contact: Contact, agent: Agent | None) -> Conversation:
    """From a row of the conversation table."""
    return Conversation(
        id=row.id,
        contact=contact,
        state=ConversationState(row.state),
        priority=Priority(row.priority),
        agent=agent,
        language=row.language,
        reason=None if row.reason is None else EscalationReason(row.reason),
        topic=row.topic,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        queued_at=row.queued_at,
        resolved_at=row.resolved_at,
        waiting_since=row.waiting_since,
        last_agent_id=row.last_agent_id,
        snoozed_until=row.snoozed_until,
        thread=row.thread,
        subject=row.subject,
        dialogue=from_json(row.dialogue),
        details=details(row.details),
        generation=row.generation,
    )


def details_to_json(found: Iterable[Detail]) -> list[dict[str, Any]]:
    """Where in a message each was found is not kept."""
    return [
        {"kind": one.kind.value, "value": one.value}
        | ({"chains": list(one.chains)} if one.chains else {})
        | ({} if one.valid else {"valid": False})
        | ({} if one.minutes is None else {"minutes": one.minutes})
        for one in found
    ]


def details(kept: Iterable[Mapping[str, Any]]) -> tuple[Detail, ...]:
    return tuple(
        Detail(
            Kind(one["kind"]),
            one["value"],
            0,
            0,
            tuple(one.get("chains", ())),
            one.get("valid", True),
            one.get("minutes"),
        )
        for one in kept
        if one["kind"] in set(Kind)
    )


def event(row: Row[Any]) -> HistoryEvent:
    return HistoryEvent(
        EventKind(row.kind),
        Actor(ActorKind(row.actor), row.actor_id),
        row.conversation_id,
        row.agent_id,
        row.data,
        row.address,
        row.id,
        row.at,
    )


def message(row: Any, versions: Iterable[MessageVersion] = ()) -> Message:
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        author=Author(row.author),
        visibility=Visibility(row.visibility),
        text=row.text,
        format=MessageFormat(row.format),
        created_at=row.created_at,
        buttons=buttons(row.buttons),
        attachments=tuple(map(attachment, row.attachments)),
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        agent_public_name=row.agent_public_name,
        external_id=row.external_id,
        edited_at=row.edited_at,
        deleted_at=row.deleted_at,
        versions=tuple(versions),
        delivery=None if row.delivery_state is None else DeliveryState(row.delivery_state),
        delivery_error=error(row.delivery_error, row.delivery_error_said),
        delivered_at=row.delivery_delivered_at,
        read_at=row.delivery_read_at,
        cursor=row.cursor,
        revision=row.revision or row.cursor,
        reply_to=row.reply_to,
        submission=row.submission,
        held_until=row.held_until,
        said=said_of(row.payload),
        context=contexts.from_json(row.context),
        removed=removed_from_json(row.removed),
    )


def version(row: Any) -> MessageVersion:
    attachments = None if row.attachments is None else tuple(map(attachment, row.attachments))
    return MessageVersion(row.text, row.replaced_at, attachments, contexts.from_json(row.context), row.id)


def turn(row: Any, conversation: Conversation, last_buttons: tuple[Button, ...] = (), *, version: int = 0) -> TurnInput:
    """From a row of a message."""
    payload: Mapping[str, str] = row.payload or {}
    return TurnInput(
        message=message(row),
        conversation=conversation,
        command=Command(payload["command"]) if "command" in payload else None,
        argument=payload.get("argument", ""),
        button=payload.get("button"),
        last_buttons=last_buttons,
        version=version,
    )


def may_be_number(text: str) -> bool:
    """Whether a customer's words may be the number of a button of the bot's last message."""
    return len(text.strip()) == 1


def new_turn(row: Any) -> TurnInput | None:
    """From the row of ``RECEIVE``; None where more must be read: who has the conversation, or the last buttons."""
    if row.conversation_state != ConversationState.BOT or may_be_number(row.text):
        return None
    return turn(row, conversation_of(Prefixed(row, "conversation_"), contact(row), None))


def delivery(
    row: Any,
    message: Message,
    contact: Contact,
    *,
    in_doubt: bool = False,
    answered: str | None = None,
    after: str | None = None,
    thread: str = "",
) -> DeliveryInput:
    """From a row whose columns of the delivery, which was begun, carry the prefix ``delivery_``. ``in_doubt``: before
    that; ``answered``: the platform's id of the message that it answers; ``thread``: of its conversation."""
    return DeliveryInput(
        message=message,
        contact=contact,
        external_ids=tuple(row.delivery_external_ids),
        placed=row.delivery_placed,
        leftover=tuple(row.delivery_leftover),
        version=row.delivery_version,
        attempts=row.delivery_attempts,
        sends=row.delivery_sends,
        in_doubt=in_doubt,
        retried_at=row.delivery_retried_at,
        reply_to=answered,
        after=after,
        thread=thread,
    )
