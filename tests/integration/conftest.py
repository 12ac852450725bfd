"""The agents of a desk, and their browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from bot.store.database import conninfo
from handoff.console import console
from handoff.desk import Desk
from handoff.passwords import hash_password
from tests.support.console import CAPABILITIES, PASSWORD, Browser
from tests.support.lifecycle import Sql
from tests.support.words import WORDS


@pytest.fixture
async def mei(store: Store) -> Agent:
    return await store.agents.add("Mei", Role.ADMIN, await hash_password(PASSWORD))


@pytest.fixture
async def ada(store: Store) -> Agent:
    return await store.agents.add("Ada", Role.AGENT, await hash_password(PASSWORD))


@pytest.fixture
def sql(database_url: str) -> Iterator[Sql]:
    """Looks, and changes things, behind the desk's back."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:

        def execute(query: str, *values: object) -> list[Any]:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

        yield execute


@pytest.fixture
async def browser(store: Store, desk: Desk, feed: Feed) -> AsyncIterator[Browser]:
    """Makes browsers that have never been here."""
    app = http.application(
        [
            console(
                store, desk, feed, capabilities=CAPABILITIES, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS
            )
        ],
        {},
    )
    opened = []

    def browser() -> httpx.AsyncClient:
        opened.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, client=(f"10.0.0.{len(opened)}", 1)), base_url="http://desk"
            )
        )
        return opened[-1]

    yield browser
    for one in opened:
        await one.aclose()
