"""Requests that are not taken, and what their visitor is told of it."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from connectors.web.page import Page

PRIVATE = {"Cache-Control": "no-store"}
MAX_BODY = 64 * 1024
"""Bytes of one POST."""


class Refused(Exception):
    """A request that is not taken. Without a ``detail``, ``error`` names the phrase that tells the visitor."""

    def __init__(self, status: int, error: str, detail: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.detail = detail
        self.retry_after = retry_after


async def body_of(request: Request) -> bytes:
    """The body, of which never more than ``MAX_BODY`` is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY:
        raise Refused(413, "too_large")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise Refused(413, "too_large")
    except ClientDisconnect:
        raise Refused(400, "malformed", "the body is not complete") from None
    return bytes(body)


def refusal(page: Page, request: Request, refused: Refused) -> Response:
    """The refusal in the visitor's language, as far as it concerns a visitor."""
    said = refused.detail or page.refusal(refused.error, page.locale(request))
    headers = dict(PRIVATE)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refused.error == "too_many_open":
        headers["Connection"] = "close"
    return JSONResponse({"error": refused.error, "message": said}, refused.status, headers)
