from handoff.console.pages.agents.routes import router
from handoff.console.registry import Page

PAGE = Page(name="agents", router=router)
