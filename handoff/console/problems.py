"""What the console answers where something is refused or fails."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.domain.history import EventKind
from bot.domain.staff import NotAllowed, names_of, roles_with
from bot.store.errors import is_transient
from handoff.console.context import Console, address_of, by_htmx, page_of, wants_json


async def ask_to_sign_in(request: Request, _: Exception) -> Response:
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


async def not_found(request: Request, _: Exception) -> Response:
    return _problem(request, 404, "There is nothing here", "The address is wrong, or what it named is gone.")


async def not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    here: Console = request.app.state.console
    await here.store.events.record_refused(
        EventKind.RIGHT_REFUSED, error.agent_id, address_of(request), right=error.permission.value
    )
    roles = names_of(roles_with(error.permission))
    return _problem(request, 403, f"This is for {roles}", f"Only {roles} may do this. Ask one of them.")


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await not_found(request, error)
    return _problem(request, error.status_code, "That did not work", error.detail)


async def busy(request: Request, _: Exception) -> Response:
    words = "Too many people are signing in right now, so nothing was changed. Go back, and send it again."
    response = _problem(request, 503, "Try again in a few seconds", words)
    response.headers["Retry-After"] = "3"
    return response


async def failed(request: Request, error: Exception) -> Response:
    if is_transient(error):
        words = "It keeps trying, and nothing that was sent is lost. Try again in a moment."
        return _problem(request, 503, "The desk cannot reach its database", words)
    return _problem(request, 500, "Something broke", "It was written to the log. Try again in a moment.")


def _problem(request: Request, status: int, title: str, words: str) -> Response:
    if wants_json(request):
        return JSONResponse({"problem": words}, status)
    here: Console = request.app.state.console
    template = "components/problem_part.html" if by_htmx(request) else "components/problem.html"
    return here.pages.response(request, template, status=status, title=title, words=words)
