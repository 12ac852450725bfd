"""What the page sends, and what it is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from bot.domain.message import Author, Message, MessageFormat
from bot.web.markdown import to_html
from bot.web.media import PICTURES
from connectors.fields import storable

# --- in ------------------------------------------------------------------------------------------


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _payload(value: str) -> str:
    if len(value.encode()) > 64:
        raise ValueError("a payload has at most 64 bytes")
    return value


def _once(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


class Pressed(BaseModel):
    """A pressed button."""

    payload: Annotated[str, BeforeValidator(_storable), AfterValidator(_payload), Field(min_length=1)]
    label: Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=200)]


class Said(BaseModel):
    """The body of ``POST /chat/messages``: a text, files, or both; or a pressed button."""

    id: UUID
    """Made by the page, the same at every retry."""
    text: Annotated[str, BeforeValidator(_storable), AfterValidator(str.strip)] = ""
    button: Pressed | None = None
    files: Annotated[list[UUID], AfterValidator(_once), Field(max_length=100)] = Field(default_factory=list)
    """Uploads of this visitor, each once."""

    @model_validator(mode="after")
    def _alone(self) -> Said:
        if self.button and self.files:
            raise ValueError("a pressed button brings no files")
        return self


class Spoken(BaseModel):
    """The body of ``POST /chat/language``."""

    language: Annotated[str, Field(min_length=1, max_length=35)]
    """As ``lang`` of the page's address."""


# --- out -----------------------------------------------------------------------------------------


def shown(message: Message) -> dict[str, Any]:
    """A message of the transcript as the page gets it: ``html`` for the desk's own Markdown, ``text`` for what
    people typed, never both; of a message that was taken back neither, nor anything else that it said."""
    return {
        "cursor": message.cursor,
        "revision": message.revision,
        "author": message.author.value,
        **(_said(message) if message.deleted_at is None else {"text": "", "buttons": [], "files": []}),
        "time": message.created_at.isoformat(),
        "agent_name": message.agent_name,
        # The page knows its own messages by it; what the desk's messages are called is no visitor's business.
        "external_id": message.external_id if message.author is Author.CUSTOMER else None,
        "edited": message.edited_at is not None,
        "deleted": message.deleted_at is not None,
    }


def _said(message: Message) -> dict[str, Any]:
    typed = message.author in (Author.CUSTOMER, Author.AGENT) or message.format is MessageFormat.TEXT
    return {
        **({"text": message.text} if typed else {"html": to_html(message.text)}),
        "buttons": [{"label": button.label, "payload": button.payload} for button in message.buttons],
        "files": [
            {
                "index": index,
                "name": attachment.name,
                "size": attachment.size,
                # Only what the page tries: what the file is, its content tells when it is asked for.
                "picture": attachment.media_type in PICTURES,
            }
            for index, attachment in enumerate(message.attachments)
            if attachment.sha256
        ],
    }


def events(messages: Sequence[Message]) -> str:
    """Messages that were read together, as server-sent events in the order of the conversation.

    Only the last one has an id, behind which a reconnecting browser goes on: an edited message stands before older
    news, and who broke off behind it would miss those.
    """
    ordered = sorted(messages, key=lambda message: message.cursor or 0)
    read = max((message.revision or 0 for message in messages), default=0)
    return "".join(
        (f"id: {read}\n" if message is ordered[-1] else "")
        + f"data: {json.dumps(shown(message), ensure_ascii=False)}\n\n"
        for message in ordered
    )
