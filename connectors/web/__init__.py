"""Web chat: a page at ``/chat``, and the few routes it talks to.

    GET  /chat            the page; gives the visitor a cookie
    POST /chat/messages   {id, text, files} or {id, button: {payload, label}}, answered when it is recorded
    POST /chat/uploads/…  a file for a message to come: /its id (``connectors.web.uploads``)
    GET  /chat/messages   the transcript behind ?after=, once
    GET  /chat/events     the same as server-sent events, as it grows
    GET  /chat/files/…    a file of a message: /its cursor/its place, from 0

A visitor's page keeps what it could not send, and sends it again with the same id; the desk records an id once.
It knows messages by cursor, and reads by revision. Revisions grow with every message, edit and deletion: who goes on
behind the last one has missed nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Annotated
from uuid import uuid4

import structlog
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from structlog.typing import FilteringBoundLogger

from bot.domain.channel import Capabilities, Outgoing
from bot.domain.conversation import NotFound
from bot.domain.message import Button, Incoming, Message, Receipt, Sender, parse_command
from bot.domain.said import fault
from bot.ports import ConnectorContext, Health, NullHealth, Plugin, Receive, Streams, Transcript, Words
from bot.ports import Uploads as KeptUploads
from bot.web.files import ANSWERS as FILE
from bot.web.files import file_answer, unchanged
from bot.web.media import PICTURES
from bot.web.requests import is_same_origin
from bot.web.throttle import Throttle
from connectors.web.bounds import MB, FileBounds
from connectors.web.description import SAID, EventStream, Shown, Taken, refusals
from connectors.web.messages import Said, events, shown
from connectors.web.page import ASSETS, Page
from connectors.web.refused import PRIVATE, Refused, body_of, refusal
from connectors.web.uploads import Uploads
from connectors.web.visitors import (
    Known,
    Signals,
    contact_of,
    mark_of,
    token_for,
    token_of,
    welcome,
)

log: FilteringBoundLogger = structlog.get_logger(__name__)

_BURST = 20
_WINDOW = 10.0
"""A visitor may send ``_BURST`` messages in ``_WINDOW`` seconds."""
_FULL = 15
"""Seconds after which a page may ask again for an event stream; meanwhile it can read the transcript."""
_OPENING = "retry: 2000\n\n"
_TYPING = "event: typing\ndata: {}\n\n"
_ALIVE = "event: alive\ndata: {}\n\n"
"""An event rather than a comment: a page cannot hear comments, and tells by it a dead line from a silent desk."""

After = Annotated[int, Query(ge=0, lt=2**63)]
Cursor = Annotated[int, Path(ge=1, lt=2**63)]
Index = Annotated[int, Path(ge=0, le=1000)]


class WebSettings(BaseModel):
    """The section ``channels.web`` of ``config.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    max_length: int = Field(default=10_000, ge=1, le=10_000)
    """Characters that a visitor may send at once. More would not fit into ``MAX_BODY`` in every script."""
    max_files: int = Field(default=10, ge=0, le=10)
    """Files that a visitor may send with a message; with 0 none."""
    max_file_mb: int = Field(default=10, ge=1, le=25)
    """Megabytes of one file."""
    visitor_files_a_day_mb: int = Field(default=100, ge=1, le=10_000)
    """Megabytes that one visitor may send in files within 24 hours."""
    files_a_day_mb: int = Field(default=2_000, ge=1, le=1_000_000)
    """Megabytes that all visitors together may send in files within 24 hours; those who have not written yet, a quarter
    of it."""

    @model_validator(mode="after")
    def _one_fits(self) -> WebSettings:
        if self.visitor_files_a_day_mb < self.max_file_mb:
            raise ValueError("visitor_files_a_day_mb is less than max_file_mb: nobody could send the largest file")
        if self.files_a_day_mb < 4 * self.max_file_mb:
            raise ValueError("files_a_day_mb is less than four times max_file_mb: nobody could begin with a file")
        return self

    @property
    def files(self) -> FileBounds:
        """The same in bytes."""
        return FileBounds(
            self.max_files, self.max_file_mb * MB, self.visitor_files_a_day_mb * MB, self.files_a_day_mb * MB
        )


