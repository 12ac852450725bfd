"""Files of the conversation, as answers to a browser."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from bot.domain.message import File
from connectors.pictures import picture_type

_HEADERS = {
    # Kept by the browser and asked for anew: what was taken back is shown no more.
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def file_response(request: Request, file: File) -> Response:
    """A picture by its first bytes to look at, and anything else, whatever it claims to be, to save."""
    headers = _HEADERS | {"ETag": f'"{hashlib.sha256(file.content).hexdigest()}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    picture = picture_type(file.content)
    headers["Content-Disposition"] = (
        f"{'inline' if picture else 'attachment'}; filename*=UTF-8''{quote(file.name or 'file', safe='')}"
    )
    return Response(file.content, headers=headers, media_type=picture or "application/octet-stream")
