"""Files that visitors send: each is brought by itself, and then named by the message that it goes with.

    POST /chat/uploads/<id>   the bytes of one file; what it is called in Switchboard-File-Name, percent-encoded

The page makes the id, and brings a file again under the same one where its line was cut. What a file is, its content
says; its name and the type that is claimed are never believed. Strangers choose these bytes: how many they are is
bounded before any is read, for one visitor and for all together.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote
from uuid import UUID

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bot import monotonic
from bot.domain.conversation import NotFound
from bot.domain.message import Attachment
from bot.domain.said import fault
from bot.domain.uploads import DailyBounds, OtherContent, Upload, UploadsFull
from bot.ports import Health
from bot.ports import Uploads as Kept
from bot.web.media import PICTURES, kind_of, media_type_of, safe_name
from connectors.web.bounds import FileBounds
from connectors.web.description import UPLOADED, Uploaded, refusals
from connectors.web.refused import PRIVATE, Refused

log = structlog.get_logger(__name__)

NAME = "Switchboard-File-Name"
_AT_ONCE = 3
"""Uploads of one visitor that come in at the same time. A page brings one after the other; there may be two pages, and
uploads whose line was cut unnoticed."""
_WRITTEN_AT_ONCE = 2
"""Files that are written at the same time: each is in memory several times meanwhile."""
_STRANGERS = 0.25
"""Of what all may bring in a day: the share of visitors who have not written yet, so that cookies made by the thousand
keep no customer from sending a file."""
_LATER = 3600
"""Seconds after which to ask again whether there is room: what was brought counts for a day."""
_TELL = 60.0
"""Seconds between two lines of the log about it."""


class Uploads:
    """The route, and what messages name of it."""

    def __init__(
        self,
        kept: Kept,
        bounds: FileBounds,
        *,
        channel: tuple[str, str],
        author: Callable[[Request], Awaitable[str]],
        known: Callable[[str], Awaitable[bool]],
        health: Health,
    ) -> None:
        """``author`` says which contact asks, or raises ``Refused``; ``known`` whether a contact has written."""
        self._kept = kept
        self._bounds = bounds
        self._channel, self._account = channel
        self._author = author
        self._known = known
        self._health = health
        self._coming: Counter[str] = Counter()
        """Uploads that come in now, by contact."""
        self._told = -_TELL
        self._writing = asyncio.Semaphore(_WRITTEN_AT_ONCE)

    def router(self, route_class: type[APIRoute]) -> APIRouter:
        """``route_class`` answers ``Refused``."""
        router = APIRouter(route_class=route_class)

        @router.post(
            "/uploads/{upload_id}",
            status_code=201,
            response_model=Uploaded,
            responses=refusals(400, 401, 403, 409, 411, 413, 422, 429, 503),
            openapi_extra={"requestBody": UPLOADED},
        )
        async def upload(request: Request, upload_id: str) -> Response:
            kept = await self._take(request, upload_id)
            said = Uploaded(id=kept.reference, name=kept.name, size=kept.size or 0, picture=kept.media_type in PICTURES)
            return JSONResponse(said.model_dump(), 201, PRIVATE)

        return router

    async def attached(self, contact: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """The files of a message, by the ids under which this contact brought them."""
        if len(ids) > self._bounds.most:
            raise Refused(422, "too_many_files")
        if not ids:
            return ()
        try:
            return await self._kept.named(self._channel, self._account, contact, ids)
        except NotFound:
            raise Refused(422, "no_upload") from None
        except Exception as error:
            raise self._failed(error) from error

    async def _take(self, request: Request, upload_id: str) -> Attachment:
        """Keeps a file. When this returns, it is committed."""
        contact = await self._author(request)
        upload_id = _uuid(upload_id)
        if not self._bounds.most:
            raise Refused(403, "no_files")
        size = _announced(request)
        if not size:
            raise Refused(422, "file_empty")
        if size > self._bounds.size:
            raise Refused(413, "file_too_large")
        with self._one_more(contact):
            try:
                return await self._keep(request, contact, upload_id, size)
            except Refused:
                raise
            except UploadsFull as full:
                raise self._full(full) from None
            except OtherContent:
                raise Refused(409, "malformed", "another file was brought under this id: use a new one") from None
            except Exception as error:
                raise self._failed(error) from error

    async def _keep(self, request: Request, contact: str, upload_id: str, size: int) -> Attachment:
        share = 1 if await self._known(contact) else _STRANGERS
        bounds = DailyBounds(self._bounds.of_one, int(self._bounds.of_all * share))
        await self._kept.admit(self._channel, self._account, contact, size, bounds)
        content = await _content(request, size)
        async with self._writing:
            brought = _brought(request, upload_id, content)
            return await self._kept.add(self._channel, self._account, contact, brought, content, bounds)

    @contextmanager
    def _one_more(self, contact: str) -> Iterator[None]:
        if self._coming[contact] >= _AT_ONCE:
            raise Refused(429, "too_fast", retry_after=1)
        self._coming[contact] += 1
        try:
            yield
        finally:
            self._coming[contact] -= 1
            if not self._coming[contact]:
                del self._coming[contact]

    def _full(self, full: UploadsFull) -> Refused:
        if not full.by_all:
            return Refused(429, "too_much_today", retry_after=_LATER)
        if monotonic.seconds() - self._told >= _TELL:
            self._told = monotonic.seconds()
            log.warning("visitors' files of a day have used up their room", action="web_uploads_full")
        self._health.trouble(
            fault(
                "customers can send no files for now: those of the last 24 hours have used up their room. If customers"
                " need more, raise channels.web.files_a_day_mb; if it is a flood, limit it in the proxy in front",
                "web.fault.uploads_full",
            )
        )
        return Refused(503, "no_room_for_files", retry_after=_LATER)

    def _failed(self, error: Exception) -> Refused:
        # Its words may hold a customer's, which never reach a log.
        kind = type(error).__name__
        log.error("a file was not kept; the page will bring it again", action="web_upload_failed", error=kind)
        self._health.trouble(
            fault(
                "a customer's file could not be kept ({kind}); the page brings it again. See the log.",
                "web.fault.not_kept",
                kind=kind,
            )
        )
        return Refused(503, "unavailable", retry_after=2)


def _uuid(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError:
        raise Refused(422, "malformed", "the id of an upload is a UUID") from None


def _announced(request: Request) -> int:
    """The size of the body; whoever does not announce it is not read."""
    announced = request.headers.get("content-length", "")
    if not (announced.isascii() and announced.isdecimal()):
        raise Refused(411, "malformed", "the size is missing: send Content-Length")
    return int(announced[:20])


async def _content(request: Request, size: int) -> bytes:
    """The body, which has no more bytes than the parser lets through: those that were announced."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
    except ClientDisconnect:
        raise Refused(400, "malformed", "the body is not complete") from None
    if len(content) != size:
        raise Refused(400, "malformed", "the body is not as long as announced")
    return bytes(content)


def _brought(request: Request, upload_id: str, content: bytes) -> Upload:
    media_type = media_type_of(content, request.headers.get("content-type", ""))
    name = safe_name(unquote(request.headers.get(NAME, ""), errors="replace"))
    return Upload(upload_id, kind_of(media_type), name, media_type)
