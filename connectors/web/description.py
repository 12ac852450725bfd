"""What the routes take and answer, for the OpenAPI description of the desk. Nothing is served or checked by it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from connectors.web.messages import Said, Spoken

Responses = dict[int | str, dict[str, Any]]


class Taken(BaseModel):
    """A message is recorded, now or when it came first."""

    message_id: int


class Uploaded(BaseModel):
    """A file is kept, for a message that names it within a day."""

    id: str
    name: str
    size: int
    picture: bool


class Refusal(BaseModel):
    error: str
    """Its name, for the page."""
    message: str
    """For the visitor, in their language."""


class ShownButton(BaseModel):
    label: str
    payload: str


class ShownFile(BaseModel):
    index: int
    name: str
    size: int | None
    picture: bool


class ShownMessage(BaseModel):
    """``text`` of what people typed, ``html`` of what the desk writes: one of them."""

    cursor: int
    revision: int
    author: str
    text: str = ""
    html: str = ""
    buttons: list[ShownButton]
    files: list[ShownFile]
    time: str
    agent_name: str | None
    external_id: str | None
    edited: bool
    deleted: bool


class Shown(BaseModel):
    messages: list[ShownMessage]
    typing: bool = False
    """The assistant is writing; only of a poll that waited."""


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


def _whole(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with what it refers to in it: references would lead elsewhere in the description around it."""
    match schema:
        case {"$ref": str(name)}:
            return _whole(definitions[name.rpartition("/")[2]], definitions)
        case dict():
            return {key: _whole(value, definitions) for key, value in schema.items() if key != "$defs"}
        case list():
            return [_whole(value, definitions) for value in schema]
    return schema


def _body_of(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    return {
        "required": True,
        "content": {"application/json": {"schema": _whole(schema, schema.get("$defs", {}))}},
    }


SAID = _body_of(Said)
SPOKEN = _body_of(Spoken)

UPLOADED: dict[str, Any] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}

_REFUSED = {
    400: "The body is not complete.",
    401: "No visitor: the page at /chat gives the cookie.",
    403: "The request comes from another site's page.",
    404: "There is no such file in this conversation.",
    409: "Another file was brought under this id.",
    411: "The size of the file is not announced.",
    413: "The body is too large.",
    422: "The body says nothing that can be taken.",
    429: "Too many messages; Retry-After says when to come again.",
    503: "There is no room, or it could not be recorded; Retry-After says when to come again.",
}


def refusals(*statuses: int) -> Responses:
    return {status: {"model": Refusal, "description": _REFUSED[status]} for status in statuses}
