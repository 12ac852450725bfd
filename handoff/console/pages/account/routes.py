"""The page where agents set and change their own password, and the first admin says what customers call them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.history import EventKind
from bot.domain.said import Refusal, Said
from bot.domain.staff import MAX_PUBLIC_NAME, Agent, Permission, may
from bot.web.sign_in_limits import TRIES, WINDOW
from handoff.console.context import SESSION_COOKIE, Console, CurrentConsole, SignedIn, address_of
from handoff.console.pages.sign_in.routes import TOO_MANY, attempt, destination, welcome
from handoff.console.registry import needs
from handoff.passwords import MIN_LENGTH, Busy, token_hash, verify_password

OLD_WRONG = Said("console.account.old_wrong", {"tries": TRIES, "minutes": round(WINDOW / 60)})

router = APIRouter()


@router.post("/language")
async def set_language(
    request: Request, console: CurrentConsole, agent: SignedIn, language: Annotated[str, Form()] = ""
) -> Response:
    """Chooses the language of the console, on every browser of the agent; none is as each browser says. Leads back."""
    await console.store.agents.set_locale(agent.id, language if language in console.pages.words.locales else None)
    return RedirectResponse(destination(request, urlsplit(request.headers.get("referer", "")).path), 303)


@router.get("/password")
async def ask_for_password(request: Request, console: CurrentConsole, agent: SignedIn) -> Response:
    return await _ask(request, console, agent)


@router.post("/password")
async def set_password(
    request: Request,
    console: CurrentConsole,
    agent: SignedIn,
    password: Annotated[str, Form()] = "",
    old: Annotated[str, Form()] = "",
) -> Response:
    speech = console.pages.speech(request, agent)
    if await _old_one_is_needed(request, console, agent):
        tries = attempt(request, agent.name)
        if not await console.sign_in_limits.admit(*tries):
            return await _ask(request, console, agent, 429, speech.tell(TOO_MANY))
        known = await console.store.agents.password_of(agent.name)
        try:
            right = await verify_password(known and known[1], old)
        except Busy:
            await console.sign_in_limits.take_back(*tries)
            raise
        if not right:
            await console.store.events.record_refused(EventKind.PASSWORD_REFUSED, agent.id, address_of(request))
            return await _ask(request, console, agent, 403, speech.tell(OLD_WRONG))
        await console.sign_in_limits.forget(*tries)
    try:
        # Ends every session of the agent, this one too: whoever else was signed in is out.
        await console.staff.set_password(agent, password, by=agent, address=address_of(request))
    except ValueError as refused:
        return await _ask(request, console, agent, 422, speech.refusal(refused))
    home = destination(request, "")
    nameless = agent.public_name is None and may(agent, Permission.MANAGE_AGENTS)
    return await welcome(request, console, agent, f"{home}public-name" if nameless else home)


async def _old_one_is_needed(request: Request, console: Console, agent: Agent) -> bool:
    """Whoever finds a desk left open must not lock its agent out; who came by a link has forgotten theirs."""
    session = await console.store.agents.session(token_hash(request.cookies.get(SESSION_COOKIE, "")))
    return agent.has_password and not (session is not None and session.by_link)


async def _ask(
    request: Request, console: Console, agent: Agent, status: int = 200, problem: str | None = None
) -> Response:
    return console.pages.response(
        request,
        "account/password.html",
        status=status,
        agent=agent,
        least=MIN_LENGTH,
        problem=problem,
        old_one=await _old_one_is_needed(request, console, agent),
    )


@router.get("/public-name")
@needs(Permission.MANAGE_AGENTS)
async def ask_for_public_name(request: Request, console: CurrentConsole, agent: SignedIn) -> Response:
    return _name(request, console, agent, agent.public_name or "")


@router.post("/public-name")
@needs(Permission.MANAGE_AGENTS)
async def set_public_name(
    request: Request, console: CurrentConsole, agent: SignedIn, name: Annotated[str, Form()] = ""
) -> Response:
    try:
        if not name.strip():
            raise Refusal("write the name that customers shall see, or choose Later", "refusal.write_name")
        await console.staff.show_as(agent, name, by=agent)
    except ValueError as refused:
        return _name(request, console, agent, name, 422, console.pages.speech(request, agent).refusal(refused))
    return RedirectResponse(destination(request, ""), 303)


def _name(
    request: Request, console: Console, agent: Agent, name: str, status: int = 200, problem: str | None = None
) -> Response:
    return console.pages.response(
        request,
        "account/public_name.html",
        status=status,
        agent=agent,
        name=name,
        most=MAX_PUBLIC_NAME,
        problem=problem,
    )
