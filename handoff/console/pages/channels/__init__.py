from handoff.console.pages.channels.routes import router
from handoff.console.registry import Page

PAGE = Page(name="channels", router=router)
