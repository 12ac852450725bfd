"""A page is one folder: what a newcomer adds by the walk in CONTRIBUTING.md is found, shown, served and guarded, and no
other file is touched."""

from __future__ import annotations

import re
import sys
import textwrap
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
from tests.support.console import CAPABILITIES, PASSWORD, sign_in
from tests.support.words import WORDS

WALK = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def walked(kind: str, word: str) -> str:
    """The code of that kind, with that word in it, which the walk through CONTRIBUTING.md gives."""
    blocks = re.findall(rf"^   ```{kind}\n(.*?)^   ```", WALK, re.M | re.S)
    (code,) = (textwrap.dedent(code) for code in blocks if word in code)
    return code


SIGN = """
from dataclasses import replace
from handoff.console.registry import HeaderStatus
from tests.support.words import WORDS

async def status(_: object) -> HeaderStatus:
    return HeaderStatus(count=3)

PAGE = replace(PAGE, status=status, place=15)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A page beside the others, as if its folder lay among theirs."""
    folder = tmp_path / "greetings"
    for below in ("templates", "static"):
        (folder / below).mkdir(parents=True)
    (folder / "__init__.py").write_text(walked("python", "PAGE = Page(") + SIGN)
    (folder / "templates" / "greetings.html").write_text(walked("html", "Greetings"))
    (folder / "static" / "greetings.css").write_text("h1 { color: var(--accent); }")
    (folder / "static" / "greetings.js").write_text('import { feature } from "../components/console.js";\n')
    yield folder
    for name in ("greetings", "handoff.console.pages.greetings"):
        sys.modules.pop(name, None)


@asynccontextmanager
async def visits(store: Store, desk: Desk, feed: Feed, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    await store.agents.add(role.value, role, await hash_password(PASSWORD), "Somebody")
    router = console(
        store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS
    )
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
        assert other.index("place-conversations") < other.index("place-greetings") < other.index("place-failed")
        assert "greetings.css" not in other
        assert (await client.post("/console/greetings")).status_code == 303


@pytest.mark.parametrize(("role", "reads", "changes"), [(Role.AUDITOR, 200, 403), (Role.AGENT, 403, 403)])
async def test_its_own_permission_is_looked_at(
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
    init = folder / "__init__.py"
    init.write_text(init.read_text().replace('name="greetings",\n', 'name="channels",\n'))
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    with pytest.raises(ValueError, match=r"already a page named channels: give that in .* another name"):
        registry.discover()
