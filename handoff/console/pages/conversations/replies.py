"""What agents write to customers: replies and files, private notes, other words for a reply, and taking it back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bot.domain.channel import Capabilities
from bot.domain.conversation import NotFound
from bot.domain.message import File, Message
from bot.domain.said import Refusal, Said, Size
from bot.domain.staff import Agent
from bot.web.media import media_type_of, safe_name
from handoff.console.context import Console, CurrentConsole, MessageId, NotSignedIn, SignedIn
from handoff.console.pages.conversations.views import MAX_FILES, MAX_UPLOAD, ConversationId, Opened, act

MAX_FORM = MAX_UPLOAD + 1024 * 1024

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Written:
    """What the box below a conversation was sent with."""

    text: str
    mode: str
    """``reply`` or ``note``; anything else is refused: what is meant for colleagues never goes out by a guess."""
    reply_to: int | None
    submission: str | None
    """The page's id of this very submission."""
    files: Sequence[UploadFile]
    as_files: bool
    """Pictures shall arrive as they are."""


async def _written(request: Request, agent: SignedIn) -> Written:
    """Read by hand, and so only once it is known who sends it: nobody else makes the desk take in files."""
    try:
        form = await request.form(max_files=2 * MAX_FILES, max_fields=10)
    except ClientDisconnect as error:
        # The page was left, or its line broke: it sends this again under the same number.
        raise HTTPException(400, Said("console.problem.broken_off")) from error
    if "agent" in form and _number(form, "agent") != agent.id:
        # A page stayed open while somebody else signed in: its words are not theirs.
        raise NotSignedIn
    return Written(
        text=_word(form, "text"),
        # A form without any of the page's own fields comes from a program, and is a reply.
        mode=_word(form, "mode") if "mode" in form or "submission" in form else "reply",
        reply_to=_number(form, "reply_to"),
        submission=_submission(form),
        # A browser sends an empty one where nothing was chosen.
        files=[one for one in form.getlist("files") if isinstance(one, UploadFile) and (one.filename or one.size)],
        as_files=_word(form, "as_files") == "1",
    )


def _number(form: FormData, name: str) -> int | None:
    value = _word(form, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _submission(form: FormData) -> str | None:
    value = _word(form, "submission")
    return value if _SUBMISSION.fullmatch(value) else None


_SUBMISSION = re.compile(r"[0-9A-Za-z-]{16,64}")


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


_FORM = {
    "content": {
        kind: {
            "schema": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "mode": {"type": "string", "enum": ["reply", "note"]},
                    "agent": {"type": "string", "description": "Whose page sends it: refused for anybody else."},
                    "submission": {"type": "string", "description": "The same one makes the same message, once."},
                    "reply_to": {"type": "string"},
                    "as_files": {"type": "string", "enum": ["1"], "description": "Pictures arrive as they are."},
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                },
            }
        }
        for kind in ("multipart/form-data", "application/x-www-form-urlencoded")
    }
}


@router.post("/conversations/{conversation_id}/messages", max_body_size=MAX_FORM, openapi_extra={"requestBody": _FORM})
async def write(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    written: Annotated[Written, Depends(_written)],
) -> Response:
    return await act(
        request,
        console,
        agent,
        conversation_id,
        _write(console, agent, conversation_id, written),
        refused=Opened(
            quote=written.reply_to,
            text=written.text,
            mode=written.mode if written.mode in _MODES else None,
            files_lost=bool(written.files),
        ),
    )


_MODES = ("reply", "note")


