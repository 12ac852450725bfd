"""What the desk failed on and tries no more."""

from __future__ import annotations

from bot.domain.staff import Permission
from handoff.console.pages.failed.routes import router, status
from handoff.console.registry import Page

PAGE = Page(
    name="failed",
    router=router,
    permission=Permission.VIEW_OPERATIONS,
    changes=Permission.OPERATE,
    label="console.page.failed",
    icon="tray",
    place=20,
    status=status,
)
