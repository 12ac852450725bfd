"""Files of a conversation, as answers to a browser.

Strangers choose these bytes. So nothing is ever shown as what it claims to be: a picture, a sound or a film by its
first bytes, and everything else is a download; and none of it may run, load or frame anything. A picture that would
have a browser stand still (``bot.web.pictures``) is a download, too. Browsers show in a page whatever has the bytes
of a picture, download or not: so pages ask for their pictures with ``?as=picture``, and get a picture or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from bot.web.headers import FILE_HEADERS
from bot.web.media import EXTENSIONS, HEAD, PICTURES, playable
from bot.web.pictures import is_shown

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The content, by its first bytes something to look at or listen to, or a download."},
    206: {"description": "The part of it that was asked for."},
    304: {"description": "The browser has it."},
    415: {"description": "It was asked for as a picture (``?as=picture``), and cannot be shown as one."},
}
"""For the OpenAPI description of a route that answers with a file."""


def unchanged(request: Request, sha256: str) -> Response | None:
    """The answer to a browser that has the content of this hash already; None for one that has not."""
    if _etag(sha256) not in request.headers.get("if-none-match", ""):
        return None
    return Response(status_code=304, headers=_headers(sha256))


def file_answer(
    request: Request,
    content: bytes,
    *,
    sha256: str,
    name: str,
    shown: Collection[str] = EXTENSIONS,
) -> Response:
    """The file, or the one part of it that was asked for. ``shown`` are the media types that the page shows; what has
    none of them by its content is a download. ``name`` is what it is saved as (``bot.web.media.named``)."""
    found = playable(content[:HEAD])
    media_type = found if found in shown and (found not in PICTURES or is_shown(content)) else None
    if media_type not in PICTURES and request.query_params.get("as") == "picture":
        return Response(status_code=415, headers=FILE_HEADERS)
    headers = _headers(sha256)
    placed = "inline" if media_type else "attachment"
    headers["Content-Disposition"] = f"{placed}; filename*=UTF-8''{quote(name, safe='')}"
    wanted = _range(request.headers.get("range", ""), len(content))
    if wanted is not None:
        # Players of sounds and films jump by asking for a part.
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
        content = content[wanted.start : wanted.stop]
    status = 200 if wanted is None else 206
    return Response(content, status, headers, media_type=media_type or "application/octet-stream")


def _etag(sha256: str) -> str:
    return f'"{sha256}"'


def _headers(sha256: str) -> dict[str, str]:
    return FILE_HEADERS | {"ETag": _etag(sha256), "Accept-Ranges": "bytes"}


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
