"""From apps: signed POSTs, each answered 2xx when it is committed and not before.

POST /api/v1/apps/<app>/events    what a customer did
POST /api/v1/apps/<app>/files     a file that a message will name
POST /api/v1/apps/<app>/notices   what the desk is to say to a customer
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bot.domain.context import MAX_RAW, Context, Forward, ForwardKind
from bot.domain.conversation import Priority
from bot.domain.delivery import DeliveryReceipt, DeliveryStatus, ReceiptRefused
from bot.domain.message import Attachment, Incoming, Sender, parse_command
from bot.domain.notice import Notice, NoticeRefused, NotNow
from bot.domain.said import fault
from bot.ports import Files, Health, Notices, Receipts, Receive
from bot.web.media import kind_of
from bot.web.throttle import Throttle
from connectors.api.sending import App
from connectors.api.settings import CHANNEL, variable
from connectors.api.signing import Keys, NoFile, Unsigned
from connectors.api.wire import (
    EVENT,
    NOTICE,
    UPLOAD,
    AppFile,
    DeleteEvent,
    EditEvent,
    Forwarded,
    MessageEvent,
    NoticeBody,
    NoticeTaken,
    PressEvent,
    ReceiptEvent,
    Refusal,
    Taken,
    Upload,
    Uploaded,
)

log = structlog.get_logger(__name__)

PREFIX = "/api/v1/apps/{app}"
MOST_BODY = 256 * 1024
MOST_FILE = 10 * 1024 * 1024
MOST_UPLOAD = MOST_FILE * 4 // 3 + 1024
"""Bytes of a body: base64 has four for three."""
_NO_STORE = {"Cache-Control": "no-store"}
_STATUS = {"unknown_contact": 404, "no_topic": 404, "ambiguous_contact": 409, "id_taken": 409}
_AGAIN = 2
"""Seconds after which what could not be recorded is brought again."""

Body = TypeVar("Body")
Act = Callable[[App, str, bytes], Awaitable[tuple[int, BaseModel]]]


class Refused(Exception):
    """A call that is not taken."""

    def __init__(self, status: int, error: str, words: str, *, retry_after: int | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.error = error
        self.retry_after = retry_after


class Intake:
    def __init__(
        self, apps: Mapping[str, App], files: Files, notices: Notices, receipts: Receipts, health: Health
    ) -> None:
        self._apps = apps
        self._files = files
        self._notices = notices
        self._receipts = receipts
        self._health = health
        self._throttles = {name: Throttle(app.settings.rate, 1.0) for name, app in apps.items()}

    def routes(self, receive: Receive) -> APIRouter:
        router = APIRouter(prefix=PREFIX, include_in_schema=False)

        async def event(app: App, id: str, body: bytes) -> tuple[int, BaseModel]:
            return 200, await self._event(app, id, body, receive)

        for path, act, most in (
            ("/events", event, MOST_BODY),
            ("/files", self._upload, MOST_UPLOAD),
            ("/notices", self._notice, MOST_BODY),
        ):
            router.add_api_route(path, self._route(act, most), methods=["POST"])
        return router

    def _route(self, act: Act, most: int) -> Callable[[str, Request], Awaitable[Response]]:
        async def route(app: str, request: Request) -> Response:
            try:
                known, id, body = await self._known(app, request, most)
                status, said = await act(known, id, body)
            except Refused as refused:
                return _refusal(refused)
            except NotNow as busy:
                return _refusal(Refused(503, "busy", str(busy), retry_after=1))
            except Exception as error:
                # Only the kind: its words may hold the customer's.
                kind = type(error).__name__
                log.error("not recorded; the app will retry", action="api_receive_failed", app=app, error=kind)
                self._health.trouble(
                    fault(
                        "what the app {app} brought could not be recorded ({kind}); it brings it again. See the log.",
                        "channel_api.fault.not_recorded",
                        app=app,
                        kind=kind,
                    )
                )
                words = "it could not be recorded now; bring the same again, under the same id"
                return _refusal(Refused(503, "unavailable", words, retry_after=_AGAIN))
            return JSONResponse(said.model_dump(mode="json"), status, _NO_STORE)

        return route

    async def _known(self, name: str, request: Request, most: int) -> tuple[App, str, bytes]:
        """Who calls, the id of what they bring, and its body, of which never more than ``most`` is held."""
        app = self._apps.get(name)
        if app is None:
            raise Refused(
                404,
                "no_app",
                f"this desk has no app {name[:40]!r} with a secret: see channels.api.apps in config.yml, and set"
                f" {variable(name[:40])}",
            )
        try:
            id = Keys.check_headers(request.headers)
            body = await _body(request, most)
            app.keys.check(request.headers, body)
        except Unsigned as unsigned:
            raise Refused(401, "signature", str(unsigned)) from None
        if wait := self._throttles[name].wait(name):
            words = f"more than {app.settings.rate} calls in a second (channels.api.apps.{name}.rate)"
            raise Refused(429, "too_fast", words, retry_after=math.ceil(wait))
        return app, id, body

    # --- what a customer did ----------------------------------------------------------------------

    async def _event(self, app: App, id: str, body: bytes, receive: Receive) -> Taken:
        if app.settings.webhook_url is None:
            raise Refused(
                403,
                "no_webhook",
                f"customers of {app.name} could not be answered: set channels.api.apps.{app.name}.webhook_url",
            )
        event = _parsed(EVENT, body)
        if isinstance(event, ReceiptEvent):
            return await self._receipt(app, event)
        sender = Sender(event.contact.id, event.contact.name, event.contact.language)
        chat_id = chat_of(app.name, event.contact.id)
        incoming = Incoming(CHANNEL, app.name, id, sender, chat_id, sent_at=event.sent_at, **_said(app, event))
        receipt = await receive(incoming)
        return Taken(duplicate=receipt.duplicate, message_id=receipt.message_id)

    async def _receipt(self, app: App, event: ReceiptEvent) -> Taken:
        why = event.error and fault(
            "The app {app} did not deliver it: {why}", "channel_api.fault.bounced", app=app.name, why=event.error
        )
        told = DeliveryReceipt(DeliveryStatus(event.status), event.sent_at, why or None)
        try:
            kept = await self._receipts.record(CHANNEL, app.name, event.contact.id, event.message, told)
        except ReceiptRefused as error:
            raise Refused(409, error.code, str(error)) from None
        return Taken(duplicate=kept.duplicate, message_id=kept.message_id)

    # --- files ------------------------------------------------------------------------------------

    async def _upload(self, app: App, _id: str, body: bytes) -> tuple[int, Uploaded]:
        upload: Upload = _parsed(UPLOAD, body)
        try:
            content = base64.b64decode(upload.content, validate=True)
        except (ValueError, binascii.Error):
            raise Refused(422, "malformed", "content: this is not base64") from None
        if not content:
            raise Refused(422, "empty", "the file is empty")
        if len(content) > MOST_FILE:
            raise Refused(413, "too_large", f"a file has at most {MOST_FILE} bytes")
        sha256 = await self._files.add(content)
        return 201, Uploaded(file=app.keys.name_file(sha256, len(content)), size=len(content))

    # --- notices ----------------------------------------------------------------------------------

    async def _notice(self, app: App, id: str, body: bytes) -> tuple[int, NoticeTaken]:
        notice: NoticeBody = _parsed(NOTICE, body)
        to = notice.to
        account = to.account or (app.name if to.channel == CHANNEL else None)
        is_own = to.channel == CHANNEL and account == app.name
        if not is_own and to.channel not in app.settings.may_write_to:
            raise Refused(
                403,
                "channel",
                f"{app.name} may not write to other customers of {to.channel}: name that channel in"
                f" channels.api.apps.{app.name}.may_write_to",
            )
        given = Notice(
            source=app.name,
            id=id,
            channel=to.channel,
            contact=to.contact,
            texts=notice.text if isinstance(notice.text, dict) else {"": notice.text},
            account=account,
            thread=notice.thread,
            locale=notice.locale,
            topic=notice.topic,
            priority=Priority[notice.priority.upper()],
        )
        try:
            receipt = await self._notices.give(given)
        except NoticeRefused as error:
            raise Refused(_STATUS.get(error.code, 422), error.code, str(error)) from None
        return 200, NoticeTaken(
            duplicate=receipt.duplicate,
            message_id=receipt.message_id,
            conversation_id=receipt.conversation_id,
            delivery=receipt.delivery.value if receipt.delivery else "pending",
            error=None if receipt.error is None else receipt.error.words,
            delivered_at=receipt.delivered_at,
            read_at=receipt.read_at,
        )


def chat_of(app: str, contact: str) -> str:
    """The chat's id, which tells the app: a deletion has no more than that."""
    return f"{app}:{contact}"


