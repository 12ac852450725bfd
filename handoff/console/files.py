"""The content of attachments, for agents who are signed in.

Customers choose these bytes. So nothing is ever shown as what it claims to be: a picture, a sound or a film by its
first bytes, and everything else is a download; and none of it may run, load or frame anything.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.conversation import NotFound
from handoff.console.context import Here, MessageId, SignedIn
from handoff.console.media import HEAD, named, playable

Index = Annotated[int, Path(ge=0, le=1000)]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

router = APIRouter()


@router.get(
    "/files/{message_id}/{index}",
    response_class=Response,
    responses={
        200: {"description": "The content, by its first bytes a picture, a sound, a film, or a download."},
        206: {"description": "The part of it that was asked for."},
        304: {"description": "The browser has it."},
    },
)
async def file(request: Request, here: Here, _: SignedIn, message_id: MessageId, index: Index) -> Response:
    attachment = await here.store.files.attached(message_id, index)
    if not attachment.sha256:
        raise NotFound("the content of this attachment is not here")
    headers = {
        "ETag": f'"{attachment.sha256}"',
        # Kept by the browser, and asked for anew: who was signed out sees nothing.
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Accept-Ranges": "bytes",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = await here.store.files.get(attachment.sha256)
    media_type = playable(content[:HEAD])
    name = named(attachment.name, attachment.kind, media_type)
    headers["Content-Disposition"] = (
        f"{'inline' if media_type else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"
    )
    wanted = _range(request.headers.get("range", ""), len(content))
    if wanted is not None:
        # Players of sounds and films jump by asking for a part.
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
        content = content[wanted.start : wanted.stop]
    return Response(
        content,
        206 if wanted is not None else 200,
        headers,
        media_type=media_type or "application/octet-stream",
    )


def _range(asked: str, size: int) -> range | None:
    """The one part asked for; None for all of it, which is also the answer to what makes no sense."""
    match = _RANGE.fullmatch(asked)
    if match is None or not any(match.groups()):
        return None
    if not match[1]:
        part = range(max(0, size - int(match[2])), size)
    else:
        part = range(int(match[1]), min(int(match[2]) + 1 if match[2] else size, size))
    return part if part else None
