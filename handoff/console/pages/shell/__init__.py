"""What every page has: the navigation, kept up to date, the event stream, and that its agent is there."""

from __future__ import annotations

from fastapi import APIRouter

from handoff.console.pages.shell import events, routes
from handoff.console.registry import Access, Page

router = APIRouter()
for part in (routes, events):
    router.include_router(part.router)

PAGE = Page(name="shell", router=router, permission=Access.SIGNED_IN)
