"""Managing agents over HTTP: who may, what the pages show, and passwords with their old one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import pytest

from bot.domain.conversation import ConversationState
from bot.domain.staff import Agent, Role
from bot.runtime import http
from bot.runtime.feed import Feed
from bot.settings import ROOT
from bot.store import Store
from bot.web.sign_in_limits import TRIES
from handoff.console import console
from handoff.console.pages.agents import routes as pages
from handoff.desk import Desk
from handoff.passwords import hash_password, new_token, token_hash
from tests.support.console import HOSTILE, HTMX, PASSWORD, Browser, queued, sign_in
from tests.support.serving import served
from tests.support.words import WORDS

NEW = "tidal copper lamp"
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"}


def routes() -> list[tuple[str, str]]:
    """Method and path of every route of the pages, about agent 2."""
    found = []
    for route in pages.router.routes:
        for method in route.methods:  # type: ignore[attr-defined]
            found.append((method, route.path.replace("{agent_id}", "2")))  # type: ignore[attr-defined]
    return [*sorted(found), ("GET", "/public-name"), ("POST", "/public-name")]


def link_in(page: str) -> str:
    """The path of the sign-in link that a page shows."""
    found = re.search(r'value="http://desk(/console/sign-in/[\w-]+)" readonly', page)
    assert found is not None, page
    return found[1]


# --- who may


async def test_no_route_is_for_an_agent_or_a_stranger(browser: Browser, store: Store, mei: Agent, ada: Agent) -> None:
    stranger, client = browser(), await sign_in(browser(), "Ada")
    before = await store.agents.all(), await store.agents.sessions(ada.id)
    for method, path in routes():
        form = {"name": "Eve", "public_name": "Eve", "role": "admin"} if method == "POST" else None
        answer = await stranger.request(method, f"/console{path}", data=form)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/console/sign-in")
        for headers in ({}, HTMX):
            answer = await client.request(method, f"/console{path}", data=form, headers=headers)
            assert answer.status_code == 403, path
            who = "Only admins may" if method == "POST" or "public-name" in path else "Only admins and auditors may"
            assert f"{who} do this. Ask one of them." in answer.text
    after = await store.agents.all(), await store.agents.sessions(ada.id)
    assert [replace(agent, seen_at=None) for agent in after[0]] == before[0]
    assert after[1] == before[1]


async def test_there_are_as_many_routes_as_are_walked() -> None:
    assert len(routes()) >= 12


async def test_another_site_cannot_do_it(browser: Browser, store: Store, mei: Agent, ada: Agent) -> None:
    client = await sign_in(browser())
    before = await store.agents.staff()
    for path in (path for method, path in routes() if method == "POST"):
        answer = await client.post(
            f"/console{path}", data={"name": "Eve", "role": "admin"}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403, path
    assert await store.agents.staff() == before


async def test_only_admins_are_led_there(browser: Browser, mei: Agent, ada: Agent) -> None:
    for name, there in (("Mei", 1), ("Ada", 0)):
        client = await sign_in(browser(), name)
        page = (await client.get("/console/")).text
        assert page.count('href="/console/agents"') == there
        assert f'Customers see <b dir="auto">{name}</b>' in page


async def test_an_admin_who_was_demoted_a_moment_ago_does_nothing(
    browser: Browser, store: Store, mei: Agent, ada: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the session and the act."""
    await store.agents.add("Root", Role.ADMIN, None)
    client = await sign_in(browser())
    colleague = store.agents.colleague

    async def demoted(agent_id: int) -> object:
        await store.agents.set_role(mei.id, Role.AGENT)
        return await colleague(agent_id)

    monkeypatch.setattr(store.agents, "colleague", demoted)
    answer = await client.post(f"/console/agents/{ada.id}/disable")
    assert answer.status_code == 403
    assert (await colleague(ada.id)).agent.disabled_at is None


