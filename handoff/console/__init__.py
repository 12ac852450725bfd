"""The agents' web console: server-rendered pages, kept live by htmx and one event stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi import HTTPException as Refused
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bot.domain.channel import Capabilities
from bot.domain.conversation import NotFound
from bot.domain.said import Said
from bot.domain.staff import NotAllowed
from bot.ports import Words
from bot.runtime.feed import Feed
from bot.runtime.http import Streams
from bot.store import Store
from bot.web.headers import SecurityHeaders, page_headers
from bot.web.requests import FormsInUtf8, is_same_origin
from bot.web.sign_in_limits import SignInLimits
from handoff.console import problems
from handoff.console.assets import console_assets
from handoff.console.context import Console, NotSignedIn
from handoff.console.door import Door, Traced
from handoff.console.registry import Access, Page, discover
from handoff.console.rendering import Pages, Titles
from handoff.desk import Desk
from handoff.passwords import Busy
from handoff.staff import Staff

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
            403: "Sent by another site's page, a wrong name or password, or not for the agent's role.",
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

_HEADERS = page_headers(form_action="'self'", media_src="'self'")


def console(
    store: Store,
    desk: Desk,
    feed: Feed,
    *,
    capabilities: Mapping[str, Capabilities],
    vendor: Path,
    brand: str,
    words: Words,
    titles: Titles = lambda _: {},
    stopping: Callable[[], bool] = lambda: False,
    streams: Streams | None = None,
) -> APIRouter:
    """The console as one router, at ``/console``. ``capabilities`` of the channels say what agents are offered;
    ``titles`` what each topic is called in a locale.

    ``vendor`` is the ``node_modules`` folder with htmx; without it the console works, but its pages must be
    reloaded to see what is new. Open event streams end by themselves when ``stopping`` says so, and are counted in
    ``streams``, where others count theirs.
    """
    registry = discover()
    folders = {page.name: folder for page, folder in zip(registry.pages, registry.folders, strict=True)}
    assets = console_assets(folders, vendor, words)
    pages = Pages(words, brand, assets, folders, capabilities, titles)
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY,
        default_response_class=HTMLResponse,
        responses=_ANSWERS,
        dependencies=[Depends(_same_origin)],
        exception_handlers={
            NotSignedIn: problems.ask_to_sign_in,
            NotFound: problems.not_found,
            NotAllowed: problems.not_allowed,
            RequestValidationError: problems.not_found,
            HTTPException: problems.refused,
            Busy: problems.busy,
            Exception: problems.failed,
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
        registry,
        stopping,
        capabilities,
    )
    loaded = Page(name="static", router=assets.router(), permission=Access.ANYBODY)
    for page in (*registry.pages, loaded):
        app.include_router(page.router, dependencies=[Depends(Door(page))])
    mounted = APIRouter()
    mounted.mount("/console", SecurityHeaders(FormsInUtf8(Traced(app)), _HEADERS))
    return mounted


def _same_origin(request: Request) -> None:
    if not is_same_origin(request):
        raise Refused(403, Said("console.problem.foreign"))