async def _write(console: Console, agent: Agent, conversation_id: int, written: Written) -> Message:
    if written.mode not in _MODES:
        raise Refusal("choose whether this is a reply or a private note", "refusal.mode")
    if written.mode == "note":
        if written.files:
            raise Refusal("files cannot be added to a private note; choose Reply", "refusal.note_files")
        return await console.desk.note(conversation_id, agent, written.text, submission=written.submission)
    channel, can = await _capabilities(console, conversation_id)
    as_file = written.as_files and can.pictures_as_files
    admitted = _admitted(written.files, channel, can)
    files = [replace(await _file(upload, channel, can), as_file=as_file) for upload in admitted]
    # A quote is a courtesy.
    reply_to = written.reply_to if can.quotes else None
    try:
        return await console.desk.reply(
            conversation_id, agent, written.text, files=files, reply_to=reply_to, submission=written.submission
        )
    except NotFound as error:
        if reply_to is None:
            raise
        raise Refusal("the message that you quote is not there any more", "refusal.quote_gone") from error


def _admitted(files: Sequence[UploadFile], channel: str, can: Capabilities) -> Sequence[UploadFile]:
    if files and not can.attachments:
        raise Refusal(f"files cannot be sent on {channel}", "refusal.no_files", channel=channel)
    if len(files) > MAX_FILES:
        words = f"{len(files)} files are too many; at most {MAX_FILES} can be sent at once"
        raise Refusal(words, "refusal.too_many_files", n=len(files), most=MAX_FILES)
    if sum(one.size or 0 for one in files) > MAX_UPLOAD:
        words = f"the files are too large together; at most {MAX_UPLOAD} bytes"
        raise Refusal(words, "refusal.files_too_large", most=Size(MAX_UPLOAD))
    return files


async def _file(upload: UploadFile, channel: str, can: Capabilities) -> File:
    name = safe_name(upload.filename or "") or "file"
    size = upload.size or 0
    if not size:
        raise Refusal(f"the file {name} is empty", "refusal.file_empty", name=name)
    if size > can.max_file:
        raise Refusal(
            f"the file {name} has {size} bytes; at most {can.max_file} can be sent on {channel}",
            "refusal.file_too_large",
            name=name,
            size=Size(size),
            most=Size(can.max_file),
            channel=channel,
        )
    content = await upload.read()
    return File(name, media_type_of(content, upload.content_type or ""), content)


@router.post("/conversations/{conversation_id}/messages/{message_id}/edit")
async def edit(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    message_id: MessageId,
    text: Annotated[str, Form()] = "",
) -> Response:
    async def action() -> None:
        await _check_changes(console, conversation_id)
        try:
            await console.desk.edit(message_id, agent, text)
        except NotFound as error:
            raise Refusal(_GONE, "refusal.reply_gone") from error

    return await act(request, console, agent, conversation_id, action(), refused=Opened(edit=message_id, text=text))


@router.post("/conversations/{conversation_id}/messages/{message_id}/delete")
async def delete(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId, message_id: MessageId
) -> Response:
    async def action() -> None:
        await _check_changes(console, conversation_id)
        try:
            await console.desk.delete(message_id, agent)
        except NotFound as error:
            raise Refusal(_GONE, "refusal.reply_gone") from error

    return await act(request, console, agent, conversation_id, action())


@router.post("/conversations/{conversation_id}/messages/{message_id}/retry")
async def retry(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId, message_id: MessageId
) -> Response:
    """Whoever sees that a message was not delivered may have it tried again, the bot's as well."""

    async def action() -> None:
        try:
            await console.store.dead_letters.retry_delivery(message_id)
        except NotFound as error:
            raise Refusal("this message is on its way already, or there", "refusal.on_its_way") from error

    return await act(request, console, agent, conversation_id, action())


_GONE = "this reply cannot be changed: it is somebody else's, or deleted already"


async def _check_changes(console: Console, conversation_id: int) -> None:
    channel, can = await _capabilities(console, conversation_id)
    if not can.edits:
        raise Refusal(f"what was sent on {channel} cannot be changed any more", "refusal.no_edits", channel=channel)


async def _capabilities(console: Console, conversation_id: int) -> tuple[str, Capabilities]:
    """The conversation's channel, and what it can do."""
    channel = (await console.store.conversations.get(conversation_id)).contact.channel
    return channel, console.capabilities.get(channel, Capabilities())
