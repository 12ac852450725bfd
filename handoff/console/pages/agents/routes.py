"""The pages for admins: who works at the desk. Every act is a plain form; the store looks at the admin's right again in
the moment in which it is done."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.said import Refusal, Said
from bot.domain.staff import MAX_NAME, MAX_PUBLIC_NAME, Agent, Role
from handoff.console.context import Console, CurrentConsole, SignedIn
from handoff.console.shell import show
from handoff.staff import LINK_VALID

AgentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Word = Annotated[str, Form()]

_DONE = frozenset({"name", "public-name", "role", "sessions", "disabled", "enabled"})
"""What a page is led back to after: ``console.agents.done.…`` says each."""

router = APIRouter()


async def _colleague(console: CurrentConsole, agent_id: AgentId) -> Agent:
    return (await console.store.agents.colleague(agent_id)).agent


Who = Annotated[Agent, Depends(_colleague)]
"""Whom the address names."""


@router.get("/agents")
async def agents(request: Request, console: CurrentConsole, admin: SignedIn) -> Response:
    return await _all(request, console, admin)


@router.post("/agents")
async def add(
    request: Request,
    console: CurrentConsole,
    admin: SignedIn,
    name: Word = "",
    public_name: Word = "",
    role: Word = Role.AGENT,
) -> Response:
    try:
        who = await console.staff.add(name, _role(role), seen_as=public_name, by=admin)
        token = await console.staff.link(who, by=admin)
    except ValueError as refused:
        typed = {"name": name, "public_name": public_name, "role": role}
        return await _all(request, console, admin, typed, refused, status=422)
    done = Said("console.agents.done.added", {"name": who.name})
    return await _one(request, console, admin, who.id, token=token, done=done)


@router.get("/agents/{agent_id}")
async def agent(
    request: Request, console: CurrentConsole, admin: SignedIn, agent_id: AgentId, done: str = ""
) -> Response:
    was_done = Said(f"console.agents.done.{done}") if done in _DONE else None
    return await _one(request, console, admin, agent_id, done=was_done)


@router.post("/agents/{agent_id}/link")
async def link(request: Request, console: CurrentConsole, admin: SignedIn, who: Who) -> Response:
    """Shown in the answer and never again: what is kept of it does not open anything."""
    try:
        token = await console.staff.link(who, by=admin)
    except ValueError as refused:
        return await _one(request, console, admin, who.id, problem=refused, status=422)
    return await _one(request, console, admin, who.id, token=token)


@router.post("/agents/{agent_id}/name")
async def rename(request: Request, console: CurrentConsole, admin: SignedIn, who: Who, name: Word = "") -> Response:
    return await _act(request, console, admin, who.id, console.staff.rename(who, name, by=admin), "name")


@router.post("/agents/{agent_id}/public-name")
async def public_name(
    request: Request, console: CurrentConsole, admin: SignedIn, who: Who, name: Word = ""
) -> Response:
    return await _act(request, console, admin, who.id, console.staff.show_as(who, name, by=admin), "public-name")


@router.post("/agents/{agent_id}/role")
async def role(request: Request, console: CurrentConsole, admin: SignedIn, who: Who, role: Word = "") -> Response:
    return await _act(request, console, admin, who.id, _set_role(console, who, role, admin), "role")


async def _set_role(console: Console, who: Agent, role: str, admin: Agent) -> None:
    await console.staff.set_role(who, _role(role), by=admin)


@router.post("/agents/{agent_id}/end-sessions")
async def end_sessions(request: Request, console: CurrentConsole, admin: SignedIn, who: Who) -> Response:
    return await _act(request, console, admin, who.id, console.staff.end_sessions(who, by=admin), "sessions")


@router.post("/agents/{agent_id}/disable")
async def disable(request: Request, console: CurrentConsole, admin: SignedIn, who: Who) -> Response:
    return await _act(request, console, admin, who.id, console.staff.disable(who, by=admin), "disabled")


@router.post("/agents/{agent_id}/enable")
async def enable(request: Request, console: CurrentConsole, admin: SignedIn, who: Who) -> Response:
    return await _act(request, console, admin, who.id, console.staff.enable(who, by=admin), "enabled")


async def _act(
    request: Request, console: Console, admin: Agent, agent_id: int, action: Awaitable[object], done: str
) -> Response:
    """Does it and leads back to the agent's page; where it is refused, that page says why."""
    try:
        await action
    except ValueError as refused:
        return await _one(request, console, admin, agent_id, problem=refused, status=422)
    home = f"{request.scope['root_path']}/"
    # Who is no admin any more has no business here.
    is_over = agent_id == admin.id and done in ("role", "disabled")
    return RedirectResponse(home if is_over else f"{home}agents/{agent_id}?done={done}", 303)


def _role(name: str) -> Role:
    if name not in set(Role):
        raise Refusal(f"choose one of the roles: {', '.join(Role)}", "refusal.choose_role")
    return Role(name)


async def _all(
    request: Request,
    console: Console,
    admin: Agent,
    typed: dict[str, str] | None = None,
    problem: ValueError | None = None,
    status: int = 200,
) -> Response:
    return await show(
        request,
        console,
        admin,
        "agents/agents.html",
        status=status,
        colleagues=await console.store.agents.staff(),
        typed=typed or {"name": "", "public_name": "", "role": Role.AGENT.value},
        problem=problem and console.pages.speech(request, admin).refusal(problem),
        most=MAX_NAME,
        most_public=MAX_PUBLIC_NAME,
    )


async def _one(
    request: Request,
    console: Console,
    admin: Agent,
    agent_id: int,
    *,
    token: str | None = None,
    done: Said | None = None,
    problem: ValueError | None = None,
    status: int = 200,
) -> Response:
    root = request.scope["root_path"]
    return await show(
        request,
        console,
        admin,
        "agents/agent.html",
        status=status,
        colleague=await console.store.agents.colleague(agent_id),
        sessions=await console.store.agents.sessions(agent_id),
        link=token and f"{request.url.scheme}://{request.url.netloc}{root}/sign-in/{token}",
        link_hours=int(LINK_VALID.total_seconds() // 3600),
        done=done and console.pages.speech(request, admin).tell(done),
        problem=problem and console.pages.speech(request, admin).refusal(problem),
        most=MAX_NAME,
        most_public=MAX_PUBLIC_NAME,
    )