def _said(app: App, event: MessageEvent | EditEvent | DeleteEvent | PressEvent) -> dict[str, Any]:
    match event:
        case EditEvent():
            if event.files is None:
                _refuse_blank(event.text)
            return {
                "edits": event.message,
                "text": event.text,
                "edited_at": event.sent_at,
                "attachments": tuple(_attachment(app, file) for file in event.files or ()),
                "replaces_attachments": event.files is not None,
            }
        case DeleteEvent():
            return {"deletes": event.message}
        case PressEvent():
            if len(event.payload.encode()) > 64:
                raise Refused(422, "malformed", "payload: at most 64 bytes")
            return {"button": event.payload, "text": event.label, "thread": event.thread}
    if not event.files:
        _refuse_blank(event.text)
    command = parse_command(event.text)
    return {
        "text": event.text,
        "command": command and command[0],
        "argument": command[1] if command else "",
        "attachments": tuple(_attachment(app, file) for file in event.files),
        "context": Context(_forward(event.forwarded), event.quote, raw=_raw(event.other)),
        "replies_to": event.reply_to,
        "thread": event.thread,
        "subject": event.subject,
    }


def _forward(told: Forwarded | None) -> Forward | None:
    return None if told is None else Forward(told.name, ForwardKind(told.kind), told.at)


def _raw(other: dict[str, JsonValue] | None) -> str:
    if not other:
        return ""
    raw = json.dumps(other, ensure_ascii=False)
    if len(raw) > MAX_RAW:
        raise Refused(422, "malformed", f"other: at most {MAX_RAW} characters")
    return raw


def _attachment(app: App, file: AppFile) -> Attachment:
    try:
        sha256, size = app.keys.file(file.file)
    except NoFile as error:
        raise Refused(422, "no_file", f"files: {error}") from None
    return Attachment(kind_of(file.media_type), sha256, file.name, file.media_type, size, sha256)


def _refuse_blank(text: str) -> None:
    if not text.strip():
        raise Refused(422, "empty", "the text is blank, and there is no file")


def _parsed(adapter: TypeAdapter[Body], body: bytes) -> Body:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(422, "malformed", f"{where}: {first['msg']}".removeprefix(": ")) from None


async def _body(request: Request, most: int) -> bytes:
    declared = request.headers.get("content-length", "")
    too_large = Refused(413, "too_large", f"a body has at most {most} bytes here")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
    except ClientDisconnect:
        raise Refused(400, "malformed", "the body is not complete") from None
    return bytes(body)


def _refusal(refused: Refused) -> Response:
    headers = dict(_NO_STORE)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    said = Refusal(error=refused.error, message=str(refused))
    return JSONResponse(said.model_dump(), refused.status, headers)