async def test_nobody_of_that_number(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    for id in ("0", "-1", "abc", str(2**63), "%00", "999"):
        assert (await client.get(f"/console/agents/{id}")).status_code == 404
        for act in ("link", "name", "public-name", "role", "end-sessions", "disable", "enable"):
            assert (await client.post(f"/console/agents/{id}/{act}", data={"name": "x"})).status_code == 404


# --- the pages


async def test_the_list_shows_everybody(browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    await desk.claim(await queued(store), ada)
    await sign_in(browser(), "Ada")
    zoe = await store.agents.add("admin", Role.ADMIN, None)
    await store.agents.disable(zoe.id, {"": "x"})
    page = (await (await sign_in(browser())).get("/console/agents")).text
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"(?s)<tr[ >].*?</tr>", page)[1:]]
    assert rows == [
        "Ada Ada Agent Active never 1 1 browser",
        "Mei you Mei Admin Active just now 0 1 browser",
        "admin “a person” Admin Disabled never 0 0 browsers",
    ]


async def test_an_agent_is_added_by_a_link_and_sets_a_password(browser: Browser, store: Store, mei: Agent) -> None:
    admin = await sign_in(browser())
    answer = await admin.post("/console/agents", data={"name": "li", "public_name": "Li Wei", "role": "agent"})
    assert answer.status_code == 200
    link = link_in(answer.text)
    li = (await store.agents.all())[-1]
    assert (li.name, li.public_name, li.role, li.has_password) == ("li", "Li Wei", Role.AGENT, False)
    assert link not in (await admin.get(f"/console/agents/{li.id}")).text
    client = browser()
    redeemed = await client.post(link, headers=FIREFOX)
    assert redeemed.headers["location"] == "/console/password"
    page = (await client.get("/console/password")).text
    assert "Old password" not in page
    assert ">Later</a>" in page
    assert "Firefox on Windows</b>" in (await admin.get(f"/console/agents/{li.id}")).text
    done = await client.post("/console/password", data={"password": NEW})
    # Only admins are asked what customers call them.
    assert done.headers["location"] == "/console/"


UNFIT = (
    ({"name": "mei"}, "There is already an agent named mei."),
    ({"name": " "}, "A name has 1 to 80 characters."),
    ({"name": "x" * 81}, "A name has 1 to 80 characters."),
    ({"name": "a\u202eb"}, "A name has no invisible marks"),
    ({"name": "li", "public_name": "Mei"}, "Customers know another agent as Mei"),
    ({"name": "li", "public_name": "BitPie Support"}, "says what somebody does here"),
    ({"name": "li", "public_name": "y" * 41}, "A public name has 1 to 40 characters."),
    ({"name": "li", "role": "root"}, "Choose one of the roles: agent, lead, admin, auditor."),
)


async def test_what_cannot_be_added_keeps_what_was_typed(browser: Browser, store: Store, mei: Agent) -> None:
    client = await sign_in(browser())
    for form, words in UNFIT:
        answer = await client.post("/console/agents", data=form)
        assert answer.status_code == 422
        assert words in unescape(answer.text)
        assert f'value="{form["name"]}"' in answer.text
    assert len(await store.agents.all()) == 1


async def test_names_stay_text(browser: Browser, store: Store, mei: Agent) -> None:
    evil = await store.agents.add(HOSTILE, Role.AGENT, None, "<b>x")
    await store.agents.add_session(
        evil.id, "x", datetime.now(UTC) + timedelta(hours=1), address="<i>", browser=HOSTILE[:40]
    )
    client = await sign_in(browser())
    for path in ("/agents", f"/agents/{evil.id}"):
        page = (await client.get(f"/console{path}")).text
        assert "<script>alert" not in page
        assert "<b>x" not in page
        assert "<i>" not in page


