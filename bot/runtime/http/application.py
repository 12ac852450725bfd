"""What the desk's HTTP server serves: routes of connectors and console, health, readiness and measures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.runtime.http.protocol import started
from bot.runtime.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], Awaitable[str | None]]
"""Looks at one part: None when it is well, else what is wrong."""


def application(routers: Iterable[APIRouter], checks: Mapping[str, Check], metrics: Metrics | None = None) -> FastAPI:
    app = FastAPI(title="Switchboard", docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers:
        app.include_router(router)

    @app.get("/", status_code=307, response_class=RedirectResponse)
    async def root() -> RedirectResponse:
        return RedirectResponse("/chat")

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process runs."""
        return {"status": "ok"}

    @app.get("/readyz", response_model=dict[str, str], responses={503: {"model": dict[str, str]}})
    async def readyz() -> JSONResponse:
        """Every part works: customers are received and answered."""
        found = {name: await check() for name, check in checks.items()}
        ready = not any(found.values())
        body = {"status": "ok" if ready else "not ready", **{name: wrong or "ok" for name, wrong in found.items()}}
        return JSONResponse(body, status_code=200 if ready else 503)

    if metrics is not None:

        @app.get("/metrics", response_class=PlainTextResponse)
        async def measures() -> Response:
            """For Prometheus."""
            return Response(await metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    app.add_middleware(_Nosniff)
    return app


class _Nosniff:
    """Puts the header on every response of ``app``. Beside what is sent and received, not between as Starlette's own
    base class for middleware, which costs every request a task and a queue."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                started(scope)
                MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app(scope, receive, send_with_header)
