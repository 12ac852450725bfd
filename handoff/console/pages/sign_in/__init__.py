from handoff.console.pages.sign_in.routes import router
from handoff.console.registry import Page

PAGE = Page(name="sign_in", router=router)