async def test_every_act_of_the_page(browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent) -> None:
    client = await sign_in(browser())
    address = f"/console/agents/{ada.id}"

    async def does(act: str, **form: str) -> Agent:
        answer = await client.post(f"{address}/{act}", data=form)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{address}?done=")
        assert 'class="done"' in (await client.get(answer.headers["location"])).text
        return (await store.agents.colleague(ada.id)).agent

    assert (await does("name", name="ada.l")).name == "ada.l"
    assert (await does("public-name", name="Ada L.")).public_name == "Ada L."
    assert (await does("public-name", name=" ")).public_name is None
    assert (await does("role", role="admin")).role is Role.ADMIN
    assert (await does("role", role="agent")).role is Role.AGENT
    other = await sign_in(browser(), "ada.l")
    await does("end-sessions")
    assert (await other.get("/console/")).status_code == 303
    conversation_id = await queued(store)
    await desk.claim(conversation_id, ada)
    page = (await client.get(address)).text
    assert "Their 1 conversation goes back into the queue at its old place" in page
    other = await sign_in(browser(), "ada.l")
    assert (await does("disable")).disabled_at is not None
    assert (await other.get("/console/")).status_code == 303
    assert (await store.conversations.get(conversation_id)).state is ConversationState.QUEUED
    refused = await browser().post("/console/sign-in", data={"name": "ada.l", "password": PASSWORD})
    assert refused.status_code == 403
    assert "The name or the password is wrong." in refused.text
    assert (await does("enable")).disabled_at is None
    await sign_in(browser(), "ada.l")


async def test_a_link_of_who_is_disabled_does_nothing(browser: Browser, store: Store, mei: Agent, ada: Agent) -> None:
    client = await sign_in(browser())
    link = link_in((await client.post(f"/console/agents/{ada.id}/link")).text)
    await client.post(f"/console/agents/{ada.id}/disable")
    assert (await browser().post(link)).status_code == 410
    answer = await client.post(f"/console/agents/{ada.id}/link")
    assert answer.status_code == 422
    assert "Ada is disabled: enable them first." in answer.text


async def test_nobody_is_left_without_an_admin(browser: Browser, store: Store, mei: Agent, ada: Agent) -> None:
    client = await sign_in(browser())
    for act, form in (("disable", {}), ("role", {"role": "agent"})):
        answer = await client.post(f"/console/agents/{mei.id}/{act}", data=form)
        assert answer.status_code == 422
        assert "Mei is the only admin: make another agent admin first." in answer.text
    await store.agents.set_role(ada.id, Role.ADMIN)
    page = (await client.get(f"/console/agents/{mei.id}")).text
    assert "Disable myself" in page
    assert (await client.post(f"/console/agents/{mei.id}/disable")).headers["location"] == "/console/"
    assert (await client.get("/console/")).headers["location"].startswith("/console/sign-in")


# --- streams


@pytest.fixture
async def address(store: Store, desk: Desk, feed: Feed) -> AsyncIterator[str]:
    router = console(store, desk, feed, capabilities={}, vendor=ROOT / "node_modules", brand="BitPie", words=WORDS)
    async with served(http.application([router], {})) as address:
        yield address


@pytest.mark.parametrize("act", ["disable", "end-sessions"])
async def test_an_open_stream_ends_at_once(address: str, mei: Agent, ada: Agent, act: str) -> None:
    async with httpx.AsyncClient(base_url=address) as admin, httpx.AsyncClient(base_url=address) as client:
        await sign_in(admin)
        await sign_in(client, "Ada")
        async with client.stream("GET", "/console/events") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            async with asyncio.timeout(5):
                assert (await admin.post(f"/console/agents/{ada.id}/{act}")).status_code == 303
                async for _ in lines:
                    pass
        assert (await client.get("/console/events")).status_code == 303


# --- passwords


async def by_link(browser: Browser, store: Store, who: Agent) -> httpx.AsyncClient:
    token = new_token()
    await store.agents.add_sign_in(who.id, token_hash(token), datetime.now(UTC) + timedelta(hours=1))
    client = browser()
    answer = await client.post(f"/console/sign-in/{token}")
    assert answer.headers["location"] == "/console/password"
    return client


