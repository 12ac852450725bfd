"""A page is one folder: what a newcomer adds is found, shown, served and guarded without another file being touched."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from bot.domain.staff import Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console, pages, registry
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.integration.console_desk import CAPABILITIES, PASSWORD, sign_in

PAGE = """
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.staff import OwnPermission, Role
from handoff.console.context import Here, SignedIn
from handoff.console.registry import Page, Sign
from handoff.console.shell import show

router = APIRouter()
GREET = OwnPermission("greet", frozenset({Role.LEAD, Role.AUDITOR}))


@router.get("/greetings")
async def greetings(request: Request, here: Here, agent: SignedIn) -> Response:
    return await show(request, here, agent, "greetings/greetings.html", name=agent.name)


@router.post("/greetings")
async def greet(request: Request) -> Response:
    return RedirectResponse(f"{request.scope['root_path']}/greetings", 303)


async def sign(_: object) -> Sign:
    return Sign(count=3)


PAGE = Page(
    name="greetings",
    router=router,
    permission=GREET,
    changes=OwnPermission("greet back", frozenset({Role.LEAD})),
    label="Greetings",
    icon="M4 12h16",
    place=15,
    sign=sign,
)
"""
TEMPLATE = """{% extends "components/live.html" %}
{% from "components/forms.html" import button_form %}
{% block content %}<main class="page"><h1>Hello {{ name }}</h1>
{{ button_form(root ~ "/greetings", "Greet") }}</main>{% endblock %}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A page beside the others, as if its folder lay among theirs."""
    folder = tmp_path / "greetings"
    for below in ("templates", "static"):
        (folder / below).mkdir(parents=True)
    (folder / "__init__.py").write_text(PAGE)
    (folder / "templates" / "greetings.html").write_text(TEMPLATE)
    (folder / "static" / "greetings.css").write_text("h1 { color: var(--accent); }")
    (folder / "static" / "greetings.js").write_text('import { feature } from "../components/console.js";\n')
    yield folder
    for name in ("greetings", "handoff.console.pages.greetings"):
        sys.modules.pop(name, None)


@asynccontextmanager
async def visits(store: Store, desk: Desk, feed: Feed, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    await store.add_agent(role.value, role, await hash_password(PASSWORD), "Somebody")
    router = console(store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie")
    transport = httpx.ASGITransport(http.application([router], {}))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield await sign_in(client, role.value)


async def test_a_folder_is_a_page(
    folder: Path, store: Store, desk: Desk, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    async with visits(store, desk, feed, Role.LEAD) as client:
        page = (await client.get("/console/greetings")).text
        assert "<h1>Hello lead</h1>" in page
        assert 'href="/console/greetings" aria-current="page"' in page
        assert '<span class="count">3</span>' in page
        for name in ("greetings.css", "greetings.js"):
            address = page[: page.index(name)].rpartition('"')[2] + name
            assert (await client.get(address)).text == (folder / "static" / name).read_text()
        # In its place on the others' pages, which load nothing of it.
        other = (await client.get("/console/")).text
        assert other.index("place-conversations") < other.index("place-greetings") < other.index("place-aside")
        assert "greetings.css" not in other
        assert (await client.post("/console/greetings")).status_code == 303


@pytest.mark.parametrize(("role", "reads", "changes"), [(Role.AUDITOR, 200, 403), (Role.ADMIN, 403, 403)])
async def test_its_own_right_is_looked_at(
    folder: Path,
    store: Store,
    desk: Desk,
    feed: Feed,
    monkeypatch: pytest.MonkeyPatch,
    role: Role,
    reads: int,
    changes: int,
) -> None:
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    async with visits(store, desk, feed, role) as client:
        assert (await client.get("/console/greetings")).status_code == reads
        assert (await client.post("/console/greetings")).status_code == changes
        assert ("place-greetings" in (await client.get("/console/")).text) == (reads == 200)


async def test_an_installed_package_brings_a_page(
    folder: Path, store: Store, desk: Desk, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder.parent)
    point = metadata.EntryPoint("greetings", "greetings:PAGE", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [point] if group == point.group else [])
    async with visits(store, desk, feed, Role.LEAD) as client:
        assert "<h1>Hello lead</h1>" in (await client.get("/console/greetings")).text


def test_two_pages_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "__init__.py").write_text(PAGE.replace('name="greetings"', 'name="channels"'))
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    with pytest.raises(ValueError, match=r"already a page named channels: give that in .* another name"):
        registry.discover()
