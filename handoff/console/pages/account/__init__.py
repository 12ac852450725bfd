from handoff.console.pages.account.routes import router
from handoff.console.registry import Page

PAGE = Page(name="account", router=router)
