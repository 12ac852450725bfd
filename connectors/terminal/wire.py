"""What the desk and a terminal say to one another.

Both sides write JSON objects, one a line. The client begins:

    {"hello": {"after": 0, "name": "anna", "language": "zh"}}  how far it has read, who it is, and in which language
    {"id": "…", "text": "…"}                                   said
    {"id": "…", "button": "helped:yes", "label": "Yes"}        pressed

and the desk answers, besides with the transcript:

    {"message": {"cursor": 7, "revision": 7, "author": "bot", "text": "…", "format": "markdown", "buttons": […], …}}
    {"ready": {"after": 7, "name": "anna"}}                    what was before is history, what follows is news
    {"accepted": "…"}                                          recorded; the same id is recorded once
    {"refused": "…" | null, "why": "…", "again": false}        not recorded; where ``again``, worth another try

A message that was edited or deleted comes again, with the cursor that it had and a higher revision; of a deleted one
nothing comes of what it said.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from bot.domain.message import Author, Message
from bot.domain.secret import in_words

MAX_LINE = 64 * 1024
"""Bytes of one line."""


class Hello(BaseModel):
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")] = ""
    """Used only where the system does not tell who connects."""
    language: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9-]*$")] = ""
    """Of the terminal, as a tag: ``zh-CN``; empty where it has none."""


class Greeting(BaseModel):
    hello: Hello


class Said(BaseModel):
    id: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")]
    text: str = ""
    button: Annotated[str, Field(pattern=r"^[\w:.-]{1,64}$")] | None = None
    label: Annotated[str, Field(max_length=200)] = ""


def first_error(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}".removeprefix(": ")


def shown(message: Message, say: Callable[[str], str]) -> dict[str, Any]:
    """``say`` says a phrase in the customer's language."""
    deleted = message.deleted_at is not None
    return {
        "cursor": message.cursor,
        "revision": message.revision,
        "author": message.author.value,
        "text": "" if deleted else in_words(message.text, say),
        "format": message.format.value,
        "buttons": []
        if deleted
        else [{"label": button.label, "payload": button.payload} for button in message.buttons],
        "files": [] if deleted else [in_words(one.name, say) or one.kind for one in message.attachments],
        "time": message.created_at.isoformat(),
        "agent_name": message.agent_name,
        "external_id": message.external_id if message.author is Author.CUSTOMER else None,
        "edited": message.edited_at is not None,
        "deleted": deleted,
    }


async def put(writer: asyncio.StreamWriter, **said: Any) -> None:
    writer.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")
    await writer.drain()


async def lines_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Whole lines; None for one that is too long, of which nothing is kept."""
    too_long = False
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            too_long = True
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        else:
            yield None if too_long else line
            too_long = False
