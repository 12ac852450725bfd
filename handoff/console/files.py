"""The content of attachments, for agents who are signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.conversation import NotFound
from bot.web.files import ANSWERS, file_answer, unchanged
from bot.web.media import HEAD, named, playable
from handoff.console.context import CurrentConsole, MessageId, SignedIn

Index = Annotated[int, Path(ge=0, le=1000)]
Version = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
"""Of an edited message, as it was then."""

router = APIRouter()


@router.get("/files/{message_id}/{index}", response_class=Response, responses=ANSWERS)
async def file(
    request: Request,
    console: CurrentConsole,
    _: SignedIn,
    message_id: MessageId,
    index: Index,
    version: Version = None,
) -> Response:
    attachment = await console.store.files.attached(message_id, index, version=version)
    sha256 = attachment.sha256
    if not sha256:
        raise NotFound("the content of this attachment is not here")
    if known := unchanged(request, sha256):
        return known
    content = await console.store.files.get(sha256)
    name = named(attachment.name, attachment.kind, playable(content[:HEAD]))
    return file_answer(request, content, sha256=sha256, name=name)
