"""Who works at the desk."""

from __future__ import annotations

from bot.domain.staff import Permission
from handoff.console.pages.agents.routes import router
from handoff.console.registry import Page

PAGE = Page(
    name="agents",
    router=router,
    permission=Permission.VIEW_AGENTS,
    changes=Permission.MANAGE_AGENTS,
    label="Agents",
    icon="people",
    place=40,
)
