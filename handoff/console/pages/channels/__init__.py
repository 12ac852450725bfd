"""How the channels are doing."""

from __future__ import annotations

from bot.domain.staff import Permission
from handoff.console.pages.channels.routes import router, status
from handoff.console.registry import Page

PAGE = Page(
    name="channels",
    router=router,
    permission=Permission.VIEW_OPERATIONS,
    label="console.page.channels",
    icon="channels",
    place=30,
    status=status,
)
