"""A page is one folder and its phrases: what a newcomer adds by the walk in CONTRIBUTING.md is found, shown, served and
guarded. It has another name here, so that whoever walks there themselves has not two pages of one name."""

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

from bot.content.words import Words
from bot.domain.staff import Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from handoff.console import console, pages, registry
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import CAPABILITIES, PASSWORD, sign_in

NAME = "walked"
WALK = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def walked(kind: str, word: str) -> str:
    """The code of that kind, with that word in it, which the walk through CONTRIBUTING.md gives."""
    blocks = re.findall(rf"^   ```{kind}\n(.*?)^   ```", WALK, re.M | re.S)
    (code,) = (textwrap.dedent(code) for code in blocks if word in code)
    return code.replace("greetings", NAME)


SIGN = """
from dataclasses import replace
from handoff.console.registry import HeaderStatus

async def status(_: object) -> HeaderStatus:
    return HeaderStatus(count=3)

PAGE = replace(PAGE, status=status, place=15)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A page beside the others, as if its folder lay among theirs."""
    folder = tmp_path / NAME
    for below in ("templates", "static"):
        (folder / below).mkdir(parents=True)
    (folder / "__init__.py").write_text(walked("python", "PAGE = Page(") + SIGN)
    (folder / "templates" / f"{NAME}.html").write_text(walked("html", "console.page.greetings"))
    (folder / "static" / f"{NAME}.css").write_text("h1 { color: var(--accent); }")
    (folder / "static" / f"{NAME}.js").write_text('import { feature } from "../components/console.js";\n')
    yield folder
    for name in (NAME, f"handoff.console.pages.{NAME}"):
        sys.modules.pop(name, None)


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """With the phrases that the walk adds."""
    (tmp_path / "phrases").mkdir()
    for locale, hello in (("en", "Hello {name}"), ("zh", "您好，{name}")):
        (tmp_path / "phrases" / f"{locale}.yml").write_text(walked("yaml", hello))
    return Words(tmp_path, ("en", "zh"), {"brand": "BitPie"})


@asynccontextmanager
async def visits(store: Store, desk: Desk, feed: Feed, words: Words, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    await store.agents.add(role.value, role, await hash_password(PASSWORD), "Somebody")
    router = console(
        store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=words
    )
    transport = httpx.ASGITransport(http.application([router], {}))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield await sign_in(client, role.value)


async def test_a_folder_is_a_page(
    folder: Path, store: Store, desk: Desk, feed: Feed, words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    async with visits(store, desk, feed, words, Role.LEAD) as client:
        page = (await client.get(f"/console/{NAME}")).text
        assert "<h1>Hello lead</h1>" in page
        assert f'href="/console/{NAME}" aria-current="page"' in page
        assert '<span class="count">3</span>' in page
        for name in (f"{NAME}.css", f"{NAME}.js"):
            address = page[: page.index(name)].rpartition('"')[2] + name
            assert (await client.get(address)).text == (folder / "static" / name).read_text()
        # In its place on the others' pages, which load nothing of it.
        other = (await client.get("/console/")).text
        assert other.index("place-conversations") < other.index(f"place-{NAME}") < other.index("place-failed")
        assert f"{NAME}.css" not in other
        assert f'action="/console/{NAME}"' in page
        assert (await client.post(f"/console/{NAME}")).status_code == 303
        chinese = (await client.get(f"/console/{NAME}", headers={"Accept-Language": "zh"})).text
        assert "<h1>您好，lead</h1>" in chinese


@pytest.mark.parametrize(("role", "reads", "changes"), [(Role.AUDITOR, 200, 403), (Role.AGENT, 403, 403)])
async def test_its_own_permission_is_looked_at(
    folder: Path,
    store: Store,
    desk: Desk,
    feed: Feed,
    words: Words,
    monkeypatch: pytest.MonkeyPatch,
    role: Role,
    reads: int,
    changes: int,
) -> None:
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    async with visits(store, desk, feed, words, role) as client:
        page = await client.get(f"/console/{NAME}")
        assert page.status_code == reads
        assert f'action="/console/{NAME}"' not in page.text  # no button that would be refused
        assert (await client.post(f"/console/{NAME}")).status_code == changes
        assert (f"place-{NAME}" in (await client.get("/console/")).text) == (reads == 200)


async def test_an_installed_package_brings_a_page(
    folder: Path, store: Store, desk: Desk, feed: Feed, words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder.parent)
    point = metadata.EntryPoint(NAME, f"{NAME}:PAGE", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [point] if group == point.group else [])
    async with visits(store, desk, feed, words, Role.LEAD) as client:
        assert "<h1>Hello lead</h1>" in (await client.get(f"/console/{NAME}")).text


def test_two_pages_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init = folder / "__init__.py"
    init.write_text(init.read_text().replace(f'name="{NAME}"', 'name="channels"'))
    monkeypatch.setattr(pages, "__path__", [*pages.__path__, str(folder.parent)])
    with pytest.raises(ValueError, match=r"already a page named channels: give that in .* another name"):
        registry.discover()
