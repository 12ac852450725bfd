"""The agents' console over HTTP: who gets in, who wins, and that nothing a customer writes becomes HTML."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from bot.domain.conversation import Conversation, ConversationState, Priority
from bot.domain.decision import Action, Decision
from bot.domain.message import Attachment, Author, Button, Reply, Visibility
from bot.domain.staff import Agent, Role
from bot.store import Store
from handoff.desk import Desk
from handoff.passwords import new_token, token_hash
from tests.integration.console_desk import ASKED, HOSTILE, HTMX, PASSWORD, Browser, queued, said, sign_in


async def one_time_link(store: Store, agent: Agent, valid: timedelta = timedelta(hours=1)) -> str:
    token = new_token()
    await store.add_sign_in(agent.id, token_hash(token), datetime.now(UTC) + valid)
    return f"/console/sign-in/{token}"


# --- signing in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/conversations/1", "/list", "/events", "/password", "/files/1/0", "/channels", "/channels/sign"]
)
async def test_a_stranger_sees_the_sign_in(browser: Browser, path: str) -> None:
    answer = await browser().get(f"/console{path}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/sign-in?next=/console{path}"


async def test_the_bare_address_leads_to_the_console(browser: Browser) -> None:
    answer = await browser().get("/console", follow_redirects=True)
    assert answer.url.path == "/console/sign-in"


async def test_htmx_is_sent_to_the_sign_in_and_back_to_the_page_it_was_on(browser: Browser) -> None:
    shown = {"HX-Current-URL": "http://desk/console/conversations/7?tab=mine"}
    answer = await browser().get("/console/list", headers=HTMX | shown)
    assert answer.headers["hx-redirect"] == "/console/sign-in?next=/console/conversations/7%3Ftab%3Dmine"


async def test_an_address_that_is_none_is_no_page(browser: Browser, mei: Agent) -> None:
    client, nonsense = browser(), {"HX-Current-URL": "http://[::1/console/?tab=mine"}
    answer = await client.get("/console/list", headers=HTMX | nonsense)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/console/sign-in")
    await sign_in(client)
    answer = await client.get("/console/?tab=mine", headers=HTMX | nonsense)
    assert answer.headers["hx-replace-url"] == "/console/?tab=mine"


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
    await store.add_agent("Nopassword", Role.AGENT, None)
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
    wanted = "/console/conversations/7?tab=mine"
    answer = await browser().post("/console/sign-in", data={"name": "Mei", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == wanted


async def test_a_one_time_link_signs_in_once_and_a_preview_does_not_use_it_up(browser: Browser, store: Store) -> None:
    agent = await store.add_agent("New", Role.AGENT, None)
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
    agent = await store.add_agent("New", Role.AGENT, None)
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


# --- what the browser must not be made to do ----------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://desk"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://desk.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
async def test_another_site_cannot_act_for_an_agent(
    browser: Browser, store: Store, mei: Agent, headers: dict[str, str]
) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/claim", headers=headers)
    assert answer.status_code == 403
    assert (await store.conversation(conversation_id)).state is ConversationState.QUEUED


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://desk"}, {}])
async def test_the_console_itself_can(browser: Browser, store: Store, mei: Agent, headers: dict[str, str]) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/claim", headers=headers)
    assert answer.status_code == 303
    assert (await store.conversation(conversation_id)).agent == mei


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nothing", "/conversations/999", "/static/console.css"])
async def test_every_response_is_guarded(browser: Browser, mei: Agent, path: str) -> None:
    client = await sign_in(browser())
    headers = (await client.get(f"/console{path}")).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store" or path.startswith("/static")


async def test_pages_have_no_inline_script_or_style(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on", page)
    for address in re.findall(r'(?:src|href)="(/console/(?:static|vendor)/[^"]+)"', page):
        assert (await client.get(unescape(address))).status_code == 200, address


async def test_an_oversized_request_is_refused(browser: Browser) -> None:
    answer = await browser().post("/console/sign-in", data={"name": "x" * 2_000_000})
    assert answer.status_code == 413


# --- conversations ------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["0", "-1", "abc", "1.5", str(2**63), "9" * 5000, "%00", "999"])
@pytest.mark.parametrize("headers", [{}, HTMX])
async def test_an_id_that_names_nothing_is_not_found(
    browser: Browser, mei: Agent, id: str, headers: dict[str, str]
) -> None:
    client = await sign_in(browser())
    for answer in (
        await client.get(f"/console/conversations/{id}", headers=headers),
        await client.post(f"/console/conversations/{id}/claim", headers=headers),
    ):
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text


async def test_the_queue_is_served_by_priority_then_wait(browser: Browser, store: Store, mei: Agent) -> None:
    await queued(store, name="first")
    await queued(store, name="second")
    await queued(store, name="stolen", decision=replace(ASKED, priority=Priority.URGENT))
    client = await sign_in(browser())
    page = (await client.get("/console/")).text
    assert re.findall(r'class="row-name"><bdi>(\w+)', page) == ["stolen", "first", "second"]
    assert "<title>(3) BitPie desk</title>" in page
    assert "the customer asked for a person" in page
    assert "Urgent" in page


async def test_of_two_who_claim_at_once_one_wins_and_the_other_is_told_who(
    browser: Browser, store: Store, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    clients = [await sign_in(browser(), name) for name in ("Mei", "Ada")]
    for headers, won in (({}, 303), (HTMX, 200)):
        answers = await asyncio.gather(
            *(client.post(f"/console/conversations/{conversation_id}/claim", headers=headers) for client in clients)
        )
        assert sorted(answer.status_code for answer in answers) == [won, 409]
        winner = (await store.conversation(conversation_id)).agent
        assert winner is not None
        loser = next(answer for answer in answers if answer.status_code == 409)
        assert f"{winner.name} has this conversation." in loser.text
        assert 'role="alert"' in loser.text


async def test_the_life_of_a_conversation(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store, "my transfer")
    client = await sign_in(browser())
    here = f"/console/conversations/{conversation_id}"

    async def now() -> Conversation:
        return await store.conversation(conversation_id)

    assert (await client.post(f"{here}/claim")).headers["location"] == f"{here}?tab=queue"
    assert (await client.post(f"{here}/messages", data={"text": "Hello Ann"})).status_code == 303
    assert (await client.post(f"{here}/messages", data={"text": "looks odd", "mode": "note"})).status_code == 303
    page = (await client.get(f"{here}?tab=mine")).text
    assert "Hello Ann" in page
    assert "looks odd" in page
    await client.post(f"{here}/hand-back")
    assert (await now()).state is ConversationState.BOT
    await client.post(f"{here}/claim")
    await client.post(f"{here}/resolve")
    assert (await now()).state is ConversationState.RESOLVED
    assert "Claim</button>" not in (await client.get(here)).text


async def test_a_note_never_reaches_the_customer(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    await client.post(f"/console/conversations/{conversation_id}/messages", data={"text": "a secret", "mode": "note"})
    contact = (await store.conversation(conversation_id)).contact
    notes = [one for one in await store.messages(conversation_id) if one.text == "a secret"]
    assert [(note.visibility, note.delivery) for note in notes] == [(Visibility.PRIVATE, None)]
    assert all(one.text != "a secret" for one in await store.transcript(contact.id))


async def test_who_does_not_have_the_conversation_cannot_reply_and_keeps_the_words(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    address = f"/console/conversations/{conversation_id}/messages"
    unclaimed = await client.post(address, data={"text": "my long answer"})
    assert unclaimed.status_code == 409
    assert "Claim it first." in unclaimed.text
    assert ">my long answer</textarea>" in unclaimed.text
    await desk.claim(conversation_id, ada)
    taken = await client.post(address, data={"text": "my long answer"}, headers=HTMX)
    assert taken.status_code == 409
    assert "Ada has this conversation." in taken.text
    assert not [one for one in await store.messages(conversation_id) if one.author is Author.AGENT]


@pytest.mark.parametrize(("text", "words"), [("  \n ", "nothing to send"), ("x" * 10_001, "at most 10000")])
async def test_what_cannot_be_sent_is_refused_with_the_reason(
    browser: Browser, store: Store, desk: Desk, mei: Agent, text: str, words: str
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    client = await sign_in(browser())
    answer = await client.post(f"/console/conversations/{conversation_id}/messages", data={"text": text})
    assert answer.status_code == 422
    assert words in answer.text


# --- showing what others wrote ------------------------------------------------------------------


async def test_what_customers_write_stays_text(browser: Browser, store: Store, mei: Agent) -> None:
    attachment = Attachment("photo", HOSTILE, HOSTILE, size=1_500_000)
    conversation_id = await queued(store, HOSTILE, name=f"\u202e{HOSTILE}", attachments=(attachment,))
    client = await sign_in(browser())
    for path in ("/", f"/conversations/{conversation_id}"):
        page = (await client.get(f"/console{path}")).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert 'hx-get="/console/"' not in page
        assert "{{ 7*7 }}" in page
    assert "1 MB" in page


async def test_the_bots_markdown_is_rendered_without_html_or_script_links(
    browser: Browser, store: Store, mei: Agent
) -> None:
    text = (
        "**bold** <b>raw</b> [docs](https://example.com/a) [x](javascript:alert(1)) [y](/console/sign-out) "
        "![i](https://example.com/i.png) <https://example.com/auto> [d](data:text/html,x)"
    )
    conversation_id = await said(store)
    taken = await store.begin_turn((await store.messages(conversation_id))[0].id)
    answer = Decision(Action.ANSWER, topic="fee_explained")
    await store.finish_turn(taken, answer, [Reply(text, buttons=[Button("<i>Yes</i>", "helped:yes")])], language="en")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    rendered = re.search(r'class="words rich" dir="auto">(.*?)</div>', page, re.S)
    assert rendered is not None
    assert "<strong>bold</strong> &lt;b&gt;raw" in rendered[1]
    assert re.findall(r'<a href="([^"]*)"', rendered[1]) == [
        "https://example.com/a",
        "https://example.com/i.png",
        "https://example.com/auto",
    ]
    assert rendered[1].count('target="_blank" rel="noopener noreferrer nofollow"') == 3
    assert "<img" not in page
    assert "&lt;i&gt;Yes" in page


async def test_a_huge_message_is_folded_and_complete(browser: Browser, store: Store, mei: Agent) -> None:
    text = "word " * 4_000
    conversation_id = await said(store, text)
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "Show all 20,000 characters" in page
    shown = re.findall(r'<div class="words" dir="auto">(.*?)</div>', page, re.S)
    assert "".join(shown) == text
    assert len(shown[0]) <= 2_000


async def test_an_edited_message_shows_what_it_was(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await said(store, "tranfser")
    await said(store, "transfer", id="2", edits="Ann-1")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "<summary>edited</summary>" in page
    assert "tranfser" in page


async def test_what_the_bot_made_of_a_message_is_shown(browser: Browser, store: Store, mei: Agent) -> None:
    conversation_id = await queued(store, decision=replace(ASKED, topic="fee_explained"))
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "escalated fee_explained · 97 %" in page
    assert '<rect width="97.4%"' in page


async def test_a_failed_delivery_says_why(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    reply = await desk.reply(conversation_id, mei, "Hello")
    begun = await store.begin_delivery(reply.id)
    assert begun is not None
    await store.fail_delivery(begun, "the customer blocked the bot")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "not delivered: the customer blocked the bot" in page


@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("queue", "The queue is empty"),
        ("mine", "Nothing in your hands"),
        ("bot", "The bot is idle"),
        ("resolved", "Nothing resolved yet"),
        ("nonsense", "The queue is empty"),
    ],
)
async def test_an_empty_list_says_what_belongs_there(browser: Browser, mei: Agent, tab: str, words: str) -> None:
    client = await sign_in(browser())
    assert words in (await client.get(f"/console/?tab={tab}")).text


async def test_another_list_is_shown_beside_the_open_conversation(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    shown = {"HX-Current-URL": "http://desk/console/conversations/7?tab=queue"}
    answer = await client.get("/console/?tab=mine", headers=HTMX | shown)
    assert answer.headers["hx-replace-url"] == "/console/conversations/7?tab=mine"
    assert "<html" not in answer.text
