from fastapi import APIRouter

from handoff.console import files
from handoff.console.pages.conversations import contacts, replies, routes
from handoff.console.registry import Page

router = APIRouter()
for part in (routes, replies, contacts, files):
    router.include_router(part.router)

PAGE = Page(name="conversations", router=router)
