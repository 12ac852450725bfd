"""Signing in and out: by password, or by a one-time link."""

from __future__ import annotations

from handoff.console.pages.sign_in.routes import router
from handoff.console.registry import Access, Page

PAGE = Page(name="sign_in", router=router, permission=Access.ANYBODY)
