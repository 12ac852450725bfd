from handoff.console.pages.live.routes import router
from handoff.console.registry import Page

PAGE = Page(name="live", router=router)