class WebConnector:
    """The chat page as a channel."""

    name = "web"
    account = "web"
    capabilities = Capabilities(
        buttons=True,
        markdown=True,
        typing=True,
        edits=True,
        attachments=True,
        immediate=True,
        idempotent=True,
        reaches_absent=False,
        max_length=1_000_000,
        max_file=10 * 1024 * 1024,
    )

    def __init__(
        self,
        settings: WebSettings,
        transcript: Transcript,
        brand: str,
        *,
        uploads: KeptUploads,
        streams: Streams,
        words: Words,
        suggestions: Mapping[str, Sequence[Button]] | None = None,
        health: Health | None = None,
    ) -> None:
        self._max_length = settings.max_length
        self._transcript = transcript
        self._streams = streams
        self._known = Known(partial(transcript.knows, self.name, self.account))
        self._page = Page(brand, words, suggestions or {}, settings.max_length, settings.files)
        self._throttle = Throttle(_BURST, _WINDOW)
        self._health = health or NullHealth()
        self._closing = asyncio.Event()
        self._typing = Signals()
        self._uploads = Uploads(
            uploads,
            settings.files,
            self._page,
            channel=(self.name, self.account),
            author=self._author,
            known=self._known.has,
            health=self._health,
        )

    async def run(self, receive: Receive) -> None:  # noqa: ARG002 - events come by routes
        """Waits to be cancelled: events come by ``routes``. Its end closes the open event streams, which
        would otherwise hold up the server's own end."""
        self._closing.clear()
        self._health.connected(self.account)
        try:
            await asyncio.Event().wait()
        finally:
            self._closing.set()

    async def send(self, message: Outgoing) -> str:  # noqa: ARG002 - pages read the transcript
        """Nothing to do, and so it cannot fail: a page reads the transcript, where the message appears, with
        its cursor, in the moment the outbox records this very delivery. A repeated send shows nothing twice."""
        return uuid4().hex

    async def typing(self, chat_id: str) -> None:
        """Tells the visitor's open pages, as far as they are connected with this process: a courtesy."""
        self._typing.give(chat_id)

    async def edit(self, message: Outgoing, external_id: str) -> None:
        """Nothing to do, as for ``send``: the transcript brings the message anew in the moment it is edited."""

    async def delete(self, chat_id: str, external_id: str) -> None:
        """Nothing to do: the transcript tells that the message was taken back."""

    def routes(self, receive: Receive) -> APIRouter:
        router = APIRouter(prefix="/chat", tags=["chat"])

        @router.get("", response_class=HTMLResponse)
        async def page(request: Request) -> Response:
            token = token_for(request)
            response = self._page.render(self._page.locale(request), mark_of(token))
            welcome(request, response, token)
            return response

        router.include_router(ASSETS.router())
        router.include_router(self._uploads.router())

        @router.post(
            "/messages",
            status_code=202,
            response_model=Taken,
            responses=refusals(400, 401, 403, 413, 422, 429, 503),
            openapi_extra={"requestBody": SAID},
        )
        async def say(request: Request) -> Response:
            try:
                receipt = await self._take(request, receive)
            except Refused as refused:
                return refusal(self._page, request, refused)
            return JSONResponse({"message_id": receipt.message_id}, 202, PRIVATE)

        @router.get("/messages", response_model=Shown, responses=refusals(401))
        async def messages(request: Request, after: After = 0) -> Response:
            token = token_of(request)
            if token is None:
                return refusal(self._page, request, Refused(401, "no_visitor"))
            found = await self._transcript.read(self.name, self.account, contact_of(token), after)
            return JSONResponse({"messages": [shown(message) for message in found]}, headers=PRIVATE)

        @router.get("/events", response_class=EventStream, responses=refusals(401, 503))
        async def stream(request: Request, after: After = 0) -> Response:
            token = token_of(request)
            if token is None:
                return refusal(self._page, request, Refused(401, "no_visitor"))
            contact = contact_of(token)
            return self._streams.to_visitor(
                contact,
                known=await self._known.has(contact),
                stream=StreamingResponse(
                    self._events(contact, max(after, _last_event_id(request))),
                    headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"},
                    media_type="text/event-stream",
                ),
                refusal=refusal(self._page, request, Refused(503, "too_many_open", retry_after=_FULL)),
            )

        @router.get("/files/{cursor}/{index}", response_class=Response, responses=FILE | refusals(401, 404))
        async def file(request: Request, cursor: Cursor, index: Index) -> Response:
            token = token_of(request)
            if token is None:
                return refusal(self._page, request, Refused(401, "no_visitor"))
            try:
                found = await self._transcript.file(self.name, self.account, contact_of(token), cursor, index)
            except NotFound as error:
                return refusal(self._page, request, Refused(404, "no_file", str(error)))
            sha256 = hashlib.sha256(found.content).hexdigest()
            return unchanged(request, sha256) or file_answer(
                request, found.content, sha256=sha256, name=found.name or "file", shown=PICTURES
            )

        return router

    # --- in --------------------------------------------------------------------------------------

    async def _author(self, request: Request) -> str:
        """The contact who asks for a change, and has not asked for too many."""
        if not is_same_origin(request):
            raise Refused(403, "foreign_page", "messages are taken from the desk's own page only")
        token = token_of(request)
        if token is None:
            raise Refused(401, "no_visitor")
        contact = contact_of(token)
        if wait := self._throttle.wait(contact):
            raise Refused(429, "too_fast", retry_after=math.ceil(wait))
        return contact

    async def _take(self, request: Request, receive: Receive) -> Receipt:
        """Records what a POST says. When this returns, it is committed; when it raises, it is not."""
        contact = await self._author(request)
        incoming = await self._incoming(await body_of(request), contact, self._page.locale(request))
        try:
            receipt = await receive(incoming)
        except Exception as error:
            # Its words may hold the customer's, which never reach a log.
            kind = type(error).__name__
            log.error("not recorded; the page will retry", action="web_receive_failed", error=kind)
            self._health.trouble(
                fault(
                    "a message could not be recorded ({kind}); the page sends it again. See the log.",
                    "web.fault.not_recorded",
                    kind=kind,
                )
            )
            raise Refused(503, "unavailable", retry_after=2) from error
        self._known.add(contact)
        self._streams.wrote(contact)
        return receipt

    async def _incoming(self, body: bytes, contact: str, locale: str) -> Incoming:
        try:
            said = Said.model_validate(json.loads(body))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Refused(422, "malformed", f"{where}: {first['msg']}".removeprefix(": ")) from None
        except (ValueError, RecursionError):
            raise Refused(422, "malformed", "the body is not JSON") from None
        text = said.button.label if said.button else said.text
        if not text and not said.files:
            raise Refused(422, "empty")
        if len(text) > self._max_length:
            raise Refused(422, "too_long")
        command = parse_command(text) if said.button is None else None
        return Incoming(
            channel=self.name,
            account=self.account,
            external_id=str(said.id),
            sender=Sender(contact, language=locale),
            chat_id=contact,
            text=text,
            command=command and command[0],
            argument=command[1] if command else "",
            button=said.button.payload if said.button else None,
            attachments=await self._uploads.attached(contact, [str(file) for file in said.files]),
        )

    # --- out -------------------------------------------------------------------------------------

    async def _events(self, contact: str, after: int) -> AsyncIterator[str]:
        """The transcript as events, until the desk stops or its database does; a browser then comes again."""
        yield _OPENING + _ALIVE
        news = self._transcript.follow(self.name, self.account, contact, after)
        try:
            with self._typing.awaited(contact) as typing:
                async for messages in _until(self._closing, news, typing):
                    yield _TYPING if messages is None else events(messages) or _ALIVE
        except Exception as error:
            log.warning("event stream ended", action="web_events_ended", error=type(error).__name__)


def _last_event_id(request: Request) -> int:
    """The revision behind which a reconnecting browser goes on; 0 where it names none."""
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


async def _until(
    closing: asyncio.Event, news: AsyncIterator[list[Message]], typing: asyncio.Event
) -> AsyncIterator[list[Message] | None]:
    """What comes until ``closing`` is set; None each time that ``typing`` is."""
    closed = asyncio.ensure_future(closing.wait())
    typed = asyncio.ensure_future(typing.wait())
    coming: asyncio.Future[list[Message]] | None = None
    try:
        while not closing.is_set():
            coming = coming or asyncio.ensure_future(anext(news))
            await asyncio.wait((coming, closed, typed), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                found, coming = coming.result(), None
                yield found
            elif typed.done():
                typing.clear()
                typed = asyncio.ensure_future(typing.wait())
                yield None
    finally:
        waiting = [future for future in (closed, typed, coming) if future is not None]
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _build(settings: WebSettings, context: ConnectorContext) -> WebConnector:
    return WebConnector(
        settings,
        context.transcript,
        context.brand,
        uploads=context.uploads,
        streams=context.streams,
        words=context.words,
        suggestions=context.suggestions,
        health=context.health,
    )


plugin = Plugin(WebSettings, _build)
