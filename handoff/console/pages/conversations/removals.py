"""What agents remove for good: private notes, and customers' messages that are secrets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.conversation import NotFound
from bot.domain.said import Refusal
from bot.domain.secret import SecretKind
from handoff.console.context import CurrentConsole, MessageId, SignedIn
from handoff.console.pages.conversations.views import ConversationId, act

router = APIRouter()


@router.post("/conversations/{conversation_id}/messages/{message_id}/delete-note")
async def delete_note(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId, message_id: MessageId
) -> Response:
    """Their own; leads anybody's."""

    async def action() -> None:
        try:
            await console.desk.delete_note(message_id, agent)
        except NotFound as error:
            words = "this note cannot be deleted: it is no note, or deleted already"
            raise Refusal(words, "refusal.note_gone") from error

    return await act(request, console, agent, conversation_id, action())


@router.post("/conversations/{conversation_id}/messages/{message_id}/secret")
async def mark_secret(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    message_id: MessageId,
    kind: Annotated[str, Form()] = "",
) -> Response:
    """The search for secrets has missed one: the whole message goes."""

    async def action() -> None:
        if kind not in list(SecretKind):
            raise Refusal("choose what kind of secret it is", "refusal.choose_secret")
        try:
            await console.desk.mark_secret(message_id, agent, SecretKind(kind))
        except NotFound as error:
            words = "only what a customer wrote can be marked as a secret"
            raise Refusal(words, "refusal.not_a_customers") from error

    return await act(request, console, agent, conversation_id, action())
