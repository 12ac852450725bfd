"""What the desk failed on and tries no more."""

from __future__ import annotations

from bot.domain.staff import Permission
from handoff.console.pages.aside.routes import router, sign
from handoff.console.registry import Page

PAGE = Page(
    name="aside",
    router=router,
    permission=Permission.VIEW_OPERATIONS,
    changes=Permission.OPERATE,
    label="Set aside",
    icon="tray",
    place=20,
    sign=sign,
)
