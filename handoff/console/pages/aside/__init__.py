from handoff.console.pages.aside.routes import router
from handoff.console.registry import Page

PAGE = Page(name="aside", router=router)
