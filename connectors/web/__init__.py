"""Web chat: a page at ``/chat``, and the few routes it talks to.

    GET  /chat            the page; gives the visitor a cookie
    POST /chat/messages   {id, text, files} or {id, button: {payload, label}}, answered when it is recorded
    POST /chat/uploads/…  a file for a message to come: /its id (``connectors.web.uploads``)
    GET  /chat/messages   the transcript behind ?after=, once; with ?wait= the answer waits so long for news
    GET  /chat/events     the same as server-sent events, as it grows
    GET  /chat/files/…    a file of a message: /its cursor/its place, from 0
    POST /chat/language   {language}, in which the visitor wants to go on
    POST /chat/end        the visitor leaves: nothing of the conversation can be read by this cookie any more

A visitor's page keeps what it could not send, and sends it again with the same id; the desk records an id once.
It knows messages by cursor, and reads by revision. Revisions grow with every message, edit and deletion: who goes on
behind the last one has missed nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from functools import partial
from typing import Annotated, TypeVar
from uuid import uuid4

import structlog
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from structlog.typing import FilteringBoundLogger

from bot.domain.channel import Capabilities, Outgoing
from bot.domain.conversation import NotFound
from bot.domain.message import Button, Incoming, Receipt, Sender, parse_command
from bot.domain.said import fault
from bot.ports import ConnectorContext, Health, NullHealth, Plugin, Receive, Streams, Transcript, Words
from bot.ports import Uploads as KeptUploads
from bot.web.files import ANSWERS as FILE
from bot.web.files import file_answer, unchanged
from bot.web.media import PICTURES
from bot.web.throttle import Throttle
from connectors.web.bounds import MB, FileBounds
from connectors.web.description import SAID, SPOKEN, EventStream, Shown, Taken, refusals
from connectors.web.door import Door
from connectors.web.messages import Said, Spoken, shown
from connectors.web.news import LONGEST_WAIT, poll, stream
from connectors.web.page import ASSETS, Page
from connectors.web.refused import PRIVATE, Refused, body_of, refusal
from connectors.web.uploads import Uploads
from connectors.web.visitors import Known, Signals, farewell, mark_of, new_token, welcome

log: FilteringBoundLogger = structlog.get_logger(__name__)

_BURST = 20
_WINDOW = 10.0
"""A visitor may send ``_BURST`` messages in ``_WINDOW`` seconds."""
_FULL = 15
"""Seconds after which a page may ask again for an event stream; meanwhile it can read the transcript."""
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
After = Annotated[int, Query(ge=0, lt=2**63)]
Wait = Annotated[int, Query(ge=0, le=LONGEST_WAIT)]
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
        title="web.title",
        icon="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM3 12h18M12 3c5 5.5 5 12.5 0 18-5-5.5-5-12.5 0-18Z",
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
        known = partial(transcript.known, self.name, self.account)
        self._known = Known(known)
        self._page = Page(brand, words, suggestions or {}, settings.max_length, settings.files)
        self._door = Door(self._page, known)
        self._throttle = Throttle(_BURST, _WINDOW)
        self._health = health or NullHealth()
        self._closing = asyncio.Event()
        self._typing = Signals()
        self._uploads = Uploads(
            uploads,
            settings.files,
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

    async def typing(self, chat_id: str, thread: str = "") -> None:  # noqa: ARG002 - a visitor has one chat
        """Tells the visitor's open pages, as far as they are connected with this process: a courtesy."""
        self._typing.give(chat_id)

    async def edit(self, message: Outgoing, external_id: str) -> None:
        """Nothing to do, as for ``send``: the transcript brings the message anew in the moment it is edited."""

    async def delete(self, chat_id: str, external_id: str) -> None:
        """Nothing to do: the transcript tells that the message was taken back."""

    def routes(self, receive: Receive) -> APIRouter:
        route_class = self._door.route_class()
        router = APIRouter(prefix="/chat", tags=["chat"], route_class=route_class)

        @router.get("", response_class=HTMLResponse)
        async def page(request: Request) -> Response:
            visitor = await self._door.find(request)
            token = visitor.token if visitor else new_token()
            response = self._page.render(self._page.locale(request), mark_of(token))
            welcome(request, response, token, fresh=visitor is None)
            return response

        router.include_router(ASSETS.router())
        router.include_router(self._uploads.router(route_class))

        @router.post(
            "/messages",
            status_code=202,
            response_model=Taken,
            responses=refusals(400, 401, 403, 413, 422, 429, 503),
            openapi_extra={"requestBody": SAID},
        )
        async def say(request: Request) -> Response:
            receipt = await self._take(request, receive)
            return JSONResponse({"message_id": receipt.message_id}, 202, PRIVATE)

        @router.get("/messages", response_model=Shown, responses=refusals(401, 503))
        async def messages(request: Request, after: After = 0, wait: Wait = 0) -> Response:
            contact = (await self._door.visitor(request)).contact
            if wait:
                # Under a name of its own: what a proxy keeps open of streams that it gave up takes no poll its place.
                waiting = StreamingResponse(self._news(contact, after, wait), 200, PRIVATE, "application/json")
                return await self._placed(request, f"poll {contact}", contact, waiting)
            found = await self._transcript.read(self.name, self.account, contact, after)
            return JSONResponse({"messages": [shown(message) for message in found]}, headers=PRIVATE)

        @router.get("/events", response_class=EventStream, responses=refusals(401, 503))
        async def stream(request: Request, after: After = 0) -> Response:
            contact = (await self._door.visitor(request)).contact
            flowing = StreamingResponse(
                self._news(contact, max(after, _last_event_id(request))),
                headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"},
                media_type="text/event-stream",
            )
            return await self._placed(request, contact, contact, flowing)

        @router.get("/files/{cursor}/{index}", response_class=Response, responses=FILE | refusals(401, 404))
        async def file(request: Request, cursor: Cursor, index: Index) -> Response:
            contact = (await self._door.visitor(request)).contact
            try:
                found = await self._transcript.file(self.name, self.account, contact, cursor, index)
            except NotFound as error:
                raise Refused(404, "no_file", str(error)) from None
            sha256 = hashlib.sha256(found.content).hexdigest()
            return unchanged(request, sha256) or file_answer(
                request, found.content, sha256=sha256, name=found.name or "file", shown=PICTURES
            )

        @router.post(
            "/language",
            status_code=204,
            response_class=Response,
            responses=refusals(400, 401, 403, 413, 422, 429, 503),
            openapi_extra={"requestBody": SPOKEN},
        )
        async def speak(request: Request) -> Response:
            contact = await self._author(request)
            spoken = _said(Spoken, await body_of(request))
            locale = self._page.known(spoken.language)
            if locale is None:
                raise Refused(422, "malformed", f"language: the desk does not speak {spoken.language!r}")
            await self._written(self._transcript.speak(self.name, self.account, contact, locale))
            return Response(status_code=204, headers=PRIVATE)

        @router.post("/end", status_code=204, response_class=Response, responses=refusals(401, 403, 429, 503))
        async def end(request: Request) -> Response:
            contact = await self._author(request)
            await self._written(self._transcript.end(self.name, self.account, contact))
            self._known.forget(contact)
            # The cookie goes with it: whoever asks next is a new visitor.
            request.state.visitor = None
            response = Response(status_code=204, headers=PRIVATE)
            farewell(request, response)
            return response

        return router

    async def _placed(self, request: Request, place: str, contact: str, waiting: Response) -> Response:
        """``waiting``, if there is a place for it when it is sent."""
        full = refusal(self._page, request, Refused(503, "too_many_open", retry_after=_FULL))
        known = await self._known.has(contact)
        return self._streams.to_visitor(place, known=known, stream=waiting, refusal=full)

    # --- in --------------------------------------------------------------------------------------

    async def _author(self, request: Request) -> str:
        """The contact who asks for a change, and has not asked for too many."""
        contact = (await self._door.author(request)).contact
        if wait := self._throttle.wait(contact):
            raise Refused(429, "too_fast", retry_after=math.ceil(wait))
        return contact

    async def _take(self, request: Request, receive: Receive) -> Receipt:
        """Records what a POST says. When this returns, it is committed; when it raises, it is not."""
        contact = await self._author(request)
        incoming = await self._incoming(await body_of(request), contact, self._page.locale(request))
        receipt = await self._written(receive(incoming))
        self._known.add(contact)
        self._streams.wrote(contact)
        return receipt

    async def _written(self, writing: Awaitable[T]) -> T:
        """What ``writing`` returns; ``Refused`` for now where it fails."""
        try:
            return await writing
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

    async def _incoming(self, body: bytes, contact: str, locale: str) -> Incoming:
        said = _said(Said, body)
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

    async def _news(self, contact: str, after: int, wait: int | None = None) -> AsyncIterator[str]:
        """What comes behind ``after``: as a stream, or with ``wait`` as the answer to a poll."""
        followed = self._transcript.follow(self.name, self.account, contact, after)
        with self._typing.awaited(contact) as typing:
            told = (
                stream(followed, typing, self._closing) if wait is None else poll(followed, typing, self._closing, wait)
            )
            async for piece in told:
                yield piece


def _said(kind: type[M], body: bytes) -> M:
    """What a body says; ``Refused`` for what is none."""
    try:
        return kind.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(422, "malformed", f"{where}: {first['msg']}".removeprefix(": ")) from None
    except (ValueError, RecursionError):
        raise Refused(422, "malformed", "the body is not JSON") from None


def _last_event_id(request: Request) -> int:
    """The revision behind which a reconnecting browser goes on; 0 where it names none."""
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


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
