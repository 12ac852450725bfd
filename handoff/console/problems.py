"""What the console answers where something is refused or fails."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.domain.history import EventKind
from bot.domain.said import Said
from bot.domain.staff import Agent, NotAllowed, roles_with
from bot.store.errors import is_transient
from handoff.console.context import Console, address_of, by_htmx, page_of, wants_json
from handoff.console.speech import Speech


async def ask_to_sign_in(request: Request, _: Exception) -> Response:
    if wants_json(request):
        return JSONResponse({"problem": _speech(request).say("console.problem.signed_out")}, 401)
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
    return _problem(request, 404, "not_found")


async def not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    console: Console = request.app.state.console
    lacked = error.permission.value
    await console.store.events.record_refused(
        EventKind.RIGHT_REFUSED, error.agent_id, address_of(request), right=lacked
    )
    speech = _speech(request)
    *others, last = [speech.say(f"console.roles.{role.value}") for role in roles_with(error.permission)]
    one = ", ".join(others)
    roles = speech.say("console.problem.and", one=one, other=last) if others else last
    return _problem(request, 403, "not_allowed", roles=roles)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await not_found(request, error)
    detail: object = error.detail
    words = _speech(request).tell(detail) if isinstance(detail, Said) else error.detail
    return _problem(request, error.status_code, "refused", words)


async def busy(request: Request, _: Exception) -> Response:
    response = _problem(request, 503, "busy")
    response.headers["Retry-After"] = "3"
    return response


async def failed(request: Request, error: Exception) -> Response:
    return _problem(request, 503, "database") if is_transient(error) else _problem(request, 500, "failed")


def _problem(request: Request, status: int, key: str, words: str | None = None, **values: object) -> Response:
    """``key`` names the title, and without ``words`` those as well."""
    speech = _speech(request)
    if words is None:
        words = speech.say(f"console.problem.{key}.words", **values)
    if wants_json(request):
        return JSONResponse({"problem": words}, status)
    title = speech.say(f"console.problem.{key}.title", **values)
    console: Console = request.app.state.console
    template = "components/problem_part.html" if by_htmx(request) else "components/problem.html"
    return console.pages.response(request, template, status=status, agent=_agent(request), title=title, words=words)


def _speech(request: Request) -> Speech:
    console: Console = request.app.state.console
    return console.pages.speech(request, _agent(request))


def _agent(request: Request) -> Agent | None:
    """Who asks, if they are signed in."""
    return getattr(request.state, "reader", None)
