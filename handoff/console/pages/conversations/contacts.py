"""Contacts: what agents call them, and which are one person: an agent says so, and takes it back. Nothing is linked by
guess."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.conversation import Contact, NotFound
from bot.domain.said import Refusal
from bot.domain.staff import Agent
from handoff.console.context import Console, CurrentConsole, SignedIn
from handoff.console.pages.conversations.lists import InList
from handoff.console.pages.conversations.views import Candidate, ConversationId, Opened, act

ContactId = Annotated[int, Form(ge=1, le=2**63 - 1)]
LinkId = Annotated[int, Path(ge=1, le=2**63 - 1)]

router = APIRouter()


@router.get("/conversations/{conversation_id}/contacts")
async def found(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    listed: InList,
    find: str = "",
) -> Response:
    """The contacts found, for a page that shows the conversation."""
    contact = (await console.store.conversations.get(conversation_id)).contact
    opened = await with_found(console, contact, Opened(find=find))
    return console.pages.response(
        request,
        "conversations/found_part.html",
        agent=agent,
        listed=listed,
        id=conversation_id,
        address=f"{request.scope['root_path']}/conversations/{conversation_id}",
        opened=opened,
    )


async def with_found(console: Console, besides: Contact, opened: Opened) -> Opened:
    """With the contacts that were looked for, if any were."""
    # PostgreSQL cannot hold NUL.
    words = (opened.find or "").replace("\x00", "").strip()
    if not words:
        return opened
    contacts = await console.store.contacts.find(words, besides=besides.id)
    active = await console.store.conversations.last_active(contact.id for contact in contacts)
    linked = {link.contact.id for link in await console.store.contacts.links(besides.id)}
    found = [Candidate(contact, active.get(contact.id), contact.id in linked) for contact in contacts]
    return replace(opened, found=found)


@router.post("/conversations/{conversation_id}/name")
async def name(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    conversation_id: ConversationId,
    name: Annotated[str, Form()] = "",
) -> Response:
    """What agents call the customer; empty: as their platform does."""
    contact = (await console.store.conversations.get(conversation_id)).contact
    return await act(request, console, agent, conversation_id, console.desk.name(contact.id, agent, name))


@router.post("/conversations/{conversation_id}/links")
async def link(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId, other: ContactId
) -> Response:
    action = _link(console, agent, conversation_id, other)
    return await act(request, console, agent, conversation_id, action, linked=other)


async def _link(console: Console, agent: Agent, conversation_id: int, other: int) -> None:
    contact = (await console.store.conversations.get(conversation_id)).contact
    try:
        await console.desk.link(contact.id, other, agent)
    except NotFound as error:
        raise Refusal("that contact is not known any more; search again", "refusal.contact_gone") from error


@router.post("/conversations/{conversation_id}/links/{link_id}/undo")
async def undo_link(
    request: Request, console: CurrentConsole, agent: SignedIn, conversation_id: ConversationId, link_id: LinkId
) -> Response:
    return await act(request, console, agent, conversation_id, console.desk.undo_link(link_id, agent))
