"""Who may do what in the console: every route with every role, as the registry says; and the acts behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from bot.domain.conversation import Conversation, ConversationState
from bot.domain.staff import PERMISSIONS, Agent, NotAllowed, OwnPermission, Permission, Role, may, roles_with
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console
from handoff.console.door import Door
from handoff.console.registry import Access, Needed, Page, allows, discover
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import CAPABILITIES, HTMX, PASSWORD, Browser, queued, sign_in
from tests.support.lifecycle import Sql
from tests.support.words import WORDS

ROLES = [None, *Role]
"""None is who is not signed in."""
REFUSED = re.compile("This is for [a-z ,]+")


def application(router: APIRouter) -> FastAPI:
    """The application that is mounted at ``/console``."""
    app: Any = router.routes[0].app  # type: ignore[attr-defined]
    while not isinstance(app, FastAPI):
        app = app._app
    return app


def walked(router: Any, doors: tuple[Door, ...] = ()) -> Iterator[tuple[APIRoute, tuple[Door, ...]]]:
    """Every route below, with the doors that stand before it."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route, doors
            continue
        more = (depends.dependency for depends in route.include_context.dependencies)
        yield from walked(route.original_router, doors + tuple(one for one in more if isinstance(one, Door)))


def routes(app: FastAPI) -> list[tuple[str, str, Needed]]:
    """Method and path of every route, and what it asks for."""
    found = []
    for route, doors in walked(app.router):
        assert len(doors) == 1, f"{route.path} belongs to no page, so it asks for no permission"
        found += [(method, route.path, doors[0].page.needed(method, route.endpoint)) for method in route.methods]
    return sorted(found)


@pytest.fixture
def app(store: Store, desk: Desk, feed: Feed) -> FastAPI:
    return application(
        console(store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS)
    )


@pytest.fixture
async def people(store: Store) -> dict[Role, Agent]:
    password_hash = await hash_password(PASSWORD)
    return {role: await store.agents.add(f"The {role.value}", role, password_hash) for role in Role}


async def signed_in_as(browser: Browser, role: Role | None) -> httpx.AsyncClient:
    client = browser()
    return client if role is None else await sign_in(client, f"The {role.value}")


def filled(path: str) -> str:
    """With numbers that nothing has: whoever is let in finds nothing."""
    return re.sub(r"\{(\w+)\}", lambda match: "turn" if match[1] == "task" else "999999", path)


