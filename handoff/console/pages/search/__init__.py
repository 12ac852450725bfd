"""Finding what was said, by whom, and what customers told."""

from __future__ import annotations

from bot.domain.staff import Permission
from handoff.console.pages.search.routes import router
from handoff.console.registry import Page

PAGE = Page(
    name="search",
    router=router,
    permission=Permission.READ_CONVERSATIONS,
    label="console.page.search",
    icon="search",
    place=15,
)
