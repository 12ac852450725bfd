"""Signing in to the console: passwords, one-time links, sessions, throttling."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.staff import Agent, Role
from bot.store import Store
from handoff.passwords import new_token, token_hash
from tests.support.console import HTMX, PASSWORD, Browser, sign_in


async def one_time_link(store: Store, agent: Agent, valid: timedelta = timedelta(hours=1)) -> str:
    token = new_token()
    await store.agents.add_sign_in(agent.id, token_hash(token), datetime.now(UTC) + valid)
    return f"/console/sign-in/{token}"


@pytest.mark.parametrize(
    "path", ["/", "/conversations/1", "/list", "/events", "/password", "/files/1/0", "/channels", "/navigation"]
)
async def test_a_stranger_sees_the_sign_in(browser: Browser, path: str) -> None:
    answer = await browser().get(f"/console{path}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/sign-in?next=/console{path}"


async def test_the_bare_address_leads_to_the_console(browser: Browser) -> None:
    answer = await browser().get("/console", follow_redirects=True)
    assert answer.url.path == "/console/sign-in"


async def test_htmx_is_sent_to_the_sign_in_and_back_to_the_page_it_was_on(browser: Browser) -> None:
    shown = {"HX-Current-URL": "http://desk/console/conversations/7?view=mine"}
    answer = await browser().get("/console/list", headers=HTMX | shown)
    assert answer.headers["hx-redirect"] == "/console/sign-in?next=/console/conversations/7%3Fview%3Dmine"


async def test_an_address_that_is_none_is_no_page(browser: Browser, mei: Agent) -> None:
    client, nonsense = browser(), {"HX-Current-URL": "http://[::1/console/?view=mine"}
    answer = await client.get("/console/list", headers=HTMX | nonsense)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/console/sign-in")
    await sign_in(client)
    answer = await client.get("/console/?view=mine", headers=HTMX | nonsense)
    assert answer.headers["hx-replace-url"] == "/console/?view=mine"


async def test_a_password_opens_a_session(browser: Browser, mei: Agent) -> None:
    client = browser()
    answer = await client.post("/console/sign-in", data={"name": "mei", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Secure" not in cookie
    page = await client.get("/console/")
    assert page.status_code == 200
    assert "Nobody is waiting" in page.text


async def test_over_https_the_cookie_is_sent_nowhere_else(browser: Browser, mei: Agent) -> None:
    answer = await browser().post("https://desk/console/sign-in", data={"name": "Mei", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]


async def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(
    browser: Browser, store: Store, mei: Agent
) -> None:
    await store.agents.add("Nopassword", Role.AGENT, None)
    client = browser()
    answers = [
        await client.post("/console/sign-in", data={"name": name, "password": "wrong-password"})
        for name in ("Mei", "Nobody", "Nopassword", "\x00")
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert all("The name or the password is wrong." in answer.text for answer in answers)


async def test_guessing_is_throttled_by_name_and_client(browser: Browser, mei: Agent, ada: Agent) -> None:
    guesser = browser()
    guesses = [{"name": "Mei", "password": f"guess {number}"} for number in range(5)]
    answers = await asyncio.gather(*(guesser.post("/console/sign-in", data=guess) for guess in guesses))
    assert {answer.status_code for answer in answers} == {403}
    refused = await guesser.post("/console/sign-in", data={"name": "MEI", "password": PASSWORD})
    assert refused.status_code == 429
    assert "Wait 5 minutes" in refused.text
    await sign_in(guesser, "Ada")
    await sign_in(browser(), "Mei")


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/chat", "/consolex", ""],
)
async def test_signing_in_leads_nowhere_else(browser: Browser, mei: Agent, wanted: str) -> None:
    answer = await browser().post("/console/sign-in", data={"name": "Mei", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == "/console/"


async def test_signing_in_leads_to_the_page_that_was_asked_for(browser: Browser, mei: Agent) -> None:
    wanted = "/console/conversations/7?view=mine"
    answer = await browser().post("/console/sign-in", data={"name": "Mei", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == wanted


async def test_a_one_time_link_signs_in_once_and_a_preview_does_not_use_it_up(browser: Browser, store: Store) -> None:
    agent = await store.agents.add("New", Role.AGENT, None)
    link = await one_time_link(store, agent)
    preview = await browser().get(link)
    assert preview.status_code == 200
    assert "set-cookie" not in preview.headers
    client = browser()
    first, second = await client.post(link), await browser().post(link)
    assert (first.status_code, first.headers["location"]) == (303, "/console/password")
    assert (await client.get("/console/")).status_code == 200
    assert second.status_code == 410
    assert "used already" in second.text


async def test_an_expired_link_signs_nobody_in(browser: Browser, store: Store, mei: Agent) -> None:
    link = await one_time_link(store, mei, valid=timedelta(seconds=-1))
    assert (await browser().post(link)).status_code == 410


async def test_setting_a_password_signs_out_every_other_browser(browser: Browser, store: Store) -> None:
    agent = await store.agents.add("New", Role.AGENT, None)
    here, there = browser(), browser()
    for client in (here, there):
        await client.post(await one_time_link(store, agent))
    short = await here.post("/console/password", data={"password": "too short"})
    assert short.status_code == 422
    assert "at least 10 characters" in short.text
    done = await here.post("/console/password", data={"password": PASSWORD})
    assert done.headers["location"] == "/console/"
    assert (await here.get("/console/")).status_code == 200
    assert (await there.get("/console/")).status_code == 303
    await sign_in(browser(), "New")


async def test_signing_out_ends_the_session_in_the_store(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    stolen = browser()
    stolen.cookies.update(client.cookies)
    assert (await stolen.get("/console/")).status_code == 200
    await client.post("/console/sign-out")
    assert (await stolen.get("/console/")).status_code == 303
