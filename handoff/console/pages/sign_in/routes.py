"""Signing in and out: by password, or by a one-time link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.said import Said
from bot.domain.staff import Agent
from bot.web.sign_in_limits import MAX_NAME, WINDOW
from handoff.console.context import SESSION_COOKIE, Console, CurrentConsole, MaybeSignedIn, address_of
from handoff.console.pages.sign_in.browsers import browser_of
from handoff.passwords import Busy, new_token, token_hash, verify_password

SESSION = timedelta(hours=12)
WRONG = Said("console.sign_in.wrong")
TOO_MANY = Said("console.sign_in.too_many", {"n": round(WINDOW / 60)})
MAX_SIGN_IN = 16 * 1024
"""Bytes of the form that anybody may send."""

router = APIRouter()


@router.get("/sign-in")
async def ask(request: Request, console: CurrentConsole, agent: MaybeSignedIn, next: str = "") -> Response:
    if agent is not None:
        return RedirectResponse(destination(request, next), 303)
    return console.pages.response(request, "sign_in/sign_in.html", name="", next=next, problem=None)


@router.post("/sign-in", max_body_size=MAX_SIGN_IN)
async def sign_in(
    request: Request,
    console: CurrentConsole,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    # PostgreSQL cannot hold NUL.
    name = name.replace("\x00", "").strip()
    tries = attempt(request, name)

    def refused(status: int, problem: Said) -> Response:
        words = console.pages.speech(request, None).tell(problem)
        return console.pages.response(
            request, "sign_in/sign_in.html", status=status, name=name, next=next, problem=words
        )

    if len(name) > MAX_NAME:
        name = ""
        return refused(403, WRONG)
    if not await console.sign_in_limits.admit(*tries):
        return refused(429, TOO_MANY)
    known = await console.store.agents.password_of(name)
    try:
        right = await verify_password(known and known[1], password)
    except Busy:
        await console.sign_in_limits.take_back(*tries)
        busy = refused(503, Said("console.sign_in.busy"))
        busy.headers["Retry-After"] = "3"
        return busy
    if not right or known is None:
        await console.store.events.record_sign_in_refused(name, address_of(request))
        return refused(403, WRONG)
    await console.sign_in_limits.forget(*tries)
    return await welcome(request, console, known[0], destination(request, next))


@router.get("/sign-in/{token}")
async def ask_to_redeem(request: Request, console: CurrentConsole) -> Response:
    """Only asks: messengers open links by themselves to preview them, and must not use this one up."""
    return console.pages.response(request, "sign_in/sign_in_link.html", problem=None)


@router.post("/sign-in/{token}")
async def redeem(request: Request, console: CurrentConsole, token: str) -> Response:
    agent = await console.store.agents.redeem_sign_in(token_hash(token), address=address_of(request))
    if agent is None:
        problem = console.pages.speech(request, None).say("console.sign_in.link_used")
        return console.pages.response(request, "sign_in/sign_in_link.html", status=410, problem=problem)
    return await welcome(request, console, agent, destination(request, "") + "password", by_link=True)


def attempt(request: Request, name: str) -> tuple[str, str]:
    """Under what a wrong password is counted: the name, and where it came from."""
    return name.casefold(), _address(request)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.post("/sign-out")
async def sign_out(request: Request, console: CurrentConsole) -> Response:
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        await console.store.agents.end_session(token_hash(token), address=address_of(request))
    response = RedirectResponse(f"{request.scope['root_path']}/sign-in", 303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


async def welcome(request: Request, console: Console, agent: Agent, then: str, *, by_link: bool = False) -> Response:
    """Signs the browser in, and leads it on to ``then``."""
    # The browser forgets its former session; so does the desk, and that session's event stream ends.
    if former := request.cookies.get(SESSION_COOKIE):
        await console.store.agents.end_session(token_hash(former), address=address_of(request))
    token = new_token()
    await console.store.agents.add_session(
        agent.id,
        token_hash(token),
        datetime.now(UTC) + SESSION,
        by_link=by_link,
        address=address_of(request),
        browser=browser_of(request.headers.get("user-agent", "")),
    )
    response = RedirectResponse(then, 303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


def destination(request: Request, wanted: str) -> str:
    """Where to go after signing in: a page of the console, whatever the address asked for."""
    home = f"{request.scope['root_path']}/"
    return wanted if wanted.startswith(home) else home
