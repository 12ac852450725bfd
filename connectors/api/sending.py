"""To apps: one signed POST for each thing that a customer is to see, answered when the app has taken it.

The desk's outbox tries again what was not taken. Here each app has its bounds: so many calls at once, so many seconds
for one, and after a failure a pause in which nothing is tried, so that an app that hangs holds up no other channel.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from bot import monotonic
from bot.domain.channel import Outgoing, PermanentError, TemporaryError
from bot.domain.message import MessageFormat
from bot.domain.said import Fault, fault
from bot.web.egress import Answer, Egress, EgressError, NotAllowed
from connectors.api.settings import AppSettings
from connectors.api.signing import ID, Keys
from connectors.api.text import plain
from connectors.api.wire import (
    OutButton,
    OutContact,
    OutDelete,
    OutEdit,
    OutFile,
    OutMessage,
    OutPing,
    OutTyping,
    Shown,
)

WITHIN = 20.0
"""Seconds for one call."""
AT_ONCE = 8
"""Calls of one app under way; the desk's workers are needed by others, too."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
MOST_ANSWER = 64 * 1024
MOST_WORDS = 300
LONGEST_WAIT = 3600.0
"""Seconds that an app may put off at once."""

_LATER = frozenset({408, 425, 429, 502, 503, 504})
_NEVER = frozenset({400, 410, 413, 415, 422})
"""Statuses by which an app says that this message is none that it can show."""
_BUSY = fault("The app has as much under way as it may.", "channel_api.fault.busy")
_PAUSED = fault("The app did not answer lately.", "channel_api.fault.paused")


@dataclass
class App:
    """One app as the desk writes to it."""

    name: str
    settings: AppSettings
    keys: Keys
    under_way: int = 0
    pause: float = 0.0
    until: float = 0.0
    """By the monotonic clock: before it nothing is tried."""


class Sending:
    """Raises ``TemporaryError`` and ``PermanentError``, and nothing else."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def message(self, app: App, contact: str, message: Outgoing) -> str:
        """The id by which the app knows it."""
        id = f"msg_{hashlib.sha256(message.key.encode()).hexdigest()[:32]}"
        file = message.file
        body = OutMessage(
            contact=OutContact(id=contact),
            at=_now(),
            **_words(message),
            file=None
            if file is None
            else OutFile(
                name=file.name or "file",
                media_type=file.media_type or "application/octet-stream",
                size=len(file.content),
                content=base64.b64encode(file.content).decode(),
                as_file=file.as_file,
            ),
            reply_to=message.reply_to,
            thread=message.thread,
            repeated=message.repeated,
        )
        answer = await self._post(app, id, body)
        try:
            shown = Shown.model_validate_json(answer.body).id
        except ValidationError:
            shown = None
        return shown if shown is not None and ID.fullmatch(shown) else id

    async def edit(self, app: App, contact: str, message: Outgoing, external_id: str) -> None:
        body = OutEdit(contact=OutContact(id=contact), at=_now(), message=external_id, **_words(message))
        await self._post(app, _once("edit"), body)

    async def delete(self, app: App, contact: str, external_id: str) -> None:
        await self._post(app, _once("del"), OutDelete(contact=OutContact(id=contact), at=_now(), message=external_id))

    async def typing(self, app: App, contact: str, thread: str) -> None:
        await self._post(app, _once("typ"), OutTyping(contact=OutContact(id=contact), at=_now(), thread=thread))

    async def ping(self, app: App) -> None:
        await self._post(app, _once("ping"), OutPing(at=_now()))

    async def _post(self, app: App, id: str, body: BaseModel) -> Answer:
        if app.settings.webhook_url is None:
            raise PermanentError(
                fault(
                    "The app {app} has no webhook_url: it takes no messages.",
                    "channel_api.fault.no_webhook",
                    app=app.name,
                )
            )
        # Certainly not sent: ``retry_after`` tells the outbox so.
        if (left := app.until - monotonic.seconds()) > 0:
            raise TemporaryError(_PAUSED, left)
        if app.under_way >= AT_ONCE:
            raise TemporaryError(_BUSY, 0.5)
        app.under_way += 1
        began = monotonic.seconds()
        try:
            answer = await self._call(app, app.settings.webhook_url, id, body.model_dump_json())
        except TemporaryError as error:
            # Of several that fail together one counts: they say the same.
            if error.retry_after is None and began >= app.until:
                app.pause = min(max(app.pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
                app.until = monotonic.seconds() + app.pause
            raise
        finally:
            app.under_way -= 1
        app.pause = 0.0
        return answer

    async def _call(self, app: App, url: str, id: str, body: str) -> Answer:
        headers = {"Content-Type": "application/json", **app.keys.signed(id, body)}
        try:
            answer = await self._egress.post(url, body.encode(), headers, limit=MOST_ANSWER, within=WITHIN)
        except NotAllowed as error:
            # The desk's setting and no message's fault: they wait until it is mended.
            raise TemporaryError(error.fault, 60.0) from None
        except EgressError as error:
            raise TemporaryError(_unreachable(app, error.fault)) from None
        if 200 <= answer.status < 300:
            return answer
        raise _refused(app, answer)


def _refused(app: App, answer: Answer) -> TemporaryError | PermanentError:
    said = _error_of(answer.body)
    told = fault(
        "The app {app} answered {status} {why}",
        "channel_api.fault.answered",
        app=app.name,
        status=str(answer.status),
        why=said,
    )
    if answer.status in _NEVER:
        return PermanentError(told)
    if answer.status in _LATER or answer.status >= 500:
        # Who says when to come again has not taken it; of another failure nobody knows, whatever it says.
        wait = answer.retry_after if answer.status in (429, 503) else None
        return TemporaryError(told, None if wait is None else min(wait, LONGEST_WAIT))
    # Its address or its secret is wrong: the words wait until that is mended.
    return TemporaryError(told, 30.0)


def _unreachable(app: App, why: Fault) -> Fault:
    return fault("The app {app} could not be reached: {why}", "channel_api.fault.unreachable", app=app.name, why=why)


def _error_of(body: bytes) -> str:
    """What the app says of its refusal: ``{"error": "…"}``."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    said = told.get("error") if isinstance(told, Mapping) else None
    return said[:MOST_WORDS] if isinstance(said, str) else ""


def _words(message: Outgoing) -> dict[str, object]:
    is_markdown = message.format is MessageFormat.MARKDOWN and bool(message.text)
    return {
        "text": plain(message.text) if is_markdown else message.text,
        "markdown": message.text if is_markdown else None,
        "buttons": [OutButton(label=button.label, payload=button.payload) for button in message.buttons],
    }


def _once(kind: str) -> str:
    """The id of what may come twice without harm, and of which a later one counts though it says the same."""
    return f"{kind}_{uuid4().hex}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
