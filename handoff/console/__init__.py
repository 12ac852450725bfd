"""The agents' web console: server-rendered pages, kept live by htmx and one event stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from bot.domain.channel import Capabilities
from bot.domain.conversation import NotFound
from bot.domain.history import EventKind
from bot.domain.staff import NotAllowed
from bot.runtime.feed import Feed
from bot.runtime.http import Streams
from bot.store import Store
from bot.store.errors import is_transient
from bot.web import SHARED
from bot.web.assets import Assets
from bot.web.headers import SecurityHeaders, page_headers
from bot.web.requests import FormsInUtf8, is_same_origin
from bot.web.sign_in_limits import SignInLimits
from handoff.console import (
    agents,
    aside,
    channels,
    contacts,
    conversations,
    files,
    live,
    passwords,
    replies,
    sign_in,
)
from handoff.console.context import Console, NotSignedIn, address_of, by_htmx, page_of, wants_json
from handoff.console.rendering import Pages
from handoff.desk import Desk
from handoff.passwords import Busy
from handoff.staff import Staff

log = structlog.get_logger(__name__)

MAX_BODY = 1024 * 1024
"""Bytes, where no files are sent. The longest reply in the widest script, form-encoded, has an eighth of it."""

_PAGE: dict[str, Any] = {"content": {"text/html": {}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "Done, or not signed in: on to another page."},
    401: {"description": "Not signed in; HX-Redirect leads htmx to the sign-in."},
    **{
        status: {"description": words} | _PAGE
        for status, words in {
            400: "The form cannot be read.",
            403: "Another site's page made the browser send it, the name or password is wrong, or only admins may.",
            404: "There is nothing at this address.",
            409: "Somebody else was faster.",
            410: "The link was used already.",
            413: "Too large.",
            422: "That cannot be sent or saved; the page says why.",
            429: "Too many wrong passwords.",
            503: "The database is away, or too much is going on at once.",
        }.items()
    },
}
"""What any route may answer, for the OpenAPI description."""

_STATIC = Path(__file__).parent / "static"
_HEADERS = page_headers(form_action="'self'", media_src="'self'")


def console(
    store: Store,
    desk: Desk,
    feed: Feed,
    *,
    capabilities: Mapping[str, Capabilities],
    vendor: Path,
    brand: str,
    stopping: Callable[[], bool] = lambda: False,
    streams: Streams | None = None,
) -> APIRouter:
    """The console as one router, at ``/console``. ``capabilities`` of the channels say what agents are offered.

    ``vendor`` is the ``node_modules`` folder with htmx; without it the console works, but its pages must be
    reloaded to see what is new. Open event streams end by themselves when ``stopping`` says so, and are counted in
    ``streams``, where others count theirs.
    """
    assets = Assets(_files(vendor))
    pages = Pages(brand, assets, {"most": replies.MAX_FILES, "total": replies.MAX_UPLOAD})
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY,
        default_response_class=HTMLResponse,
        responses=_ANSWERS,
        dependencies=[Depends(_same_origin)],
        exception_handlers={
            NotSignedIn: _ask_to_sign_in,
            NotFound: _not_found,
            NotAllowed: _not_allowed,
            RequestValidationError: _not_found,
            HTTPException: _refused,
            Busy: _busy,
            Exception: _failed,
        },
    )
    app.state.console = Console(
        store,
        desk,
        feed,
        pages,
        SignInLimits(store.rate_limits),
        streams or Streams(),
        Staff(store.agents, desk, brand),
        stopping,
        capabilities,
    )
    for part in (sign_in, passwords, agents, conversations, live, replies, contacts, files, channels, aside):
        app.include_router(part.router)
    app.include_router(assets.router())
    mounted = APIRouter()
    mounted.mount("/console", SecurityHeaders(FormsInUtf8(app), _HEADERS))
    return mounted


def _files(vendor: Path) -> dict[str, Path]:
    """What pages load, by name."""
    files = {file.name: file for file in sorted(_STATIC.iterdir())} | dict(SHARED)
    files["htmx.min.js"] = vendor / "htmx.org/dist/htmx.min.js"
    for name, file in files.items():
        if not file.is_file():
            log.warning("a file of the console is missing; run npm ci", action="asset_missing", path=name)
    return files


def _same_origin(request: Request) -> None:
    if not is_same_origin(request):
        raise HTTPException(403, "This request came from another site, so it was refused.")


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if wants_json(request):
        return JSONResponse({"problem": "You are not signed in any more."}, 401)
    if by_htmx(request):
        shown = page_of(request)
        there = f"{shown.path}?{shown.query}" if shown.query else shown.path
        return Response(status_code=401, headers={"HX-Redirect": _sign_in_address(request, there)})
    there = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    # A form cannot be sent again by following a link.
    return RedirectResponse(_sign_in_address(request, there if request.method == "GET" else ""), 303)


def _sign_in_address(request: Request, then: str) -> str:
    return f"{request.scope['root_path']}/sign-in" + (f"?next={quote(then)}" if then else "")


async def _not_found(request: Request, _: Exception) -> Response:
    return _problem(request, 404, "There is nothing here", "The address is wrong, or what it named is gone.")


async def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    here: Console = request.app.state.console
    await here.store.events.record_refused(
        EventKind.RIGHT_REFUSED, error.agent_id, address_of(request), right=error.right.value
    )
    return _problem(request, 403, "This is for admins", "Only admins may manage agents. Ask one of them.")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _not_found(request, error)
    return _problem(request, error.status_code, "That did not work", error.detail)


async def _busy(request: Request, _: Exception) -> Response:
    words = "Too many people are signing in right now, so nothing was changed. Go back, and send it again."
    response = _problem(request, 503, "Try again in a few seconds", words)
    response.headers["Retry-After"] = "3"
    return response


async def _failed(request: Request, error: Exception) -> Response:
    if is_transient(error):
        words = "It keeps trying, and nothing that was sent is lost. Try again in a moment."
        return _problem(request, 503, "The desk cannot reach its database", words)
    return _problem(request, 500, "Something broke", "It was written to the log. Try again in a moment.")


def _problem(request: Request, status: int, title: str, words: str) -> Response:
    if wants_json(request):
        return JSONResponse({"problem": words}, status)
    here: Console = request.app.state.console
    template = "problem_part.html" if by_htmx(request) else "problem.html"
    return here.pages.response(request, template, status=status, title=title, words=words)
