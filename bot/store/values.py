"""The words of ``bot.domain`` → the values of ``statements``, by name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from bot.domain.conversation import Conversation
from bot.domain.decision import Decision, transition
from bot.domain.details import merged
from bot.domain.engine import Prediction
from bot.domain.message import Attachment, Author, Button, Cleared, ClearedIncoming, MessageFormat
from bot.domain.operations import DeliveryInput, TurnInput
from bot.domain.secret import to_json as removed_to_json
from bot.queue import delivery_priority
from bot.store import rows

Values = dict[str, Any]


def received(incoming: ClearedIncoming, *, edit: str | None = None) -> Values:
    """Of ``UPSERT_CONTACT``, ``TAKE_CONTACT`` and ``RECEIVE``; ``edit`` as for ``rows.payload``."""
    payload = rows.payload(incoming, edit)
    context = incoming.context.as_json
    return {
        "channel": incoming.channel,
        "account": incoming.account,
        "sender": incoming.sender.external_id,
        "chat_id": incoming.chat_id,
        "name": incoming.sender.name,
        "language": incoming.sender.language,
        "mark": incoming.mark,
        "thread": incoming.thread,
        "external_id": incoming.external_id,
        "text": incoming.text,
        "attachments": Jsonb(rows.to_json(incoming.attachments)),
        "payload": None if payload is None else Jsonb(payload),
        "reply_to": None,
        "sent_at": incoming.sent_at,
        "edited_at": incoming.edited_at,
        "opened_by": "",
        "context": None if context is None else Jsonb(context),
        "album": incoming.group or None,
        "removed": None if not incoming.removed else Jsonb(removed_to_json(incoming.removed)),
    }


def turned(taken: TurnInput, decision: Decision, language: str | None, prediction: Prediction | None) -> Values:
    """Of ``END_TURN``."""
    conversation = taken.conversation
    after = transition(conversation.dialogue, decision, taken.message.id)
    return {
        "turn": taken.message.id,
        "turn_version": taken.version,
        "conversation": conversation.id,
        "contact": conversation.contact.id,
        "generation": conversation.generation,
        "state": conversation.state.value,
        "action": decision.action.value,
        "reason": decision.reason and decision.reason.value,
        "turn_topic": decision.topic or decision.about,
        "ranking": None if prediction is None else Jsonb(rows.ranking(prediction)),
        "language": language,
        "dialogue": Jsonb(after.as_json),
        "details": Jsonb(rows.details_to_json(merged(conversation.details, decision.details))),
        "topic": decision.subject,
    }


def said(
    to: Conversation,
    author: Author,
    text: Cleared,
    format: MessageFormat,
    *,
    buttons: Iterable[Button] = (),
    attachments: Iterable[Attachment] = (),
    agent_id: int | None = None,
    reply_to: int | None = None,
    submission: str | None = None,
    held_for: timedelta | None = None,
    immediate: bool = False,
) -> Values:
    """Of ``SAY``. What is ``held_for`` a while has no job until a sweep releases it (``release_held``)."""
    return {
        "conversation": to.id,
        "contact": to.contact.id,
        "author": author.value,
        "text": text,
        "format": format.value,
        "buttons": Jsonb(rows.to_json(buttons)),
        "attachments": Jsonb(rows.to_json(attachments)),
        "agent": agent_id,
        "reply_to": reply_to,
        "submission": submission,
        "held_for": held_for or None,
        "immediate": immediate,
        "priority": delivery_priority(urgent=author is not Author.BOT),
    }


def sent(begun: DeliveryInput, index: int | None, external_id: str | None) -> Values:
    """Of ``SENT``, ``PART_SENT`` and ``PART_FOUND``."""
    return {
        "message": begun.message.id,
        "conversation": begun.message.conversation_id,
        "contact": begun.contact.id,
        "version": begun.version,
        "placed": None if index is None else index + 1,
        "new_ids": Jsonb([] if external_id is None else [external_id]),
    }
