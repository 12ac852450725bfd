"""The list of conversations beside the open one, and what agents do with it."""

from __future__ import annotations

from fastapi import APIRouter

from bot.domain.staff import Permission
from handoff.console import files
from handoff.console.pages.conversations import contacts, flow, removals, replies, routes
from handoff.console.registry import Page

router = APIRouter()
for part in (routes, flow, replies, removals, contacts, files):
    router.include_router(part.router)

PAGE = Page(
    name="conversations",
    router=router,
    permission=Permission.READ_CONVERSATIONS,
    changes=Permission.ANSWER_CUSTOMERS,
    label="console.page.conversations",
    icon="inbox",
    path="/",
    place=10,
)
