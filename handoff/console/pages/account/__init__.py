"""An agent's own password and name."""

from __future__ import annotations

from handoff.console.pages.account.routes import router
from handoff.console.registry import Access, Page

PAGE = Page(name="account", router=router, permission=Access.SIGNED_IN)
