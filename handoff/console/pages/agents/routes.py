"""The pages for admins: who works at the desk. Every act is a plain form; the store looks at the admin's right again in
the moment in which it is done."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.staff import MAX_NAME, MAX_PUBLIC_NAME, Agent, Role
from handoff.console.context import Console, Here, SignedIn
from handoff.console.shell import show
from handoff.staff import LINK_VALID

AgentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Word = Annotated[str, Form()]

_DONE = {
    "name": "The name to sign in with is changed.",
    "public-name": "Customers see the new name from the next time that the agent joins a chat.",
    "role": "The role is changed, at once and in every open page.",
    "sessions": "Signed out everywhere.",
    "disabled": "Disabled and signed out everywhere. What was in hand is back in the queue.",
    "enabled": "Enabled. They sign in with their old password, or with a new link.",
}

router = APIRouter()


@router.get("/agents")
async def agents(request: Request, here: Here, admin: SignedIn) -> Response:
    return await _all(request, here, admin)


@router.post("/agents")
async def add(
    request: Request, here: Here, admin: SignedIn, name: Word = "", public_name: Word = "", role: Word = Role.AGENT
) -> Response:
    try:
        who = await here.staff.add(name, _role(role), seen_as=public_name, by=admin)
        token = await here.staff.link(who, by=admin)
    except ValueError as refused:
        typed = {"name": name, "public_name": public_name, "role": role}
        return await _all(request, here, admin, typed, _sentence(refused), status=422)
    return await _one(request, here, admin, who.id, token=token, done=f"{who.name} is added.")


@router.get("/agents/{agent_id}")
async def agent(request: Request, here: Here, admin: SignedIn, agent_id: AgentId, done: str = "") -> Response:
    return await _one(request, here, admin, agent_id, done=_DONE.get(done))


@router.post("/agents/{agent_id}/link")
async def link(request: Request, here: Here, admin: SignedIn, agent_id: AgentId) -> Response:
    """Shown in the answer and never again: what is kept of it does not open anything."""
    who = (await here.store.agents.colleague(agent_id)).agent
    try:
        token = await here.staff.link(who, by=admin)
    except ValueError as refused:
        return await _one(request, here, admin, agent_id, problem=_sentence(refused), status=422)
    return await _one(request, here, admin, agent_id, token=token)


@router.post("/agents/{agent_id}/name")
async def rename(request: Request, here: Here, admin: SignedIn, agent_id: AgentId, name: Word = "") -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, here.staff.rename(who, name, by=admin), "name")


@router.post("/agents/{agent_id}/public-name")
async def public_name(request: Request, here: Here, admin: SignedIn, agent_id: AgentId, name: Word = "") -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, here.staff.show_as(who, name, by=admin), "public-name")


@router.post("/agents/{agent_id}/role")
async def role(request: Request, here: Here, admin: SignedIn, agent_id: AgentId, role: Word = "") -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, _set_role(here, who, role, admin), "role")


async def _set_role(here: Console, who: Agent, role: str, admin: Agent) -> None:
    await here.staff.set_role(who, _role(role), by=admin)


@router.post("/agents/{agent_id}/end-sessions")
async def end_sessions(request: Request, here: Here, admin: SignedIn, agent_id: AgentId) -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, here.staff.end_sessions(who, by=admin), "sessions")


@router.post("/agents/{agent_id}/disable")
async def disable(request: Request, here: Here, admin: SignedIn, agent_id: AgentId) -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, here.staff.disable(who, by=admin), "disabled")


@router.post("/agents/{agent_id}/enable")
async def enable(request: Request, here: Here, admin: SignedIn, agent_id: AgentId) -> Response:
    who = (await here.store.agents.colleague(agent_id)).agent
    return await _act(request, here, admin, agent_id, here.staff.enable(who, by=admin), "enabled")


async def _act(
    request: Request, here: Console, admin: Agent, agent_id: int, deed: Awaitable[object], done: str
) -> Response:
    """Does it and leads back to the agent's page; where it is refused, that page says why."""
    try:
        await deed
    except ValueError as refused:
        return await _one(request, here, admin, agent_id, problem=_sentence(refused), status=422)
    home = f"{request.scope['root_path']}/"
    # Who is no admin any more has no business here.
    is_over = agent_id == admin.id and done in ("role", "disabled")
    return RedirectResponse(home if is_over else f"{home}agents/{agent_id}?done={done}", 303)


def _role(name: str) -> Role:
    if name not in set(Role):
        raise ValueError(f"choose one of the roles: {', '.join(Role)}")
    return Role(name)


def _sentence(refused: ValueError) -> str:
    words = str(refused)
    return f"{words[:1].upper()}{words[1:]}."


async def _all(
    request: Request,
    here: Console,
    admin: Agent,
    typed: dict[str, str] | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    return await show(
        request,
        here,
        admin,
        "agents/agents.html",
        status=status,
        colleagues=await here.store.agents.staff(),
        typed=typed or {"name": "", "public_name": "", "role": Role.AGENT.value},
        problem=problem,
        most=MAX_NAME,
        most_public=MAX_PUBLIC_NAME,
    )


async def _one(
    request: Request,
    here: Console,
    admin: Agent,
    agent_id: int,
    *,
    token: str | None = None,
    done: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    root = request.scope["root_path"]
    return await show(
        request,
        here,
        admin,
        "agents/agent.html",
        status=status,
        colleague=await here.store.agents.colleague(agent_id),
        sessions=await here.store.agents.sessions(agent_id),
        link=token and f"{request.url.scheme}://{request.url.netloc}{root}/sign-in/{token}",
        link_hours=int(LINK_VALID.total_seconds() // 3600),
        done=done,
        problem=problem,
        most=MAX_NAME,
        most_public=MAX_PUBLIC_NAME,
    )
