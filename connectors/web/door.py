"""Who comes in: every route of the chat finds its visitor here, and refuses in one way."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from bot import monotonic
from bot.web.requests import is_same_origin
from connectors.web.page import Page
from connectors.web.refused import Refused, refusal
from connectors.web.visitors import Visitor, Whom, is_shown_to, visitor_of, welcome

log = structlog.get_logger(__name__)

_TELL = 60.0
"""Seconds between two lines of the log about pages that seem to come from elsewhere."""
_FIX = (
    "the proxy in front seems to change Host: have it pass the browser's (nginx: proxy_set_header Host $http_host), or"
    " name it in X-Forwarded-Host; or another site's page sent this"
)


class Door:
    def __init__(self, page: Page, known: Whom) -> None:
        self._page = page
        self._known = known
        self._told = -_TELL

    async def find(self, request: Request) -> Visitor | None:
        visitor = await visitor_of(request, self._known)
        request.state.visitor = visitor
        return visitor

    async def visitor(self, request: Request) -> Visitor:
        """Who reads; ``Refused`` where nobody does."""
        visitor = await self.find(request)
        if visitor is None:
            raise Refused(401, "no_visitor")
        return visitor

    async def author(self, request: Request) -> Visitor:
        """Who changes something; ``Refused``, too, where their own page does not ask for it."""
        visitor = await self.find(request)
        if not is_same_origin(request):
            proven = visitor is not None and is_shown_to(request, visitor.token)
            self._tell(request, proven=proven)
            if not proven:
                raise Refused(403, "foreign_page")
        if visitor is None:
            raise Refused(401, "no_visitor")
        return visitor

    def _tell(self, request: Request, *, proven: bool) -> None:
        """Operators, who cannot see what the page tells its visitor."""
        if "sec-fetch-site" in request.headers or monotonic.seconds() - self._told < _TELL:
            return
        self._told = monotonic.seconds()
        named = {name: request.headers.get(name, "")[:200] for name in ("origin", "host")}
        log.warning("a page names another host", action="web_other_host", taken=proven, fix=_FIX, **named)

    def route_class(self) -> type[APIRoute]:
        """For a router: answers ``Refused`` in the visitor's language, and gives visitors the cookie that is
        theirs."""
        page = self._page

        class Route(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handle = super().get_route_handler()

                async def answered(request: Request) -> Response:
                    try:
                        response = await handle(request)
                    except Refused as refused:
                        return refusal(page, request, refused)
                    visitor: Visitor | None = getattr(request.state, "visitor", None)
                    if visitor is not None and visitor.moved:
                        welcome(request, response, visitor.token)
                    return response

                return answered

        return Route