async def test_a_password_is_changed_with_the_old_one(browser: Browser, store: Store, mei: Agent) -> None:
    client, elsewhere = await sign_in(browser()), await sign_in(browser())
    assert 'name="old"' in (await client.get("/console/password")).text
    await store.agents.add_sign_in(mei.id, token_hash("link"), datetime.now(UTC) + timedelta(hours=1))
    for old in ("", "wrong password"):
        answer = await client.post("/console/password", data={"old": old, "password": NEW})
        assert answer.status_code == 403
        assert "The old password is wrong. After 5 wrong tries you wait 5 minutes." in answer.text
    assert (await elsewhere.get("/console/")).status_code == 200
    answer = await client.post("/console/password", data={"old": PASSWORD, "password": NEW})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    assert (await client.get("/console/")).status_code == 200
    assert (await elsewhere.get("/console/")).status_code == 303
    assert (await browser().post("/console/sign-in/link")).status_code == 410
    assert (await browser().post("/console/sign-in", data={"name": "Mei", "password": PASSWORD})).status_code == 403
    assert (await browser().post("/console/sign-in", data={"name": "Mei", "password": NEW})).status_code == 303


async def test_guessing_the_old_one_is_throttled_with_sign_ins(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    for number in range(TRIES):
        answer = await client.post("/console/password", data={"old": f"guess {number}", "password": NEW})
        assert answer.status_code == 403
    answer = await client.post("/console/password", data={"old": PASSWORD, "password": NEW})
    assert answer.status_code == 429
    assert "Too many wrong tries" in answer.text
    assert (await client.post("/console/sign-in", data={"name": "Mei", "password": PASSWORD})).status_code == 429


async def test_a_link_for_a_forgotten_password_asks_for_no_old_one_until_it_is_set(
    browser: Browser, store: Store, mei: Agent
) -> None:
    client = await by_link(browser, store, mei)
    page = (await client.get("/console/password")).text
    assert "Set a new password" in page
    assert 'name="old"' not in page
    assert ">Later</a>" in page
    # Who came by a link and another who came by password are two: only one may.
    other = await sign_in(browser())
    assert (await other.post("/console/password", data={"password": NEW})).status_code == 403
    assert (await client.post("/console/password", data={"password": NEW})).status_code == 303
    assert 'name="old"' in (await client.get("/console/password")).text
    assert (await client.post("/console/password", data={"password": PASSWORD})).status_code == 403


async def test_a_common_password_is_refused_with_why_and_how(browser: Browser, store: Store, mei: Agent) -> None:
    client = await by_link(browser, store, mei)
    for password in ("password123!", "Qwertyuiop1", "mei2024mei2024", "bitpie12345", "letmeinletmein"):
        answer = await client.post("/console/password", data={"password": password})
        assert answer.status_code == 422
        assert "This password is easy to guess: " in answer.text
        assert "Take three or four words" in answer.text
    # The old one goes on.
    await sign_in(browser())


async def test_what_is_common_by_now_still_signs_in(browser: Browser, store: Store) -> None:
    await store.agents.add("Old", Role.AGENT, await hash_password("password123!"))
    answer = await browser().post("/console/sign-in", data={"name": "Old", "password": "password123!"})
    assert answer.status_code == 303


async def test_the_first_admin_is_asked_what_customers_call_them(browser: Browser, store: Store) -> None:
    first = await store.agents.add("admin", Role.ADMIN, None)
    client = await by_link(browser, store, first)
    done = await client.post("/console/password", data={"password": NEW})
    assert done.headers["location"] == "/console/public-name"
    assert "What shall customers call you?" in (await client.get("/console/public-name")).text
    for name, words in (
        ("admin", "says what somebody does here"),
        ("", "Write the name that customers shall see"),
        ("x" * 41, "A public name has 1 to 40 characters."),
    ):
        refused = await client.post("/console/public-name", data={"name": name})
        assert refused.status_code == 422
        assert words in unescape(refused.text)
    done = await client.post("/console/public-name", data={"name": "Mei"})
    assert done.headers["location"] == "/console/"
    assert (await store.agents.all())[0].public_name == "Mei"
    done = await client.post("/console/password", data={"old": NEW, "password": PASSWORD})
    assert done.headers["location"] == "/console/"