# --- the routes


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_lets_in_whom_the_registry_says(
    browser: Browser, app: FastAPI, people: dict[Role, Agent], role: Role | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def over(*_: object) -> Any:
        yield b"event: alive\n\n"

    # A stream has no end.
    monkeypatch.setattr("handoff.console.pages.shell.events.signals", over)
    client = await signed_in_as(browser, role)
    who = None if role is None else people[role]
    seen = []
    for method, path, needed in routes(app):
        if path == "/sign-out":
            continue
        answer = await client.request(method, f"/console{filled(path)}", data={} if method == "POST" else None)
        led_away = answer.headers.get("location", "").startswith("/console/sign-in")
        refused = answer.status_code == 403 and REFUSED.search(answer.text) is not None
        assert not (led_away and refused)
        assert (led_away, refused) == (
            not allows(needed, who) and who is None,
            not allows(needed, who) and who is not None,
        ), f"{method} {path} as {role}: {answer.status_code}"
        seen.append(not allows(needed, who))
    # Both kinds there are, but for an admin, who may everything.
    assert any(seen) is (role is not Role.ADMIN)
    assert not all(seen)


async def test_a_stranger_is_told_nothing_but_how_to_sign_in(app: FastAPI) -> None:
    open_to_all = {path for _, path, needed in routes(app) if needed is Access.ANYBODY}
    assert open_to_all == {"/sign-in", "/sign-in/{token}", "/sign-out", "/static/{version}/{name:path}"}


async def test_there_are_as_many_routes_as_are_walked(app: FastAPI) -> None:
    described = app.openapi()["paths"]
    assert {(method.upper(), path) for path, of in described.items() for method in of} == {
        (method, path.replace(":path", "")) for method, path, _ in routes(app)
    }
    assert len(routes(app)) > 40


async def test_a_route_without_a_page_is_found_out(app: FastAPI) -> None:
    @app.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(AssertionError, match="/forgotten belongs to no page"):
        routes(app)


async def test_what_changes_something_is_nothing_for_an_auditor(app: FastAPI, people: dict[Role, Agent]) -> None:
    own = {"/language", "/password", "/presence", "/sign-in", "/sign-in/{token}", "/sign-out"}
    for method, path, needed in routes(app):
        if method == "POST" and path not in own:
            assert not allows(needed, people[Role.AUDITOR]), path


async def test_the_navigation_has_what_one_may_open(browser: Browser, people: dict[Role, Agent]) -> None:
    expected = {
        Role.AGENT: ["conversations"],
        Role.LEAD: ["conversations", "failed", "channels"],
        Role.ADMIN: ["conversations", "failed", "channels", "agents"],
        Role.AUDITOR: ["conversations", "failed", "channels", "agents"],
    }
    for role, names in expected.items():
        client = await signed_in_as(browser, role)
        for path in ("/", "/navigation"):
            page = (await client.get(f"/console{path}")).text
            # Beside them stand the pages that others bring.
            shown = [name for name in re.findall(r'id="place-(\w+)"', page) if name in expected[Role.ADMIN]]
            assert shown == names
    places = (await client.get("/console/agents")).text
    assert re.findall(r'href="([\w/]+)" aria-current="page"', places) == ["/console/agents"]


# --- the roles


def test_what_each_role_may() -> None:
    agent, lead, admin, auditor = (PERMISSIONS[role] for role in Role)
    assert agent < lead < admin == frozenset(Permission)
    assert auditor == {Permission.READ_CONVERSATIONS, Permission.VIEW_OPERATIONS, Permission.VIEW_AGENTS}
    assert set(PERMISSIONS) == set(Role)


async def test_a_page_brings_its_own_permission(people: dict[Role, Agent]) -> None:
    reports = OwnPermission("reports", frozenset({Role.LEAD, Role.AUDITOR}))
    assert [role for role in Role if may(people[role], reports)] == roles_with(reports) == [Role.LEAD, Role.AUDITOR]
    page = Page(name="reports", router=APIRouter(), permission=reports)
    assert page.needed("POST", test_what_each_role_may) is reports
    assert str(NotAllowed(reports, 1)) == "only leads and auditors may do this"


def test_every_permission_is_asked_for_somewhere() -> None:
    asked = {page.permission for page in discover().pages} | {page.changes for page in discover().pages}
    assert set(Permission) - asked == {Permission.MOVE_CONVERSATIONS, Permission.DELETE_NOTES}, (
        "asked for by the desk alone"
    )


# --- the acts


async def has(store: Store, desk: Desk, agent: Agent) -> Conversation:
    return await desk.claim(await queued(store, name=f"Customer of {agent.name}"), agent)


async def test_an_auditor_does_nothing_at_the_desk(store: Store, desk: Desk, people: dict[Role, Agent]) -> None:
    auditor, agent = people[Role.AUDITOR], people[Role.AGENT]
    waiting = await queued(store)
    held = (await has(store, desk, agent)).id
    before = await store.messages.of(held)
    acts = [
        lambda: desk.claim(waiting, auditor),
        lambda: desk.take_over(held, auditor, agent.id, "x"),
        lambda: desk.transfer(held, auditor, agent, "x"),
        lambda: desk.transfer(held, auditor, people[Role.LEAD], "x", holder=agent.id),
        lambda: desk.put_back(held, auditor, "x", holder=agent.id),
        lambda: desk.reply(held, auditor, "x"),
        lambda: desk.note(held, auditor, "x"),
        lambda: desk.edit(before[-1].id, auditor, "x"),
        lambda: desk.delete(before[-1].id, auditor),
        lambda: desk.hand_back(held, auditor),
        lambda: desk.resolve(held, auditor),
        lambda: desk.reopen(held, auditor),
        lambda: desk.link(1, 2, auditor),
        lambda: desk.undo_link(1, auditor),
    ]
    for act in acts:
        with pytest.raises(NotAllowed):
            await act()
    assert await store.messages.of(held) == before
    assert (await store.conversations.get(waiting)).state is ConversationState.QUEUED


async def test_nothing_is_given_to_who_does_not_answer(
    store: Store, desk: Desk, people: dict[Role, Agent], sql: Sql
) -> None:
    """The role is looked at where the conversation changes hands: it may have changed since the page was asked for.
    What slips through all the same is put back by the sweep."""
    lead, agent, auditor = people[Role.LEAD], people[Role.AGENT], people[Role.AUDITOR]
    waiting = await queued(store)
    held = (await has(store, desk, lead)).id
    with pytest.raises(ValueError, match="no such colleague who answers customers"):
        await desk.transfer(held, lead, auditor, "x")
    await store.agents.set_role(agent.id, Role.AUDITOR)
    for act in (desk.claim(waiting, agent), desk.take_over(held, agent, lead.id, "x")):
        with pytest.raises((NotAllowed, ValueError)):
            await act
    assert (await store.conversations.get(waiting)).agent is None
    assert (await store.conversations.get(held)).agent == lead
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 0
    sql("UPDATE agent SET role = 'auditor' WHERE id = %s", lead.id)
    assert await desk.put_back_abandoned(timedelta(minutes=15)) == 1
    assert (await store.conversations.get(held)).agent is None


async def test_a_lead_moves_what_colleagues_have(store: Store, desk: Desk, people: dict[Role, Agent]) -> None:
    lead, agent, admin = people[Role.LEAD], people[Role.AGENT], people[Role.ADMIN]
    held = (await has(store, desk, agent)).id
    with pytest.raises(NotAllowed):
        await desk.put_back(held, agent, "x", holder=lead.id)
    moved = await desk.transfer(held, lead, admin, "she knows them", holder=agent.id)
    assert moved.agent == admin
    assert (await desk.put_back(held, lead, "lunch", holder=admin.id)).state is ConversationState.QUEUED
    lines = [one.text for one in await store.messages.of(held)]
    assert "The lead passed this on from The agent to The admin: she knows them" in lines
    assert "The lead took it from The admin and put this back into the queue: lunch" in lines
    # Who was demoted meanwhile moves nothing.
    again = (await desk.claim(held, agent)).id
    await store.agents.set_role(lead.id, Role.AGENT)
    with pytest.raises(NotAllowed):
        await desk.put_back(again, lead, "x", holder=agent.id)


async def test_who_has_conversations_stays_one_who_answers(store: Store, desk: Desk, people: dict[Role, Agent]) -> None:
    agent = people[Role.AGENT]
    held = (await has(store, desk, agent)).id
    with pytest.raises(ValueError, match="has 1 conversation in hand, and as auditor could not answer"):
        await store.agents.set_role(agent.id, Role.AUDITOR)
    await desk.put_back(held, agent, "x")
    assert (await store.agents.set_role(agent.id, Role.AUDITOR)).role is Role.AUDITOR


async def test_an_auditor_is_shown_nothing_to_press(
    browser: Browser, store: Store, desk: Desk, people: dict[Role, Agent]
) -> None:
    held = (await has(store, desk, people[Role.AGENT])).id
    client = await signed_in_as(browser, Role.AUDITOR)
    everywhere = [f"/conversations/{held}", "/failed", "/channels", "/agents", f"/agents/{people[Role.AGENT].id}"]
    for path in everywhere:
        page = (await client.get(f"/console{path}")).text
        assert re.findall(r'<form[^>]* method="post" action="([^"]*)"', page) == [
            "/console/language",
            "/console/sign-out",
        ], path
    assert "You read, and change nothing." in (await client.get(f"/console/conversations/{held}", headers=HTMX)).text


async def test_the_sheet_of_a_colleagues_conversation_is_for_leads(
    browser: Browser, store: Store, desk: Desk, people: dict[Role, Agent]
) -> None:
    held = (await has(store, desk, people[Role.ADMIN])).id
    forms = {}
    for role in (Role.AGENT, Role.LEAD):
        client = await signed_in_as(browser, role)
        page = (await client.get(f"/console/conversations/{held}")).text
        forms[role] = re.findall(rf'action="/console/conversations/{held}/([\w-]+)\?', page)
        form = {"holder": people[Role.ADMIN].id, "why": "x"}
        answer = await client.post(f"/console/conversations/{held}/put-back", data=form)
        assert answer.status_code == {Role.AGENT: 403, Role.LEAD: 303}[role]
    assert forms[Role.AGENT] == ["priority", "take-over", "name", "messages"]
    assert forms[Role.LEAD] == ["priority", "transfer", "put-back", "take-over", "name", "messages"]
